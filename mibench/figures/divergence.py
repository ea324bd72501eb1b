"""The divergence figure: when runs diverge, and how far their estimates end from the truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from mibench.analysis.divergence import divergence_by_run, not_diverged, summarise_divergence
from mibench.analysis.labels import caption, listing, number, plural, sampler_order, with_labels
from mibench.analysis.metrics import finished, is_staircase, with_truth
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.axes import not_diverged_axes
from mibench.figures.panels import estimator_colours
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import diverged_clause
from mibench.figures.style.palette import LineStyle, estimator_sign

_CELL = ["task_label", "estimator", "estimator_label", "setup", "negatives_label", "batch", "seed", "status"]
_LINEAR = 2.0
"""Nats around the truth that the right panels show linearly: the margin of the criterion."""
_APART, _SPREAD = 0.012, 0.04
"""Shares by which lines that stay at 100 % are drawn apart: of two neighbours, and at most of all."""

_WHAT = (
    "When (left): share of runs that have not diverged over training steps (Kaplan and Meier; runs that end without "
    "are censored), pooled over batch sizes{pooled} and seeds; lines that stay at 100 % lie slightly below one "
    "another. How far (right): final estimate minus truth of every run, by true MI, linear within 2 nats and "
    "logarithmic beyond; crosses at the edge: not finite. A run counts as diverged where its estimate or loss is not "
    "finite, or where in three windows of 200 steps in a row the median is over the truth by more than 2 nats (dotted) "
    "or under -100 nats. Divergence is a result and such runs are kept."
)


@register_figure("divergence", grid="gosch-1")
def divergence(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw when runs diverge and how far, a row of panels per negative sampler.

    Raises
    ------
    UsageError
        Where no run has a result.
    """
    if finished(with_truth(runs)).empty:
        raise UsageError("divergence needs finished runs; run a grid first")
    rows = with_labels(runs, ignore=("steps", "window"))  # runs of unequal length are censored, not kept apart
    table = divergence_by_run(with_truth(rows), _CELL)
    table["series"] = [
        ", ".join(filter(None, pair)) for pair in zip(table["estimator_label"], table["setup"], strict=True)
    ]
    samplers = sorted(table["negatives_label"].unique(), key=sampler_order)
    by_level = table["series"].nunique() == 1
    colours = _colours(runs, table, by_level)
    dashes = _dashes(table, by_level)

    with style.theme():
        text = _caption(rows, table, by_level)
        sheet = style.Sheet(
            len(samplers),
            2,
            panel=(3.9, 2.2),
            title="Divergence: when and how far",
            caption=text,
            gap=0.78,
            legend=_legend(colours, dashes, by_level),
        )
        for (left, right), sampler in zip(sheet.axes, samplers, strict=True):
            panel = table[table["negatives_label"] == sampler]
            _draw_when(left, panel, "mi_true" if by_level else "series", colours, dashes)
            _draw_far(right, panel, "mi_true" if by_level else "series", colours, _limits(table))
            count = f"{plural(len(panel), 'run')}, {int(panel['diverged'].sum()):,} diverged"
            left.set_title(f"{sampler} · {count}", color=style.INK)
        sheet.axes[-1, 0].set_xlabel("training steps")
        sheet.axes[-1, 1].set_xlabel("true MI, nats")
    return Drawing(sheet.figure, _table(table), text, _summary(table))


def _colours(runs: pd.DataFrame, table: pd.DataFrame, by_level: bool) -> dict[Any, str]:
    """Colours of the series: of estimators, or of MI levels where there is one estimator."""
    if by_level:
        return dict(style.level_colours(table["mi_true"]))
    if table["setup"].any():  # one estimator under several settings: shades of its colour
        shades = style.estimator_colours(table["estimator"], table["series"], among=runs["estimator"])
    else:
        shades = estimator_colours(runs, table)
    return {name: shades[name] for name in sorted(shades)}


def _dashes(table: pd.DataFrame, by_level: bool) -> dict[Any, LineStyle]:
    """Dash of the series: its estimator's own, or solid for all MI levels of one estimator."""
    if by_level:
        return dict.fromkeys(table["mi_true"], "-")
    return {series: estimator_sign(name)[1] for series, name in zip(table["series"], table["estimator"], strict=True)}


def _draw_when(ax: Axes, panel: pd.DataFrame, hue: str, colours: dict[Any, str], dashes: dict[Any, LineStyle]) -> None:
    """Share of runs not yet diverged, one step line per series."""
    lines = {key: not_diverged(series) for key, series in panel.groupby(hue, sort=True)}
    # Lines that stay at the top would hide each other: each later one is drawn a little lower.
    unbroken = [key for key, line in lines.items() if (line["share"] == 1).all()]
    apart = min(_APART, _SPREAD / max(1, len(unbroken) - 1))
    lowered = {key: apart * i for i, key in enumerate(unbroken)}
    for key, line in lines.items():
        share = line["share"] - lowered.get(key, 0.0)
        ax.step(line["step"], share, where="post", color=colours[key], linestyle=dashes[key], linewidth=1.6)
    not_diverged_axes(ax, float(panel["followed"].max()), ticks=5, room=0.06)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Limits of the right panels, nats; values beyond 10,000 are drawn at the edge."""
    excess = table["excess"].to_numpy(np.float64)
    excess = excess[np.abs(excess) < 1e4]
    return float(min(excess.min(initial=0.0) * 2, -4.0)), float(max(excess.max(initial=0.0) * 2, 12.0))


def _draw_far(ax: Axes, panel: pd.DataFrame, hue: str, colours: dict[Any, str], limits: tuple[float, float]) -> None:
    """Final median minus truth against true MI, series side by side."""
    levels = {level: i for i, level in enumerate(sorted(panel["mi_true"].unique()))}
    names = [name for name in colours if name in set(panel[hue])]
    step = 0.0 if hue == "mi_true" else min(0.7 / max(len(names), 1), 0.16)
    lane = {name: (i - (len(names) - 1) / 2) * step for i, name in enumerate(names)}
    points = panel.assign(
        place=[levels[m] + (lane[s] if step else 0.0) for m, s in zip(panel["mi_true"], panel[hue], strict=True)],
        shown=np.clip(panel["excess"].fillna(np.inf), *limits),
        mark=np.where(~np.isfinite(panel["excess"]), "not finite", np.where(panel["diverged"], "diverged", "ok")),
    )
    if not step:  # one series: spread its batch sizes and seeds
        points["place"] += np.linspace(-0.25, 0.25, 11)[np.arange(len(points)) % 11]
    ax.axhline(0, color=style.INK, linewidth=1.0, zorder=1)
    ax.axhline(_LINEAR, color=style.INK, linewidth=1.0, linestyle=style.DOTTED, zorder=1)
    sns.scatterplot(
        points,
        x="place",
        y="shown",
        hue=hue,
        palette=colours,
        style="mark",
        legend=False,
        ax=ax,
        s=24,
        linewidth=0.6,
        markers={"ok": "o", "diverged": "^", "not finite": "X"},
        alpha=0.8,
        clip_on=False,
        zorder=3,
    )
    ax.set_yscale("symlog", linthresh=_LINEAR, linscale=1.2)
    ax.set_ylim(limits)
    decades = [10.0**k for k in range(1, 5)]
    ticks = [*(-v for v in decades), -_LINEAR, 0.0, _LINEAR, *decades]
    ax.set_yticks([v for v in ticks if limits[0] <= v <= limits[1]])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:+,.0f}".replace("-", "−") if v else "0"))
    ax.minorticks_off()
    ax.set_xticks(list(levels.values()), [f"{level:g}" for level in levels])
    ax.set_xlim(-0.6, len(levels) - 0.4)
    ax.set_xlabel("")
    ax.set_ylabel("final median − truth, nats")


def _legend(colours: dict[Any, str], dashes: dict[Any, LineStyle], by_level: bool) -> dict[str, Line2D]:
    samples = {
        f"{name:g} nats" if by_level else str(name): style.handle(colour, dashes[name], 2.0)
        for name, colour in colours.items()
    }
    for marker, mark in (("o", "ok"), ("^", "diverged"), ("X", "not finite")):
        samples[mark] = style.handle(marker=marker, width=0.0, markersize=5.5)
    return {**samples, "truth + 2 nats": style.handle(style.INK, style.DOTTED, 1.1)}


def _caption(rows: pd.DataFrame, table: pd.DataFrame, by_level: bool) -> str:
    diverged = table[table["diverged"]]
    reasons = diverged["divergence"].fillna("unstated").value_counts().sort_index()
    found = diverged_clause(table)
    if len(diverged):
        found += f" ({', '.join(f'{count:,} by {reason}' for reason, count in reasons.items())}), the first at step "
        half = math.ceil(diverged["diverged_at"].median())
        found += f"{number(diverged['diverged_at'].min())}, half of them by step {number(half)}"
    excess = table["excess"].to_numpy(np.float64)
    far, nonfinite = style.outside(excess, _limits(table))
    wide = int(table["wide"].sum())
    notes = [
        "Of a staircase the last stair counts on the right." if is_staircase(rows).any() else "",
        f"{found}.",
        f"{plural(wide, 'run')} spread over more than 5 nats (interquartile range of the window)." if wide else "",
        f"{plural(far, 'value')} beyond the view {'is' if far == 1 else 'are'} drawn at its edge." if far else "",
        f"{plural(nonfinite, 'final value')} {'is' if nonfinite == 1 else 'are'} not finite." if nonfinite else "",
    ]
    windows = listing(sorted(rows["window"].dropna().unique()))
    estimate = f"the final estimate is the median over the last {windows} training batches (training-batch value)."
    what = _WHAT.format(pooled="" if by_level else ", true MI")
    return caption(rows, what, " ".join(filter(None, notes)), estimate=estimate)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    cells = summarise_divergence(table, ["negatives_label", "series", "mi_true"])
    return cells.rename(columns={"negatives_label": "negatives", "series": "estimator"})


def _table(table: pd.DataFrame) -> pd.DataFrame:
    names = {"task_label": "task", "estimator_label": "estimator", "negatives_label": "negatives"}
    order = ["task", "estimator", "setup", "negatives", "mi_true", "batch", "seed"]
    drawn = table.drop(columns=["estimator", "series"]).rename(columns=names)
    columns = [*order, "status", "diverged", "divergence", "diverged_at", "followed", "excess", "wide", "run_id"]
    return drawn[columns].sort_values([*order, "run_id"], kind="stable").reset_index(drop=True)
