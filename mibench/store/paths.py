"""Where results lie: what can be said of a results folder before any of it is read.

Notable: this module needs neither pandas nor pyarrow, so that a folder that is not there is named at once.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from mibench.core.errors import StoreError
from mibench.core.files import FOLDER, check_output, given_path, kind_of

_SUFFIX = ".parquet"
_T = TypeVar("_T")

MANY = 500
"""Files of the runs table beyond which reading takes long enough for a hint."""


def existing_results(folder: str | Path, purpose: str = "") -> Path:
    """Return the path of a results folder that is to be read.

    Parameters
    ----------
    purpose
        What it is needed for: ``" to merge"``; where it is empty, the message names the command that fills one.

    Raises
    ------
    UsageError
        For what is no path, and an empty name.
    StoreError
        Where there is no such folder.
    """
    path = given_path(folder, "results folder")
    try:
        kind = kind_of(path)
    except OSError:  # a name that no file system takes leads nowhere
        kind = ""
    if kind == FOLDER:
        return path
    if kind:
        raise StoreError(f"results folder '{folder}' is {kind}; name a folder")
    fill = "" if purpose else ", or fill it with 'mibench run'"
    raise StoreError(f"there is no results folder '{folder}'{purpose}; name an existing one{fill}")


def check_results(folder: str | Path) -> None:
    """Make sure that results can lie in a folder, which need not exist yet; raises `UsageError`."""
    check_output(folder, "results folder", "--results")


class FileMark(NamedTuple):
    """What tells that a file is still the same: its size in bytes, and when it was changed, in nanoseconds."""

    size: int
    mtime_ns: int


def stems(folder: str | Path, table: str) -> list[str]:
    """List a table's files by stem, sorted, without the temporary ones; empty where there is no such folder.

    Raises
    ------
    StoreError
        Where the folder cannot be looked into, as with a name that is too long.
    """
    return sorted(_found(folder, table, lambda entry: None))


def marks(folder: str | Path, table: str) -> dict[str, FileMark | None]:
    """List a table's files as `stems`, each with its mark; None of one that vanished, or leads nowhere."""
    return dict(sorted(_found(folder, table, _mark).items()))


def _mark(entry: os.DirEntry[str]) -> FileMark | None:
    try:
        found = entry.stat()
    except OSError:  # those who read it say why
        return None
    return FileMark(found.st_size, found.st_mtime_ns)


def _found(folder: str | Path, table: str, look: Callable[[os.DirEntry[str]], _T]) -> dict[str, _T]:
    """Look at every file of a table, by stem."""
    try:
        with os.scandir(Path(folder) / table) as entries:
            return {
                entry.name.removesuffix(_SUFFIX): look(entry)
                for entry in entries
                if entry.name.endswith(_SUFFIX) and not entry.name.startswith((".", "_"))
            }
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name with a null character
        return {}
    except OSError as error:
        raise StoreError(
            f"results folder '{folder}' cannot be read ({error.strerror or error}); name another with --results"
        ) from error


def compaction_hint(folder: str | Path) -> str:
    """Say in a line how a folder of more than `MANY` files of runs is made quick to read; empty for any other."""
    count = len(stems(folder, "runs"))
    if count <= MANY:
        return ""
    command = shlex.join(["mibench", "results", "compact", "--results", str(folder)])
    return f"the runs of '{folder}' lie in {count:,} files; '{command}' turns them into one, which is read much faster"
