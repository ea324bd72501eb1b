"""Figures of Gosch (2020) on digits: information about the label over the noise, and codes of autoencoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import caption
from mibench.analysis.metrics import FINAL, finished, summarise
from mibench.claims.digits import (
    FRESH,
    LN_10,
    OUTCOMES,
    decoder_codes,
    judge_bracket,
    judge_decoders,
    judge_noise,
    label_information,
    noisy_digits,
)
from mibench.claims.judgement import Claim
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.lines import draw_means
from mibench.figures.panels import estimator_names
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import diverged_sentence

_NOISE = (
    "Estimates of the information between a black and white digit and its label against the share of pixels that salt "
    "and pepper replace: on {left} (left) and on a large pool with clean negatives (right). Mean over seeds "
    "with its 95 % interval (Student t). Black: the true information, by Bayes' rule over all images; diamonds: the "
    "best value that the sampler leaves; dotted: ln 10. Right axis: normalised information, I / ln 10."
)
_NOISE_WHY = (
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

_DECODERS = {"linear": ("#0072B2", "o", "-"), "mlp": ("#D55E00", "s", (0, (4.5, 1.6)))}
_CODES = (
    "Codes of autoencoders whose decoder is linear or an MLP, of held-out images of digits, against the size of the "
    "code. From the left: accuracy of a linear and of an MLP probe that read the digit off the code; V-information of "
    "the code about its image, for Gaussians with the decoder's mean; V-information of the code about the label, for a "
    "softmax that is linear in the code (filled) or an MLP (hollow). Mean over random halves of the images with its "
    "95 % interval (Student t)."
)
_CODES_WHY = "How to read it: the claim has blue above orange in the first panel, and below it in the second and third."


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
        what = _NOISE.format(left=left.caption)
        text = caption(runs, what, _NOISE_WHY, diverged_sentence(rows), estimate=values)
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


# --- codes ----------------------------------------------------------------------------------------------------


@register_figure(
    "gosch-5",
    claim=Claim(
        "Gosch (2020), figure 5",
        "a linear probe reads the codes of a linear decoder better, an MLP probe those of an MLP decoder, which has "
        "more V-information about the image.",
        judge_decoders,
    ),
)
def codes_of_decoders(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw probes and V-information of codes over their size, by decoder.

    Raises
    ------
    UsageError
        Where no run on such codes has a result.
    """
    table, labels = decoder_codes(runs), label_information(runs)
    if table.empty:
        raise UsageError("gosch-5 needs finished runs of task 'digits-v-information'; run its grid first")
    with style.theme():
        text = caption(finished(runs), _CODES, _CODES_WHY, estimate="V-information about the label on a large pool.")
        samples = {
            f"{decoder} decoder": style.handle(colour, dash, marker=marker)
            for decoder, (colour, marker, dash) in _DECODERS.items()
        }
        sheet = style.Sheet(
            1,
            4,
            panel=(2.35, 2.6),
            title="Codes of autoencoders, read by linear and MLP probes",
            caption=text,
            gutter=0.12,
            legend={**samples, "MLP softmax": style.handle(width=0.0, marker="o", markerfacecolor="white")},
        )
        sizes = sorted(map(int, table["code"].unique()))
        titles = ("linear probe", "MLP probe", "about the image")
        units = ("held-out accuracy", "held-out accuracy", "V-information, nats")
        parts = []
        for ax, outcome, title, unit in zip(sheet.axes[0], OUTCOMES, titles, units, strict=False):
            cells = summarise(table.assign(status="ok"), ["decoder", "code"], outcome)
            _draw_codes(ax, cells, title, unit)
            _log_sizes(ax, sizes)
            parts.append(cells.assign(panel=title))
        last = sheet.axes[0][-1]
        for family, rows in labels.groupby("family"):
            cells = summarise(rows, ["decoder", "code"], "value")
            _draw_codes(last, cells, "about the label", "V-information, nats", hollow=family == "mlp")
            parts.append(cells.assign(panel=f"about the label, {family} softmax"))
        _log_sizes(last, sizes)
        last.axhline(LN_10, color=style.INK, linestyle=(0, (1, 2)), linewidth=1.0, zorder=1.5)
        last.annotate("ln 10", (0.02, LN_10), xycoords=("axes fraction", "data"), va="bottom", fontsize=7)
    drawn = pd.concat(parts, ignore_index=True)
    return Drawing(sheet.figure, drawn[["panel", *(c for c in drawn if c != "panel")]], text)


def _draw_codes(ax: Axes, cells: pd.DataFrame, title: str, unit: str, *, hollow: bool = False) -> None:
    for decoder, line in cells.groupby("decoder"):
        colour, marker, dash = _DECODERS[str(decoder)]
        shift = 0.96 if decoder == "linear" else 1.04  # intervals stand side by side
        face = "white" if hollow else colour
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dash, "markerfacecolor": face}
        draw_means(ax, line["code"].astype("float64") * shift, line, **look)
    ax.set_title(title)
    ax.set_ylabel(unit)


def _log_sizes(ax: Axes, sizes: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set_xticks([], minor=True)
    ax.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
    ax.set_xlabel("numbers in a code")
