"""The binary pair with exact moments: what the contrastive bounds are worth before anything is trained.

Notable: with X = Y and a critic that tells equal from unequal, a batch enters the bounds only through its number of
ones. Expectation and variance are therefore sums of n + 1 binomial terms. Every share of equal pairs is formed from the
count that is small, so that no digits are lost near log 1, and the probabilities come from scipy, good to 1e-12 each at
n = 10^5, where those of a difference of log-gamma functions have lost six of their digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.parameters import convert, split_name
from mibench.core.registry import ESTIMATORS, register_task
from mibench.tasks.finite import Binary

Array = NDArray[np.float64]

_LARGEST_BATCH = 10**7
"""Some 80 MB for each of a few vectors of n + 1 terms."""


@register_task("binary-exact")
class BinaryExact(Binary):
    """The binary pair, with the exact expectation and variance of CPC, alpha-CPC, ML-CPC and alpha-ML-CPC.

    X = Y, Bernoulli(p), ``I = H(p)``: sampled and trained on like `binary`. Beyond that, `expected` and `variance` give
    the moments of a batch's value for the critic ``g(x, y) = 1`` where x = y and 0 elsewhere (scores 0 and ``-inf``),
    with the other n - 1 pairs of the batch as every row's negatives: m = n. In CPC and alpha-CPC that critic has the
    value of the exact one, since a factor that depends on x alone cancels in each row; in the multi-label forms it has
    it at p = 1/2 only.

    Parameters
    ----------
    p
        Probability of X = 1, above 0 and below 1.

    Source: Song and Ermon (2020, multi-label CPC), example 1, figures 1 and 2, appendix C.1, eq. 37 and 38.
    """

    def expected(self, name: str, *, n: int, alpha: float = 1.0) -> float:
        """Exact mean over batches of an estimator's value, nats.

        Parameters
        ----------
        name
            ``infonce`` (or ``cpc``), ``alpha-cpc``, ``ml-cpc`` or ``alpha-ml-cpc``.
        n
            Batch size, from 2 to 10^7; each row has n classes.
        alpha
            Weight of the positives, above 0 and below n; only for the two estimators that have one.

        Raises
        ------
        UsageError
            For other estimators, and for values out of range.
        """
        values, probabilities = self._batches(name, n, alpha)
        return float(values @ probabilities)

    def variance(self, name: str, *, n: int, alpha: float = 1.0) -> float:
        """Exact variance over batches of an estimator's value, nats squared; parameters as in `expected`."""
        values, probabilities = self._batches(name, n, alpha)
        return float((values - values @ probabilities) ** 2 @ probabilities)

    def outcomes(self, estimator: Estimator, batch: int) -> Mapping[str, float]:
        """Exact mean and variance of a batch's value, ``expected`` and ``variance``, where they are known.

        They are those of the critic and the negatives that the class names: with the exact critic and all pairs, of
        CPC and alpha-CPC for every p, of the multi-label forms at p = 1/2.
        """
        name = ESTIMATORS.id_of(estimator)
        if name not in _VALUES:
            return {}
        alpha = dict(estimator.params()).get("alpha", 1.0)
        if not (isinstance(alpha, float) and 0 < alpha < batch):  # a schedule of alpha is no number
            return {}
        weight = {} if alpha == 1 else {"alpha": alpha}
        moments = (self.expected(name, n=batch, **weight), self.variance(name, n=batch, **weight))
        return dict(zip(("expected", "variance"), moments, strict=True))

    def _batches(self, text: str, n: int, alpha: float) -> tuple[Array, Array]:
        """Value of a batch with t ones, and the probability of such a batch, for t = 0, ..., n; both (n + 1,)."""
        label = "task 'binary-exact', moments"
        name, written = split_name(text)
        weighted = "alpha" in ESTIMATORS.get(name).parameter_names()
        entry = ESTIMATORS.entry(name)
        if entry.id not in _VALUES:
            known = ", ".join(ESTIMATORS.entry(one).name for one in _VALUES)
            shown = ESTIMATORS.shown_name(entry.name, entry.version)
            raise UsageError(f"{label}: '{shown}' is none of {known}, whose moments are known")
        n = convert(n, int, f"{label}, n")
        if not 2 <= n <= _LARGEST_BATCH:
            raise UsageError(f"{label}: n must lie in 2..{_LARGEST_BATCH}, not {n}")
        implied = alpha == 1 and ("alpha" in written or not weighted)
        estimator = ESTIMATORS.create(text, {} if implied else {"alpha": alpha})
        estimator.ceiling(n, n)  # refuses an alpha of n and more
        ones = np.arange(n + 1, dtype=np.float64)
        return _VALUES[entry.id](ones, n, getattr(estimator, "alpha", 1.0)), stats.binom.pmf(ones, n, self.p)


def _log_inverse_share(equal: Array, unequal: Array, n: int, alpha: float) -> Array:
    """``log( n / (alpha + (n - alpha) equal) )``: value of a positive among n classes.

    Parameters
    ----------
    equal, unequal
        Shares of the negatives whose two sides are equal and unequal; they sum to 1.
    n, alpha
        Classes, and weight of the positive.
    """
    weight = alpha / n
    near_one = np.log1p((weight - 1) * np.minimum(unequal, 0.5))
    with np.errstate(divide="ignore"):  # no equal negative: log 0
        share = np.logaddexp(math.log(alpha) - math.log(n), math.log1p(-weight) + np.log(equal))
    return -np.where(unequal < 0.5, near_one, share)


def _row_by_row(ones: Array, n: int, alpha: float) -> Array:
    """alpha-CPC of batches with t ones: a row with c equal rows, itself among them, has c - 1 equal negatives."""

    def rows(equal: Array) -> Array:
        values = _log_inverse_share(np.maximum(equal - 1, 0) / (n - 1), (n - equal) / (n - 1), n, alpha)
        return equal / n * values  # a symbol without rows counts for nothing

    return rows(ones) + rows(n - ones)


def _multi_label(ones: Array, n: int, alpha: float) -> Array:
    """alpha-ML-CPC of batches with t ones: one denominator over the n (n - 1) negatives of all rows."""
    zeros, negatives = n - ones, n * (n - 1)
    equal = (ones * (ones - 1) + zeros * (zeros - 1)) / negatives
    return _log_inverse_share(equal, 2 * ones * zeros / negatives, n, alpha)


_VALUES: Mapping[str, Callable[[Array, int, float], Array]] = {
    "infonce-v1": _row_by_row,
    "alpha-cpc-v1": _row_by_row,
    "ml-cpc-v1": _multi_label,
    "alpha-ml-cpc-v1": _multi_label,
}
"""Value of the batches, by estimator and version; those without an alpha are at alpha = 1."""
