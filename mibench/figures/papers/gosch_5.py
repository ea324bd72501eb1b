"""Gosch (2020), figure 5: codes of autoencoders of digits, read by probes, by the size of the code."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import caption
from mibench.analysis.metrics import finished, summarise
from mibench.claims.gosch_digits import LN_10, OUTCOMES, decoder_codes, judge_decoders, label_information
from mibench.claims.judgement import Claim
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.axes import sizes_axis
from mibench.figures.lines import draw_means
from mibench.figures.registry import Drawing, register_figure

_DECODERS = {"linear": ("#0072B2", "o", "-"), "mlp": ("#D55E00", "s", (0, (4.5, 1.6)))}

_WHAT = (
    "Codes of autoencoders whose decoder is linear or an MLP, of held-out images of digits, against the size of the "
    "code. From the left: accuracy of a linear and of an MLP probe that read the digit off the code; V-information of "
    "the code about its image, for Gaussians with the decoder's mean; V-information of the code about the label, for a "
    "softmax that is linear in the code (filled) or an MLP (hollow). Mean over random halves of the images with its "
    "95 % interval (Student t)."
)

_WHY = "How to read it: the claim has blue above orange in the first panel, and below it in the second and third."


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
        text = caption(finished(runs), _WHAT, _WHY, estimate="V-information about the label on a large pool.")
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
            sizes_axis(ax, sizes, 1.3)
            ax.set_xlabel("numbers in a code")
            parts.append(cells.assign(panel=title))
        last = sheet.axes[0][-1]
        for family, rows in labels.groupby("family"):
            cells = summarise(rows, ["decoder", "code"], "value")
            _draw_codes(last, cells, "about the label", "V-information, nats", hollow=family == "mlp")
            parts.append(cells.assign(panel=f"about the label, {family} softmax"))
        sizes_axis(last, sizes, 1.3)
        last.set_xlabel("numbers in a code")
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
