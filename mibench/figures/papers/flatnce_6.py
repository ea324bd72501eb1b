"""Figure 6 of FlatNCE (Chen et al., 2021): the effective sample size over training, which the gradient comes from."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from mibench.analysis.labels import caption
from mibench.claims.flatnce import EARLY, ess_changes, ess_curves, judge_ess
from mibench.claims.judgement import Claim
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.papers.flatnce_panels import draw_band, loss_samples, means_over_seeds, rows_of
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import diverged_sentence

_ESTIMATE = "the effective sample size is that of single training batches."
_BINS = 28
"""Parts of equal ratio that figure 6 averages over."""

_WHAT = (
    "Effective sample size (ESS) of a row's negatives over training, on a logarithmic axis: the share of them that the "
    "gradient comes from, 1/(M sum of squared weights), from 1/M (dotted) to 1. Lines: means over seeds of single "
    "batches, averaged over parts of training of equal ratio; bands: their 95 % intervals (Student t)."
)

_WHY = (
    "How to read it: the paper sees InfoNCE's ESS fall and FlatNCE's rise. The weights leave the positive out, for "
    "both losses alike. The table compares the first {early:g} %, the second sixth and the last sixth of training."
)


@register_figure(
    "flatnce-6",
    needs_curves=True,
    claim=Claim(
        "Chen et al. (2021, FlatNCE), figure 6",
        "over training InfoNCE's effective sample size falls and FlatNCE's rises.",
        judge_ess,
    ),
)
def draw_ess(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw the effective sample size over training, a panel per scale of the critic.

    Raises
    ------
    UsageError
        Where no run of either loss has a curve with it.
    """
    rows = rows_of(runs, "flatnce-6")
    points = ess_curves(runs, curves)
    if points.empty:
        raise UsageError("flatnce-6 needs the curves of its runs, and the results folder holds none of them")
    means = _by_ratio(points)
    scales = sorted(means["scale"].unique())
    floors = 1 / rows["n_negatives"].astype("float64").unique()
    limits = (0.85 * float(floors.min()), 1.15 * float(np.nanmax(means[["mean", "high"]].to_numpy(np.float64))))
    with style.theme():
        text = caption(runs, _WHAT, _WHY.format(early=100 * EARLY), diverged_sentence(runs), estimate=_ESTIMATE)
        legend = {**loss_samples(rows), "1/M": style.handle(style.INK, style.DOTTED, 1.1)}
        sheet = style.Sheet(
            1,
            len(scales),
            panel=(4.0, 2.9),
            title="Effective sample size over training",
            caption=text,
            left=0.75,
            legend=legend,
        )
        for ax, scale in zip(sheet.axes[0], scales, strict=True):
            for loss, line in means[means["scale"] == scale].groupby("estimator"):
                draw_band(ax, line, "step", str(loss), markers=True)
            for floor in floors:
                ax.axhline(floor, color=style.INK, linewidth=1.1, linestyle=style.DOTTED, zorder=2)
            ax.set_title(f"cosine critic, scale {scale:g}", color=style.INK)
            _ess_axes(ax, limits)
        sheet.axes[0, 0].set_ylabel("effective sample size")
    return Drawing(sheet.figure, means, text, ess_changes(points))


def _by_ratio(points: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of the effective sample size in parts of training of equal ratio."""
    edges = np.geomspace(points["step"].min(), points["step"].max(), _BINS + 1)
    part = np.searchsorted(edges[1:-1], points["step"].to_numpy(np.float64), side="left")
    by = ["scale", "estimator", "part"]
    own = points.assign(part=part).groupby([*by, "run_id"], as_index=False)[["ess", "step"]].mean()
    steps = own.groupby(by)["step"].mean()
    return means_over_seeds(own, by, "ess").join(steps, on=by)[
        [*by, "step", "n_runs", "n_nonfinite", "mean", "low", "high"]
    ]


def _ess_axes(ax: Axes, limits: tuple[float, float]) -> None:
    """Both axes logarithmic, with plain numbers."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(limits)
    ticks = [t for t in (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0) if limits[0] <= t <= limits[1]]
    ax.set_yticks(ticks)
    for axis, form in ((ax.xaxis, "{:,.0f}"), (ax.yaxis, "{:g}")):
        axis.set_major_formatter(FuncFormatter(lambda v, _, form=form: form.format(v)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("training steps")
