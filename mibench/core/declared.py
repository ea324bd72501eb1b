"""What components state of themselves, looked at before anything relies on it: a word that stands for nothing is said.

Notable: most of these are class attributes of a plug-in, and can be anything. What goes into a row besides is read by
`mibench.training.facts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

import torch

from mibench.core.critic import EVERY_OPTION, Critic
from mibench.core.errors import did_you_mean, shown
from mibench.core.estimator import Density, Estimator, Extra, Sees, SeesOfY
from mibench.core.numbers import as_float
from mibench.core.parameters import Parametrised
from mibench.core.sampler import NegativeSampler, Proposal

_FLAGS: Mapping[type[Parametrised], tuple[str, ...]] = {
    Estimator: ("surrogate_loss", "capped_by_sampler", "needs_marginal", "uses_weights"),
    Critic: ("cheap_pool", "needs_log_ratio", "needs_equal_sides", "needs_support", "scores_pairs"),
    NegativeSampler: (
        *("all_pairs", "has_negatives", "has_weights", "full_support", "needs_support", "needs_owner"),
        *("paired_pool", "exhaustive"),
    ),
}


def fault_of_statements(component: Parametrised) -> str:
    """Say what is wrong with what an estimator, critic or sampler states of itself; empty where nothing is."""
    return next(_faults_of(component), "")


def fault_of_draw(sampler: NegativeSampler, drawn: Proposal, *, steps: int, batch: int, pool: int) -> str:
    """Say what is wrong with the negatives that a sampler has chosen; empty where nothing is.

    Parameters
    ----------
    sampler, drawn
        The sampler, and what it has chosen.
    steps, batch, pool
        How many batches it was asked for, of how many pairs, from how many y.
    """
    expected, index, weights = (steps, batch, sampler.per_row(batch)), drawn.index, drawn.log_weights
    if tuple(index.shape) != expected or index.dtype != torch.int64:
        return f"draw gives {index.dtype} of shape {tuple(index.shape)}; it must be {torch.int64} of shape {expected}"
    if drawn.y.shape[1] != pool:
        return f"propose gives a pool of {drawn.y.shape[1]} rows, but pool({batch}, task) is {pool}"
    least, greatest = index.aminmax() if index.numel() else (index.new_zeros(()), index.new_zeros(()))
    if least < 0 or greatest >= pool:
        return f"draw gives indices outside the pool of {pool}"
    if (weights is not None) != sampler.has_weights:
        return f"has_weights is {sampler.has_weights}, but propose says otherwise"
    if weights is not None and weights.shape != index.shape:
        return f"log_weights have shape {tuple(weights.shape)}; it must be that of draw, {tuple(index.shape)}"
    if weights is not None and not weights.isfinite().all():
        return "log_weights are not finite; give log p(y) - log q(y), and propose only where p(y) is above 0"
    return ""


def _faults_of(component: Parametrised) -> Iterator[str]:
    flags = (name for base, names in _FLAGS.items() if isinstance(component, base) for name in names)
    for name in flags:
        if not isinstance(flag := getattr(component, name), bool):
            yield f"{name} is {shown(flag, repr)}; it must be True or False"
    if isinstance(component, Estimator):
        yield from _of_estimator(component)
    if isinstance(component, Critic):
        yield from _of_uses(component.uses)


def _of_estimator(estimator: Estimator) -> Iterator[str]:
    yield from _of_extras(estimator.extras)
    if (sees := estimator.critic_sees) not in get_args(SeesOfY):
        yield f"critic_sees is {shown(sees, repr)}; it must be {_or(get_args(SeesOfY))}"
    given, same = (getattr(estimator, name) for name in ("given", "coincides"))
    if not isinstance(given, str):
        yield f"given is {shown(given, repr)}; it must be text, '' where nothing is given"
    if not isinstance(same, tuple) or not all(isinstance(one, str) for one in same):
        yield f"coincides is {shown(same, repr)}; it must be a tuple of text, () where there is none"
    if not _is_finite(offset := estimator.oracle_offset):
        yield f"oracle_offset is {shown(offset, repr)}; it must be a finite number of nats"


def _of_extras(extras: object) -> Iterator[str]:
    if not isinstance(extras, tuple) or not all(isinstance(extra, Extra) for extra in extras):
        yield f"extras is {shown(extras, repr)}; it must be a tuple of mibench.Extra, () where there are none"
        return
    names = [extra.name for extra in extras]
    for extra in extras:
        if not isinstance(extra.name, str) or names.count(extra.name) > 1:
            yield f"an extra has the name {shown(extra.name, repr)}; each must have text of its own"
        if not (isinstance(extra.of, Density) or extra.of in get_args(Sees)):
            of = shown(extra.of, repr)
            yield f"the extra '{extra.name}' is of {of}; it must be of {_or(get_args(Sees), 'a mibench.Density')}"
        if not _is_finite(extra.exact):
            yield f"the extra '{extra.name}' has exact = {shown(extra.exact, repr)}; it must be a finite number"


def _of_uses(uses: Any) -> Iterator[str]:
    if not isinstance(uses, frozenset | set):
        yield f"uses is {shown(uses, repr)}; it must be a frozenset of options"
        return
    for name in sorted(map(str, uses - EVERY_OPTION)):
        yield f"uses names '{shown(name)}', which is no option of a critic{did_you_mean(name, sorted(EVERY_OPTION))}"


def _is_finite(value: object) -> bool:
    return not isinstance(value, str) and math.isfinite(as_float(value))


def _or(words: Iterable[str], last: str = "") -> str:
    quoted = [f"'{word}'" for word in words]
    return f"{', '.join(quoted)} or {last}" if last else " or ".join(quoted)
