"""Figures 1 and 6 of FlatNCE (Chen et al., 2021): what a critic is worth, and where its gradient comes from.

Notable: InfoNCE's value on the batch has the ceiling log N, so that the two losses are told apart on a large pool of
fresh pairs, on which the same critics are evaluated at the end of every stair.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from mibench.analysis.labels import caption, listing
from mibench.claims.flatnce import (
    BATCH,
    EARLY,
    LARGE_POOL,
    TIED,
    differences,
    ess_changes,
    ess_curves,
    judge_ess,
    judge_large_pool,
)
from mibench.claims.judgement import Claim
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.curve_panels import steps_axis
from mibench.figures.lines import draw_means
from mibench.figures.papers.loss_panels import (
    BAND,
    ESTIMATE,
    loss_samples,
    means_over_seeds,
    one_table,
    pool_sizes,
    rows_of,
)
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import diverged_sentence

_SOURCE = "Chen et al. (2021, FlatNCE), figure {number}"
_GAPS = {LARGE_POOL: ("large pool", style.INK, "o"), BATCH: ("batch", style.MUTED, "s")}
_ESTIMATE_ESS = "the effective sample size is that of single training batches."
_BINS = 28
"""Parts of equal ratio that figure 6 averages over."""

_WHAT_POOL = (
    "Above: InfoNCE and FlatNCE at N = {batch}, {levels} nats, by the scale of the cosine critic. Lines without "
    "markers: values on training batches, capped by log N (dotted); markers: values of the same critics on a large "
    "pool of {pool} fresh pairs, at the end of every stair; mean over seeds with its 95 % interval (Student t). Below: "
    "FlatNCE less InfoNCE at equal seeds; shaded: within {tied} nats, which counts as tied."
)
_WHY_POOL = (
    "How to read it: on the batch both losses run into log N, which hides what their critics have learnt; the pool, "
    "whose ceiling is log {pool} = {ceiling:.2f} nats, shows it."
)
_WHAT_ESS = (
    "Effective sample size (ESS) of a row's negatives over training, on a logarithmic axis: the share of them that the "
    "gradient comes from, 1/(M sum of squared weights), from 1/M (dotted) to 1. Lines: means over seeds of single "
    "batches, averaged over parts of training of equal ratio; bands: their 95 % intervals (Student t)."
)
_WHY_ESS = (
    "How to read it: the paper sees InfoNCE's ESS fall and FlatNCE's rise. The weights leave the positive out, for "
    "both losses alike. The table compares the first {early:g} %, the second sixth and the last sixth of training."
)


@register_figure(
    "flatnce-1",
    needs_curves=True,
    claim=Claim(
        _SOURCE.format(number=1),
        "at a small batch FlatNCE and InfoNCE are tied on the batch, and FlatNCE is ahead on a large pool.",
        judge_large_pool,
    ),
)
def draw_large_pool(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw values on the batch and on a large pool over training, and their differences, by the critic's scale.

    Raises
    ------
    UsageError
        Where no run of either loss has a result.
    """
    rows = rows_of(runs, "flatnce-1")
    batch = _over_steps(rows, curves)
    pool = means_over_seeds(rows, ["scale", "estimator", "steps_done"], LARGE_POOL)
    pairs = differences(rows, [BATCH, LARGE_POOL])
    gaps = pd.concat([means_over_seeds(pairs, ["scale", "steps_done"], value).assign(series=value) for value in _GAPS])
    table = one_table({"batch": batch, "pool": pool, "difference": gaps})
    scales = sorted(rows["scale"].unique())
    truth = rows["mi_true"].unique()
    limits = style.view(table.loc[table["panel"] != "difference", "mean"], truth)
    lowest, highest = gaps["low"].min(), gaps["high"].max()
    with style.theme():
        text = _caption_pool(runs, rows)
        sheet = style.Sheet(
            2,
            len(scales),
            panel=(4.0, 2.7),
            title="InfoNCE and FlatNCE on the batch and on a large pool",
            caption=text,
            left=0.75,
            gap=0.5,
            legend=_legend_pool(rows),
        )
        for (above, below), scale in zip(sheet.axes.T, scales, strict=True):
            panel = rows[rows["scale"] == scale]
            _draw_values(above, *(part[part["scale"] == scale] for part in (batch, pool)))
            for level in truth:
                above.axhline(level, color=style.INK, linewidth=1.1, linestyle="--", zorder=2)
            above.set_ylim(limits)
            above.set_title(f"cosine critic, scale {scale:g}", color=style.INK)
            _draw_gaps(below, gaps[gaps["scale"] == scale])
            below.set_ylim(min(lowest, -TIED) - 0.05, max(highest, TIED) + 0.05)
            below.set_xlabel("training steps")
            for ax in (above, below):
                steps_axis(ax, panel)
                ax.set_xlim(right=1.02 * float(panel["steps_done"].max()))
            style.log_n_line(above, int(panel["batch"].iloc[0]))
        sheet.axes[0, 0].set_ylabel("estimate, nats")
        sheet.axes[1, 0].set_ylabel("FlatNCE − InfoNCE, nats")
    return Drawing(sheet.figure, table, text, one_table({"pool": pool, "difference": gaps}))


@register_figure(
    "flatnce-6",
    needs_curves=True,
    claim=Claim(
        _SOURCE.format(number=6),
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
        text = caption(
            runs, _WHAT_ESS, _WHY_ESS.format(early=100 * EARLY), diverged_sentence(runs), estimate=_ESTIMATE_ESS
        )
        legend = {**loss_samples(rows), "1/M": style.handle(style.INK, (0, (1, 1.6)), 1.1)}
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
                _line_with_band(ax, line, "step", str(loss), markers=True)
            for floor in floors:
                ax.axhline(floor, color=style.INK, linewidth=1.1, linestyle=(0, (1, 1.6)), zorder=2)
            ax.set_title(f"cosine critic, scale {scale:g}", color=style.INK)
            _ess_axes(ax, limits)
        sheet.axes[0, 0].set_ylabel("effective sample size")
    return Drawing(sheet.figure, means, text, ess_changes(points))


# --- rows -----------------------------------------------------------------------------------------------------


def _over_steps(rows: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of the training batches' values along the curves; no rows where there are no curves."""
    settings = rows.drop_duplicates("run_id")[["run_id", "scale", "estimator", "status"]]
    points = curves[["run_id", "step", BATCH]] if len(curves) else pd.DataFrame(columns=["run_id", "step", BATCH])
    return means_over_seeds(settings.merge(points, on="run_id"), ["scale", "estimator", "step"], BATCH)


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


# --- panels ---------------------------------------------------------------------------------------------------


def _line_with_band(ax: Axes, line: pd.DataFrame, x: str, loss: str, *, markers: bool = False) -> None:
    look = style.estimator_look(loss)
    if not markers:
        look.update(marker="none", linestyle="-")
    ax.fill_between(line[x], line["low"], line["high"], color=look["color"], alpha=0.22, linewidth=0, zorder=2.5)
    ax.plot(line[x], line["mean"], zorder=3, **look)


def _draw_values(ax: Axes, batch: pd.DataFrame, pool: pd.DataFrame) -> None:
    """Values on the batch as lines, on the large pool as markers with intervals."""
    for loss, line in batch.groupby("estimator"):
        _line_with_band(ax, line, "step", str(loss))
    for loss, line in pool.groupby("estimator"):
        draw_means(ax, line["steps_done"], line, **style.estimator_look(str(loss)))


def _draw_gaps(ax: Axes, gaps: pd.DataFrame) -> None:
    """Differences of the losses on the pool and on the batch."""
    ax.axhspan(-TIED, TIED, color=BAND, alpha=0.18, linewidth=0, zorder=0.5)
    ax.axhline(0, color=style.INK, linewidth=1.0, zorder=2)
    ax.text(0.01, -TIED, "tied", transform=ax.get_yaxis_transform(), va="bottom", fontsize=7.5, color=style.MUTED)
    for value, (_, colour, marker) in _GAPS.items():
        line = gaps[gaps["series"] == value]
        draw_means(ax, line["steps_done"], line, color=colour, marker=marker, markersize=5, linewidth=1.2)


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


# --- text -----------------------------------------------------------------------------------------------------


def _caption_pool(runs: pd.DataFrame, rows: pd.DataFrame) -> str:
    what = _WHAT_POOL.format(
        batch=listing(sorted(map(int, rows["batch"].unique()))),
        levels=listing(sorted(map(float, rows["mi_true"].unique()))),
        pool=pool_sizes(rows),
        tied=TIED,
    )
    why = _WHY_POOL.format(pool=pool_sizes(rows), ceiling=np.log(float(rows["fresh_pool"].max())))
    return caption(runs, what, why, diverged_sentence(runs), estimate=ESTIMATE)


def _legend_pool(rows: pd.DataFrame) -> dict[str, Line2D]:
    pools = {f"{loss}, large pool": sample for loss, sample in loss_samples(rows).items()}
    batches = {f"{loss}, batch": style.handle(style.estimator_look(loss)["color"]) for loss in loss_samples(rows)}
    gaps = {
        f"difference, {name}": style.handle(colour, width=1.2, marker=marker, markersize=5)
        for name, colour, marker in _GAPS.values()
    }
    return {**pools, **batches, "true MI": style.handle(style.INK, "--", 1.1), **gaps}
