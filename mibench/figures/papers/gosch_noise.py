"""Gosch (2020), figures 8 and 9, both of one function: information of noisy digits about their labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import caption
from mibench.analysis.metrics import FINAL, summarise
from mibench.claims.gosch_digits import FRESH, LN_10, judge_bracket, judge_noise, noisy_digits
from mibench.claims.judgement import Claim
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.lines import draw_means
from mibench.figures.panels import estimator_names
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import diverged_sentence

_WHAT = (
    "Estimates of the information between a black and white digit and its label against the share of pixels that salt "
    "and pepper replace: on {left} (left) and on a large pool with clean negatives (right). Mean over seeds "
    "with its 95 % interval (Student t). Black: the true information, by Bayes' rule over all images; diamonds: the "
    "best value that the sampler leaves; dotted: ln 10. Right axis: normalised information, I / ln 10."
)

_WHY = (
    "How to read it: the paper estimates from representations of MNIST, whose information is not known; here the "
    "images themselves stand in their place, and the truth is a line. A lower bound lies below it by what its "
    "critic has not learnt."
)

_POOL = "estimate_fresh_large"


class _Batches(NamedTuple):
    """How a figure speaks of the batches that a value was taken on."""

    title: str
    caption: str
    statistic: str


_BATCHES = {
    FINAL: _Batches("training batches", "training batches", "medians of training batches"),
    FRESH: _Batches(
        "fresh batches, without dropout",
        "fresh batches of the training size after training and without dropout",
        "means of fresh batches",
    ),
}


@register_figure(
    "gosch-8",
    claim=Claim(
        "Gosch (2020), figure 8",
        "MINE and NWJ of representations and labels are close to ln 10 without noise, 0 at full noise, and monotone in "
        "between.",
        judge_noise,
    ),
)
def noise_of_bounds(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw estimates of MINE and NWJ over the share of noisy pixels.

    Raises
    ------
    UsageError
        Where no run on noisy digits has a result.
    """
    return _over_noise(runs, "gosch-8", "Noisy digits and their labels: MINE and NWJ", FINAL)


@register_figure(
    "gosch-9",
    claim=Claim(
        "Gosch (2020), figure 9",
        "a regularised Jensen-Shannon critic brackets the information: NWJ lies below it, the plug-in slightly above; "
        "both are monotone in the noise.",
        judge_bracket,
    ),
)
def noise_of_plug_ins(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw estimates of Jensen-Shannon critics over the share of noisy pixels.

    Raises
    ------
    UsageError
        Where no run on noisy digits has a result.
    """
    return _over_noise(runs, "gosch-9", "Noisy digits and their labels: Jensen-Shannon critics", FRESH)


def _over_noise(runs: pd.DataFrame, name: str, title: str, value: str) -> Drawing:
    """Draw the value that a claim is judged by, and that of the large pool beside it."""
    rows = noisy_digits(runs)
    if rows.empty:
        raise UsageError(f"{name} needs finished runs of task 'digits-label'; run its grid first")
    looks = {label: style.estimator_look(name) for label, name in estimator_names(rows).items()}
    with style.theme():
        left = _BATCHES[value]
        values = f"{left.statistic} (left), one pool (right)."
        what = _WHAT.format(left=left.caption)
        text = caption(runs, what, _WHY, diverged_sentence(rows), estimate=values)
        samples = {
            label: style.handle(look["color"], look["linestyle"], marker=look["marker"])
            for label, look in looks.items()
        }
        sheet = style.Sheet(
            1,
            2,
            panel=(3.9, 2.9),
            title=title,
            caption=text,
            gutter=0.62,
            legend={
                **samples,
                "true MI": style.handle(style.INK, "-", 1.2),
                "best value under this sampler": style.handle(width=0.0, marker="D", markerfacecolor="none"),
                "ln 10": style.handle(style.INK, (0, (1, 2)), 1.0),
            },
        )
        panels = ((value, left.title), (_POOL, "large pool"))
        parts = [_draw_noise(ax, rows, looks, *panel) for ax, panel in zip(sheet.axes[0], panels, strict=True)]
    table = pd.concat(parts, ignore_index=True)
    return Drawing(sheet.figure, table, text)


def _draw_noise(ax: Axes, rows: pd.DataFrame, looks: dict[str, dict[str, Any]], value: str, title: str) -> pd.DataFrame:
    """Draw one value of all estimators over the noise, and return the means."""
    cells = summarise(rows, ["estimator_label", "noise"], value)
    truth = rows.groupby("noise")["mi_true"].first().astype("float64")
    ax.plot(truth.index, truth, color=style.INK, linewidth=1.2, zorder=2)
    ax.axhline(LN_10, color=style.INK, linestyle=(0, (1, 2)), linewidth=1.0, zorder=1.5)
    if value != _POOL:
        best = rows.groupby("noise")["predicted_optimum"].mean().astype("float64").dropna()
        ax.plot(best.index, best, linestyle="", marker="D", markersize=5, markerfacecolor="none", color=style.MUTED)
    for label, line in cells.groupby("estimator_label"):
        draw_means(ax, line["noise"], line, **looks[str(label)])
    ax.set_ylim(*style.view(cells["mean"], [0.0, LN_10]))
    ax.set_title(title)
    ax.set_xlabel("share of noisy pixels")
    ax.set_ylabel("estimate, nats")
    right = ax.secondary_yaxis("right", functions=(_normalised, _in_nats))
    right.set_ylabel("I / ln 10")
    return cells.merge(truth.rename("mi_true").reset_index(), on="noise").assign(value=value)


def _normalised(nats: Any) -> Any:
    return nats / LN_10


def _in_nats(share: Any) -> Any:
    return share * LN_10
