"""Conformance checks of what an estimator says of itself: its kind, what stands beside its critic, and its flags."""

from __future__ import annotations

from typing import get_args

from mibench.conformance.drawn_scores import SHAPES
from mibench.conformance.findings import Failed
from mibench.core.errors import shown
from mibench.core.estimator import Estimator, Kind, fault_of_extras
from mibench.core.registry import CRITICS, NEGATIVES

_FLAGS = ("surrogate_loss", "capped_by_sampler", "needs_marginal", "uses_weights")


def check_kind(estimator: Estimator) -> str:
    """Check that the kind is one of the three, in the class and on batches of every size."""
    kind = getattr(estimator, "kind", None)
    if kind not in get_args(Kind):
        raise Failed(f"kind is {shown(kind, repr)}; state 'lower', 'upper' or 'plug-in' in the class")
    for n, m in SHAPES:
        if (found := estimator.kind_at(n, m + 1)) not in get_args(Kind):
            raise Failed(f"kind_at({n}, {m + 1}) is {shown(found, repr)}; it must be 'lower', 'upper' or 'plug-in'")
    return f"{kind}"


def check_declared(estimator: Estimator) -> str:
    """Check extras, the critic and the samplers that it names, and flags: what a run takes without a question."""
    if fault := fault_of_extras(estimator):
        raise Failed(fault)
    CRITICS.create(estimator.own_critic or "none-v1")
    for sampler in (estimator.default_negatives, estimator.own_negatives or "none-v1"):
        NEGATIVES.create(sampler)
    for name in _FLAGS:
        if not isinstance(flag := getattr(estimator, name), bool):
            raise Failed(f"{name} is {shown(flag, repr)}; it must be True or False")
    return f"extras: {', '.join(extra.name for extra in estimator.extras) or 'none'}"
