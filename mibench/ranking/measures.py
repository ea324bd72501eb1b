"""What the leaderboard says of a method beside its rank: bias, variance, saturation, violations, cost.

Notable:

- Every measure is taken in each cell over its seeds, then over the cells of a task, the tasks of a family, and
  families, equally: like the error, see `mibench.ranking.statistics`.
- A run **answered** when it ended with a finite value, the one that is ranked. That value is scored as it is, whatever
  training did on the way: an estimate that was far off for a while and ended at the truth is at the truth. A run
  without an answer (crashed, out of time, not finite) is **imputed**: it counts at the cap.
- A run **diverged** when what is ranked ran away: see `Measures.ran_away`. It is scored like any other, but has no part
  in what describes estimates (bias, variance, saturation), where one such run would hide all others. Runs that answered
  and did not diverge are **held**. The two are to be read together: what is described is what the method does when it
  holds.
- The status ``diverged`` of a stored row is another thing: it looks at the training, at any time of it, and at the
  truth. Boards do not use it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mibench.analysis.metrics import FINAL, Floats
from mibench.experiments.specs import PARTS
from mibench.ranking.columns import FIXED_SAMPLES
from mibench.ranking.matrix import Matrix
from mibench.ranking.statistics import (
    Bools,
    Ints,
    by_unit,
    equal_mean,
    finite_mean,
    largest_log_error,
    log_error,
    monotonicity,
    normalised_error,
)
from mibench.store.columns import FAILURE_STATUSES, RESULT_STATUSES

VALUES: Mapping[str, str] = {"stream": FINAL, **dict.fromkeys(FIXED_SAMPLES, "estimate_test")}
"""The estimate that is ranked: the median over the window's training batches, or the value on the test part."""

_MEANS: Mapping[str, str] = {"stream": "estimate_train", **dict.fromkeys(FIXED_SAMPLES, "estimate_test")}
"""The mean over batches, which is what a bound bounds."""

SPREADS: Mapping[str, str] = {"stream": "estimate_train_sd", **dict.fromkeys(FIXED_SAMPLES, "estimate_fresh_sd")}
"""Standard deviation between batches: those of the window, or fresh ones where the window's are trained on again."""

RUN_AWAY = 100.0
"""Nats below 0, or above the truth, from which on a ranked value is no estimate of it but a run that ran away."""

_SLACK = 3.0
"""Standard errors by which a run must pass the truth to count as a violation: a bound that is exactly at the truth
passes it by so much in one run of 700."""


@dataclasses.dataclass(frozen=True)
class Measures:
    """Measures of the methods of a matrix; each property is (K,) where nothing else is said.

    Parameters
    ----------
    matrix
        Complete rows of one regime.
    regime
        ``"stream"``, ``"dataset"`` or ``"tuned"``.
    cap
        The largest normalised error of a run, and that of a run without an answer.
    """

    matrix: Matrix
    regime: str
    cap: float = 1.0

    @functools.cached_property
    def truth(self) -> Floats:
        """True MI of every cell, nats: (C,)."""
        return self.matrix.cells["mi_true"].to_numpy(np.float64)

    @functools.cached_property
    def tasks(self) -> Ints:
        """Task of every cell, from 0: (C,)."""
        return self.matrix.cells["task"].to_numpy(np.int64)

    @functools.cached_property
    def families(self) -> Ints:
        """Family of every task, from 0: (T,)."""
        families = np.empty(int(self.tasks.max()) + 1, dtype=np.int64)
        families[self.tasks] = self.matrix.cells["family"].to_numpy(np.int64)
        return families

    @functools.cached_property
    def values(self) -> Floats:
        """What is ranked, nats; NaN where there is none: (K, C, S)."""
        return self.matrix.numbers(VALUES[self.regime])

    @functools.cached_property
    def finished(self) -> Bools:
        """Runs that ended with a result, finite or not: (K, C, S)."""
        return self.matrix.matches("status", *RESULT_STATUSES)

    @functools.cached_property
    def answered(self) -> Bools:
        """Runs that ended with a finite value: (K, C, S)."""
        return self.finished & np.isfinite(self.values)

    @functools.cached_property
    def imputed(self) -> Bools:
        """Runs that count at the cap, since they have no answer: (K, C, S)."""
        return (self.matrix.rows >= 0) & ~self.answered

    @functools.cached_property
    def ran_away(self) -> Bools:
        """Runs whose ranked value diverged: (K, C, S).

        It is not finite; or `RUN_AWAY` under 0, where nothing that information could be explains it, whatever the
        truth; or as much over the truth. Information has no upper end, so that on this side the truth is needed; so far
        off, it makes no difference how well it is known. Of upper bounds the last does not count: what they are over
        the truth is their bias, which for CLUB at 30 nats is hundreds of nats by its formula.
        """
        upper = (self.matrix.methods["kind"] == "upper").to_numpy(bool)[:, None, None]
        return self.finished & ran_away(self.values, self.truth[:, None], upper)

    @functools.cached_property
    def held(self) -> Bools:
        """Runs that answered and did not diverge: (K, C, S)."""
        return self.answered & ~self.ran_away

    @functools.cached_property
    def estimates(self) -> Floats:
        """Estimates of the runs that held, nats; NaN elsewhere: (K, C, S)."""
        return np.where(self.held, self.values, math.nan)

    @functools.cached_property
    def errors(self) -> Floats:
        """Normalised errors of all runs; NaN where a cell has fewer seeds than others: (K, C, S)."""
        return self._of_runs(normalised_error(self._answers, self.truth[:, None], cap=self.cap))

    @functools.cached_property
    def log_errors(self) -> Floats:
        """Errors of the logarithm of all runs, as of `mibench.ranking.statistics.log_error`: (K, C, S)."""
        return self._of_runs(log_error(self._answers, self.truth[:, None]))

    @property
    def log_limits(self) -> tuple[float, float]:
        """What no mean of `log_errors` can pass."""
        return 0.0, float(largest_log_error(self.truth).max())

    @property
    def _answers(self) -> Floats:
        """What is ranked, NaN for runs without an answer: (K, C, S)."""
        return np.where(self.answered, self.values, math.nan)

    def _of_runs(self, values: Floats) -> Floats:
        """NaN where a cell has fewer seeds than others."""
        return np.where(self.matrix.rows >= 0, values, math.nan)

    @functools.cached_property
    def cell_errors(self) -> Floats:
        """Mean errors by cell: (K, C)."""
        return finite_mean(self.errors, axis=2)

    @property
    def task_errors(self) -> Floats:
        """Mean errors by task: (K, T)."""
        return by_unit(self.cell_errors, self.tasks)

    @functools.cached_property
    def cell_estimates(self) -> Floats:
        """Mean estimates of the runs that held by cell, nats; NaN where none did: (K, C)."""
        return finite_mean(self.estimates, axis=2)

    def bias(self) -> Floats:
        """Mean of estimate - truth over the runs that held, nats."""
        return self._over_cells(self.cell_estimates - self.truth)

    def variance(self) -> Floats:
        """Variance of the estimate between the seeds of a cell, nats²; of two runs that held, or more."""
        count = self.held.sum(axis=2)
        with np.errstate(over="ignore"):
            squares = np.where(self.held, (self.estimates - self.cell_estimates[..., None]) ** 2, 0.0).sum(axis=2)
        return self._over_cells(np.where(count > 1, squares / np.maximum(count - 1, 1), math.nan))

    def batch_variance(self) -> Floats:
        """Variance of the estimate between the batches of a run that held, nats²."""
        with np.errstate(over="ignore"):
            squares = np.where(self.held, self.matrix.numbers(SPREADS[self.regime]), math.nan) ** 2
        return self._mean(squares)

    def saturation(self) -> Floats:
        """Estimate over the most that it can be: the least of true MI, the ceiling and what the sampler leaves.

        1 is all that can be had. What the sampler leaves counts for the estimators that it caps.
        """
        capped = self.matrix.numbers("capped_by_sampler") == 1
        ceiling = np.fmin(
            self.matrix.numbers("ceiling"), np.where(capped, self.matrix.numbers("predicted_ceiling"), math.inf)
        )
        most = np.fmin(ceiling, self.truth[:, None])
        return self._mean(np.where(most > 0, self.estimates, math.nan) / np.where(most > 0, most, 1.0))

    def violations(self) -> Floats:
        """Share of the runs whose mean estimate is on the wrong side of the truth; NaN for methods that are no bounds.

        It must be so by more than `_SLACK` standard errors of the mean over batches and of the truth. Runs that
        diverged count like others.
        """
        side = self.matrix.methods["kind"].map({"lower": 1.0, "upper": -1.0}).to_numpy(np.float64)[:, None, None]
        per_batch = np.nan_to_num(self.matrix.numbers(SPREADS[self.regime])) ** 2 / self._batches()
        truth_error = np.nan_to_num(self.matrix.numbers("mi_se"))
        slack = _SLACK * np.sqrt(per_batch + truth_error**2)
        excess = side * (self.matrix.numbers(_MEANS[self.regime]) - self.truth[:, None])
        passed = np.isfinite(excess) & (excess > slack)
        return np.where(np.isnan(side[:, 0, 0]), math.nan, self.share(passed))

    def _batches(self) -> Floats:
        """Number of batches that a run's mean is taken over, at least 1."""
        if self.regime == "stream":
            count = self.matrix.numbers("window")
        else:
            count = self.matrix.numbers("samples") // PARTS // self.matrix.numbers("batch")
        return np.fmax(count, 1.0)

    def diverged(self) -> Floats:
        """Share of the runs whose ranked value ran away or is not finite."""
        return self.share(self.ran_away)

    def failed(self) -> Floats:
        """Share of the runs that crashed or ran out of time."""
        return self.share(self.matrix.matches("status", *FAILURE_STATUSES))

    def warned(self) -> Floats:
        """Share of the runs with a warning, of those that may have one; NaN for methods that have none such."""
        known = self.matrix.known("warnings")
        return self._mean(np.where(known, ~self.matrix.matches("warnings", "[]"), math.nan))

    def monotonicity(self) -> Floats:
        """Kendall's tau between true MI and mean estimate; see `mibench.ranking.statistics.monotonicity`."""
        families, settings = (self.matrix.cells[name].to_numpy(np.int64) for name in ("family", "setting"))
        return monotonicity(self.cell_estimates, self.truth, families, settings)

    def seconds(self) -> Floats:
        """Seconds of a run, whatever the machine."""
        return self._mean(self.matrix.numbers("seconds"))

    def cost(self, reference: Mapping[str, Floats]) -> Floats:
        """Seconds of a run relative to those of a reference method in the same cells, run in the same invocation.

        Seconds of different machines, or of one that was busy at one time and idle at another, say nothing beside each
        other. The geometric mean, so that being twice as slow here and twice as fast there makes 1.

        Parameters
        ----------
        reference
            By invocation the reference's mean seconds in each cell, from `seconds_by_session`.
        """
        ours = seconds_by_session(self.matrix)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = [np.log(ours[session] / theirs) for session, theirs in reference.items() if session in ours]
        if not ratios:
            return np.full(len(self.matrix.methods), math.nan)
        known = np.where(np.isfinite(ratios), ratios, math.nan)
        return np.exp(self._over_cells(finite_mean(known, axis=0)))

    def share(self, marked: Bools) -> Floats:
        """Share of marked runs."""
        return self._mean(self._of_runs(np.where(marked, 1.0, 0.0)))

    def _mean(self, values: Floats) -> Floats:
        return self._over_cells(finite_mean(values, axis=2))

    def _over_cells(self, values: Floats) -> Floats:
        """Average over the cells of tasks, the tasks of families, and families: (K, C) to (K,); NaN are left out."""
        return equal_mean(by_unit(values, self.tasks), self.families)


def ran_away(values: Floats, truth: Floats, upper: Bools) -> Bools:
    """Mark values that ran away, see `Measures.ran_away`; shapes must broadcast.

    Parameters
    ----------
    values, truth
        Nats.
    upper
        Which are of upper bounds.
    """
    above = (values > truth + RUN_AWAY) & ~upper
    return ~np.isfinite(values) | (values < -RUN_AWAY) | above


def seconds_by_session(matrix: Matrix) -> dict[str, Floats]:
    """Mean seconds of the runs of every method in every cell (K, C), by invocation; NaN where there are none."""
    seconds = matrix.numbers("seconds")
    sessions = sorted(matrix.runs["session_id"].unique())
    return {
        str(session): finite_mean(np.where(matrix.matches("session_id", session), seconds, math.nan), axis=2)
        for session in sessions
    }


def table_of_cells(measures: Measures, track: str) -> pd.DataFrame:
    """List the cells of every method, with those marked that hold imputed runs.

    Returns
    -------
    DataFrame
        A row per method and cell: ``track``, ``method``, ``cell``, ``family``, ``mi_true`` (nats), ``batch``,
        ``setup`` (a number: cells that differ in their task alone have the same), ``runs``,
        ``imputed`` (how many of them have no answer and count at the cap), ``estimate`` (mean of those that held, nats)
        and ``error``.
    """
    matrix = measures.matrix
    methods, cells = matrix.rows.shape[:2]
    values = {
        "runs": (matrix.rows >= 0).sum(axis=2),
        "imputed": measures.imputed.sum(axis=2),
        "estimate": measures.cell_estimates,
        "error": measures.cell_errors,
    }
    names = ["name", "family_name", "mi_true", "batch", "setup"]
    described = matrix.cells[names].iloc[np.tile(np.arange(cells), methods)]
    table = described.set_axis(["cell", "family", "mi_true", "batch", "setup"], axis=1).reset_index(drop=True)
    table.insert(0, "track", track)
    table.insert(1, "method", np.repeat(matrix.methods["method"].to_numpy(object), cells))
    return table.assign(**{name: array.ravel() for name, array in values.items()})
