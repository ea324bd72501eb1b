"""The exact-critic counterparts of runs: the same runs with the exact log density ratio in place of a trained critic.

Notable: nothing is trained, so that only the window's batches are drawn; on all else (task, sample, sampler, batch,
estimator) a counterpart is the run that it stands beside. What errors are explained by: `mibench.ranking.explained`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mibench.core.errors import MismatchError, UsageError
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS
from mibench.experiments.matching import check_components
from mibench.experiments.options import DEFAULTS, PRODUCT_PRECISIONS
from mibench.experiments.specs import EXACT_CRITIC, RunSpec

if TYPE_CHECKING:
    from mibench.core.parameters import Params
    from mibench.core.registry import Registry


@dataclasses.dataclass(frozen=True)
class Counterparts:
    """The exact-critic counterparts of some runs.

    Parameters
    ----------
    specs
        Each once, in the order of the runs.
    left_out
        Why others have none, a reason for each.
    """

    specs: tuple[RunSpec, ...]
    left_out: tuple[str, ...]


def exact_counterparts(specs: Sequence[RunSpec]) -> Counterparts:
    """Return the runs with the exact critic that stand beside some runs, whatever these ones' critics.

    Left out are tasks without a known density ratio, and estimators that take a sample as a whole and have no critic.

    Raises
    ------
    UsageError
        Where no run has a counterpart.
    """
    found: dict[str, RunSpec] = {}
    reasons: dict[str, None] = {}
    components: dict[tuple[object, ...], str] = {}
    for spec in specs:
        key = (
            *(spec.task, spec.task_params, spec.schedule, spec.estimator, spec.estimator_params),
            *(spec.critic, spec.critic_params, spec.negatives, spec.negatives_params),
        )
        if key not in components:
            components[key] = _reason(spec)
        if components[key]:
            reasons[components[key]] = None
        else:
            counterpart = _counterpart(spec)
            found.setdefault(counterpart.run_id, counterpart)
    if not found:
        raise UsageError(f"no run has a counterpart with the exact critic: {'; '.join(reasons)}")
    return Counterparts(tuple(found.values()), tuple(reasons))


def _reason(spec: RunSpec) -> str:
    """Say why a run has no counterpart; empty where it has one."""
    if not _built(CRITICS, spec.critic, spec.critic_params).scores_pairs:
        return f"estimator '{spec.estimator}' has no critic"
    level = [("mi", spec.schedule[0])] if spec.schedule else []
    task, estimator, critic, sampler = (
        _built(TASKS, spec.task, (*spec.task_params, *level)),
        _built(ESTIMATORS, spec.estimator, spec.estimator_params),
        _built(CRITICS, EXACT_CRITIC, ()),
        _built(NEGATIVES, spec.negatives, spec.negatives_params),
    )
    try:
        check_components(task, spec.task, estimator, critic, sampler)
    except MismatchError as error:
        return str(error).partition(";")[0]
    return ""


def _built(registry: Registry[Any], name: str, params: Params | Iterable[tuple[str, Any]]) -> Any:
    return registry.create(name, dict(params))


def _counterpart(spec: RunSpec) -> RunSpec:
    return dataclasses.replace(
        spec,
        critic=EXACT_CRITIC,
        critic_params=(),
        hidden=None,
        activation=None,
        dropout=None,
        lr=None,
        weight_decay=None,
        optimiser=DEFAULTS["optimiser"],
        steps=spec.window * spec.stairs,
        every=min(spec.every, spec.window),
        precision="float32" if spec.precision in PRODUCT_PRECISIONS else spec.precision,
    )
