"""Conformance checks of tasks: what the engine and the truth columns rely on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import get_args

import torch
from torch import Tensor

from mibench.conformance.findings import (
    Check,
    Failed,
    Finding,
    check_docstring,
    is_number,
    no_global_randomness,
    run_checks,
    subject_of,
)
from mibench.core.errors import shown
from mibench.core.task import Task, Truth
from mibench.estimators.nwj import NWJ

_DRAWS = 20_000
_ALL_PAIRS = 16  # rows whose pairs are all looked at
_STANDARD_ERRORS = 4.0
_LOW_MI = 2.0
"""Up to this many nats the mean of a density ratio over independent pairs can be estimated from `_DRAWS` pairs."""


def check_task(task: Task) -> list[Finding]:
    """Check the sampler, the stated truth and, where there is one, the exact log ratio.

    Parameters
    ----------
    task
        An instance; where MI is a parameter, its default levels are checked too.

    Returns
    -------
    list of Finding
        In the order of the checks; where the statement or the shapes are wrong, the others are left out.
    """
    return run_checks(subject_of("task", task), task, CHECKS, gates=3)


def _stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _levels(task: Task) -> Iterator[Task]:
    """Yield the task, and its siblings at the default levels."""
    yield task
    if task.has_knob():
        params = {name: value for name, value in task.params() if name != "mi"}
        for mi in task.default_levels:
            yield type(task)(**params, mi=mi)  # type: ignore[call-arg]  # has_knob says that there is a field mi


def _check_truth(task: Task) -> str:
    if task.has_knob() and not task.default_levels:
        raise Failed("mi is a parameter, but default_levels is empty; state the levels that a grid takes by default")
    for sibling in _levels(task):
        for name, value in (("mi", sibling.mi), ("mi_se", sibling.mi_se)):
            if not is_number(value) or not 0 <= value < math.inf:
                raise Failed(f"{name} is {shown(value, repr)}; it must be a finite number of nats, at least 0")
            if getattr(sibling, name) != value:
                raise Failed(f"{name} is {value} and then {getattr(sibling, name)}; it must be the same each time")
        if sibling.mi_method not in get_args(Truth):
            raise Failed(f"mi_method is {sibling.mi_method!r}; state one of {', '.join(get_args(Truth))}")
        if (sibling.mi_se > 0) != (sibling.mi_method == "monte-carlo"):
            raise Failed(f"mi_se is {sibling.mi_se} for a truth by {sibling.mi_method}; only monte-carlo has an error")
    if task.has_knob():
        wrong = [mi for mi, t in zip(task.default_levels, list(_levels(task))[1:], strict=True) if t.mi != mi]
        if wrong:
            raise Failed(f"asked for mi = {wrong[0]}, the task says that it has another")
    return f"{task.mi:g} nats by {task.mi_method}"


def _check_shapes(task: Task) -> str:
    for name, columns in (("dim_x", task.dim_x), ("dim_y", task.dim_y)):
        if not isinstance(columns, int) or isinstance(columns, bool) or columns < 1:
            raise Failed(f"{name} is {shown(columns, repr)}; it must be a whole number of columns, at least 1")
    for n in (1, 7, 64):
        x, y = task.sample(n, _stream())
        for name, values, columns in (("x", x, task.dim_x), ("y", y, task.dim_y)):
            if not isinstance(values, Tensor):
                raise Failed(f"sample gives {name} as {type(values).__name__}; it must be a tensor, a row per pair")
            if (shape := tuple(values.shape)) != (n, columns):
                raise Failed(f"sample({n}) gives {name} of shape {shape}; it must be {(n, columns)}, a row per pair")
            if not values.dtype.is_floating_point:
                raise Failed(f"sample gives {name} as {values.dtype}; critics need floating point")
    return f"sample(n) gives (n, {task.dim_x}) and (n, {task.dim_y}), {x.dtype}"


def _check_finite(task: Task) -> str:
    for sibling in _levels(task):
        x, y = sibling.sample(_DRAWS, _stream())
        if not (x.isfinite().all() and y.isfinite().all()):
            raise Failed(f"sample gives values that are not finite at {sibling.mi:g} nats")
    return f"{_DRAWS} pairs at each level are finite"


def _check_fresh(task: Task) -> str:
    generator = _stream()
    first, second = task.sample(64, generator), task.sample(64, generator)
    if any(torch.equal(a, b) for a, b in zip(first, second, strict=True)):
        raise Failed("two calls with one generator give the same pairs; draw all randomness from the generator")
    return "two calls with one generator give different pairs"


def _check_stream(task: Task) -> str:
    torch.manual_seed(1)
    with no_global_randomness("sample"):
        first = task.sample(64, _stream())
    torch.manual_seed(2)
    task.sample(5, _stream(3))
    second = task.sample(64, _stream())
    if not all(torch.equal(a, b) for a, b in zip(first, second, strict=True)):
        raise Failed("two generators in the same state give different pairs; draw all randomness from the generator")
    return "generators in the same state give the same pairs, to the last bit"


def _check_ratio(task: Task) -> str:
    if not task.has_log_ratio:
        return "the density ratio is not known"
    for sibling in _levels(task):
        x, y = sibling.sample(_DRAWS, _stream(4))
        ratio = sibling.log_ratio(x, y)
        if tuple(ratio.shape) != (_DRAWS,):
            raise Failed(f"log_ratio gives shape {tuple(ratio.shape)} for {_DRAWS} pairs; it must be ({_DRAWS},)")
        if not ratio.isfinite().all():
            raise Failed(f"log_ratio is not finite on sampled pairs at {sibling.mi:g} nats")
        few = x[:_ALL_PAIRS], y[:_ALL_PAIRS]
        matrix, plain = sibling.log_ratio_of_all_pairs(*few), Task.log_ratio_of_all_pairs(sibling, *few)
        if not torch.allclose(matrix, plain, rtol=1e-5, atol=1e-6, equal_nan=True):
            raise Failed("log_ratio_of_all_pairs differs from log_ratio of each x with each y")
        mean, error = float(ratio.double().mean()), float(ratio.double().std()) / math.sqrt(_DRAWS)
        error = math.hypot(error, sibling.mi_se, 1e-6)  # rounding
        if abs(mean - sibling.mi) > _STANDARD_ERRORS * error:
            raise Failed(
                f"the mean of log_ratio over sampled pairs is {mean:.4f} +- {error:.4f} nats, but mi is "
                f"{sibling.mi:.4f}; one of sample, log_ratio and mi is wrong"
            )
    return f"its mean over {_DRAWS} sampled pairs is mi, within {_STANDARD_ERRORS:g} standard errors"


def _check_normalised(task: Task) -> str:
    if not task.has_log_ratio:
        return "the density ratio is not known"
    checked = 0
    for sibling in _levels(task):
        if sibling.mi > _LOW_MI:
            continue
        checked += 1
        x, y = sibling.sample(2 * _DRAWS, _stream(5))
        values = sibling.log_ratio(x[:_DRAWS], y[_DRAWS:]).double().exp()  # x and y of different pairs
        error = float(values.std()) / math.sqrt(_DRAWS) + 1e-6
        if float(values.mean()) > 1 + 2 * _STANDARD_ERRORS * error:  # one-sided: the values are heavy-tailed
            raise Failed(
                f"the mean density ratio over independent pairs is {float(values.mean()):.3f} +- {error:.3f} at "
                f"{sibling.mi:g} nats, but it must be 1; log_ratio is too large"
            )
    return "its exponential averages to 1 over independent pairs" if checked else "no level is low enough to say"


def _check_labels(task: Task) -> str:
    if not task.has_labels:
        return "there are no labels"
    for held_out in (False, True):
        with no_global_randomness("labelled"):
            x, label = task.labelled(500, _stream(6), held_out=held_out)
        again = task.labelled(500, _stream(6), held_out=held_out)
        if x.ndim != 2 or x.shape[1] != task.dim_x or label.shape != (len(x),) or len(x) > 500:
            raise Failed(
                f"labelled(500) gives x of shape {tuple(x.shape)} and labels of shape {tuple(label.shape)}; they must "
                f"be (k, {task.dim_x}) and (k,), a label each, with k at most 500"
            )
        if label.dtype != torch.int64 or not x.isfinite().all():
            raise Failed(f"labelled gives {label.dtype} labels, or x that is not finite; labels are int64")
        if len(label.unique()) < 2:
            raise Failed("labelled gives one label for 500 points; a probe needs two or more")
        if not (torch.equal(x, again[0]) and torch.equal(label, again[1])):
            raise Failed("two generators in the same state give different labelled points")
    return "labelled points have the shapes of x and whole numbers for labels"


def _check_outcomes(task: Task) -> str:
    outcomes = task.outcomes(NWJ(), 64)
    if not isinstance(outcomes, Mapping):
        raise Failed(f"outcomes gives {type(outcomes).__name__}; it must be numbers by name, {{}} where there are none")
    for name, value in outcomes.items():
        if not isinstance(name, str) or not is_number(value):
            raise Failed(f"outcomes gives {shown(value, repr)} for {name!r}; it must be plain numbers by name")
    return f"reported beside information: {', '.join(outcomes) or 'nothing'}"


CHECKS: tuple[Check[Task], ...] = (
    ("docstring", check_docstring),
    ("truth", _check_truth),
    ("shapes", _check_shapes),
    ("finite", _check_finite),
    ("fresh points", _check_fresh),
    ("own stream", _check_stream),
    ("log ratio", _check_ratio),
    ("normalised ratio", _check_normalised),
    ("labels", _check_labels),
    ("outcomes", _check_outcomes),
)
"""In the order in which they run."""
