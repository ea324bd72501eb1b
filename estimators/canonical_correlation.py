"""The Gaussian estimator: mutual information from the canonical correlations of a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from mibench.core.estimator import SampleEstimator
from mibench.core.registry import register_estimator
from mibench.estimators.columns import centred, shared_normal_scores, varying, warn_of_ties


@register_estimator("cca")
class CCA(SampleEstimator):
    """Gaussian (CCA): -1/2 sum log(1 - rho_k^2) over the sample's canonical correlations.

    The mutual information of the Gaussian with the sample's covariance: right for Gaussian data, whatever their
    correlations; on other data it sees linear dependence alone and promises nothing. It is computed from the sines
    ``sqrt(1 - rho_k^2)`` of the angles between the spans of the centred columns, which keeps its digits where rho is
    nearly 1, up to about 36 nats a correlation; exact dependence gives that or inf. Columns that are constant or
    combinations of others change nothing.

    On Gaussian data the bias is known, positive and the same at every truth; in ``nu = n - 1`` degrees of freedom it is
    ``1/2 [S(d_x) + S(d_y) - S(d_x + d_y)]`` with ``S(d) = sum_{i=1..d} psi((nu + 1 - i) / 2)``, from the mean of the
    logarithm of a Wishart determinant. It is about ``d_x d_y / (2 n)``, and large where n is not many times
    ``d_x + d_y``: 4.9 nats at n = 64 with 20 columns a side. No ceiling.

    Parameters
    ----------
    corrected
        Whether that bias is taken off; then the value is unbiased on Gaussian data, and may be negative.

    Source: Gelfand and Yaglom (1957); sines of canonical angles: Bjoerck and Golub (1973); the determinant's
    distribution: Muirhead (1982), section 3.2.
    """

    kind = "plug-in"
    given = "Gaussian pairs"

    corrected: bool = False

    def smallest_sample(self, dim_x: int, dim_y: int) -> int:
        """``dim_x + dim_y + 1``: with fewer pairs some combination of x always equals one of y."""
        return dim_x + dim_y + 1

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`."""
        base_x, base_y = _span(x), _span(y)
        if 0 in base_x.shape + base_y.shape:  # constants tell nothing
            return 0.0
        sines = np.linalg.svd(base_y - base_x @ (base_x.T @ base_y), compute_uv=False)
        with np.errstate(divide="ignore"):  # exact dependence is infinite information
            value = -float(np.log(np.minimum(sines, 1.0)).sum())
        if not self.corrected:
            return value
        return value - gaussian_bias(len(x), base_x.shape[1], base_y.shape[1])


@register_estimator("gaussian-copula")
class GaussianCopula(CCA):
    """Gaussian copula: the Gaussian's mutual information of columns that were each brought to a normal by their ranks.

    `cca` on a normal's quantiles at the ranks of each column, so that no increasing map of a column matters: right
    where the dependence is Gaussian once each column is made normal, whatever the columns' own distributions. Of other
    data it sees what is left of a linear dependence; where the columns of a side are otherwise dependent it may lie
    above the truth or below it. Equal numbers share the mean of their ranks, which discrete data are not meant for.

    The bias of `cca` on Gaussian data is taken off by default; that of the ranks, which is smaller, stays. No ceiling.

    Parameters
    ----------
    corrected
        Whether the bias of Gaussian data is taken off; then the value may be negative.

    Source: Ince, Giordano, Kayser, Rousselet, Gross and Schyns (2017), section 2; they take the quantiles at
    rank / (n + 1), here they are at (rank - 1/2) / n.
    """

    kind = "plug-in"
    given = "Gaussian copula"

    corrected: bool = True

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`."""
        return super().of_arrays(shared_normal_scores(x), shared_normal_scores(y))

    def warnings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
        """Of equal numbers; see `SampleEstimator.warnings`."""
        return warn_of_ties(x, y, "and share the mean of their ranks, by which no column becomes normal")


def gaussian_bias(n: int, dim_x: int, dim_y: int) -> float:
    """Mean of the plug-in value minus the truth on n pairs of Gaussian data, nats; see `CCA`."""
    halves = digamma((n - np.arange(1, dim_x + dim_y + 1)) / 2)
    return float(halves[:dim_x].sum() + halves[:dim_y].sum() - halves.sum()) / 2


def _span(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal basis of what the centred columns span, (n, rank)."""
    columns = varying(columns)
    if not columns.size:
        return columns
    moved = centred(columns)
    base, singular, _ = np.linalg.svd(moved / np.linalg.norm(moved, axis=0), full_matrices=False)
    kept = singular > max(columns.shape) * np.finfo(np.float64).eps * singular[0]
    span: NDArray[np.float64] = base[:, kept]
    return span
