"""mibench measures mutual-information estimators: tasks with known MI, estimators, a runner, reports.

The names below are the public interface. They are imported on first use, so that ``import mibench`` and the command
line's ``--help`` stay free of torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mibench.critics import Critic, ModuleCritic
    from mibench.errors import MibenchError, StoreError, UsageError
    from mibench.interfaces import Estimator, Extra, SampleEstimator, Task
    from mibench.lookup import (
        get_estimator,
        get_task,
        list_critics,
        list_estimators,
        list_negatives,
        list_tasks,
    )
    from mibench.negatives import NegativeSampler
    from mibench.ranking import leaderboard
    from mibench.registry import (
        load_plugins,
        register_critic,
        register_estimator,
        register_negatives,
        register_task,
    )
    from mibench.runner import run
    from mibench.scores import Scores
    from mibench.store import load_curves, load_runs, load_sessions
    from mibench.suite import Suite, get_suite, list_suites

_HOME = {
    "Critic": "critics",
    "Estimator": "interfaces",
    "Extra": "interfaces",
    "MibenchError": "errors",
    "ModuleCritic": "critics",
    "NegativeSampler": "negatives",
    "SampleEstimator": "interfaces",
    "Scores": "scores",
    "StoreError": "errors",
    "Suite": "suite",
    "Task": "interfaces",
    "UsageError": "errors",
    "get_estimator": "lookup",
    "get_suite": "suite",
    "get_task": "lookup",
    "leaderboard": "ranking",
    "list_critics": "lookup",
    "list_estimators": "lookup",
    "list_negatives": "lookup",
    "list_suites": "suite",
    "list_tasks": "lookup",
    "load_curves": "store",
    "load_plugins": "registry",
    "load_runs": "store",
    "load_sessions": "store",
    "register_critic": "registry",
    "register_estimator": "registry",
    "register_negatives": "registry",
    "register_task": "registry",
    "run": "runner",
}

__all__ = [
    "Critic",
    "Estimator",
    "Extra",
    "MibenchError",
    "ModuleCritic",
    "NegativeSampler",
    "SampleEstimator",
    "Scores",
    "StoreError",
    "Suite",
    "Task",
    "UsageError",
    "__version__",
    "get_estimator",
    "get_suite",
    "get_task",
    "leaderboard",
    "list_critics",
    "list_estimators",
    "list_negatives",
    "list_suites",
    "list_tasks",
    "load_curves",
    "load_plugins",
    "load_runs",
    "load_sessions",
    "register_critic",
    "register_estimator",
    "register_negatives",
    "register_task",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'mibench' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"mibench.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
