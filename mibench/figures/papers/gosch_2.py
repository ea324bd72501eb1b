"""Gosch (2020), figure 2: final estimates of NWJ against log N and against the true MI, by negative sampler."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.comparisons import slope_of
from mibench.analysis.labels import caption, sampler_order
from mibench.analysis.metrics import FINAL
from mibench.analysis.saturation import fit_saturation
from mibench.claims import gosch as first
from mibench.claims.judgement import Claim
from mibench.figures import style
from mibench.figures.axes import name_batches
from mibench.figures.panels import estimator_colours
from mibench.figures.papers.gosch_panels import (
    ESTIMATE,
    MARKS,
    draw_against_truth,
    draw_best,
    final_rows,
    finish,
    table_of,
    view_of,
)
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence


@register_figure("gosch-2", claim=Claim("Gosch (2020), figure 2", "NWJ saturates at log N.", first.judge_saturation))
def draw_saturation(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw final estimates at the highest MI against log N, and against the true MI at one batch size, by sampler.

    Raises
    ------
    UsageError
        Where no run has a result.
    """
    rows = final_rows(runs, "gosch-2")
    samplers = sorted(rows["negatives"].unique(), key=sampler_order)
    highest = first.highest_level(rows)
    batch = int(str(rows.groupby("batch")["mi_true"].nunique().idxmax()))
    beside = rows[rows["batch"] == batch]
    fits = fit_saturation(highest, ["negatives"])
    colour = next(iter(estimator_colours(runs, rows).values()))
    limits = view_of(rows)
    what = (
        f"Left: final estimates at {highest['mi_true'].iloc[0]:g} nats against log N by negative sampler, with "
        "least-squares lines and their slopes with 95 % intervals (Student t over runs); dashed: log N. Right: final "
        f"estimates at N = {batch:,} against the true MI (dashed: the truth). Markers: runs; lines between them: means "
        "over seeds; grey: the best NWJ value under the sampler. A permutation of the batch (shuffle) leaves about one "
        "positive pair among the N negatives, which caps the best value near log N; a derangement leaves none."
    )
    far = outside_sentence(*style.outside(rows[FINAL].astype("float64"), limits), "final estimate")
    with style.theme():
        text = caption(rows, what, far, estimate=ESTIMATE)
        slopes = {row["negatives"]: slope_of(row) for _, row in fits.iterrows()}
        legend = {
            f"{s}: slope {slopes[s].written()}": style.handle(colour, "-", 1.3, **m)
            for s, m in zip(samplers, MARKS, strict=False)
        }
        legend["log N (left), true MI (right)"] = style.handle(style.INK, "--", 1.2)
        legend["best value under the sampler"] = style.handle(style.MUTED, "-", 3.0, alpha=0.5)
        sheet = style.Sheet(
            1, 1 + len(samplers), panel=(3.6, 3.2), title="NWJ, the sampler and log N", caption=text, legend=legend
        )
        _against_log_n(sheet.axes[0, 0], highest, fits, samplers, colour)
        sheet.axes[0, 0].set_ylim(limits)
        sheet.axes[0, 0].set_ylabel("final estimate, nats")
        for ax, sampler, marks in zip(sheet.axes[0, 1:], samplers, MARKS, strict=False):
            part = beside[beside["negatives"] == sampler]
            draw_best(ax, part)
            draw_against_truth(ax, part, colour, limits, marks)
            finish(ax, limits, f"{sampler}, N = {batch:,}")
            style.log_n_line(ax, batch)
    return Drawing(sheet.figure, table_of(rows), text, fits)


def _against_log_n(ax: Axes, rows: pd.DataFrame, fits: pd.DataFrame, samplers: list[str], colour: str) -> None:
    ends = np.log([rows["batch"].min(), rows["batch"].max()])
    ax.plot(ends, ends, color=style.INK, linestyle="--", linewidth=1.2)
    for sampler, marks in zip(samplers, MARKS, strict=False):
        part = rows[rows["negatives"] == sampler]
        fit = fits[fits["negatives"] == sampler].iloc[0]
        x = np.log(part["batch"].to_numpy(np.float64))
        ax.plot(x, part[FINAL].astype("float64"), color=colour, linestyle="", markersize=5, zorder=4, **marks)
        ax.plot(ends, fit["intercept"] + fit["slope"] * ends, color=colour, linewidth=1.2, alpha=0.8)
        if sampler == samplers[0]:
            best = part.groupby("batch")["predicted_optimum"].mean().astype("float64")
            ax.plot(np.log(best.index.to_numpy(np.float64)), best, color=style.MUTED, linewidth=4, alpha=0.4, zorder=1)
    name_batches(ax, rows["batch"])
    ax.set_xlabel("log N, nats (below: batch size N)")
    ax.set_title(f"{rows['mi_true'].iloc[0]:g} nats", color=style.INK)
