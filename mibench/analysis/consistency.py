"""Self-consistency of estimators: what information does must show in estimates, whether or not the truth is known.

Notable: a pure function of stored rows of the task ``digits-rows``; no torch, no files. A ratio is one of two runs with
the same seed, so that an interval over seeds is one of independent ratios.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mibench.analysis.metrics import FINAL, finished, summarise
from mibench.core.errors import UsageError

_TASK = "digits-rows"
_ALL_ROWS = 8


def self_consistency(
    runs: pd.DataFrame,
    by: Sequence[str] = ("estimator", "estimator_params"),
    value: str = FINAL,
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Form the ratios of the self-consistency tests: baseline, data processing and additivity.

    - ``baseline``: the estimate at some rows over that at all eight: rises with the rows, to 1;
    - ``processing``: that of the ``processing`` setting over the ``baseline`` one at the same rows: 1;
    - ``additivity``: that of the ``additivity`` setting over the ``baseline`` one at the same rows: 2.

    Parameters
    ----------
    runs
        Rows of the runs table; those of other tasks than ``digits-rows`` do not count, nor those without a result.
    by
        Columns that, with the task's `grey`, make a cell: all that differ between runs besides task and seed.
    value
        The column whose ratios are formed, nats.
    confidence
        Level of the interval of the mean, Student t over the seeds.

    Returns
    -------
    DataFrame
        A row per cell, test and number of rows, sorted: `by`, `grey`, `test`, `rows`, `ideal` (the ratio of the true
        informations), and of the ratios what `mibench.analysis.metrics.summarise` says: `n_runs` (pairs of runs),
        `mean`, `low`, `high`, `sd`, `median` and counts. No row where the information below the line is 0, or has no
        run.

    Raises
    ------
    UsageError
        Where runs of one task and seed are not told apart by `by`.

    Source: Song and Ermon (2020, "Understanding the limitations of variational MI estimators"), section 6.2.
    """
    done = finished(runs[runs["task"] == _TASK])
    params = [json.loads(text) for text in done["task_params"]]
    table = done.assign(
        **{
            name: pd.Series([values[name] for values in params], index=done.index, dtype=dtype)
            for name, dtype in (("rows", "int64"), ("setting", "object"), ("grey", "bool"))
        }
    )
    key = [*by, "grey", "seed"]
    if table.duplicated([*key, "setting", "rows"]).any():
        raise UsageError(
            f"several runs of '{_TASK}' have the same {', '.join(key)}; add to 'by' the columns in which they differ"
        )
    columns = [*key, "rows", "status", "mi_true", value]
    settings = {name: table.loc[table["setting"] == name, columns] for name in ("baseline", "processing", "additivity")}
    whole = settings["baseline"]
    pairs = {
        "baseline": _matched(whole, whole[whole["rows"] == _ALL_ROWS].drop(columns="rows"), key),
        **{name: _matched(settings[name], whole, [*key, "rows"]) for name in ("processing", "additivity")},
    }
    ratios = pd.concat([_ratios(pair, value).assign(test=test) for test, pair in pairs.items()], ignore_index=True)
    cell = [*by, "grey", "test", "rows"]
    ideal = ratios.drop_duplicates(cell)[[*cell, "ideal"]]
    summary = summarise(ratios, cell, "ratio", confidence=confidence)
    merged = ideal.merge(summary, on=cell, how="right")
    return merged[[*cell, "ideal", *summary.columns[len(cell) :]]]


def _matched(upper: pd.DataFrame, lower: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Put the run below the line beside the one above it."""
    return upper.merge(lower, on=key, suffixes=("", "_whole"))


def _ratios(pairs: pd.DataFrame, value: str) -> pd.DataFrame:
    """Add ``ratio``, ``ideal`` and the worse of both statuses; rows whose truth below the line is 0 are left out."""
    kept = pairs[pairs["mi_true_whole"] > 0].copy()
    upper, lower = (kept[name].to_numpy(np.float64, na_value=np.nan) for name in (value, f"{value}_whole"))
    with np.errstate(divide="ignore", invalid="ignore"):  # not finite, and counted as such
        kept["ratio"] = upper / np.where(np.isfinite(lower), lower, np.nan)  # not 0 over what has diverged
    kept["ideal"] = kept["mi_true"].astype(np.float64) / kept["mi_true_whole"].astype(np.float64)
    kept["status"] = np.where((kept["status"] == "ok") & (kept["status_whole"] == "ok"), "ok", "diverged")
    return kept
