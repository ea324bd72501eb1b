"""Panels of curves against training steps: a run's curve stair by stair, and the staircase of true MI behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from mibench.analysis.metrics import levels_of
from mibench.analysis.smoothing import CURVE
from mibench.figures import style
from mibench.figures.lines import draw_curve

Points: TypeAlias = dict[tuple[str, int], pd.DataFrame]
"""Points of the curves by run id and stair."""

_NO_POINTS = pd.DataFrame({"step": pd.Series(dtype="float64"), CURVE: pd.Series(dtype="float64")})


def by_stair(curves: pd.DataFrame) -> Points:
    """Split the curves table once: looking every run up in it would take the square of the number of runs."""
    ordered = curves.sort_values(["run_id", "stair", "step"], kind="stable")
    groups: Any = ordered.groupby(["run_id", "stair"], sort=False)
    return {(run_id, int(stair)): part for (run_id, stair), part in groups}


def drawn_values(rows: pd.DataFrame, curves: pd.DataFrame) -> pd.Series:
    """Return all drawn values of the runs of a panel, nats."""
    return curves.loc[curves["run_id"].isin(rows["run_id"]), CURVE].astype("float64")


def stair_start(run: Any) -> int:
    """Return the step at which a row's stair begins: all stairs are equally long."""
    stairs = len(levels_of(run.schedule)) or 1
    return int(run.steps) // stairs * int(run.stair)


def _last_step(rows: pd.DataFrame) -> float:
    """The last step of some runs: what was done, or asked for where that is not known."""
    return float(rows["steps_done"].fillna(rows["steps"]).max())


def draw_run(
    ax: Axes, run: Any, points: Points, *, keys: Mapping[str, object], limits: tuple[float, float], colour: str
) -> pd.DataFrame:
    """Draw one row of the runs table, which is one stair, raw and smoothed.

    Parameters
    ----------
    run
        The row, as `DataFrame.itertuples` gives it.
    points
        What `by_stair` returns.
    keys
        Columns that name the panel in the table.

    Returns
    -------
    DataFrame
        What was drawn: the keys, `mi_true`, `seed`, `stair`, `run_id`, and the columns of `draw_curve`.
    """
    curve = points.get((run.run_id, run.stair), _NO_POINTS)
    drawn = draw_curve(
        ax, curve["step"], curve[CURVE], batch=int(run.batch), start=stair_start(run), limits=limits, colour=colour
    )
    own = {"mi_true": run.mi_true, "seed": run.seed, "stair": run.stair, "run_id": run.run_id}
    return pd.DataFrame({**keys, **own, **drawn})


def draw_staircase(ax: Axes, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Draw the true MI of a panel's runs in black: one staircase for each schedule, usually one."""
    runs = rows.sort_values(["run_id", "stair"])
    for _, same in runs.groupby("schedule"):
        stairs = same[same["run_id"] == same["run_id"].iloc[0]]
        edges = [stair_start(r) for r in stairs.itertuples()] + [int(_last_step(stairs))]
        levels = style.drawable(stairs["mi_true"], limits)
        ax.stairs(levels, edges, baseline=None, color=style.INK, linewidth=1.4, zorder=2.6)


def steps_axis(ax: Axes, rows: pd.DataFrame) -> None:
    """Let the x axis run over the training steps that were done."""
    ax.set_xlim(0, _last_step(rows))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
