"""The runner's side of the workers: starting them, giving them jobs, stopping them.

Notable: a worker gets this process's module search path as it is, so that it finds the same mibench and the same
plug-ins, and a process group of its own: whatever kills the runner, the worker lives long enough to kill its child.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self

from mibench.core.processes import python_command
from mibench.running.messages import Job, Known

Progress = Callable[[int], None]

# One thread per process, always: two threads beside a busy process are many times slower, and forking needs one.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_PATIENCE = 10.0  # seconds that a worker is given to end by itself


@dataclasses.dataclass(frozen=True)
class Reply:
    """How a job ended.

    ``crashed`` and ``timeout`` are the run's doing. ``killed`` (a signal ended the worker in the midst of the job) and
    ``unstarted`` (before it took the job, or there was no memory to start it) may be anybody's, and another attempt is
    due. ``storage`` (nothing can be written), ``broken`` (workers do not start, whenever they are tried) and
    ``stopped`` (the runner gave up) are not the run's, and no row is made of them.

    Parameters
    ----------
    status
        As above.
    error
        Traceback, signal, limit or cause.
    memory
        Peak resident memory of the process that trained, MB; None where nothing is known of it.
    known
        Of every run, by id, columns of each stair that the process knew before it trained; empty where it knew nothing.
    """

    status: Literal["done", "crashed", "timeout", "killed", "unstarted", "storage", "broken", "stopped"]
    error: str = ""
    memory: float | None = None
    known: Known = dataclasses.field(default_factory=dict)


class Host:
    """One worker process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            python_command("mibench.running.worker_process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it reports in its replies
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._ready = False

    def run(self, job: Job, progress: Progress) -> Reply:
        """Do one job; blocks until it ended. A worker that does not answer any more is a crash of the job."""
        assert self._process.stdin is not None
        if not self._ready:
            greeting = self._receive()
            if greeting is None:
                return self._death("unstarted", "broken")
            if "ready" not in greeting:
                return Reply(greeting["failed"], greeting["error"])
            self._ready = True
        with contextlib.suppress(BrokenPipeError, ValueError):  # ValueError: `hang_up` has closed it
            self._process.stdin.write(job.to_json().encode() + b"\n")
            self._process.stdin.flush()
        memory: float | None = None
        known: Known = {}
        while (message := self._receive()) is not None:
            memory, known = message.get("memory", memory), message.get("known", known)
            if "done" in message:
                return Reply("done")
            if "failed" in message:
                return Reply(message["failed"], message["error"], memory, known)
            if "progress" in message:
                progress(message["progress"])
        return dataclasses.replace(self._death("killed", "crashed"), memory=memory, known=known)

    def _death(self, by_signal: Literal["killed", "unstarted"], by_itself: Literal["crashed", "broken"]) -> Reply:
        """Say how the worker ended: a signal comes from elsewhere, an exit code from within."""
        code = self._process.wait()
        if code >= 0:
            return Reply(by_itself, f"exit code {code}")
        return Reply(by_signal, f"the worker was killed by signal {-code} ({signal.strsignal(-code)})")

    @property
    def alive(self) -> bool:
        """Whether the worker can take another job."""
        return self._process.poll() is None

    def hang_up(self) -> None:
        """Close the worker's input: it kills its child and ends. Safe beside a `run` in another thread."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def stop(self) -> None:
        """Hang up and wait until the worker is gone."""
        self.hang_up()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _receive(self) -> dict[str, Any] | None:
        """Return the worker's next message; None once it is gone."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        message: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        return message


class Workers:
    """As many workers as are asked for at once, each used again for the next job.

    A context: no process of theirs outlives its block.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: set[Host] = set()
        self._idle: list[Host] = []
        self._stopped = False
        self._hung_up = threading.Event()

    def run(self, job: Job, progress: Progress) -> Reply:
        """Do one job on an idle worker, or on a new one."""
        host = self._take()
        if host is None:
            return Reply("stopped")
        reply = host.run(job, progress)
        with self._lock:
            if self._stopped:
                return reply if reply.status == "done" else Reply("stopped")
            if host.alive:
                self._idle.append(host)
                return reply
            self._hosts.discard(host)
        host.stop()
        return reply

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until all jobs are to end."""
        self._hung_up.wait(seconds)

    def _take(self) -> Host | None:
        with self._lock:
            if self._stopped:
                return None
            if self._idle:
                return self._idle.pop()
            host = Host()
            self._hosts.add(host)
            return host

    def hang_up(self) -> None:
        """Let all jobs end now, as ``stopped``, and take no others."""
        with self._lock:
            self._stopped = True
            hosts = list(self._hosts)
        self._hung_up.set()
        for host in hosts:
            host.hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()
        for host in self._hosts:
            host.stop()
