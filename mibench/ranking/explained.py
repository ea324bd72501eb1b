"""Errors explained: what the exact critic would leave of a method's error in each cell, and what stops the method.

Notable:

- Beside a trained run stand runs of the **exact critic**, the task's log density ratio: same task, level, sample,
  sampler, batch, estimator and parameters (``mibench run --suite NAME --exact``). They are no methods and no cells of
  a board. Of both the value that is ranked is taken, so that the parts add up.
- What can be **attained** is the exact critic's mean value; where the sampler leaves positives among the negatives of
  an estimator that they cap (NWJ, DV), the value of the best critic under that sampler, ``predicted_optimum``: there
  the log ratio is no good critic, and its value says nothing.
- **estimator's part** = attained - truth, **critic's gap** = trained - attained; their sum is the error of the mean
  estimate, of the runs that held. The gap may be positive: a trained critic can carry a plug-in above what the exact
  one gives.
- Learned densities are a critic like others here: with the exact one the log ratio stands in for their logarithms,
  which is what the true densities give in expectation. The gap is then that of the density family and its training.
- An estimator that takes a sample as a whole has no critic, and one whose own critic is the exact one trains none:
  their part is all of the error.
- What stops a method is found by rule, cell by cell (`CAUSES`), and said with the share of the board's error that lies
  in the cells of a cause.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mibench.analysis.metrics import Floats
from mibench.experiments.options import PRODUCT_PRECISIONS
from mibench.experiments.specs import EXACT
from mibench.ranking.columns import TUNED
from mibench.ranking.matrix import WITHOUT_CRITIC
from mibench.ranking.measures import SPREADS, VALUES, Measures, ran_away
from mibench.ranking.statistics import Bools, Ints, by_unit, equal_mean, finite_mean
from mibench.store.columns import RESULT_STATUSES

NEAR = 0.05
"""Normalised error up to which a cell, or a method, counts as at the truth."""

WIDE = 1.0
"""Nats: standard deviation of the exact critic's value between batches, from which on it is called variance."""

SECOND = 0.25
"""Share of a method's error from which on a second cause is named."""

TRUE, DIVERGED, SAMPLER, CEILING, VARIANCE, BIAS = (
    "at the truth",
    "divergence",
    "sampler",
    "ceiling",
    "variance",
    "bias",
)
NO_CRITIC, DENSITIES, CRITIC, UNKNOWN = "no critic", "densities", "critic", "not known"

CAUSES: Mapping[str, str] = {
    TRUE: f"the normalised error is at most {NEAR:g}",
    DIVERGED: "half of the runs or more have no finite value, or one that ran away",
    NO_CRITIC: "there is no critic to train: the error is the estimator's own",
    UNKNOWN: "there are no rows of the exact critic, or none that held",
    SAMPLER: "the estimator's part is the larger one, and positives are among the negatives, which cap the best critic",
    CEILING: "it is the larger one, and at least half of it is how far the ceiling lies below the truth",
    VARIANCE: f"it is the larger one, and the exact critic's value varies between batches by {WIDE:g} nat or more, and "
    "by more than that part; or values scatter about the truth and their mean is right",
    BIAS: "it is the larger one, for none of these reasons",
    DENSITIES: "the critic's gap is the larger part, and the critic is a learned density that the estimator brings",
    CRITIC: "the critic's gap is the larger part",
}
"""What stops a method in a cell, and when it is said; the first that applies."""

_TASK = ["task", "task_version", "task_params", "schedule", "stair", "samples"]
_METHOD = ["estimator", "estimator_version", "estimator_params"]
_SAMPLER = ["negatives", "negatives_version", "negatives_params", "batch"]
_ALIKE = [*_TASK, *_METHOD, *_SAMPLER, "precision", "protocol"]
"""Columns in which a run and its counterpart with the exact critic are equal."""


@dataclasses.dataclass(frozen=True)
class Explained:
    """The errors of some boards, explained.

    Parameters
    ----------
    cells
        A row per track, method and cell: ``track``, ``method``, ``cell``, ``family``, ``mi_true``, ``batch``;
        ``trained``, ``exact`` and ``optimum`` (mean estimates with the trained critic and the exact one, and the best
        critic's value under the sampler for estimators that it caps), ``estimator_part``, ``critic_gap``, ``error``
        (signed, of the mean) in nats, NaN where not known; ``stopped_by``, one of `CAUSES`.
    methods
        A row per track and method: ``track``, ``method``, means ``estimator_part`` and ``critic_gap`` (families equal,
        NaN where any cell lacks rows of the exact critic), ``stopped_by`` with its ``share`` of the method's error,
        ``explained`` of ``cells``, in which both parts are known, and the ``sentence``.
    """

    cells: pd.DataFrame
    methods: pd.DataFrame


def set_apart(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split rows into those that are ranked and those of the exact critic that explain them.

    Where no method has another critic, as on a grid of exact critics alone, all rows are ranked. An estimator whose own
    critic is the exact one is ranked.

    Parameters
    ----------
    runs
        Rows of `mibench.ranking.matrix.canonical_rows`.
    """
    exact = (runs["critic"] == EXACT) & ~runs["own_critic"]
    grids = ~exact & ~runs["own_critic"]
    if not grids.any():
        trained = pd.MultiIndex.from_frame(runs.loc[~exact, _METHOD])
        exact &= pd.MultiIndex.from_frame(runs[_METHOD]).isin(trained)
    return runs[~exact], runs[exact]


def explain(measures: Measures, exact: pd.DataFrame) -> Explanation:
    """Explain the errors of some methods.

    Parameters
    ----------
    measures
        Of the methods.
    exact
        Rows of the exact critic, as from `set_apart`; of these those of the same regime count.
    """
    first = measures.matrix.rows[:, :, 0]
    return Explanation(measures, *_counterparts(measures, exact, first))


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Parts of the errors of K methods in C cells, (K, C) where nothing else is said; NaN where not known.

    Parameters
    ----------
    measures
        Of the methods.
    exact, spread
        Mean value with the exact critic, and its standard deviation between batches, nats, of the runs that held.
    beside
        Whether there are runs of the exact critic, held or not.
    """

    measures: Measures
    exact: Floats
    spread: Floats
    beside: Bools

    @property
    def trained(self) -> Floats:
        """Mean estimates of the runs that held, nats."""
        return self.measures.cell_estimates

    @functools.cached_property
    def optimum(self) -> Floats:
        """Value of the best critic under the sampler, for estimators that it caps, nats."""
        capped = self.measures.matrix.numbers("capped_by_sampler") == 1
        return finite_mean(np.where(capped, self.measures.matrix.numbers("predicted_optimum"), math.nan), axis=2)

    @functools.cached_property
    def left_positives(self) -> Bools:
        """Where the sampler leaves positives among the negatives of an estimator that they cap."""
        return np.isfinite(self.optimum) & np.isfinite(self._first("predicted_ceiling"))

    @functools.cached_property
    def no_critic(self) -> Bools:
        """Where nothing is trained: a sample is taken as a whole, or the estimator's own critic is the exact one."""
        found: Bools = self.measures.matrix.matches("critic", WITHOUT_CRITIC, EXACT)[:, :, 0]
        return found

    @functools.cached_property
    def attained(self) -> Floats:
        """What can be attained without any flaw of a critic, nats; NaN where no trained run held, too."""
        best = np.where(self.left_positives & self.beside, self.optimum, self.exact)
        best = np.where(self.no_critic, self.trained, best)
        return np.where(np.isnan(self.trained), math.nan, best)

    @property
    def estimator_part(self) -> Floats:
        """What can be attained - truth, nats."""
        return self.attained - self.measures.truth

    @property
    def critic_gap(self) -> Floats:
        """Trained - what can be attained, nats."""
        return self.trained - self.attained

    @property
    def error(self) -> Floats:
        """Mean estimate - truth, nats."""
        return self.trained - self.measures.truth

    @functools.cached_property
    def causes(self) -> npt.NDArray[np.str_]:
        """What stops each method in each cell, of `CAUSES`."""
        truth = self.measures.truth
        unit = np.maximum(truth, 1.0)
        part, gap = np.abs(self.estimator_part), np.abs(self.critic_gap)
        ceiling = self._first("ceiling")
        wide = (self.spread >= WIDE) & (self.spread >= part)
        runs = self.measures.matrix.rows >= 0
        estimators = part >= gap
        near = np.abs(self.error) <= NEAR * unit
        rules = {
            TRUE: self.measures.cell_errors <= NEAR,
            DIVERGED: 2 * (self.measures.held & runs).sum(axis=2) <= runs.sum(axis=2),
            NO_CRITIC: self.no_critic,
            UNKNOWN: np.isnan(self.attained),
            SAMPLER: estimators & self.left_positives,
            CEILING: estimators & (self.estimator_part < 0) & (2 * (truth - ceiling) >= part),
            VARIANCE: (estimators & wide) | near,
            BIAS: estimators,
            DENSITIES: self._first("own_critic") == 1,
        }
        return np.select(list(rules.values()), list(rules), default=CRITIC).astype(np.str_)

    @functools.cached_property
    def shares(self) -> dict[str, Floats]:
        """Share of each method's error that lies in the cells of each cause: (K,)."""
        errors = self.measures.cell_errors
        total = self._mean(errors)
        parts = {cause: self._mean(np.where(self.causes == cause, errors, 0.0)) for cause in CAUSES}
        return {
            cause: np.divide(part, total, out=np.zeros_like(total), where=total > 0) for cause, part in parts.items()
        }

    @functools.cached_property
    def stopped_by(self) -> list[str]:
        """The cause of most of each method's error."""
        return [ordered[0][0] for ordered in self._ordered]

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Columns of a board, (K,); nothing where any cell lacks runs of the exact critic."""
        whole = (self.beside | self.no_critic).all(axis=1)
        words = ["" if word == UNKNOWN else word for word in self.stopped_by]
        return {
            "estimator_part": np.where(whole, self._mean(self.estimator_part), math.nan),
            "critic_gap": np.where(whole, self._mean(self.critic_gap), math.nan),
            "stopped_by": np.array(words, dtype=object),
        }

    def cells_table(self, track: str) -> pd.DataFrame:
        """List the cells of every method; see `Explained`."""
        methods, cells = self.trained.shape
        matrix = self.measures.matrix
        described = matrix.cells[["name", "family_name", "mi_true", "batch"]].iloc[np.tile(np.arange(cells), methods)]
        table = described.set_axis(["cell", "family", "mi_true", "batch"], axis=1).reset_index(drop=True)
        table.insert(0, "track", track)
        table.insert(1, "method", np.repeat(matrix.methods["method"].to_numpy(object), cells))
        names = ("trained", "exact", "optimum", "estimator_part", "critic_gap", "error")
        values = {name: getattr(self, name).ravel() for name in names}
        return table.assign(**values, stopped_by=self.causes.ravel().astype(object))

    def methods_table(self, track: str) -> pd.DataFrame:
        """List the methods with their sentences; see `Explained`."""
        known = np.isfinite(self.critic_gap)
        return pd.DataFrame(
            {
                "track": track,
                "method": self.measures.matrix.methods["method"].to_numpy(object),
                **self.columns,
                "share": [ordered[0][1] for ordered in self._ordered],
                "explained": known.sum(axis=1),
                "cells": known.shape[1],
                "sentence": [self._sentence(method) for method in range(len(known))],
            }
        )

    # --- sentences -----------------------------------------------------------------------------------------------

    @functools.cached_property
    def _ordered(self) -> list[list[tuple[str, float]]]:
        """Causes of each method's error with their shares, the largest first; the truth where it is near enough."""
        errors = self._mean(self.measures.cell_errors)
        found = []
        for method, error in enumerate(errors):
            shares = [(cause, float(self.shares[cause][method])) for cause in CAUSES if cause != TRUE]
            largest = sorted((one for one in shares if one[1] > 0), key=lambda one: -one[1])
            found.append([(TRUE, 1.0)] if error <= NEAR or not largest else largest)
        return found

    def _sentence(self, method: int) -> str:
        first, *others = self._ordered[method]
        if first[0] == TRUE:
            return f"{TRUE}: its error is {self._mean(self.measures.cell_errors)[method]:.3f}"
        said = [first, *(one for one in others[:1] if one[1] >= SECOND)]
        return "; ".join(f"{cause} ({share:.0%} of its error): {self._clause(method, cause)}" for cause, share in said)

    def _clause(self, method: int, cause: str) -> str:
        """Say what was found in the cells of a cause, in means over them."""
        here = self.causes[method] == cause

        def mean(values: Floats) -> float:
            return float(self._mean(np.where(here, values[method] if values.ndim > 1 else values, math.nan)[None])[0])

        truth, attained, part = mean(self.measures.truth), mean(self.attained), signed(mean(self.estimator_part))
        if cause == DIVERGED:
            runs = self.measures.matrix.rows[method][here] >= 0
            lost = runs & ~self.measures.held[method][here]
            return f"{lost.sum()} of {runs.sum()} runs there ran away or have no value"
        if cause == NO_CRITIC:
            return f"there is none to train, and its own error is {part} nats"
        if cause == UNKNOWN:
            return (
                "no runs of the exact critic held there"
                if self.beside[method][here].all()
                else "no runs of the exact critic"
            )
        if cause == SAMPLER:
            return (
                f"positives are among the negatives, and the best critic would read {attained:.2f} of {truth:.2f} nats"
            )
        if cause == CEILING:
            ceiling = mean(self._first("ceiling"))
            return f"{ceiling:.2f} nats, and the exact critic would be there too: {attained:.2f} of {truth:.2f} nats"
        if cause == VARIANCE:
            spread = mean(np.where(np.isfinite(self.spread), self.spread, math.nan))
            between = "" if math.isnan(spread) else f"; between batches the exact critic's vary by {size(spread)}"
            return f"values scatter, their means {signed(mean(self.error))} nats off{between}"
        if cause == BIAS:
            return f"the exact critic would be {part} nats off as well"
        true = "densities" if cause == DENSITIES else "critic"
        which = "true" if cause == DENSITIES else "exact"
        return f"its gap is {signed(mean(self.critic_gap))} nats; with the {which} {true} the error would be {part}"

    # --- means ---------------------------------------------------------------------------------------------------

    def _mean(self, values: Floats) -> Floats:
        """Average over cells, tasks and families like the board: (K, C) to (K,); NaN are left out."""
        return equal_mean(by_unit(values, self.measures.tasks), self.measures.families)

    def _first(self, column: str) -> Floats:
        """A column of each cell's first run: all of them have the same."""
        return self.measures.matrix.numbers(column)[:, :, 0]


def relative_means(cells: pd.DataFrame) -> pd.DataFrame:
    """Average the parts of errors as shares of max(truth, 1 nat) over the cells where they are known, families equal.

    Parameters
    ----------
    cells
        `Explained.cells`.

    Returns
    -------
    DataFrame
        A row per track and method: ``track``, ``method``, ``estimator_part_of_truth``, ``critic_gap_of_truth`` and
        their sum ``error_of_truth``; NaN where no cell is known.
    """
    unit = np.maximum(cells["mi_true"], 1.0)
    parts = ["estimator_part", "critic_gap"]
    shares = cells.assign(**{name: cells[name] / unit for name in parts})
    names = ["track", "method", "family", "mi_true"]
    for count in (4, 3, 2):
        shares = shares.groupby(names[:count], sort=False)[parts].mean().reset_index()
    shares["error"] = shares["estimator_part"] + shares["critic_gap"]
    return shares.rename(columns={name: f"{name}_of_truth" for name in (*parts, "error")})


def signed(value: float) -> str:
    """Write nats with a sign, and large ones without decimals."""
    return f"{round(value, 2) + 0.0:+.2f}" if abs(value) < 100 else f"{value:+,.0f}"  # no negative zero


def size(value: float) -> str:
    """Write a number of nats, large ones short."""
    return signed(value).lstrip("+")


def _counterparts(measures: Measures, exact: pd.DataFrame, first: Ints) -> tuple[Floats, Floats, Bools]:
    """Mean value of the exact critic's runs beside each cell's, its spread between batches, whether there are any."""
    regime = "dataset" if measures.regime == TUNED else measures.regime  # the exact critic has nothing to tune
    rows = exact[exact["regime"] == regime]
    values = rows[VALUES[measures.regime]].to_numpy(np.float64)
    truth = rows["mi_true"].to_numpy(np.float64)
    finished = rows["status"].isin(RESULT_STATUSES).to_numpy(bool)
    held = finished & np.isfinite(values) & ~ran_away(values, truth, (rows["kind"] == "upper").to_numpy(bool))
    ours = measures.matrix.runs
    alike = pd.concat([ours[_ALIKE], rows[_ALIKE]], ignore_index=True)
    alike["precision"] = alike["precision"].replace(dict.fromkeys(PRODUCT_PRECISIONS, "float32"))
    group = alike.groupby(_ALIKE, dropna=False, sort=False).ngroup().to_numpy(np.int64)
    wanted, given = group[: len(ours)][first], group[len(ours) :]
    count = np.bincount(given, minlength=len(alike))

    def means(found: Floats) -> Floats:
        known = held & np.isfinite(found)
        totals = np.bincount(given[known], weights=found[known], minlength=len(alike))
        counts = np.bincount(given[known], minlength=len(alike))
        return np.where(counts > 0, totals / np.maximum(counts, 1), math.nan)[wanted]

    return means(values), means(rows[SPREADS[measures.regime]].to_numpy(np.float64)), count[wanted] > 0
