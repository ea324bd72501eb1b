"""Gosch (2020), figure 3: final estimates of Jensen-Shannon critics against the true MI."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mibench.analysis.labels import caption, sampler_order
from mibench.analysis.metrics import FINAL, summarise
from mibench.claims import gosch as first
from mibench.claims.judgement import Claim
from mibench.figures import style
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


@register_figure(
    "gosch-3",
    claim=Claim(
        "Gosch (2020), figure 3",
        "the plug-in estimate loses monotonicity in the true MI; NWJ of a Jensen-Shannon critic saturates near log N.",
        first.judge_jensen_shannon,
    ),
)
def draw_jensen_shannon(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw final estimates of Jensen-Shannon critics against the true MI, by sampler and regularisation.

    Raises
    ------
    UsageError
        Where no run has a result.
    """
    rows = final_rows(runs, "gosch-3")
    rows = rows.assign(kind=np.where(first.regularised(rows), "regularised", "plain"))
    kinds = sorted(set(zip(rows["negatives"], rows["kind"], strict=True)), key=lambda k: (sampler_order(k[0]), k[1]))
    colours = estimator_colours(runs, rows)
    limits = view_of(rows)
    what = (
        "Final estimates against the true MI (dashed: the truth), by negative sampler, without and with dropout and "
        "decay; log N dotted. Markers: runs; lines: means over seeds; grey: the best NWJ value under the sampler. "
        "Monotone estimates would rise from left to right."
    )
    far = outside_sentence(*style.outside(rows[FINAL].astype("float64"), limits), "final estimate")
    names = sorted(rows["estimator_label"].unique())
    log_n = float(np.log(rows["batch"].max()))  # in the legend: curves that end at log N leave its name no room
    with style.theme():
        text = caption(rows, what, far, estimate=ESTIMATE)
        legend = {n: style.handle(colours[n], "-", 1.3, **m) for n, m in zip(names, MARKS, strict=False)}
        legend["true MI"] = style.handle(style.INK, "--", 1.2)
        legend[f"log N = {log_n:.2f}"] = style.handle(style.INK, style.DOTTED, 1.1)
        legend["best NWJ value under the sampler"] = style.handle(style.MUTED, "-", 3.0, alpha=0.5)
        sheet = style.Sheet(
            1, len(kinds), panel=(3.4, 3.2), title="Jensen-Shannon critics", caption=text, legend=legend
        )
        for ax, (sampler, kind) in zip(sheet.axes[0], kinds, strict=True):
            part = rows[(rows["negatives"] == sampler) & (rows["kind"] == kind)]
            draw_best(ax, part)
            for name, marks in zip(names, MARKS, strict=False):
                draw_against_truth(ax, part[part["estimator_label"] == name], colours[name], limits, marks)
            finish(ax, limits, f"{sampler}, {kind}")
            style.dotted_line(ax, log_n)
        sheet.axes[0, 0].set_ylabel("final estimate, nats")
    return Drawing(sheet.figure, table_of(rows), text, summarise(rows, ["negatives", "kind", "estimator", "mi_true"]))
