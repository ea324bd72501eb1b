"""Where results lie: what can be said of a results folder before any of it is read.

Notable: this module needs neither pandas nor pyarrow, so that a folder that is not there is named at once.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from mibench.core.errors import StoreError
from mibench.core.files import FOLDER, check_output, given_path, kind_of

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


def stems(folder: str | Path, table: str) -> list[str]:
    """List a table's files by stem, sorted, without the temporary ones; empty where there is no such folder.

    Raises
    ------
    StoreError
        Where the folder cannot be looked into, as with a name that is too long.
    """
    try:
        found = list((Path(folder) / table).glob("*.parquet"))
    except OSError as error:
        raise StoreError(
            f"results folder '{folder}' cannot be read ({error.strerror or error}); name another with --results"
        ) from error
    return sorted(path.stem for path in found if not path.name.startswith((".", "_")))


def compaction_hint(folder: str | Path) -> str:
    """Say in a line how a folder of more than `MANY` files of runs is made quick to read; empty for any other."""
    count = len(stems(folder, "runs"))
    if count <= MANY:
        return ""
    command = shlex.join(["mibench", "results", "compact", "--results", str(folder)])
    return f"the runs of '{folder}' lie in {count:,} files; '{command}' turns them into one, which is read much faster"
