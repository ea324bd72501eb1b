"""Which methods of a leaderboard can be told apart: tests, groups, ranks, wins. Pure functions of arrays.

Notable:

- A pair is told apart by a paired t test, corrected by Holm's method for all pairs of the board: over family means
  where families are a sample, over seeds where the tasks are what they are (see `mibench.ranking.inference`). Methods
  that are alike, so that their differences are symmetric about 0, therefore all share a letter on at least 95 % of
  boards, whatever the others are: for symmetric differences, unequal spreads included, the test errs towards not
  telling apart.
- Why families and not tasks: on the levels of one family two methods differ alike. Tested as if independent, 14 equal
  methods on five families of three levels are not all in one group on 57 % of boards (intraclass correlation 0.6).
- Why a t test: a rank test of few families cannot pass the correction (the signed ranks of 8 give no p-value below
  0.8 %).
- What it cannot do: see a failure that is too rare for the board. Two methods of equal expected error, of which one
  fails on a run in 20 and the other never, are told apart on about 7 % of boards of five or eight families with three
  levels and five seeds, and on 6 % of those of twelve, in simulations, where no correction is made. The columns of
  divergence and failure, and more families, are the remedy.
"""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

from mibench.analysis.metrics import Floats
from mibench.ranking.statistics import ROUNDING, Bools, Ints, mean_and_error, mean_over_seeds

DECIMALS = 12
"""Mean errors are rounded to so many before they are ranked."""


def paired_p_values(errors: Floats) -> Floats:
    """Test all pairs of methods by the differences of their family means: Student's paired t, two-sided.

    Parameters
    ----------
    errors
        Errors of methods on families (K, F), each the mean over its tasks.

    Returns
    -------
    ndarray
        p-values (K, K), symmetric. 1 on the diagonal, where there is one family, and where all differences are 0; 0
        where they are equal but not 0.
    """
    count = errors.shape[1]
    if count < 2:
        return np.ones((len(errors), len(errors)))
    mean, se = mean_and_error(errors[:, None] - errors[None])
    return _two_sided(mean, se, count - 1)


def paired_p_values_over_seeds(errors: Floats, families: Ints) -> Floats:
    """Test all pairs of methods by the differences of their seeds, the tasks being what they are.

    Two methods are equal here where their means on these very tasks would be with all seeds.

    Parameters
    ----------
    errors
        Errors by task and seed (K, T, S).
    families
        Family of each task, from 0 without gaps, shape (T,).

    Returns
    -------
    ndarray
        p-values (K, K) of Student's t stratified by task, as `paired_p_values`; 1 where a task has one seed alone.
    """
    mean, se, freedom = mean_over_seeds(errors[:, None] - errors[None], families)
    return _two_sided(mean, se, freedom)


def _two_sided(mean: Floats, se: Floats, freedom: Floats | int) -> Floats:
    """p-values of Student's t: 1 where the mean is 0 or its error is not known, 0 where the error is 0."""
    mean = np.where(np.abs(mean) < ROUNDING, 0.0, mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        p: Floats = 2 * stdtr(freedom, -np.abs(mean) / se)
    return np.where((mean == 0) | np.isnan(se), 1.0, np.where(se == 0, 0.0, p))


def holm(p: Floats) -> Floats:
    """Adjust the p-values of all pairs for their number (Holm, 1979).

    Where the tests hold their level, the chance that any two methods that do not differ are told apart at 0.05 is then
    at most 5 %, whatever the others are.

    Parameters
    ----------
    p
        Symmetric matrix of p-values (K, K).

    Returns
    -------
    ndarray
        Adjusted p-values, symmetric, 1 on the diagonal.
    """
    upper = np.triu_indices(len(p), 1)
    adjusted = np.ones_like(p)
    values = p[upper]
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    found = np.empty_like(values)
    found[order] = np.minimum(steps, 1.0)
    adjusted[upper] = found
    adjusted.T[upper] = found
    return adjusted


def letters(different: Bools) -> list[str]:
    """Write which methods cannot be told apart as letters, the compact letter display.

    Two methods share a letter if and only if they were not told apart. Every letter is a largest possible set of
    methods no two of which were; being told apart is not transitive, so that a method may have several letters.

    Parameters
    ----------
    different
        Which pairs were told apart (K, K), symmetric; methods in the order of the board.

    Returns
    -------
    list of str
        The letters of each method, ``a`` for those that share one with the first method.

    Source: Piepho (2004, "An algorithm for a letter-based representation of all-pairwise comparisons").
    """
    groups = [frozenset(range(len(different)))]
    for one, other in zip(*np.nonzero(np.triu(different, 1)), strict=True):
        split = [group - {gone} for group in groups if {one, other} <= group for gone in (one, other)]
        groups = _largest([group for group in groups if not {one, other} <= group] + split)
    named = dict(zip(sorted(groups, key=sorted), _names(), strict=False))
    return ["".join(name for group, name in named.items() if method in group) for method in range(len(different))]


def _largest(groups: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """Drop the sets that another one holds."""
    unique = list(dict.fromkeys(groups))
    return [group for group in unique if not any(group < other for other in unique)]


def _names() -> Iterator[str]:
    more = (f"{letter}{i}" for i in itertools.count(2) for letter in string.ascii_letters)
    return itertools.chain(string.ascii_letters, more)


class Ranks(NamedTuple):
    """Ranks (K,) from 1, the least error first; equal errors share the smaller rank."""

    rank: Ints
    best: Ints
    worst: Ints


def ranks(errors: Floats, different: Bools) -> Ranks:
    """Rank mean errors, with the ranks that the tests leave open.

    ``best`` is one more than the number of methods that are better and were told apart, ``worst`` the number of methods
    less those that are worse and were told apart. Where the tests hold their level, all methods' ranks lie between the
    two at once with 95 % confidence.

    Parameters
    ----------
    errors
        Mean errors (K,).
    different
        Which pairs were told apart (K, K).

    Source: Mogstad, Romano, Shaikh and Wilhelm (2024, "Inference for ranks").
    """
    rank = places(errors)
    better = different & (errors[:, None] > errors[None])  # the column is better than the row
    worse = different & (errors[:, None] < errors[None])
    return Ranks(rank, 1 + better.sum(axis=1), len(errors) - worse.sum(axis=1))


def places(errors: Floats) -> Ints:
    """Ranks (K,) of mean errors, 1 the least; those that are equal up to rounding share the smaller rank."""
    rounded = np.round(errors, DECIMALS)
    return np.asarray(1 + np.searchsorted(np.sort(rounded), rounded), dtype=np.int64)


def win_shares(errors: Floats) -> Floats:
    """Share of the tasks on which the method of the row has the smaller error than that of the column; ties count half.

    Parameters
    ----------
    errors
        Errors of methods on tasks (K, T).

    Returns
    -------
    ndarray
        (K, K); a share and its mirror add to 1, and the diagonal is NaN.
    """
    difference = errors[None] - errors[:, None]  # positive where the row wins
    won = np.where(np.abs(difference) < ROUNDING, 0.5, difference > 0)
    shares: Floats = won.mean(axis=2)
    np.fill_diagonal(shares, math.nan)
    return shares
