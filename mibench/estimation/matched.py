"""Samples of known mutual information that look like the user's: same rows, columns, marginals and correlations.

Notable: they are made from Gaussian pairs whose canonical correlations are those of the sample, scaled to the mutual
information that is asked for. Two other families come from the same pairs by steps that leave the mutual information
known: a common scale (heavy tails), and an exchange of intervals of one side's columns (no map of which is monotone).
Each column then gets the user's own scores in the order of its numbers, and with them the user's ties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, ndtr, ndtri, psi

from mibench.estimation.gaussian import canonical

Array = NDArray[np.float64]
Family = Literal["gaussian", "heavy tails", "not monotone"]
FAMILIES: tuple[Family, ...] = ("gaussian", "heavy tails", "not monotone")

_DOF = 3.0
_PIECES = 4
_ORDER = (1, 3, 0, 2)  # where the quarters of an exchanged column go: no two neighbours stay neighbours in order


@dataclass(frozen=True)
class Likeness:
    """What a matched sample takes from the user's.

    Parameters
    ----------
    u, v
        Normal scores, (n, d_x) and (n, d_y), sorted within each column.
    root_x, root_y
        Canonical variates to columns, (r_x, d_x) and (r_y, d_y).
    rho
        Canonical correlations without what chance adds, (r,), largest first.
    """

    u: Array
    v: Array
    root_x: Array
    root_y: Array
    rho: Array

    def draw(self, family: Family, mi: float, random: np.random.Generator) -> tuple[Array, Array]:
        """Draw a sample of a family at ``mi`` nats, (n, d_x) and (n, d_y), as scores.

        Heavy tails have a part of their own, so that the least that they can be is that.
        """
        n, (r_x, r_y) = len(self.u), (len(self.root_x), len(self.root_y))
        scale = np.ones((n, 1))
        if family == "heavy tails":
            dof = heavy_dof(r_x, r_y, mi)
            mi = max(0.0, mi - shared_scale_information(dof, r_x, r_y))
            scale = np.sqrt(dof / random.chisquare(dof, (n, 1)))
        rho = scaled(self.rho, mi)
        a, b = random.standard_normal((n, r_x)), random.standard_normal((n, r_y))
        k = len(rho)
        b[:, :k] = rho * a[:, :k] + np.sqrt(1 - rho**2) * b[:, :k]
        if family == "not monotone":
            a = exchanged(a)
        return _in_place((a @ self.root_x) * scale, self.u), _in_place((b @ self.root_y) * scale, self.v)


def likeness(u: Array, v: Array, rho: Array) -> Likeness:
    """Take from a sample what matched ones need; ``rho`` as `Likeness` has it."""
    fit = canonical(u, v, ridge=1e-3)
    # Full roots of both covariances, the canonical directions first.
    return Likeness(np.sort(u, 0), np.sort(v, 0), _root(u, fit.map_x), _root(v, fit.map_y), rho)


def _root(columns: Array, directions: Array) -> Array:
    """A root of the covariance, (d, d), whose first rows are what the canonical variates explain."""
    centred = columns - columns.mean(0)
    covariance = centred.T @ centred / len(columns) + 1e-9 * np.eye(columns.shape[1])
    loadings = covariance @ directions  # covariance of columns and variates, (d, r)
    rest = covariance - loadings @ loadings.T
    values, vectors = np.linalg.eigh(rest)
    kept = values > 1e-9 * max(values.max(), 1e-300)
    others = (vectors[:, kept] * np.sqrt(values[kept])).T
    return np.vstack((loadings.T, others))


def scaled(rho: Array, mi: float) -> Array:
    """Correlations in the proportions of ``rho`` whose Gaussian has ``mi`` nats.

    ``-1/2 sum log(1 - rho_k^2) = mi``, with ``rho_k^2 / (1 - rho_k^2)`` multiplied by one factor.
    """
    odds = rho**2 / (1 - rho**2)
    if mi <= 0:
        return np.zeros_like(rho)
    if odds.sum() <= 0:
        odds = np.r_[1.0, np.zeros(len(rho) - 1)]
    factor = brentq(lambda log: 0.5 * np.log1p(math.exp(log) * odds).sum() - mi, -60.0, 60.0)
    odds = math.exp(factor) * odds
    return np.asarray(np.sqrt(odds / (1 + odds)))


def shared_scale_information(dof: float, dim_x: int, dim_y: int) -> float:
    """What a common scale of x and y says, nats: a Student's mutual information at correlation 0.

    Source: Arellano-Valle, Contreras-Reyes and Genton (2013), as in task `student-t`.
    """
    d = dim_x + dim_y
    half = dof / 2
    value = (
        gammaln(half) + gammaln(half + d / 2) - gammaln(half + dim_x / 2) - gammaln(half + dim_y / 2)
        + (half + dim_x / 2) * psi(half + dim_x / 2)
        + (half + dim_y / 2) * psi(half + dim_y / 2)
        - (half + d / 2) * psi(half + d / 2)
        - half * psi(half)
    )  # fmt: skip
    return float(value)


def heavy_dof(dim_x: int, dim_y: int, mi: float) -> float:
    """Degrees of freedom, 3 or so many that the common scale says at most half of ``mi``."""
    if shared_scale_information(_DOF, dim_x, dim_y) <= mi / 2:
        return _DOF
    return float(
        math.exp(
            brentq(lambda log: shared_scale_information(math.exp(log), dim_x, dim_y) - mi / 2, math.log(_DOF), 14.0)
            if shared_scale_information(math.exp(14.0), dim_x, dim_y) < mi / 2
            else 14.0
        )
    )


def exchanged(columns: Array) -> Array:
    """Standard normal columns with the quarters of each in another order: still normal, and one to one."""
    places = ndtr(columns) * _PIECES
    piece = np.minimum(places.astype(np.int64), _PIECES - 1)
    moved = (np.asarray(_ORDER)[piece] + (places - piece)) / _PIECES
    return np.asarray(ndtri(np.clip(moved, 1e-12, 1 - 1e-12)))


def _in_place(columns: Array, scores: Array) -> Array:
    """Give each column's numbers, in their order, the sorted scores of the user's column."""
    placed = np.empty_like(scores)
    np.put_along_axis(placed, columns.argsort(0, kind="stable"), scores, 0)
    return placed
