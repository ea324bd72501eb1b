"""The two tables of the page that are sorted and filtered in the browser: the board and the runs, as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Literal

import pandas as pd
from markupsafe import Markup

from mibench.analysis.labels import plural
from mibench.report.board import board, table_of_runs


@dataclasses.dataclass(frozen=True)
class Column:
    """A column: where it comes from, what it is called, how it is shown, and what it means."""

    key: str
    heading: str
    kind: Literal["text", "number", "fixed", "interval", "status", "id"] = "text"
    help: str = ""
    filter: bool = False


@dataclasses.dataclass(frozen=True)
class BrowserTable:
    """A table as the page's template takes it."""

    id: str
    title: str
    intro: str
    columns: tuple[Column, ...]
    json: Markup
    """Kinds of the columns, and the rows as arrays; safe inside a script element."""


_TASK = Column("task", "task", filter=True)
_TRUTH = Column("mi_true", "MI", "number", "true mutual information, nats", filter=True)
_ESTIMATOR = Column("estimator", "estimator", filter=True)
_CRITIC = Column("critic", "critic")
_NEGATIVES = Column("negatives", "negatives", help="how negatives are drawn", filter=True)
_BATCH = Column("batch", "N", "number", "batch size", filter=True)
_SETTINGS = Column("settings", "settings", help="what else differs between the runs")

_RUNS = (
    *(_TASK, _TRUTH, _ESTIMATOR),
    Column("kind", "kind", help="lower bound, upper bound, or a plug-in that promises neither"),
    *(_CRITIC, _NEGATIVES, _BATCH),
    Column("seed", "seed", "number"),
    Column("steps", "steps", "number", "training steps asked for"),
    Column("estimate", "estimate", "fixed", "median over the last training batches; on a fixed sample the test value"),
    Column("sd", "sd", "fixed", "standard deviation over the same batches"),
    Column("bias", "bias", "fixed", "mean over the same batches (on a fixed sample the test value) minus the truth"),
    Column("large_pool", "large pool", "fixed", "estimate on a large fresh pool with clean negatives"),
    Column("ceiling", "ceiling", "fixed", "largest value that the estimator can take on a training batch"),
    Column("status", "status", "status", "ok; diverged, which is a result; timeout or crashed", filter=True),
    Column("seconds", "seconds", "fixed", "wall time: that of the runs trained together, divided by their number"),
    _SETTINGS,
    Column("run_id", "run id", "id"),
)

_BOARD = (
    *(_TASK, _TRUTH, _ESTIMATOR, _CRITIC, _NEGATIVES, _BATCH),
    Column("n_runs", "runs", "number", "runs with a result; timeouts and crashes are not among them"),
    Column("estimate", "mean estimate", "fixed", "mean over runs of the mean over the last training batches"),
    Column("median", "median", "fixed", "median over runs of the median over the same batches"),
    Column("interval", "bias [95 %]", "interval", "mean estimate minus truth, with Student's t interval over runs"),
    Column("sd", "sd", "fixed", "standard deviation over batches, root mean square over runs"),
    Column("rmse", "RMSE", "fixed", "root mean square error of one batch's estimate; on a fixed sample of one run's"),
    Column("n_diverged", "diverged", "number", "diverged runs; their finite values count"),
    Column("n_nonfinite", "not finite", "number", "runs whose mean is not finite; they are in no mean"),
    Column("n_failed", "failed", "number", "timeouts and crashes"),
    Column("seconds", "s per run", "fixed", "mean wall time of a run"),
    _SETTINGS,
)

_ABOUT_RUNS = "Every stored run that this report was given, failed ones included; a staircase has a row per stair."
_ABOUT_BOARD = (
    "Runs that differ in nothing but their seeds, together. Bias, standard deviation and error are those of the mean "
    "over training batches; where it has heavy tails, the median beside it says more."
)


def browser_tables(runs: pd.DataFrame) -> list[BrowserTable]:
    """Make the board and the table of runs.

    Parameters
    ----------
    runs
        Rows of the runs table, in any order.
    """
    each, cells = table_of_runs(runs), board(runs)
    cells["interval"] = list(cells[["bias", "bias_low", "bias_high"]].itertuples(index=False, name=None))
    return [
        BrowserTable(
            "board", "Board", f"{plural(len(cells), 'cell')}. {_ABOUT_BOARD}", _BOARD, _as_json(cells, _BOARD)
        ),
        BrowserTable("runs", "Runs", f"{plural(len(each), 'row')}. {_ABOUT_RUNS}", _RUNS, _as_json(each, _RUNS)),
    ]


def _as_json(table: pd.DataFrame, columns: tuple[Column, ...]) -> Markup:
    """Write kinds and rows."""
    cells = [[_value(v) for v in table[column.key].astype(object)] for column in columns]
    content = {"kinds": [column.kind for column in columns], "rows": list(zip(*cells, strict=True))}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _value(value: Any) -> Any:
    """Numbers to six significant digits; infinities by name, since JSON has none; null for what is not there."""
    if isinstance(value, tuple):
        return [_value(part) for part in value]
    if pd.isna(value):
        return None
    if isinstance(value, str):
        return value
    number = float(value)
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return int(number) if number.is_integer() and abs(number) < 2**53 else float(f"{number:.6g}")
