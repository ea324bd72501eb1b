"""Engines by name: who runs the packs. An engine is a module of this package that defines ``run_packs``.

Notable: joblib schedules in all of them; the work itself happens in worker processes. What engines share is
`mibench.running.supervision`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Protocol

from mibench.running.packs import Pack
from mibench.running.supervision import PackOutcome, Settings
from mibench.running.workers import Progress


class Engine(Protocol):
    """What an engine does: run packs, and yield their outcomes as they come."""

    def __call__(
        self, packs: Sequence[Pack], settings: Settings, *, jobs: int, progress: Progress, scheduler: str | None
    ) -> Iterator[PackOutcome]:
        """Run packs.

        Parameters
        ----------
        packs
            The packs, the most expensive one first.
        settings
            What they have in common.
        jobs
            Packs at a time.
        progress
            Called with the steps x runs done since the last call, from several threads.
        scheduler
            Address of a scheduler for an engine that has one, else None.
        """
        ...


def engine_names() -> list[str]:
    """Return the names of all engines."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find_engine(name: str) -> Engine:
    """Return an engine by its name, one of `engine_names`."""
    engine: Engine = importlib.import_module(f"{__name__}.{name}").run_packs
    return engine
