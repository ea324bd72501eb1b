"""The sample-size figure: test values of runs on fixed samples against the size of the sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench import style
from mibench.errors import UsageError
from mibench.figures import MAX_PANELS, Drawing, draw_means, estimator_colours, estimator_names, register_figure
from mibench.labels import caption, plural, with_labels
from mibench.metrics import finished, summarise
from mibench.palette import estimator_sign

_VALUE = "estimate_test"
_ACROSS = 3
_WHAT = (
    "Test value of runs on a fixed sample of n pairs against n, by task and true MI (panels; dashed: the truth). Mean "
    "over seeds with its 95 % interval (Student t); every seed is a sample of its own, the same for all estimators. "
    "Estimators that are trained see 60 percent of it and give the value on another 20; those without a critic take "
    "all."
)


@register_figure("sample-size")
def sample_size(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw test values against the size of a fixed sample, a panel per task and true MI.

    Raises
    ------
    UsageError
        Where no run on a fixed sample has a finite test value.
    """
    rows = with_labels(finished(runs[runs["regime"] == "dataset"]), ignore=("samples", "batch", "steps", "window"))
    if not np.isfinite(rows[_VALUE].astype("float64")).any():
        raise UsageError("sample-size needs finished runs on fixed samples; run some with --samples")
    rows["series"] = [
        ", ".join(filter(None, pair)) for pair in zip(rows["estimator_label"], rows["setup"], strict=True)
    ]
    keys = ["task_label", "mi_true"]
    cells = summarise(rows, [*keys, "series", "estimator_label", "estimator", "samples"], _VALUE)
    panels = list(cells.groupby(keys, sort=True))
    colours = estimator_colours(runs, rows)
    looks = {label: (colours[label], *estimator_sign(name)) for label, name in estimator_names(rows).items()}
    left_out = len(panels) - MAX_PANELS
    note = f"{plural(left_out, 'panel')} more; select rows to see them." if left_out > 0 else ""
    with style.theme():
        text = caption(rows, _WHAT, note, estimate="the value is that of the test part, taken once.")
        legend = {n: style.handle(colour, dash, marker=marker) for n, (colour, marker, dash) in looks.items()}
        shown = panels[:MAX_PANELS]
        across = min(_ACROSS, len(shown))
        sheet = style.Sheet(
            -(-len(shown) // across),
            across,
            panel=(3.3, 2.4),
            title="Test value against sample size",
            caption=text,
            legend={**legend, "true MI": style.handle(style.INK, (0, (5, 3)), 1.2)},
        )
        axes = sheet.axes.ravel()
        for ax, ((task, truth), panel) in zip(axes, shown, strict=False):
            _draw_panel(ax, panel, float(str(truth)), looks)
            ax.set_title(f"{task}, {float(str(truth)):.3g} nats", color=style.INK)
        for ax in axes[len(shown) :]:
            ax.remove()
        for ax in sheet.axes[:, 0]:
            ax.set_ylabel("test value, nats")
    return Drawing(sheet.figure, cells.rename(columns={"task_label": "task"}), text)


def _draw_panel(ax: Axes, panel: pd.DataFrame, truth: float, looks: dict[str, tuple[str, str, object]]) -> None:
    limits = style.view(panel["mean"], [truth])
    ax.axhline(truth, color=style.INK, linestyle=(0, (5, 3)), linewidth=1.2, zorder=2)
    for _, line in panel.groupby("series", sort=True):
        colour, marker, dash = looks[str(line["estimator_label"].iloc[0])]
        look = {"color": colour, "marker": marker, "linestyle": dash, "markersize": 4.5}
        draw_means(ax, line["samples"], line, limits=limits, **look)
    ax.set_xscale("log")
    ticks = sorted(map(int, panel["samples"].unique()))
    ax.set_xticks(ticks, [f"{size:,}" for size in ticks])
    ax.set_xticks([], minor=True)
    ax.set_ylim(limits)
    ax.set_xlabel("pairs in the sample, n")
