"""The process between mibench and a command from outside: starts it within limits, and leaves nothing of it behind.

Notable:

- It runs by its path, as ``python -I -S``, on the standard library alone, so that it starts in milliseconds.
- The process that asked is at the other end of its standard input: when that closes, however the asker died, the
  command is killed. Guard and command have sessions of their own, so that no kill of a group meets the guard first.
- On Linux it inherits the children of those that end before them, so that whatever the command forks is found and
  killed, also what left the command's process group. Elsewhere the group alone is.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_READ = 65536
_KEPT = 2000  # bytes of what a command said last on stderr
_PAUSE = 0.01  # seconds between two looks at processes that were killed


def main() -> None:
    """Read the job, a JSON object on the first line of stdin; run it; write what came of it to stdout, as another."""
    with os.fdopen(0, "rb", buffering=0, closefd=False) as asker:
        job = json.loads(asker.readline())
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    said = json.dumps(_run(job)).encode()
    with contextlib.suppress(BrokenPipeError), os.fdopen(1, "wb") as answer:
        answer.write(said)


def _run(job: dict[str, Any]) -> dict[str, Any]:
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking)
    try:
        process = subprocess.Popen(
            job["command"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=job["environment"],
            cwd=job["folder"],
            start_new_session=True,
            preexec_fn=_limits(job["memory"]),
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", "") or str(error)
        return {"ended": "unstarted", "code": None, "output": "", "errors": reason}
    watch = _Watch(process, woken, job["longest"])
    try:
        ended = watch.end(time.monotonic() + job["seconds"])
    finally:
        _kill_all(process)
    return {
        "ended": ended,
        "code": process.returncode,
        "output": watch.output.decode(errors="replace"),
        "errors": watch.errors.decode(errors="replace"),
    }


def _limits(memory: int) -> Callable[[], None]:
    """Return what the command's process does before it becomes the command."""
    guard = os.getpid()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(ValueError, OSError):  # macOS takes no limit of addresses
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)

    return limit


class _Watch:
    """What a command prints, until it has ended, printed too much, or run out of time, or nobody waits for it."""

    def __init__(self, process: subprocess.Popen[bytes], woken: int, longest: int) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.output, self.errors = b"", b""
        self._process, self._longest = process, longest
        self._out, self._err, self._asker = process.stdout.fileno(), process.stderr.fileno(), 0
        self._selector = selectors.DefaultSelector()
        for descriptor in (self._out, self._err, self._asker, woken):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def end(self, deadline: float) -> str:
        """Wait, and say how it ended: ``ended``, ``timeout``, ``flooded`` or ``left``."""
        while (remaining := deadline - time.monotonic()) > 0:
            over = self._process.poll() is not None
            ready = self._selector.select(0 if over else remaining)
            if (reason := self._read([key.fd for key, _ in ready])) is not None:
                return reason
            if over and not ready:  # all that it printed is read; processes that it left may hold its pipes open
                return "ended"
        return "timeout"

    def _read(self, descriptors: list[int]) -> str | None:
        for descriptor in descriptors:
            data = os.read(descriptor, _READ)
            if not data:
                self._selector.unregister(descriptor)
            if descriptor == self._asker and not data:
                return "left"
            if descriptor == self._out:
                self.output += data
            elif descriptor == self._err:
                self.errors = (self.errors + data)[-_KEPT:]
        return "flooded" if len(self.output) > self._longest else None


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill the command's group, and on Linux whatever it started, wherever it is."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with contextlib.suppress(ChildProcessError):  # there is none left
        while sys.platform == "linux":
            for pid in _children():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(_PAUSE)


def _children() -> list[int]:
    """Processes whose parent this is, as those become that have lost theirs."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            parent = place.read_text(errors="replace").rpartition(") ")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(place.parent.name))
    return found


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    main()
