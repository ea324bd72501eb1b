"""Worker processes that a process of a cluster keeps from one pack to the next: importing torch takes seconds.

Notable: nothing has to be told that the work is over. Workers that nobody used for a while end by themselves, also
where the runner was killed, and a process of the cluster that is killed takes its own along.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from mibench.running.workers import Workers

_IDLE = 30.0
"""Seconds after which workers without a pack are stopped."""


class SharedWorkers:
    """The workers of this process, which all its threads share."""

    def __init__(self, idle: float = _IDLE) -> None:
        self._idle = idle
        self._lock = threading.Lock()
        self._workers: Workers | None = None
        self._users = 0
        self._timer: threading.Timer | None = None

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[Workers]:
        """Lend the workers for the time of the block."""
        with self._lock:
            self._users += 1
            if self._timer is not None:
                self._timer.cancel()
            if self._workers is None:
                self._workers = Workers()
            workers = self._workers
        try:
            yield workers
        finally:
            with self._lock:
                self._users -= 1
                self._timer = threading.Timer(self._idle, self._stop)
                self._timer.daemon = True
                self._timer.start()

    def _stop(self) -> None:
        with self._lock:
            if self._users or self._workers is None:
                return
            workers, self._workers = self._workers, None
        with workers:  # its end stops them
            pass


SHARED = SharedWorkers()
"""Those of this process."""
