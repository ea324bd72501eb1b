"""The process that plug-ins are tried in: it imports them and says what happened, if it lives to say so.

Notable: what can be raised again without harm, an ordinary exception, is not reported: it may be for want of a plug-in
that was loaded before, and the process that loads the file says it with its cause.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from pathlib import Path

from mibench.core.faults import describe_error
from mibench.core.plugins import load_plugins

_GRACE = 5.0  # seconds beyond the limit after which a process that nobody watches any more ends


def main() -> None:
    """Import the plug-ins that the arguments list as JSON, and report into the descriptor that they name."""
    files, report, limit = json.loads(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    os.set_inheritable(report, False)
    faulthandler.dump_traceback_later(limit + _GRACE, exit=True)
    for file in map(Path, files):
        _send(report, {"begun": str(file)})
        error = _odd_end_of(file)
        _send(report, {"ended": str(file), "error": error})
    os._exit(0)  # whatever plug-ins have left to be done at the end


def _odd_end_of(file: Path) -> str | None:
    try:
        load_plugins([file], strict=True)
    except BaseException as error:
        cause = error.__cause__ or error
        return None if isinstance(cause, Exception) else describe_error(cause, file)
    return None


def _send(descriptor: int, message: dict[str, str | None]) -> None:
    os.write(descriptor, json.dumps(message).encode() + b"\n")
