"""Conformance checks of what an estimator says of itself: its kind, what stands beside its critic, and its flags."""

from __future__ import annotations

from typing import get_args

from mibench.conformance.drawn_scores import SHAPES
from mibench.conformance.findings import Failed
from mibench.core.declared import fault_of_statements
from mibench.core.errors import shown
from mibench.core.estimator import Estimator, Kind
from mibench.core.parameters import Parametrised
from mibench.core.registry import CRITICS, NEGATIVES


def check_kind(estimator: Estimator) -> str:
    """Check that the kind is one of the three, in the class and on batches of every size."""
    kind = getattr(estimator, "kind", None)
    if kind not in get_args(Kind):
        raise Failed(f"kind is {shown(kind, repr)}; state 'lower', 'upper' or 'plug-in' in the class")
    for n, m in SHAPES:
        if (found := estimator.kind_at(n, m + 1)) not in get_args(Kind):
            raise Failed(f"kind_at({n}, {m + 1}) is {shown(found, repr)}; it must be 'lower', 'upper' or 'plug-in'")
    return f"{kind}"


def check_statements(component: Parametrised) -> str:
    """Check what a run takes of a component without a question: flags, and words that stand for something."""
    if fault := fault_of_statements(component):
        raise Failed(fault)
    return "words and flags stand for something"


def check_declared(estimator: Estimator) -> str:
    """As `check_statements`, and that the critic and the samplers which an estimator names exist."""
    check_statements(estimator)
    CRITICS.create(estimator.own_critic or "none-v1")
    for sampler in (estimator.default_negatives, estimator.own_negatives or "none-v1"):
        NEGATIVES.create(sampler)
    return f"extras: {', '.join(extra.name for extra in estimator.extras) or 'none'}"
