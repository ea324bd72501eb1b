"""Commands from outside: run within limits of time, memory and answer, and gone afterwards with all that they started.

Notable: a process of its own does it (`mibench.core.guard_process`), which outlives a kill of the one that asks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from mibench.core.errors import CommandError

LONGEST = 1_000_000
"""Bytes that a command may print on stdout."""

_GIB = 2**30
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_OF_THIS_PYTHON = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""What would lead another interpreter to the packages of this one."""

_MEMORY_WORDS = ("MemoryError", "bad_alloc", "Cannot allocate memory", "out of memory", "Unable to allocate")
_SHOWN = 300  # characters of what a command said last


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a command may take.

    Parameters
    ----------
    seconds
        Until all of it is killed.
    memory
        GiB of addresses, for each of its processes.
    """

    seconds: float
    memory: float


def output_of(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], limits: Limits, owner: str
) -> str:
    """Run a command to its end and return what it printed on stdout; it has no stdin.

    Parameters
    ----------
    command
        Program and arguments; no shell reads them.
    folder
        Where it runs.
    environment
        Variables beside this process's own, without those that are this Python's.
    limits
        What it may take.
    owner
        Whose command it is, for messages: ``"estimator 'mine'"``.

    Raises
    ------
    CommandError
        Where it does not start, does not end in time, ends with another code than 0, or prints more than `LONGEST`.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_THIS_PYTHON}
    job = {
        "command": list(command),
        "folder": str(folder),
        "environment": {**_ONE_THREAD, **inherited, **environment},
        "seconds": limits.seconds,
        "memory": round(limits.memory * _GIB),
        "longest": LONGEST,
    }
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard_process.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert guard.stdin is not None
    assert guard.stdout is not None
    said = b""
    with (
        guard.stdout,
        contextlib.suppress(BrokenPipeError),
        guard.stdin,
    ):  # closing its stdin ends it, whatever is raised
        guard.stdin.write(json.dumps(job).encode() + b"\n")
        guard.stdin.flush()
        said = guard.stdout.read()
    guard.wait()
    if not said:
        raise CommandError(f"the process that ran the command of {owner} was killed", "crashed")
    end = json.loads(said)
    if end["ended"] == "ended" and end["code"] == 0:
        return str(end["output"])
    raise CommandError(*_failure(end, owner, command[0], limits))


def _failure(
    end: Mapping[str, str | int], owner: str, program: str, limits: Limits
) -> tuple[str, Literal["crashed", "timeout"]]:
    """Say in a sentence how a command failed, and the status of its run."""
    ended, code, errors = end["ended"], end["code"], str(end["errors"])
    if ended == "timeout":
        return f"the command of {owner} gave no answer within {limits.seconds:g} seconds and was ended", "timeout"
    if ended == "unstarted":
        return f"the command of {owner} cannot be started: '{program}': {errors}", "crashed"
    if ended == "flooded":
        return f"the command of {owner} printed more than {LONGEST} bytes and was ended", "crashed"
    assert isinstance(code, int)
    how = f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code} ({signal.strsignal(-code)})"
    last = next((line.strip() for line in reversed(errors.splitlines()) if line.strip()), "")
    memory = f", within the {limits.memory:g} GiB that it may take" if _lacks_memory(errors) else ""
    return f"the command of {owner} {how}{memory}{f'; it said: {last[:_SHOWN]}' if last else ''}", "crashed"


def _lacks_memory(errors: str) -> bool:
    return any(word in errors for word in _MEMORY_WORDS)
