"""A label against numbers: what a classifier says of rows that it has not seen, and nearest neighbours.

The classifier's bound. With q a classifier that was fitted on other rows and p^ the labels' frequencies among all rows,

    E[log q(y | x) - log p^(y)]  =  I - E KL(p(y | x) || q) - (H(y) - E H(p^))  <=  I,

since ``mean -log p^(y)`` is the entropy of p^, whose expectation is at most H(y) by Jensen's inequality. Frequencies
among the training rows in place of p^ would add ``KL(p || p^)``, near ``(k - 1) / 2n`` for k labels, and the mean might
exceed I. Where folds hold each label in the same share, the same holds given the labels' counts: a held-out pair then
follows ``p^(y) p(x | y)``, whose mutual information is on average at most I, being concave in the labels' frequencies.
Scores use the ranks of all rows, but of x alone: given every x, a held-out label depends on its own.

The standard error is that of the mean of these terms: to first order a change of p^ moves the sum of an entropy and its
cross-entropy by what the terms themselves vary.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mibench.estimation.canonical import canonical_codes, canonical_order, canonical_scores
from mibench.estimation.contents import Contents
from mibench.estimation.copies import copy_groups
from mibench.estimation.members import Member, mean_of, standard_error
from mibench.estimation.sides import ROWS_PER_LABEL
from mibench.estimation.stacked import Part, Recipe, Stack, fit
from mibench.estimators.mixed_neighbours import LabelKSG

LOGISTIC = Recipe(hidden=(), rate=0.02, decay=0.1)
NETWORK = Recipe(hidden=(64, 64), rate=0.003, decay=0.01)

_MOST_SQUARED = 8  # columns whose squares and products the logistic regression takes: 44 features
_INNER = 5  # parts that training rows are divided into, of which one stops a fit
_FITS = 3  # of these parts that do, one after the other; their probabilities are averaged
_LARGE = 2000  # rows beyond which two do
_POOLING = 100  # rounds of the pool's weights
_PARTITIONS = 4  # of the rows into parts, for an error
_MOST_PARTS = 5
_VALUES_PER_LABEL = 2


@dataclass(frozen=True)
class Classified:
    """The classifier's bound, with what it says of every label.

    Parameters
    ----------
    member
        The bound.
    codes
        Of the labels, (n,), as the columns of `log_ratios` are numbered.
    log_ratios
        ``log q(label | x) - log p^(label)`` of each row by a classifier that has not seen it, (n, labels).
    fold
        Of each row, (n,).
    """

    member: Member
    codes: NDArray[np.int64]
    log_ratios: NDArray[np.float64]
    fold: NDArray[np.int64]


def classifier(
    contents: Contents, fold: NDArray[np.int64], *, seed: int, units: NDArray[np.int64] | None = None
) -> Classified:
    """Bound the mutual information of a label and numbers from below by classifiers, cross-fitted.

    For each fold a logistic regression (of few columns with their squares and products) and a small network are fitted
    on the other folds' rows; each several times with other stopping rows, and the probabilities are averaged. They are
    pooled with the labels' training frequencies, ``q = sum_c w_c q_c``, with the weights that tell the stopping rows
    best; the frequencies' share keeps a single row from costing more than a few nats.

    Parameters
    ----------
    contents
        A sample of which one side is a label.
    fold
        Of each row, (n,), from 0.
    seed
        Of first weights and batches.
    units
        Rows that belong together, (n,), over which the standard error is taken and which are never parted between
        fitting and stopping; None takes copies of a row.

    Source: the bound of Barber and Agakov (2003) with a classifier as q, cross-fitted; the linear pool's weights by
    the EM algorithm.
    """
    began = time.perf_counter()
    numbers, labels = _sides(contents)
    units = copy_groups(contents) if units is None else units
    order = canonical_order(contents)
    codes = canonical_codes(contents.sides[labels], contents.keys[labels])[order]
    scores = canonical_scores(contents.sides[numbers], contents.pairs)[order]
    held_out, training = _cross_fitted(scores, codes, fold[order], units[order], seed)
    log_shares = np.log(np.bincount(codes) / len(codes))
    ratios = np.empty_like(held_out)
    ratios[order] = held_out - log_shares
    own = np.empty_like(codes)
    own[order] = codes
    terms = ratios[np.arange(len(own)), own]
    folds = int(fold.max()) + 1
    member = Member(
        name="classifier",
        kind="lower",
        value=mean_of(terms),
        se=standard_error(terms, units),
        protocol=f"each of {folds} folds by a logistic regression and a network that were fitted on the other folds, "
        "pooled by rows of these",
        seconds=time.perf_counter() - began,
        ceiling=-mean_of(log_shares[codes]),
        terms=terms,
        training=training - mean_of(log_shares[codes]),
    )
    return Classified(member, own, ratios, fold)


def pair_scores(found: Classified, contents: Contents) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """For each fold its rows, in an order of their own, and what the classifiers say of all their pairs, (m, m)."""
    order = canonical_order(contents)
    folds = [order[found.fold[order] == k] for k in range(int(found.fold.max()) + 1)]
    return [(rows, found.log_ratios[np.ix_(rows, found.codes[rows])].astype(np.float32)) for rows in folds]


def neighbours(contents: Contents, *, seed: int, units: NDArray[np.int64] | None = None) -> Member | None:
    """Estimate the mutual information of a label and numbers by nearest neighbours of the same label.

    Copies of a row count once. The standard error follows from disjoint parts of the rows, in `_PARTITIONS` random
    partitions: an estimate's variance is taken to fall as one over the rows. Rows are never repeated, since a copy
    would be its own nearest neighbour.

    Parameters
    ----------
    contents
        A sample of which one side is a label.
    seed
        Of the partitions.
    units
        Rows that belong together, (n,), which parts do not divide.

    Returns
    -------
    Member or None
        None where parts of the rows would hold fewer than five for each label, and where different numbers are fewer
        than twice the labels: what repeats so often is a label itself.

    Source: Ross (2014) for the estimate; Holmes and Nemenman (2019) for its variance.
    """
    began = time.perf_counter()
    numbers, labels = _sides(contents)
    order = canonical_order(contents)
    order = order[np.sort(np.unique(copy_groups(contents)[order], return_index=True)[1])]
    codes = canonical_codes(contents.sides[labels], contents.keys[labels])[order]
    scores = canonical_scores(contents.sides[numbers], contents.pairs)[order]
    labelled, least = codes[:, None].astype(np.float64), ROWS_PER_LABEL * (int(codes.max()) + 1)
    parts = min(_MOST_PARTS, len(order) // least)
    if parts < 2 or len(np.unique(contents.keys[numbers])) <= _VALUES_PER_LABEL * (int(codes.max()) + 1):
        return None
    own = np.arange(len(order)) if units is None else np.unique(units[order], return_inverse=True)[1]
    generator, estimator = np.random.default_rng(seed), LabelKSG()
    variances = []
    for _ in range(_PARTITIONS):
        dealt = (generator.permutation(int(own.max()) + 1) % parts)[own]
        if np.bincount(dealt, minlength=parts).min() < least:
            return None
        values = [estimator.of_arrays(scores[dealt == at], labelled[dealt == at]) for at in range(parts)]
        variances.append(np.var(values, ddof=1) / parts)
    return Member(
        name="neighbours",
        kind="plug-in",
        value=estimator.of_arrays(scores, labelled),
        se=math.sqrt(float(np.mean(variances))),
        protocol=f"all rows at once, copies once; the error from {_PARTITIONS} partitions into {parts} parts",
        seconds=time.perf_counter() - began,
        ceiling=estimator.ceiling(len(order), len(order)),
    )


def _sides(contents: Contents) -> tuple[int, int]:
    """Which side holds numbers, and which a label."""
    first, second = contents.sides
    if first.is_label == second.is_label:
        raise ValueError("one side must be a label, and the other numbers")
    return (1, 0) if first.is_label else (0, 1)


def _cross_fitted(
    scores: NDArray[np.float64],
    codes: NDArray[np.int64],
    fold: NDArray[np.int64],
    units: NDArray[np.int64],
    seed: int,
) -> tuple[NDArray[np.float64], float]:
    """Return ``log q(label | x)`` of held-out rows, (n, labels), and the mean of ``log q(y | x)`` on training rows."""
    folds, n = int(fold.max()) + 1, len(codes)
    fits = _FITS if n <= _LARGE else 2
    inner = _inner_parts(units, np.random.default_rng(seed))
    parts = [
        Part(np.flatnonzero((fold != at) & (inner != stop)), np.flatnonzero((fold != at) & (inner == stop)))
        for at in range(folds)
        for stop in range(fits)
    ]
    generator = torch.Generator().manual_seed(seed)
    models = [
        (features, fit(features, codes, parts, recipe, generator))
        for features, recipe in ((_with_squares(scores), LOGISTIC), (scores, NETWORK))
    ]
    held_out = np.empty((n, int(codes.max()) + 1))
    training = []
    for at in range(folds):
        own = range(at * fits, (at + 1) * fits)
        rows, others = np.flatnonzero(fold == at), np.flatnonzero(fold != at)
        counts = np.bincount(codes[others], minlength=held_out.shape[1])
        frequencies = np.log((counts + 0.5) / (len(others) + 0.5 * len(counts)))
        weights = _pool_weights(models, parts, own, frequencies, codes)
        held_out[rows] = _pooled(models, rows, own, frequencies, weights)
        training.append(_pooled(models, others, own, frequencies, weights)[np.arange(len(others)), codes[others]])
    return held_out, mean_of(np.concatenate(training))


def _inner_parts(units: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Divide rows into `_INNER` parts, (n,), for stopping; units stay whole, and are numbered as they come."""
    _, first, members = np.unique(units, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first, kind="stable")] = generator.permutation(len(first)) % _INNER
    return place[members]


def _with_squares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Few columns with their squares and products, of mean 0 and variance 1; many as they are."""
    if scores.shape[1] > _MOST_SQUARED:
        return scores
    first, second = np.triu_indices(scores.shape[1])
    products = scores[:, first] * scores[:, second]
    products -= products.mean(0)
    spread = products.std(0)
    return np.hstack((scores, products[:, spread > 0] / spread[spread > 0]))  # those of an even split are constant


_Models = list[tuple[NDArray[np.float64], Stack]]


def _pool_weights(
    models: _Models, parts: list[Part], own: range, frequencies: NDArray[np.float64], codes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weights of frequencies and models that tell the stopping rows best, with one row more in favour of each."""
    columns = []
    for part in own:
        rows = parts[part].stopping
        told = [stack.log_probabilities(features, rows, part) for features, stack in models]
        columns.append(
            np.stack([frequencies[codes[rows]], *(each[np.arange(len(rows)), codes[rows]] for each in told)])
        )
    log_q = np.concatenate(columns, 1)
    weights = np.full(len(log_q), 1 / len(log_q))
    for _ in range(_POOLING):
        shares = np.log(weights)[:, None] + log_q
        shares = np.exp(shares - np.logaddexp.reduce(shares, 0))
        weights = (shares.sum(1) + 1) / (shares.shape[1] + len(weights))
    return weights


def _pooled(
    models: _Models,
    rows: NDArray[np.int64],
    own: range,
    frequencies: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """``log q(label | x)`` of the pool, (rows, labels)."""
    parts = [np.broadcast_to(frequencies, (len(rows), len(frequencies)))]
    for features, stack in models:
        fits = np.stack([stack.log_probabilities(features, rows, part) for part in own])
        parts.append(np.logaddexp.reduce(fits, 0) - math.log(len(own)))
    return np.asarray(np.logaddexp.reduce(np.log(weights)[:, None, None] + np.stack(parts), 0))
