"""Paths that a user gives, looked at before they are opened: what is no file, or no folder, is refused in one sentence.

Notable: a named pipe never answers and a device never ends, so that nothing is opened that is not a regular file, and
of a file no more is read than what people write by hand.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from mibench.core.errors import UsageError, shown

LARGEST = 1_000_000
"""Bytes of the largest file that is read as a whole: 1 MB."""

FILE, FOLDER = "a file", "a folder"

_KINDS: Mapping[str, Callable[[int], bool]] = {
    FILE: stat.S_ISREG,
    FOLDER: stat.S_ISDIR,
    "a named pipe": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def kind_of(path: Path) -> str:
    """Say what a path leads to: ``"a file"``, ``"a folder"``, ``"a named pipe"``, ...; empty where nothing is there.

    Raises
    ------
    OSError
        Where it cannot be looked up, as with a name that is too long.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name with a null character
        return ""
    return next((kind for kind, holds in _KINDS.items() if holds(mode)), "no file")


def read_small(path: Path, label: str, wanted: str) -> bytes:
    """Read a regular file of at most `LARGEST` bytes.

    Parameters
    ----------
    label
        What it is called in messages: ``"grid 'x.toml'"``.
    wanted
        What should be given: ``"a TOML file"``.

    Raises
    ------
    UsageError
        For what is no regular file, and for a larger one.
    OSError
        Where it cannot be read.
    """
    if (kind := kind_of(path)) not in (FILE, ""):
        raise UsageError(f"{label} is {kind}; give {wanted} of at most 1 MB")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UsageError(f"{label} is larger than 1 MB; give {wanted} of at most 1 MB")
    return content


def refuse_empty(name: object, label: str) -> None:
    """Refuse, by `UsageError`, an empty name, which as a path would mean the current folder."""
    if not str(name):
        raise UsageError(f"the name of the {label} is empty; give one, or leave it out")


def given_path(given: object, label: str) -> Path:
    """Return a path that a user gave.

    Parameters
    ----------
    label
        What it is called in messages: ``"results folder"``.

    Raises
    ------
    UsageError
        For what is neither text nor a `pathlib.Path`, and for an empty name.
    """
    if not isinstance(given, str | Path):
        raise UsageError(f"the {label} must be a path, not {shown(given, repr)}; give its name as text")
    refuse_empty(given, label)
    return Path(given)


def check_output(folder: str | Path, label: str, option: str) -> None:
    """Make sure that a path is a folder, or can become one, before any work.

    Where it is not there yet, a folder is made and removed again in the nearest one that is: only the system knows
    whether it takes another.

    Parameters
    ----------
    label
        What it is called in messages: ``"results folder"``.
    option
        What names another: ``"--results"``.

    Raises
    ------
    UsageError
        For what is no path, and where the path, or what it lies in, is no folder or takes none.
    """
    wanted = given_path(folder, label)
    for path in (wanted, *wanted.parents):
        try:
            kind = kind_of(path)
        except OSError:  # those who write there say why
            return
        if kind == FOLDER:
            if path != wanted and (reason := _takes_no_folder(path)):
                raise UsageError(f"{label} '{folder}' cannot be written to ({reason}); name another with {option}")
            return
        if kind:
            where = "it" if path == wanted else f"'{path}'"
            raise UsageError(
                f"{label} '{folder}' cannot be written to, since {where} is {kind}; name another with {option}"
            )


def _takes_no_folder(folder: Path) -> str:
    """Say why no folder can be made in a folder; empty where one can."""
    try:
        import tempfile  # only where a folder is to be made

        Path(tempfile.mkdtemp(prefix=".mibench-", dir=folder)).rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # a full disk is no bad input; those who write there say so
            return error.strerror or str(error)
    return ""
