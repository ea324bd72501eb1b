"""SMILE (Song and Ermon, 2020), figure 2: bias and variance of the bounds over the stairs of a staircase."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mibench.analysis.labels import caption, plural, with_labels
from mibench.claims.judgement import Claim
from mibench.claims.smile import PANEL, bias_and_variance, judge_trade
from mibench.figures import style
from mibench.figures.error_panels import QUANTITIES
from mibench.figures.panels import estimator_colours, staircase_runs
from mibench.figures.registry import Drawing, register_figure

_ESTIMATE = "bias and variance are those of single training batches of the window at the end of a stair."


@register_figure(
    "smile-2",
    claim=Claim(
        "Song and Ermon (2020, SMILE), figure 2",
        "each lower bound trades bias for variance: InfoNCE's bias grows once the MI passes log N, and NWJ's and DV's "
        "variance grows exponentially.",
        judge_trade,
    ),
)
def draw_bias_and_variance(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw bias, variance and mean squared error against the true MI, a column of panels per task and critic.

    Raises
    ------
    UsageError
        Where no run with a schedule has a result.
    """
    rows = with_labels(staircase_runs(runs))
    table = bias_and_variance(staircase_runs(runs))
    colours = estimator_colours(runs, rows)
    panels = list(table.groupby(PANEL, sort=True))
    missing = int(table[[*QUANTITIES]].isna().any(axis=1).sum())
    what = (
        "Bias (negative: below the truth), variance and mean squared error of single training batches against the true "
        "MI, by task and critic (columns); dotted: log N. Means over seeds; variance and error on logarithmic axes, "
        "cut off at 1e9, where the table says more."
    )
    note = f"{plural(missing, 'point')} with a value that is not finite cannot be drawn." if missing else ""
    limits = style.view(table["bias"], np.clip(table["bias"].dropna(), -10, 10))
    with style.theme():
        text = caption(rows, what, note, estimate=_ESTIMATE)
        legend = {name: style.handle(colours[name], "-", 1.4, "o", markersize=4) for name in sorted(colours)}
        legend["log N"] = style.handle(style.INK, style.DOTTED, 1.1)
        sheet = style.Sheet(
            3, len(panels), panel=(3.3, 2.2), title="Bias and variance of the bounds", caption=text, legend=legend
        )
        for j, (key, panel) in enumerate(panels):
            for ax, name in zip(sheet.axes[:, j], QUANTITIES, strict=True):
                for label, line in panel.groupby("estimator_label", sort=True):
                    values = style.drawable(line[name], limits) if name == "bias" else line[name].clip(1e-6, 1e9)
                    ax.plot(line["mi_true"], values, color=colours[str(label)], marker="o", markersize=3.5)
                ax.axvline(float(np.log(panel["batch"].iloc[0])), color=style.INK, linestyle=style.DOTTED, linewidth=1)
                if name == "bias":
                    ax.axhline(0, color=style.INK, linewidth=0.8)
                    ax.set_ylim(limits)
                else:
                    ax.set_yscale("log")
            sheet.axes[0, j].set_title(", ".join(map(str, key)), color=style.INK)
            sheet.axes[-1, j].set_xlabel("true MI, nats")
        for ax, title in zip(sheet.axes[:, 0], QUANTITIES.values(), strict=True):
            ax.set_ylabel(title)
    return Drawing(sheet.figure, table, text, table)
