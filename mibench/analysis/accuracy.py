"""Statistics of errors against the truth: split by the exact critic, bias and variance, violations, cost.

Pure functions of DataFrames and arrays; what is not finite is counted beside what is averaged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mibench.analysis.comparisons import difference, interval
from mibench.analysis.metrics import FINAL, finished, numbers
from mibench.core.intervals import wilson_interval
from mibench.experiments.specs import EXACT

FRESH_BATCHES = 32
"""Fresh batches of the training size that a run is evaluated on, parameters fixed, at the end of a stair."""

ERRORS = 3.0
"""Standard errors by which a value must lie beyond the truth to count as a violation."""


def counts(cell: pd.DataFrame, value: str) -> dict[str, int]:
    """Runs of a cell with a result, and how many of them are not finite or diverged."""
    done = finished(cell)
    values = numbers(done, value)
    return {
        "n_runs": len(done),
        "n_nonfinite": int((~np.isfinite(values)).sum()),
        "n_diverged": int((done["status"] == "diverged").sum()),
    }


# --- the exact-critic split -----------------------------------------------------------------------------------


def split_by_exact_critic(runs: pd.DataFrame, by: Sequence[str], critic: str, value: str = FINAL) -> pd.DataFrame:
    """Split the error of trained critics into the estimator's part and the critic's gap.

    Parameters
    ----------
    runs
        Rows of the runs table, those of the critic ``oracle`` among them.
    by
        Columns that make a cell, the critic not among them; `mi_true` must be one.
    critic
        Column that names the trained critics.
    value
        The estimate, nats.

    Returns
    -------
    DataFrame
        A row per cell and trained critic that has finite values of both: `by`, `critic`; `estimator_part` = mean
        with the exact critic - truth, `critic_gap` = mean with the trained one - mean with the exact one (Welch's
        interval), `total` = their sum (Student's), each with `_low` and `_high`; `oracle_runs`, and the counts of
        the trained runs `n_runs`, `n_nonfinite`, `n_diverged`.
    """
    exact = runs["critic"] == EXACT
    oracles = {key: finished(cell) for key, cell in runs[exact].groupby(list(by), dropna=False)}
    rows = []
    for key, cell in runs[~exact].groupby([*by, critic], dropna=False, sort=True):
        oracle = oracles.get(key[:-1])
        if oracle is None:
            continue
        where: dict[str, Any] = dict(zip([*by, critic], key, strict=True))
        truth = float(where["mi_true"])
        ideal, trained = numbers(oracle, value), numbers(finished(cell), value)
        if not (np.isfinite(ideal).any() and np.isfinite(trained).any()):
            continue
        rows.append(
            {
                **where,
                **_ends("estimator_part", interval(ideal - truth)),
                **_ends("critic_gap", difference(trained, ideal)),
                **_ends("total", interval(trained - truth)),
                "oracle_runs": int(np.isfinite(ideal).sum()),
                **counts(cell, value),
            }
        )
    parts = [f"{name}{end}" for name in ("estimator_part", "critic_gap", "total") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=[*by, critic, *parts, "oracle_runs", "n_runs", "n_nonfinite", "n_diverged"])


def _ends(name: str, found: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))


# --- bias and variance ----------------------------------------------------------------------------------------


def window_errors(runs: pd.DataFrame) -> pd.DataFrame:
    """Bias, variance and mean squared error of a batch's value in the window, of every row by itself.

    Returns
    -------
    DataFrame
        With the index of `runs`: `bias` = window's mean estimate - truth (nats), `variance` between the window's
        batches and `mse` = bias^2 + variance (nats squared); NaN or infinite where the row's values are.
    """
    bias = numbers(runs, "estimate_train") - numbers(runs, "mi_true")
    with np.errstate(over="ignore"):  # squares of runaway values are infinite
        variance = numbers(runs, "estimate_train_sd") ** 2
        return pd.DataFrame({"bias": bias, "variance": variance, "mse": bias**2 + variance}, index=runs.index)


def bias_variance(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Bias, variance and mean squared error of a batch's value in the window.

    Parameters
    ----------
    runs
        Rows of the runs table; those of a staircase are a row per stair.
    by
        Columns that make a cell; `mi_true` must be one.

    Returns
    -------
    DataFrame
        A row per cell: `by`; `bias` = mean over seeds of the window's mean estimate - truth with its Student
        interval `bias_low` to `bias_high`, `bias_sd` over seeds; `variance` = mean over seeds of the variance between
        the window's batches; `mse` = mean over seeds of error^2 + variance; and the counts. NaN where no run is finite.
    """
    rows = []
    for key, cell in runs.groupby(list(by), dropna=False, sort=True):
        where: dict[str, Any] = dict(zip(by, key, strict=True))
        done = finished(cell)
        used = np.isfinite(numbers(done, "estimate_train")) & np.isfinite(numbers(done, "estimate_train_sd"))
        kept = window_errors(done[used])
        errors = kept["bias"].to_numpy()
        with np.errstate(over="ignore"):
            variance, mse = (
                float(np.mean(kept[name].to_numpy())) if used.any() else math.nan for name in ("variance", "mse")
            )
        rows.append(
            {
                **where,
                **_ends("bias", interval(errors)),
                "bias_sd": float(errors.std(ddof=1)) if errors.size > 1 else math.nan,
                "variance": variance,
                "mse": mse,
                "n_runs": len(done),
                "n_nonfinite": int((~used).sum()),
                "n_diverged": int((done["status"] == "diverged").sum()),
            }
        )
    values_of = ["bias", "bias_low", "bias_high", "bias_sd", "variance", "mse"]
    return pd.DataFrame(rows, columns=[*by, *values_of, "n_runs", "n_nonfinite", "n_diverged"])


# --- violations -----------------------------------------------------------------------------------------------


def violation(runs: pd.DataFrame) -> pd.Series:
    """Mark the rows whose bound lies on the wrong side of the truth beyond `ERRORS` standard errors.

    Judged on `estimate_fresh` with its standard error over `FRESH_BATCHES` batches and that of the truth.

    Returns
    -------
    Series
        1.0 or 0.0; NaN where nothing is promised (plug-ins) or nothing finite is there to judge.
    """
    value, truth = numbers(runs, "estimate_fresh"), numbers(runs, "mi_true")
    own, known = numbers(runs, "estimate_fresh_sd"), np.nan_to_num(numbers(runs, "mi_se"))
    margin = ERRORS * np.hypot(own / math.sqrt(FRESH_BATCHES), known)
    side = runs["kind"].map({"lower": 1.0, "upper": -1.0}).to_numpy(np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):  # inf - inf
        beyond = side * (value - truth) - margin
    known_side = np.isfinite(beyond)
    return pd.Series(np.where(known_side, (beyond > 0).astype(np.float64), np.nan), index=runs.index)


def violation_shares(runs: pd.DataFrame, by: Sequence[str], confidence: float = 0.95) -> pd.DataFrame:
    """Share of runs that violate their bound, by cell, with Wilson's interval.

    Returns
    -------
    DataFrame
        A row per cell: `by`, `n_judged`, `n_violations`, `share`, `low`, `high` (NaN where none is judged) and the
        counts.
    """
    rows = []
    for key, cell in runs.groupby(list(by), dropna=False, sort=True):
        done = finished(cell)
        judged = violation(done).dropna()
        row: dict[str, Any] = dict(zip(by, key, strict=True))
        row |= {"n_judged": len(judged), "n_violations": int(judged.sum())}
        row |= dict.fromkeys(("share", "low", "high"), math.nan)
        if len(judged):
            low, high = wilson_interval(row["n_violations"], len(judged), confidence)
            row |= {"share": row["n_violations"] / len(judged), "low": low, "high": high}
        rows.append({**row, **counts(cell, "estimate_fresh")})
    columns = ["n_judged", "n_violations", "share", "low", "high", "n_runs", "n_nonfinite", "n_diverged"]
    return pd.DataFrame(rows, columns=[*by, *columns])


# --- cost -----------------------------------------------------------------------------------------------------


def cost(runs: pd.DataFrame, by: Sequence[str], value: str = FINAL) -> pd.DataFrame:
    """Mean seconds a run and root mean squared error over seeds, by cell.

    Returns
    -------
    DataFrame
        A row per cell: `by`, `seconds`, `rmse` (over the finite runs; NaN where none is) and the counts.
    """
    rows = []
    for key, cell in runs.groupby(list(by), dropna=False, sort=True):
        done = finished(cell)
        errors = numbers(done, value) - numbers(done, "mi_true")
        errors = errors[np.isfinite(errors)]
        rmse = math.hypot(*(errors / math.sqrt(errors.size))) if errors.size else math.nan
        seconds = float(numbers(done, "seconds").mean()) if len(done) else math.nan
        rows.append({**dict(zip(by, key, strict=True)), "seconds": seconds, "rmse": rmse, **counts(cell, value)})
    return pd.DataFrame(rows, columns=[*by, "seconds", "rmse", "n_runs", "n_nonfinite", "n_diverged"])


def pareto_front(costs: npt.ArrayLike, errors: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Places of the points that no other beats in one of the two and matches in the other, by rising cost.

    Of equal points the first counts; a point that is not finite is on no front.
    """
    x, y = np.asarray(costs, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    front, best = [], math.inf
    for place in np.lexsort((y, x)):
        if np.isfinite(x[place]) and y[place] < best:
            front.append(int(place))
            best = float(y[place])
    return np.array(front, dtype=np.int64)
