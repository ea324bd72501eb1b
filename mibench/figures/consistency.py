"""The self-consistency figure: what information does under processing, and for independent pairs, in estimates.

Notable: no claim is judged; the ratios are those of `mibench.analysis.consistency`, whose ideals follow from
information alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.consistency import self_consistency
from mibench.analysis.labels import caption, listing, plural, sampler_order, with_labels
from mibench.analysis.metrics import finished
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.lines import draw_means
from mibench.figures.panels import estimator_colours, first_panels
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence
from mibench.figures.style.palette import estimator_sign

_TASK = "digits-rows"
_TESTS = {
    "baseline": "baseline: over the estimate at all rows",
    "processing": "data processing: over the baseline",
    "additivity": "additivity: two images over one",
}
_PANEL = ["grey", "setup", "negatives_label", "batch"]
_SERIES = ["estimator", "estimator_label"]
_KEY = ["grey", "setup", "negatives", "batch"]
_NAMES = {"estimator_label": "estimator", "negatives_label": "negatives", "n_runs": "pairs of runs"}

_WHAT = (
    "Ratios of final estimates of the information between an image and its top rows, against the rows shown. Left: the "
    "estimate at some rows over that at all eight. Middle: with three rows fewer shown besides, which adds nothing, "
    "over the estimate without. Right: of two independent images together over one. Mean over seeds with its 95 % "
    "interval (Student t); a ratio is one of two runs with the same seed. Dashed: the ratio of the true informations, "
    "which rises to 1, is 1, and is 2."
)

_WHY = (
    "How to read it: the ideals need no knowledge of the truth, so that the tests apply to data of any kind; passing "
    "them is necessary and not sufficient. An estimator that saturates looks well at processing and fails additivity: "
    "what is capped does not double."
)


@register_figure("self-consistency")
def draw_consistency(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw the ratios of the self-consistency tests, a column per test and a row of panels per setting.

    Raises
    ------
    UsageError
        Where no pair of runs gives a finite ratio.
    """
    rows = with_labels(runs[runs["task"] == _TASK], ignore=("task_label",))
    if finished(rows).empty:
        raise UsageError(f"self-consistency needs finished runs of task '{_TASK}'; run some in its three settings")
    ratios = self_consistency(rows, [*_SERIES, *(name for name in _PANEL if name != "grey")])
    if not np.isfinite(ratios["mean"].astype("float64")).any():
        raise UsageError(f"self-consistency needs two finished runs of '{_TASK}' with one seed to compare; none are")
    panels = sorted(ratios.groupby(_PANEL), key=lambda pair: _order(pair[0]))
    shown, note = first_panels(panels, len(_TESTS))
    colours = estimator_colours(runs, rows)
    with style.theme():
        text = _caption(rows, shown, note)
        sheet = style.Sheet(
            len(shown),
            len(_TESTS),
            panel=(3.2, 2.3),
            title="Self-consistency on rows of digits",
            caption=text,
            gap=0.85,
            legend=_legend(shown, colours),
            title_lines=2,
        )
        for axes, (key, cell) in zip(sheet.axes, shown, strict=True):
            for ax, (test, title) in zip(axes, _TESTS.items(), strict=True):
                _draw_panel(ax, cell[cell["test"] == test], colours)
                ax.set_title(f"{_setting(key) if test == 'baseline' else ''}\n{title}", color=style.INK)
            axes[0].set_ylabel("ratio of estimates")
        for ax in sheet.axes[-1]:
            ax.set_xlabel("top rows shown, of 8")
    return Drawing(sheet.figure, _table(ratios), text)


def _order(key: Any) -> tuple[Any, ...]:
    grey, setup, negatives, batch = key
    return grey, setup, sampler_order(negatives), batch


def _setting(key: Any) -> str:
    """Name a row of panels."""
    grey, setup, negatives, batch = key
    parts = ["grey" if grey else "black and white", negatives, f"N = {batch:,}", setup]
    return " · ".join(filter(None, parts))


def _limits(cell: pd.DataFrame) -> tuple[float, float]:
    return style.view(cell[["mean", "low", "high"]], cell["ideal"])


def _draw_panel(ax: Axes, cell: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw one test: means with intervals by estimator, and the ideal."""
    ax.set_xticks(range(9))
    ax.set_xlim(-0.4, 8.4)
    if cell.empty:
        ax.text(0.5, 0.5, "no such pairs", transform=ax.transAxes, ha="center", va="center", color=style.MUTED)
        ax.set_yticks([])
        return
    limits = _limits(cell)
    ideal = cell.groupby("rows")["ideal"].first()
    at, level = ideal.index.to_numpy(np.float64), ideal.to_numpy(np.float64)
    wide = (np.append(at[0] - 0.3, [*at, at[-1] + 0.3]), np.append(level[0], [*level, level[-1]]))
    ax.plot(*wide, color=style.INK, linestyle=style.DASHED, linewidth=1.2, zorder=2)
    names = sorted(cell["estimator_label"].unique())
    lanes = dict(zip(names, np.linspace(-0.18, 0.18, len(names)) if len(names) > 1 else [0.0], strict=True))
    for (name, label), line in cell.groupby(_SERIES):
        marker, dash = estimator_sign(str(name))
        look = {"color": colours[str(label)], "marker": marker, "linestyle": dash, "linewidth": 1.3, "markersize": 4.5}
        draw_means(ax, line["rows"] + lanes[label], line, limits=limits, **look)
    ax.set_ylim(limits)


def _legend(shown: list[Any], colours: dict[str, str]) -> dict[str, Line2D]:
    pairs = sorted({pair for _, cell in shown for pair in cell[_SERIES].itertuples(index=False, name=None)})
    samples = {}
    for name, label in pairs:
        marker, dash = estimator_sign(name)
        samples[label] = style.handle(colours[label], dash, 1.3, marker=marker, markersize=4.5)
    return {**samples, "ideal": style.handle(style.INK, style.DASHED, 1.2)}


def _caption(rows: pd.DataFrame, shown: list[Any], note: str) -> str:
    drawn = pd.concat([cell for _, cell in shown])
    far = sum(style.outside(test["mean"], _limits(test))[0] for _, cell in shown for _, test in cell.groupby("test"))
    single = int((drawn["n_runs"] - drawn["n_nonfinite"] == 1).sum())
    lost, diverged = int(drawn["n_nonfinite"].sum()), int(drawn["n_diverged"].sum())
    notes = [
        note,
        f"{plural(single, 'mean')} of a single ratio {'has' if single == 1 else 'have'} no interval." if single else "",
        f"{plural(diverged, 'ratio')} {'has a diverged run in it' if diverged == 1 else 'have a diverged run in them'}."
        if diverged
        else "",
        f"Not finite, and left out of means: {plural(lost, 'ratio')}." if lost else "",
        outside_sentence(far, 0, "mean"),
    ]
    windows = listing(sorted(rows["window"].dropna().unique()))
    estimate = f"the estimate is the median over the last {windows} training batches of a run (training-batch value)."
    return caption(rows, _WHAT, _WHY, " ".join(filter(None, notes)), estimate=estimate)


def _table(ratios: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, estimator, test and number of rows."""
    table = ratios.drop(columns="estimator").rename(columns=_NAMES)
    order = [*_KEY, "test", "estimator", "rows"]
    rest = [column for column in table if column not in order]
    return table.sort_values(order, kind="stable", ignore_index=True)[[*order, *rest]]
