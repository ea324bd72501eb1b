"""Finding tasks, estimators, critics and negative samplers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS

if TYPE_CHECKING:
    from mibench.core.estimator import Estimator
    from mibench.core.task import Task


def get_task(name: str, **params: Any) -> Task:
    """Build a task: ``get_task("gaussian20d", mi=10.0)``; ``"gaussian20d-v1"`` names the version.

    Raises
    ------
    UsageError
        For unknown names and parameters, and for values out of range.
    """
    return TASKS.create(name, params)


def get_estimator(name: str, **params: Any) -> Estimator:
    """Build an estimator: ``get_estimator("smile", tau=5)`` or ``get_estimator("smile:tau=5")``.

    Raises
    ------
    UsageError
        For unknown names and parameters, and for values out of range.
    """
    return ESTIMATORS.create(name, params)


def list_tasks() -> list[str]:
    """Return the names of all tasks, sorted."""
    return [entry.name for entry in TASKS.entries()]


def list_estimators() -> list[str]:
    """Return the names of all estimators, sorted."""
    return [entry.name for entry in ESTIMATORS.entries()]


def list_critics() -> list[str]:
    """Return the names of all critics, sorted."""
    return [entry.name for entry in CRITICS.entries()]


def list_negatives() -> list[str]:
    """Return the names of all negative samplers, sorted."""
    return [entry.name for entry in NEGATIVES.entries()]
