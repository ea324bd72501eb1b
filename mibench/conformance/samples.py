"""Conformance checks of estimators that take a sample: what the engine and the reports rely on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

import numpy as np
import torch

from mibench.conformance.declared import check_declared, check_kind
from mibench.conformance.findings import Check, Failed, check_docstring, no_global_randomness
from mibench.conformance.sample_families import FAMILIES, Family, Sample, gaussian
from mibench.core.errors import UsageError, shown
from mibench.core.estimator import SampleEstimator, as_arrays

_SIZES = (64, 256)
_DIMS = ((1, 1), (2, 3), (5, 5))
_PAIRS = 2000
_SAMPLES = 2


def _family(estimator: SampleEstimator) -> Family:
    if estimator.takes not in FAMILIES:
        raise Failed(f"takes is {estimator.takes!r}; state {', '.join(map(repr, FAMILIES))}")
    return FAMILIES[estimator.takes]


def _hard_samples(n: int) -> Iterator[tuple[str, Sample]]:
    """Yield samples with ties, duplicates, exact dependence, or numbers of extreme size, with a name."""
    x, y = gaussian(n, (2, 2))
    whole = torch.arange(float(n), dtype=torch.float64).unsqueeze(1)
    yield "y = x", (x, x.clone())
    yield "distinct whole numbers, y = x", (whole, whole.clone())
    yield "tied numbers", (x.sign(), y.sign())
    yield "equal pairs", (torch.ones_like(x), torch.ones_like(y))
    yield "a constant y", (x, torch.ones_like(y))
    yield "a column given twice", (x[:, [0, 0]], y)
    yield "numbers of size 1e200", (1e200 * x, 1e200 * y)
    yield "numbers of size 1e-200", (1e-200 * x, 1e-200 * y)
    yield "one outlier", (torch.cat((x[1:], 1e6 * x[:1])), y)


def _check_finite(estimator: SampleEstimator) -> str:
    for dims in _DIMS:
        least = estimator.smallest_sample(*dims)
        for n in {least, *(size for size in _SIZES if size > least)}:
            value = estimator.value(*_family(estimator).columns(n, dims, 0))
            if not (isinstance(value, float) and math.isfinite(value)):
                raise Failed(
                    f"the value of {n} pairs of {estimator.takes} with {dims[0]} and {dims[1]} columns is {value!r}"
                )
    return "a finite number of nats, from the smallest sample on, for up to 5 columns a side"


def _check_small(estimator: SampleEstimator) -> str:
    for dims in _DIMS:
        least = estimator.smallest_sample(*dims)
        if not isinstance(least, int) or least < 2:
            raise Failed(f"smallest_sample{dims} is {least!r}; it must be a whole number of at least 2")
        try:
            estimator.value(*_family(estimator).columns(least - 1, dims, 0))
        except UsageError as error:
            if "\n" in str(error):
                raise Failed("a sample that is too small is refused in more than one line") from error
        else:
            raise Failed(f"a sample of {least - 1} pairs is not refused, though the smallest is {least}")
    return "a sample that is too small is refused in one sentence"


def _check_pure(estimator: SampleEstimator) -> str:
    (x, y), other = (_family(estimator).columns(256, (2, 3), seed) for seed in (0, 1))
    given, before = (x.clone(), y.clone()), np.random.get_state()
    with no_global_randomness("value"):
        first = estimator.value(*given)
    if any(not np.array_equal(a, b) for a, b in zip(before, np.random.get_state(), strict=True)):
        raise Failed("value draws from NumPy's global generator; use only what it is given")
    if not (torch.equal(given[0], x) and torch.equal(given[1], y)):
        raise Failed("value writes into the sample that it is given; work on copies")
    estimator.value(*other)
    if estimator.value(x, y) != first:
        raise Failed("value remembers earlier calls, which other runs share; make it a function of the sample alone")
    return "the same sample gives the same value, whatever came before, and is not written to"


def _check_order(estimator: SampleEstimator) -> str:
    x, y = _family(estimator).columns(256, (2, 3), 0)
    order = torch.randperm(256, generator=torch.Generator().manual_seed(2))
    values = estimator.value(x, y), estimator.value(x[order], y[order])
    if not math.isclose(*values, rel_tol=1e-9, abs_tol=1e-9):
        raise Failed(f"the value is {values[0]:.6g}, and {values[1]:.6g} for the same pairs in another order")
    return "the order of the pairs does not matter"


def _check_truth(estimator: SampleEstimator) -> str:
    family, means, errors = _family(estimator), [], []
    for mi in family.levels:
        values, controls = zip(*(_with_control(estimator, mi, seed) for seed in range(_SAMPLES)), strict=True)
        means.append(statistics.fmean(values))
        errors.append(means[-1] - statistics.fmean(controls))
    for place in (0, 2):
        mi, off = family.levels[place], errors[place]
        wrong = {"lower": off, "upper": -off}.get(estimator.kind, abs(off))
        if not wrong <= estimator.gaussian_error:
            raise Failed(
                f"on {family.name} at {mi:g} nats, n = {_PAIRS}, the value is {off:+.3f} nats off the truth, "
                f"and gaussian_error allows {estimator.gaussian_error:g}; correct the value or state its error"
            )
    if means != sorted(means):
        levels = ", ".join(f"{mi:g}" for mi in family.levels)
        found = ", ".join(f"{mean:.3f}" for mean in means)
        raise Failed(f"the value does not rise with the truth: {found} at {levels} nats; check the sign")
    return (
        f"it rises with the truth, and is {errors[0]:+.3f} and {errors[2]:+.3f} nats off at 0 and "
        f"{family.levels[2]:g} nats on {family.name}, n = {_PAIRS}"
    )


def _with_control(estimator: SampleEstimator, mi: float, seed: int) -> tuple[float, float]:
    """Value of a sample of pairs, and its mean log ratio: the truth with the sample's own luck, nats."""
    x, y, log_ratios = _family(estimator).pairs(_PAIRS, mi, seed)
    return estimator.value(x, y), float(log_ratios.mean())


def _check_ceiling(estimator: SampleEstimator) -> str:
    for n in _SIZES:
        ceiling = estimator.ceiling(n, 1)
        if not isinstance(ceiling, int | float) or math.isnan(ceiling):
            raise Failed(f"ceiling({n}, 1) is {ceiling!r}; it must be a number of nats, inf where there is none")
        for name, sample in _hard_samples(n):
            try:
                value = estimator.value(*sample)
            except UsageError as error:  # an estimator may refuse what it would be wrong on
                if "\n" in str(error):
                    raise Failed(f"the sample '{name}', n = {n}, is refused in more than one line") from error
                continue
            if math.isnan(value):
                raise Failed(f"the value is NaN on {name}, n = {n}")
            if value > ceiling + 1e-9:
                raise Failed(
                    f"the value {value:.6g} passes the ceiling {ceiling:.6g} on {name}, n = {n}; state the ceiling "
                    "that holds on every sample, or inf"
                )
    ceiling = estimator.ceiling(_SIZES[-1], 1)
    stated = "none is stated" if ceiling == math.inf else f"{ceiling:.4f} nats at n = {_SIZES[-1]} are never passed"
    return f"{stated}; ties, duplicates and extreme numbers give no NaN, or are refused in one sentence"


def _check_warnings(estimator: SampleEstimator) -> str:
    count = 0
    for n in _SIZES:
        for name, sample in _hard_samples(n):
            found = estimator.warnings(*as_arrays(*sample))
            if not isinstance(found, tuple) or not all(isinstance(one, str) and "\n" not in one for one in found):
                raise Failed(f"warnings of {name} are {shown(found, repr)}; give a tuple of sentences, () for none")
            count += bool(found)
    return (
        f"it warns of {count} of the samples with ties, duplicates and extreme numbers" if count else "it warns of none"
    )


SAMPLE_CHECKS: tuple[Check[SampleEstimator], ...] = (
    ("docstring", check_docstring),
    ("kind", check_kind),
    ("declared", check_declared),
    ("small samples", _check_small),
    ("finite", _check_finite),
    ("pure", _check_pure),
    ("order", _check_order),
    ("truth", _check_truth),
    ("ceiling", _check_ceiling),
    ("warnings", _check_warnings),
)
"""In the order in which they run."""
