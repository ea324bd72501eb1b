"""Figure 1 of FlatNCE (Chen et al., 2021): what a critic is worth on its batch and on a large pool.

Notable: InfoNCE's value on the batch has the ceiling log N, so that the two losses are told apart on a large pool of
fresh pairs, on which the same critics are evaluated at the end of every stair.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import caption, listing
from mibench.claims.flatnce import BATCH, LARGE_POOL, TIED, differences, judge_large_pool
from mibench.claims.judgement import Claim
from mibench.figures import style
from mibench.figures.curve_panels import steps_axis
from mibench.figures.lines import draw_means
from mibench.figures.papers.flatnce_panels import (
    BAND,
    ESTIMATE,
    draw_band,
    loss_samples,
    means_over_seeds,
    one_table,
    pool_sizes,
    rows_of,
)
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import diverged_sentence

_GAPS = {LARGE_POOL: ("large pool", style.INK, "o"), BATCH: ("batch", style.MUTED, "s")}

_WHAT = (
    "Above: InfoNCE and FlatNCE at N = {batch}, {levels} nats, by the scale of the cosine critic. Lines without "
    "markers: values on training batches, capped by log N (dotted); markers: values of the same critics on a large "
    "pool of {pool} fresh pairs, at the end of every stair; mean over seeds with its 95 % interval (Student t). Below: "
    "FlatNCE less InfoNCE at equal seeds; shaded: within {tied} nats, which counts as tied."
)

_WHY = (
    "How to read it: on the batch both losses run into log N, which hides what their critics have learnt; the pool, "
    "whose ceiling is log {pool} = {ceiling:.2f} nats, shows it."
)


@register_figure(
    "flatnce-1",
    needs_curves=True,
    claim=Claim(
        "Chen et al. (2021, FlatNCE), figure 1",
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
        text = _caption(runs, rows)
        sheet = style.Sheet(
            2,
            len(scales),
            panel=(4.0, 2.7),
            title="InfoNCE and FlatNCE on the batch and on a large pool",
            caption=text,
            left=0.75,
            gap=0.5,
            legend=_legend(rows),
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


def _over_steps(rows: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of the training batches' values along the curves; no rows where there are no curves."""
    settings = rows.drop_duplicates("run_id")[["run_id", "scale", "estimator", "status"]]
    points = curves[["run_id", "step", BATCH]] if len(curves) else pd.DataFrame(columns=["run_id", "step", BATCH])
    return means_over_seeds(settings.merge(points, on="run_id"), ["scale", "estimator", "step"], BATCH)


def _draw_values(ax: Axes, batch: pd.DataFrame, pool: pd.DataFrame) -> None:
    """Values on the batch as lines, on the large pool as markers with intervals."""
    for loss, line in batch.groupby("estimator"):
        draw_band(ax, line, "step", str(loss))
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


def _caption(runs: pd.DataFrame, rows: pd.DataFrame) -> str:
    what = _WHAT.format(
        batch=listing(sorted(map(int, rows["batch"].unique()))),
        levels=listing(sorted(map(float, rows["mi_true"].unique()))),
        pool=pool_sizes(rows),
        tied=TIED,
    )
    why = _WHY.format(pool=pool_sizes(rows), ceiling=np.log(float(rows["fresh_pool"].max())))
    return caption(runs, what, why, diverged_sentence(runs), estimate=ESTIMATE)


def _legend(rows: pd.DataFrame) -> dict[str, Line2D]:
    pools = {f"{loss}, large pool": sample for loss, sample in loss_samples(rows).items()}
    batches = {f"{loss}, batch": style.handle(style.estimator_look(loss)["color"]) for loss in loss_samples(rows)}
    gaps = {
        f"difference, {name}": style.handle(colour, width=1.2, marker=marker, markersize=5)
        for name, colour, marker in _GAPS.values()
    }
    return {**pools, **batches, "true MI": style.handle(style.INK, "--", 1.1), **gaps}
