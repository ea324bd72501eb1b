"""A worker: a process that imports torch once and then forks a child for every pack. POSIX only.

Notable:

- Not multiprocessing: its spawned and forked servers import the user's main module again, which breaks scripts without
  an ``if __name__ == "__main__"`` guard. A worker reads jobs from its standard input, a JSON object a line, and answers
  on its standard output in the same way.
- It has one thread and never runs a torch operation itself, so that forking it is safe. A fork takes milliseconds where
  a new interpreter takes seconds, which makes a hard kill per pack affordable.
- A child is the leader of a process group of its own, which is killed as a whole: after the pack, at the time limit,
  and when the worker's standard input closes: the runner is gone, however it died. Nothing goes on computing.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import time
from typing import Any

from mibench.running.messages import LAST, Job, Message, Messages, send
from mibench.running.pack_process import peak_memory, train_in_child

_POLL = 0.25  # seconds between two looks at whether the child lives
_OUTPUT_LENGTH = 2000  # bytes kept of what a child printed last

_PRELOADED = ("torch", "mibench.training.loop", "mibench.training.precision")


def main() -> None:
    """Serve jobs from standard input until it closes."""
    requests, replies = Messages(os.dup(0)), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # what an import prints must not mix with the replies
    os.close(null)
    with contextlib.suppress(BrokenPipeError):  # the runner is gone
        send(replies, _prepare())
        while not requests.closed:
            for message in requests.read():
                reply = _outcome(Job.from_message(message), requests, replies)
                if reply is not None:
                    send(replies, reply)
    os._exit(0)  # taking torch down in good order takes half a second


def _prepare() -> Message:
    """Import once what every child needs, as far as it starts no thread (pyarrow does)."""
    try:
        for module in _PRELOADED:
            importlib.import_module(module)
    except Exception as error:
        status = "unstarted" if _lacks_memory(error) else "broken"
        return {"failed": status, "error": f"{type(error).__name__}: {error}"}
    return {"ready": os.getpid()}


def _lacks_memory(error: Exception) -> bool:
    """Whether an import failed for want of memory, which a library that is loaded says in words of its own."""
    texts = ("Cannot allocate memory", "failed to map segment")
    return isinstance(error, MemoryError) or any(text in str(error) for text in texts)


def _outcome(job: Job, requests: Messages, replies: int) -> Message | None:
    """Train one pack in a child; None where the runner is gone."""
    try:
        child = Child(job, requests, replies)
    except OSError as error:  # no memory for a fork, or too many processes: not the pack's doing
        return {"failed": "killed", "error": f"the worker cannot start a process: {error.strerror}"}
    return child.outcome()


class Child:
    """A forked process that trains one pack, and the watch over it."""

    def __init__(self, job: Job, requests: Messages, replies: int) -> None:
        self._job, self._requests, self._replies = job, requests, replies
        report, report_end = os.pipe()
        output, output_end = os.pipe()
        worker = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            for descriptor in (requests.descriptor, replies, report, output):
                os.close(descriptor)
            train_in_child(job, report_end, output_end, worker)
        os.close(report_end)
        os.close(output_end)
        with contextlib.suppress(OSError):
            os.setpgid(self._pid, self._pid)  # the child does it too: whoever comes first
        self._report, self._output = Messages(report), output
        self._output_closed, self._last_words = False, b""
        self._exit: int | None = None
        self._memory: float | None = None

    def outcome(self) -> Message | None:
        """Wait for the pack's end and return the last message; None where the runner is gone."""
        try:
            return self._watch()
        finally:
            self._end()

    def _watch(self) -> Message | None:
        deadline = time.monotonic() + self._job.limit
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                self._kill()  # before it is said, so that its memory is known
                return self._failed("timeout", f"no result after {self._job.limit:g} seconds")
            messages = self._wait(min(remaining, _POLL))
            if self._requests.closed:
                return None
            dead = self._reap(os.WNOHANG)
            if dead:
                messages += self._wait(0) + self._report.drain()  # what it said before it died
            for message in messages:
                if any(key in message for key in LAST):
                    return message
                send(self._replies, message)
            if dead:
                return self._failed("crashed", self._cause_of_death())

    def _wait(self, seconds: float) -> list[Message]:
        """Wait for anything to happen; returns the child's messages."""
        if self._report.closed:
            seconds = min(seconds, 0.01)  # it is about to end
        watched: list[Any] = [self._requests]
        watched += [] if self._report.closed else [self._report]
        watched += [] if self._output_closed else [self._output]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._requests in ready:
            self._requests.read()  # nothing is sent during a job: this is the end
        if self._output in ready:
            data = os.read(self._output, 65536)
            self._output_closed = not data
            self._last_words = (self._last_words + data)[-_OUTPUT_LENGTH:]
        return self._report.read() if self._report in ready else []

    def _reap(self, options: int) -> bool:
        """Collect the child's exit status; whether it is dead."""
        if self._exit is None:
            pid, status, usage = os.wait4(self._pid, options)
            if pid:
                self._exit, self._memory = os.waitstatus_to_exitcode(status), peak_memory(usage)
        return self._exit is not None

    def _cause_of_death(self) -> str:
        code = self._exit or 0
        if code < 0:
            return f"killed by signal {-code} ({signal.strsignal(-code)})"
        return f"the process ended with exit code {code} and without a result"

    def _failed(self, status: str, error: str) -> Message:
        tail = self._last_words.decode(errors="replace").strip()
        message = {"failed": status, "error": f"{error}; last output:\n{tail}" if tail else error}
        return message if self._memory is None else {**message, "memory": self._memory}

    def _end(self) -> None:
        """Kill what is left of the process group, and forget it."""
        self._kill()
        os.close(self._report.descriptor)
        os.close(self._output)

    def _kill(self) -> None:
        """Kill what is left of the process group, and collect the child."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        self._reap(0)
