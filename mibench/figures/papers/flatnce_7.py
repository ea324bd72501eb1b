"""Figure 7 of FlatNCE (Chen et al., 2021): what is learnt where the effective sample size is held at a target."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import caption
from mibench.claims.flatnce import BATCH, LARGE_POOL, LOSSES, MODERATE, judge_scheduling
from mibench.claims.judgement import Claim
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.lines import draw_means
from mibench.figures.papers.flatnce_panels import (
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

_WHAT = (
    "ESS scheduling: an inverse temperature on the scores of the cosine critic holds the effective sample size at a "
    "target. Left: mean ESS at the end of training against its target (diagonal). Right: value of the critic on a "
    "large pool of {pool} fresh pairs (filled) and on training batches (hollow). Mean over seeds with its 95 % "
    "interval (Student t). Shaded: targets that the paper calls moderate."
)
_WHY = (
    "How to read it: the claim asks for the highest filled markers in the shaded part. A target sets the temperature, "
    "so that a high one keeps the scores flat and limits what any pool can show of a critic."
)


@register_figure(
    "flatnce-7",
    claim=Claim(
        "Chen et al. (2021, FlatNCE), figure 7",
        "a moderate effective sample size, 0.2 to 0.4, learns best.",
        judge_scheduling,
    ),
)
def draw_scheduling(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw the effective sample size that is held, and what is learnt at it, against the target.

    Raises
    ------
    UsageError
        Where no run has a target.
    """
    rows = rows_of(runs, "flatnce-7").dropna(subset=["target"])
    if rows.empty:
        raise UsageError("flatnce-7 needs runs with a target of the effective sample size, as 'infonce:ess=0.2'")
    by = ["estimator", "target"]
    values = {"held": "ess", "pool": LARGE_POOL, "batch": BATCH}
    parts = {panel: means_over_seeds(rows, by, value) for panel, value in values.items()}
    table = one_table(parts)
    truth = rows["mi_true"].unique()
    with style.theme():
        what = _WHAT.format(pool=pool_sizes(rows))
        text = caption(runs, what, _WHY, diverged_sentence(runs), estimate=ESTIMATE)
        title = "What is learnt at a held effective sample size"
        legend = _legend(rows)
        sheet = style.Sheet(1, 2, panel=(4.0, 3.1), title=title, caption=text, left=0.75, legend=legend)
        held, learnt = sheet.axes[0]
        top = 1.1 * float(rows["target"].max())
        held.plot([0, top], [0, top], color=style.INK, linewidth=1.1, linestyle="--", zorder=2)
        _draw_targets(held, parts["held"])
        held.set(title="held", xlabel="target", ylabel="effective sample size", ylim=(0, top))
        learnt.set(title="learnt", xlabel="target of the effective sample size", ylabel="estimate, nats")
        _draw_targets(learnt, parts["pool"], apart=0.01 * top)
        _draw_targets(learnt, parts["batch"], apart=0.01 * top, hollow=True)
        for level in truth:
            learnt.axhline(level, color=style.INK, linewidth=1.1, linestyle="--", zorder=2)
        ends = table.loc[table["panel"] != "held", ["mean", "low", "high"]]
        learnt.set_ylim(style.view(ends, truth))
        for ax in (held, learnt):
            ax.axvspan(*MODERATE, color=BAND, alpha=0.15, linewidth=0, zorder=0.5)
            ax.set_xlim(0, top)
        style.log_n_line(learnt, int(rows["batch"].iloc[0]))
    return Drawing(sheet.figure, table, text)


def _draw_targets(ax: Axes, means: pd.DataFrame, *, apart: float = 0.0, hollow: bool = False) -> None:
    """Means of both losses against the target, side by side where they are drawn apart."""
    for loss, line in means.groupby("estimator"):
        look = style.estimator_look(str(loss))
        if hollow:
            look.update(markerfacecolor="white", linewidth=1.0)
        draw_means(ax, line["target"] + (apart if loss == LOSSES[1] else -apart), line, **look)


def _legend(rows: pd.DataFrame) -> dict[str, Line2D]:
    losses = loss_samples(rows)
    hollow = {
        f"{loss}, batch": Line2D([], [], **{**style.estimator_look(loss), "markerfacecolor": "white"})
        for loss in losses
    }
    return {
        **{f"{loss}, large pool": sample for loss, sample in losses.items()},
        **hollow,
        "true MI, diagonal": style.handle(style.INK, "--", 1.1),
    }
