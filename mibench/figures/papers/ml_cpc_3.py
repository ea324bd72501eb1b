"""Figure 3 of multi-label CPC (Song and Ermon, 2020): staircases of alpha-CPC and alpha-ML-CPC, for both critics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import caption, listing, plural
from mibench.analysis.metrics import finished
from mibench.claims.judgement import Claim
from mibench.claims.ml_cpc import judge_staircase, trained_cells, with_alpha
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.curve_panels import Points, by_stair, draw_run, draw_staircase, drawn_values, steps_axis
from mibench.figures.papers.ml_cpc_panels import ESTIMATORS
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence, smoothing_sentence
from mibench.figures.style.palette import ESTIMATOR_COLOURS

_CRITICS = ("separable", "joint")
_REFERENCE = {
    ("CPC", 1.0): 4.7, ("CPC", 0.5): 5.4, ("CPC", 0.1): 6.9, ("CPC", 0.01): 9.0, ("CPC", 0.001): 11.1,
    ("CPC", 0.0001): 13.2, ("ML-CPC", 1.0): 4.2, ("ML-CPC", 0.5): 4.7, ("ML-CPC", 0.1): 5.8, ("ML-CPC", 0.01): 6.9,
    ("ML-CPC", 0.001): 7.2, ("ML-CPC", 0.0001): 7.5,
}  # fmt: skip
"""Medians of an implementation apart from mibench: separable critic, N = 128, 10 nats at the end of a staircase."""

_WHAT = (
    "Estimates of CPC (left) and multi-label CPC (right) with weight alpha on the positives (colours), while the true "
    "MI climbs a staircase (black); a row of panels per critic. log N dotted: the cap log(m/alpha) at alpha = 1; the "
    "other caps stand in the legend. "
)
_WHY = (
    "How to read it: alpha-CPC with alpha < 1 is no bound and may pass the black line; alpha-ML-CPC is proven to stay "
    "below it in expectation, for independent negatives, from alpha = m/(n(m-1)+1) on, which is {least} here."
)
_ESTIMATE = "curves are training-batch values."


@register_figure(
    "ml-cpc-3",
    needs_curves=True,
    claim=Claim(
        "Song and Ermon (2020, multi-label CPC), figure 3",
        "alpha-ML-CPC stays below the truth, alpha-CPC passes it, and a smaller alpha gives ML-CPC less bias.",
        judge_staircase,
    ),
)
def draw_staircases(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw the staircases of every alpha, a column per estimator and a row per critic.

    Raises
    ------
    UsageError
        Where no run has a curve.
    """
    rows = _with_curves(runs, curves)
    critics = sorted(rows["critic"].unique(), key=lambda name: (name not in _CRITICS[:1], name))
    families = [family for family in ESTIMATORS if family in set(rows["family"])]
    colours = style.level_colours(rows["alpha"])
    points = by_stair(curves)
    limits = style.view(drawn_values(rows, curves), np.append(rows["mi_true"].unique(), _ends(runs)))
    with style.theme():
        text = _caption(runs, rows, curves, limits)
        sheet = style.Sheet(
            len(critics),
            len(families),
            panel=(4.3, 2.6),
            title="Staircases of alpha-CPC and alpha-ML-CPC",
            caption=text,
            gap=0.72,
            legend=_legend(rows, colours),
        )
        tables = []
        for axes, critic in zip(sheet.axes, critics, strict=True):
            for ax, family in zip(axes, families, strict=True):
                panel = rows[(rows["critic"] == critic) & (rows["family"] == family)]
                tables.append(_draw_panel(ax, panel, points, colours, limits))
                ax.set_title(_title(family, critic, panel), color=ESTIMATOR_COLOURS[ESTIMATORS[family]])
            axes[0].set_ylabel("estimate, nats")
        for ax in sheet.axes[-1]:
            ax.set_xlabel("training steps")
    return Drawing(sheet.figure, pd.concat(tables, ignore_index=True), text, _last_stairs(runs))


def _with_curves(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    rows = with_alpha(finished(runs))
    known = set(curves["run_id"]) if len(curves) else set()
    rows = rows[rows["run_id"].isin(known)]
    if rows.empty:
        raise UsageError("ml-cpc-3 needs the curves of its runs, and the results folder holds none of them")
    return rows


def _ends(runs: pd.DataFrame) -> np.ndarray:
    """Means at the end of every stair, which the view must hold."""
    means = trained_cells(runs)["mean"].to_numpy(np.float64)
    return np.asarray(means[np.isfinite(means)])


def _draw_panel(
    ax: Axes, panel: pd.DataFrame, points: Points, colours: dict[float, str], limits: tuple[float, float]
) -> pd.DataFrame:
    """Draw all alphas of one estimator with one critic, and return what was drawn."""
    drawn = []
    run: Any
    for run in panel.sort_values(["alpha", "seed", "run_id", "stair"]).itertuples():
        keys = {"critic": run.critic, "estimator": run.estimator, "alpha": run.alpha, "batch": run.batch}
        drawn.append(draw_run(ax, run, points, keys=keys, limits=limits, colour=colours[run.alpha]))
    if panel.empty:
        style.say_no_runs(ax)
        return pd.DataFrame()
    draw_staircase(ax, panel, limits)
    ax.set_ylim(limits)
    steps_axis(ax, panel)
    for batch in sorted(panel["batch"].unique()):
        style.log_n_line(ax, int(batch))
    return pd.concat(drawn, ignore_index=True)


def _title(family: str, critic: str, panel: pd.DataFrame) -> str:
    layers = sorted(panel["hidden"].dropna().unique())
    return " · ".join([ESTIMATORS[family], " ".join([critic, *layers])])


def _legend(rows: pd.DataFrame, colours: dict[float, str]) -> dict[str, Line2D]:
    classes = float(rows["n_negatives"].iloc[0]) + 1
    caps = {f"alpha = {a:g} (cap {np.log(classes / a):.2f})": style.handle(c, width=2.0) for a, c in colours.items()}
    return {
        **dict(reversed(caps.items())),
        "true MI": style.handle(style.INK, "-", 1.4),
        "log N": style.handle(style.INK, style.DOTTED, 1.1),
        "each point": style.handle(width=0.6, alpha=0.6),
        "smoothed": style.handle(width=1.6),
    }


def _caption(runs: pd.DataFrame, rows: pd.DataFrame, curves: pd.DataFrame, limits: tuple[float, float]) -> str:
    what = _WHAT + smoothing_sentence(rows, ", within a stair and never across its edge")
    multi = rows.loc[rows["family"] == "ML-CPC", "alpha_min"]
    why = _WHY.format(least=listing(f"{v:.3g}" for v in sorted(multi.unique()))) if len(multi) else ""
    diverged = runs.loc[runs["status"] == "diverged", "run_id"].nunique()
    notes = [
        f"{plural(diverged, 'run')} diverged on some stair, by the rule of medians over the truth + 2 nats, which a "
        "small alpha takes alpha-CPC to; drawn like the others."
        if diverged
        else "",
        outside_sentence(*style.outside(drawn_values(rows, curves), limits), "raw point"),
    ]
    return caption(runs, what, why, " ".join(filter(None, notes)), estimate=_ESTIMATE)


def _last_stairs(runs: pd.DataFrame) -> pd.DataFrame:
    """What every estimator reads on the highest stair, its cap, and an independent value where one is known."""
    cells = trained_cells(runs)
    last = cells[cells["mi_true"] == cells["mi_true"].max()].copy()
    known = (last["critic"] == "separable") & (last["mi_true"] == 10)
    keys = zip(last["family"], last["alpha"], known, strict=True)
    last["reference"] = [_REFERENCE.get((f, a), np.nan) if k else np.nan for f, a, k in keys]
    table: pd.DataFrame = last.drop(columns=["stair", "n_failed"]).reset_index(drop=True)
    return table
