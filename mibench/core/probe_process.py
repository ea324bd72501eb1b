"""The process that plug-ins are tried in: it imports them and says what happened, if it lives to say so.

Notable: what can be raised again without harm, an ordinary exception, is not reported: it may be for want of a plug-in
that was loaded before, and the process that loads the file says it with its cause.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mibench.core.faults import describe_error
from mibench.core.plugins import load_plugins

_GRACE = 5.0  # seconds beyond the limit after which a process that nobody watches any more ends


def try_files(files: Sequence[Path], report: int, output: int, limit: float) -> NoReturn:
    """Import plug-ins in a process that was forked for it, and report; never returns, whatever they do.

    Parameters
    ----------
    files
        The plug-ins.
    report
        Descriptor that a JSON object a line is written to: ``{"ended": file, "error": how it ended oddly or null}``.
    output
        Descriptor that takes what the plug-ins print.
    limit
        Seconds that they may take.
    """
    try:
        os.setsid()  # Ctrl-C is for the process that watches, which then stops this one
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _redirect(output)
        faulthandler.dump_traceback_later(limit + _GRACE, exit=True)
        for file in files:
            message = {"ended": str(file), "error": _odd_end_of(file)}
            os.write(report, json.dumps(message).encode() + b"\n")
    finally:
        os._exit(0)  # whatever plug-ins have left to be done at the end


def _redirect(output: int) -> None:
    """Send what is printed to a descriptor, at once, so that it comes before what ends the process."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", write_through=True)


def _odd_end_of(file: Path) -> str | None:
    try:
        load_plugins([file], strict=True)
    except BaseException as error:
        cause = error.__cause__ or error
        return None if isinstance(cause, Exception) else describe_error(cause, file)
    return None
