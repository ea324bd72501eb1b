"""Workers that are kept from one test to the next: importing torch takes a worker longer than most tests take."""

from __future__ import annotations

import os
from types import TracebackType

from mibench.running import workers
from mibench.running.workers import Host, Workers

_Surroundings = tuple[tuple[str, ...], frozenset[tuple[str, str]]]

_kept: dict[_Surroundings, list[Host]] = {}


class KeptWorkers(Workers):
    """Workers of which those that are idle in the end are used again where nothing around them has changed."""

    def __enter__(self) -> KeptWorkers:
        self._hosts.update(_kept.pop(_surroundings(), []))
        self._idle.extend(host for host in self._hosts if host.alive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            kept = [] if kind or self._stopped else [host for host in self._idle if host.alive]
            self._hosts.difference_update(kept)
        super().__exit__(kind, error, trace)
        _kept.setdefault(_surroundings(), []).extend(kept)


def stop_kept() -> None:
    """Stop all workers that were kept."""
    for hosts in _kept.values():
        for host in hosts:
            host.stop()
    _kept.clear()


def _surroundings() -> _Surroundings:
    """What a new worker would get from this process."""
    own = {"PYTEST_CURRENT_TEST"}
    command = workers.python_command("mibench.running.worker_process")  # of small pools, or not; has sys.path in it
    return tuple(command), frozenset((k, v) for k, v in os.environ.items() if k not in own)
