"""mibench measures estimators of mutual information on tasks of known MI, and estimates that of data of your own.

The names below are the public interface, with `mibench.testing` and `mibench.figures`; the rooms behind them are
mibench's own to rearrange. They are imported on first use, so that ``import mibench`` and the command line's ``--help``
stay free of torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mibench.core.version import __version__

if TYPE_CHECKING:
    from mibench.core.critic import Architecture, Critic
    from mibench.core.errors import CommandError, MibenchError, StoreError, UsageError
    from mibench.core.estimator import Density, Estimator, Extra, SampleEstimator
    from mibench.core.lookup import get_estimator, get_task, list_critics, list_estimators, list_negatives, list_tasks
    from mibench.core.outside_estimator import OutsideEstimator
    from mibench.core.plugins import load_plugins
    from mibench.core.registry import register_critic, register_estimator, register_negatives, register_task
    from mibench.core.sampler import NegativeSampler, Proposal
    from mibench.core.scores import (
        Scores,
        effective_sample_size,
        log_mean_exp,
        log_mean_negatives,
        log_sum_leaving_one_out,
    )
    from mibench.core.task import Task
    from mibench.critics.module import ModuleCritic
    from mibench.estimation.estimating import estimate
    from mibench.estimation.result import Estimate
    from mibench.estimators.donsker_varadhan import DonskerVaradhan
    from mibench.experiments.suite import Suite, get_suite, list_suites
    from mibench.negatives.permutations import Derangement
    from mibench.ranking.interface import leaderboard
    from mibench.report.reports import draw_reports
    from mibench.running.runner import run
    from mibench.store.folders import load_curves, load_runs, load_sessions

_HOME = {
    "Architecture": "core.critic",
    "CommandError": "core.errors",
    "Critic": "core.critic",
    "Density": "core.estimator",
    "Derangement": "negatives.permutations",
    "DonskerVaradhan": "estimators.donsker_varadhan",
    "Estimate": "estimation.result",
    "Estimator": "core.estimator",
    "Extra": "core.estimator",
    "MibenchError": "core.errors",
    "ModuleCritic": "critics.module",
    "NegativeSampler": "core.sampler",
    "OutsideEstimator": "core.outside_estimator",
    "Proposal": "core.sampler",
    "SampleEstimator": "core.estimator",
    "Scores": "core.scores",
    "StoreError": "core.errors",
    "Suite": "experiments.suite",
    "Task": "core.task",
    "UsageError": "core.errors",
    "draw_reports": "report.reports",
    "effective_sample_size": "core.scores",
    "estimate": "estimation.estimating",
    "get_estimator": "core.lookup",
    "get_suite": "experiments.suite",
    "get_task": "core.lookup",
    "leaderboard": "ranking.interface",
    "list_critics": "core.lookup",
    "list_estimators": "core.lookup",
    "list_negatives": "core.lookup",
    "list_suites": "experiments.suite",
    "list_tasks": "core.lookup",
    "load_curves": "store.folders",
    "load_plugins": "core.plugins",
    "load_runs": "store.folders",
    "load_sessions": "store.folders",
    "log_mean_exp": "core.scores",
    "log_mean_negatives": "core.scores",
    "log_sum_leaving_one_out": "core.scores",
    "register_critic": "core.registry",
    "register_estimator": "core.registry",
    "register_negatives": "core.registry",
    "register_task": "core.registry",
    "run": "running.runner",
}

__all__ = [
    "Architecture",
    "CommandError",
    "Critic",
    "Density",
    "Derangement",
    "DonskerVaradhan",
    "Estimate",
    "Estimator",
    "Extra",
    "MibenchError",
    "ModuleCritic",
    "NegativeSampler",
    "OutsideEstimator",
    "Proposal",
    "SampleEstimator",
    "Scores",
    "StoreError",
    "Suite",
    "Task",
    "UsageError",
    "__version__",
    "draw_reports",
    "effective_sample_size",
    "estimate",
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
    "log_mean_exp",
    "log_mean_negatives",
    "log_sum_leaving_one_out",
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
