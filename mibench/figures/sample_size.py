"""The sample-size figure: test values of runs on fixed samples against the size of the sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import caption, sampler_order, with_labels
from mibench.analysis.metrics import finished, summarise, with_truth
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.guests import guests_sentence, place_guests
from mibench.figures.lines import draw_means
from mibench.figures.panels import estimator_colours, estimator_names, first_panels
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.style.palette import estimator_sign

_VALUE = "estimate_test"
_ACROSS = 3
_PANEL = ["task_label", "mi_true", "setup", "negatives_label", "batch"]
_WHAT = (
    "Test value of runs on a fixed sample of n pairs against n, by task, true MI, setting, negative sampler and batch "
    "size N (panels; dashed: the truth). Mean over seeds with its 95 % interval (Student t); every seed is a sample of "
    "its own, the same for all estimators. Estimators that are trained see 60 percent of it and give the value on "
    "another 20; those without a critic take all."
)


@register_figure("sample-size")
def sample_size(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw test values against the size of a fixed sample, a panel per task, true MI, setting, sampler and batch size.

    Raises
    ------
    UsageError
        Where no run on a fixed sample has a finite test value.
    """
    chosen = with_truth(finished(runs[runs["regime"] == "dataset"]))
    rows = with_labels(place_guests(chosen), ignore=("task_label", "samples", "steps", "window"))
    if not np.isfinite(rows[_VALUE].astype("float64")).any():
        raise UsageError("sample-size needs finished runs on fixed samples; run some with --samples")
    cells = summarise(rows, [*_PANEL, "estimator_label", "estimator", "samples"], _VALUE)
    shown, note = first_panels(sorted(cells.groupby(_PANEL, sort=True), key=lambda panel: _order(panel[0])))
    cells = pd.concat([panel for _, panel in shown], ignore_index=True)
    colours = estimator_colours(runs, rows)
    looks = {label: (colours[label], *estimator_sign(name)) for label, name in estimator_names(cells).items()}
    notes = " ".join(filter(None, [note, guests_sentence(chosen)]))
    with style.theme():
        text = caption(chosen, _WHAT, notes, estimate="the value is that of the test part, taken once.")
        legend = {n: style.handle(colour, dash, marker=marker) for n, (colour, marker, dash) in looks.items()}
        across = min(_ACROSS, len(shown))
        sheet = style.Sheet(
            -(-len(shown) // across),
            across,
            panel=(3.3, 2.4),
            title="Test value against sample size",
            caption=text,
            gap=0.75,
            title_lines=2,
            legend={**legend, "true MI": style.handle(style.INK, style.DASHED, 1.2)},
        )
        axes = sheet.axes.ravel()
        for ax, (key, panel) in zip(axes, shown, strict=False):
            _draw_panel(ax, panel, float(panel["mi_true"].iloc[0]), looks)
            ax.set_title(_title(key), color=style.INK)
        for ax in axes[len(shown) :]:
            ax.remove()
        for ax in sheet.axes[:, 0]:
            ax.set_ylabel("test value, nats")
    names = {f"{name}_label": name for name in ("task", "estimator", "negatives")}
    return Drawing(sheet.figure, cells.drop(columns="estimator").rename(columns=names), text)


def _order(key: Any) -> tuple[Any, ...]:
    task, level, setup, sampler, batch = key
    return task, level, setup, sampler_order(sampler), batch


def _title(key: Any) -> str:
    task, level, setup, sampler, batch = key
    return f"{task}, {level:.3g} nats\n" + " · ".join(filter(None, [setup, sampler, f"N = {batch:,}"]))


def _draw_panel(ax: Axes, panel: pd.DataFrame, truth: float, looks: dict[str, tuple[str, str, object]]) -> None:
    limits = style.view(panel["mean"], [truth])
    ax.axhline(truth, color=style.INK, linestyle=style.DASHED, linewidth=1.2, zorder=2)
    for label, line in panel.groupby("estimator_label", sort=True):
        colour, marker, dash = looks[str(label)]
        look = {"color": colour, "marker": marker, "linestyle": dash, "markersize": 4.5}
        draw_means(ax, line["samples"], line, limits=limits, **look)
    ax.set_xscale("log")
    ticks = sorted(map(int, panel["samples"].unique()))
    ax.set_xticks(ticks, [f"{size:,}" for size in ticks])
    ax.set_xticks([], minor=True)
    ax.set_ylim(limits)
    ax.set_xlabel("pairs in the sample, n")
