"""The sandwich figure: lower and upper bounds of one task together, against the true MI.

Notable: a plug-in is no bound, so that it says nothing about where the MI lies and is left out; diverged runs are left
out of means and band, marked and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mibench.analysis.labels import CONSTANT, SEPARATOR, caption, listing, plural, staircase_text, with_labels
from mibench.analysis.metrics import FINAL, final_estimates, finished, is_staircase, summarise, with_truth
from mibench.analysis.sandwich import sandwich
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.guests import guests_sentence, place_guests
from mibench.figures.panels import Facet, arrange, by_row, estimator_colours, facets, name_axes, panel_title
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import fixed_sample_clause, outside_sentence
from mibench.figures.style.palette import estimator_sign

_PANEL = ["task_label", "setup", "negatives_label", "batch"]
_LEVEL = [*_PANEL, "mi_true"]
_SERIES = ["estimator_label", "estimator", "kind"]
_NAMES = {"task_label": "task", "negatives_label": "negatives", "estimator_label": "estimator"}
_KINDS = ("lower", "upper")
_NAMED = ("largest_lower", "smallest_upper")
_BAND, _CROSSED = "#8A93A6", "#CC3311"

_WHAT = (
    "Final estimates against true MI for the estimators that are bounds: mean over seeds with its 95 % confidence "
    "interval (Student t), filled markers for lower and open ones for upper bounds; dashed: the truth. Shaded: from "
    "the largest lower to the smallest upper bound of every level, by their means, which is what the bounds together "
    "say about the MI (a bar at every level that has both, straight in between; red where they cross)."
)

_WHY = (
    "How to read it: a bound holds in expectation and for independent negatives; the median of heavy-tailed batches "
    "and a sampler that keeps positive pairs may carry it past the truth. The largest of several means is biased "
    "upward and the smallest downward, so that a band of many estimators is too narrow rather than too wide."
)

_ESTIMATE = (
    "the estimate is the median over the last {windows} training batches of a run (training-batch value){tests}."
)


@register_figure("sandwich")
def draw_sandwich(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw lower and upper bounds against the true MI, a panel per task, setting, negative sampler and batch size.

    Raises
    ------
    UsageError
        Where no level has both a lower and an upper bound with a finite estimate.
    """
    rows = _labelled(runs)
    bounds = with_truth(rows[rows["kind"].isin(_KINDS)])
    means = _means(bounds)
    _need_both(means)
    layout, note = arrange(facets(bounds, together=True))
    shown = [facet for row in layout for facet in row]
    means = _of(means, shown)
    levels = sandwich(means, _LEVEL)
    colours = estimator_colours(runs, bounds)
    views = _views(layout, means, levels)

    with style.theme():
        text = _caption(runs, rows, shown, means, levels, views, note)
        across = max(len(row) for row in layout)
        sheet = style.Sheet(
            len(layout),
            across,
            panel=(3.4, 2.9) if across > 1 else (5.6, 4.2),
            title="Lower and upper bounds against the truth",
            caption=text,
            gap=0.85,
            left=0.72,
            legend=_legend(means, shown, levels, colours),
            title_lines=1 + any(facet.setup for facet in shown),
        )
        for axes, row in zip(sheet.axes, layout, strict=True):
            for ax, facet in zip(axes, row, strict=False):
                _draw_panel(ax, facet, _of(means, [facet]), _of(levels, [facet]), views[facet.row_key], colours)
        name_axes(sheet.axes, layout, "true MI, nats", "median estimate of the last\ntraining batches, nats")
    return Drawing(sheet.figure, _table(means, levels), text, levels.rename(columns=_NAMES))


# --- rows -----------------------------------------------------------------------------------------------------


def _labelled(runs: pd.DataFrame) -> pd.DataFrame:
    """All runs with labels; where runs differ in their schedule of MI levels it is a setting like the others."""
    if finished(runs).empty:
        raise UsageError("sandwich needs finished runs; run a grid first")
    rows = with_labels(place_guests(runs))
    rows = rows.assign(**{FINAL: final_estimates(rows)})
    if rows["schedule"].where(is_staircase(rows), "").nunique() > 1:
        training = [staircase_text(schedule) or CONSTANT for schedule in rows["schedule"]]
        rows["setup"] = [SEPARATOR.join(filter(None, pair)) for pair in zip(rows["setup"], training, strict=True)]
    return rows


def _means(bounds: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of every estimator, level and panel; diverged runs are counted and not averaged."""
    kept = bounds[FINAL].astype("float64").where(bounds["status"] == "ok")
    cells = summarise(bounds.assign(**{FINAL: kept}), [*_LEVEL, *_SERIES])
    cells["n_runs"] -= cells["n_nonfinite"]
    return cells.rename(columns={"n_runs": "runs_averaged"}).drop(columns="n_nonfinite")


def _need_both(means: pd.DataFrame) -> None:
    """Say what is missing where no level has both ends."""
    finite = means[np.isfinite(means["mean"].astype("float64"))]  # of no rows at all the type is object
    for kind, article in (("lower", "a"), ("upper", "an")):
        if kind not in set(finite["kind"]):
            raise UsageError(
                f"sandwich needs a lower and an upper bound, and no {kind} bound has a finite estimate here; "
                f"run {article} {kind} one too, 'mibench list estimators' shows the kinds"
            )
    if (finite.groupby(_LEVEL)["kind"].nunique() < 2).all():
        raise UsageError(
            "sandwich needs a lower and an upper bound under the same task, MI level, negatives, batch size and "
            "settings, and none agree in all of them; run both in one grid"
        )


def _of(frame: pd.DataFrame, shown: Sequence[Facet]) -> pd.DataFrame:
    """Rows that belong to the panels."""
    keys = {(f.task, f.setup, f.negatives, f.batch) for f in shown}
    return frame[[key in keys for key in frame[_PANEL].itertuples(index=False, name=None)]]


def _diverged(facet: Facet) -> pd.DataFrame:
    return facet.rows[facet.rows["status"] == "diverged"]


# --- panels ---------------------------------------------------------------------------------------------------


def _views(
    layout: Sequence[Sequence[Facet]], means: pd.DataFrame, levels: pd.DataFrame
) -> dict[tuple[str, str, str, str], tuple[float, float]]:
    """Limits of the y axis, equal for all batch sizes of one row; outliers and far bounds do not stretch it."""
    views = {}
    for key, group in by_row(layout).items():
        drawn = _of(means, group)
        top = _of(levels, group)["upper"].clip(lower=0)
        views[key] = style.view(drawn[["mean", "low", "high"]], drawn["mi_true"], top)
    return views


def _draw_panel(
    ax: Axes,
    facet: Facet,
    means: pd.DataFrame,
    levels: pd.DataFrame,
    limits: tuple[float, float],
    colours: dict[str, str],
) -> None:
    """Draw one panel: the band, the truth, every bound, and diverged runs."""
    first, last = float(means["mi_true"].min()), float(means["mi_true"].max())
    room = 0.08 * (last - first) or 1.0
    window = (first - room, last + room)
    ax.plot(window, window, color=style.INK, linewidth=1.2, linestyle="--", zorder=2)
    _draw_band(ax, levels, limits)
    key: Any
    for key, cells in means.groupby(_SERIES):
        label, name, kind = key
        at = cells["mi_true"].to_numpy(np.float64)
        low, middle, high = (style.drawable(cells[end], limits) for end in ("low", "mean", "high"))
        ax.plot(np.stack([at, at]), np.stack([low, high]), color=colours[label], lw=1, marker="_", ms=5, zorder=4)
        ax.plot(at, middle, zorder=5, **_look(name, kind, colours[label]))
    lost = _diverged(facet)
    lost = lost[lost[FINAL].astype("float64").between(*limits)]
    shades = lost["estimator_label"].map(colours)
    ax.scatter(lost["mi_true"].astype("float64"), lost[FINAL].astype("float64"), s=20, c=shades, marker="x", zorder=6)
    missing = [kind for kind, end in zip(_KINDS, _NAMED, strict=True) if levels[end].isna().all()]
    if missing:
        text = f"no {' and no '.join(missing)} bound: no band"
        ax.text(0.98, 0.03, text, transform=ax.transAxes, ha="right", fontsize=7.5, color=style.MUTED)
    if first == last:
        ax.set_xticks([first], [f"{first:g}"])
    ax.set_title(panel_title(facet), color=style.INK)
    ax.set_xlim(window)
    ax.set_ylim(limits)


def _draw_band(ax: Axes, levels: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Shade between the largest lower and the smallest upper bound; levels without both interrupt it."""
    at = levels["mi_true"].to_numpy(np.float64)
    low, high = (style.drawable(levels[end], limits) for end in _KINDS)
    for colour, where in ((_BAND, low <= high), (_CROSSED, low > high)):
        ax.fill_between(at, low, high, where=where, interpolate=True, color=colour, alpha=0.22, linewidth=0, zorder=1.3)
        ax.vlines(at[where], low[where], high[where], color=colour, alpha=0.45, linewidth=6, zorder=1.4)


def _look(name: str, kind: str, colour: str) -> dict[str, Any]:
    """How an estimator is drawn: its colour, marker and dash; upper bounds have open markers."""
    marker, dash = estimator_sign(name)
    face = "white" if kind == "upper" else colour
    return {
        "color": colour,
        "linestyle": dash,
        "linewidth": 1.3,
        "marker": marker,
        "markersize": 5,
        "markerfacecolor": face,
        "markeredgewidth": 1.0,
    }


def _legend(
    means: pd.DataFrame, shown: Sequence[Facet], levels: pd.DataFrame, colours: dict[str, str]
) -> dict[str, Line2D | Patch]:
    """Samples of what occurs: bounds by kind, the truth, the band."""
    samples: dict[str, Line2D | Patch] = {}
    drawn = means[_SERIES].drop_duplicates().sort_values(["kind", "estimator_label"])
    for label, name, kind in drawn.itertuples(index=False, name=None):
        samples[f"{label} ({kind})"] = Line2D([], [], **_look(name, kind, colours[label]))
    samples["true MI"] = style.handle(style.INK, "--", 1.2)
    samples["between the bounds"] = Patch(facecolor=_BAND, alpha=0.45)
    if (levels["width"] < 0).any():
        samples["bounds cross"] = Patch(facecolor=_CROSSED, alpha=0.45)
    if any(len(_diverged(facet)) for facet in shown):
        samples["diverged run"] = style.handle(marker="x", width=0.0, markersize=5)
    return samples


# --- text and tables ------------------------------------------------------------------------------------------


def _caption(
    runs: pd.DataFrame,
    rows: pd.DataFrame,
    shown: Sequence[Facet],
    means: pd.DataFrame,
    levels: pd.DataFrame,
    views: dict[tuple[str, str, str, str], tuple[float, float]],
    note: str,
) -> str:
    others = sorted(rows.loc[~rows["kind"].isin(_KINDS), "estimator_label"].unique())
    lost = pd.concat([_diverged(facet) for facet in shown])
    far = sum(style.outside(_of(means, [facet])["mean"], views[facet.row_key])[0] for facet in shown)
    none = int((means["runs_averaged"] == 0).sum())
    single = int((means["runs_averaged"] == 1).sum())
    notes = [
        note,
        guests_sentence(runs),
        f"Left out as no bounds: {listing(others)}." if others else "",
        _lost(lost["run_id"].nunique()),
        "A stair of a staircase is a level, diverged or not by itself." if is_staircase(rows).any() else "",
        _verdict(levels),
        _missing(levels),
        f"{plural(single, 'mean')} of a single run {'has' if single == 1 else 'have'} no interval." if single else "",
        f"{plural(none, 'mean')} {'is' if none == 1 else 'are'} missing: all runs diverged, failed or are not finite."
        if none
        else "",
        outside_sentence(far, 0, "mean"),
    ]
    windows = listing(sorted(rows["window"].dropna().unique()))
    return caption(
        runs,
        _WHAT,
        _WHY,
        " ".join(filter(None, notes)),
        estimate=_ESTIMATE.format(windows=windows, tests=fixed_sample_clause(runs)),
    )


def _lost(count: int) -> str:
    """State how many runs diverged."""
    what = f"{plural(count, 'diverged run')} {'is' if count == 1 else 'are'}"
    return f"{what} left out of means and band and, where in view, marked by a cross." if count else ""


def _verdict(levels: pd.DataFrame) -> str:
    """State how often the truth lies between the bounds, and how often they cross."""
    known = levels.dropna(subset=["truth_within"])
    text = f"The truth lies between the two means at {known['truth_within'].sum()} of {plural(len(known), 'level')}"
    wide = levels.dropna(subset=["truth_within_intervals"])
    if len(wide):
        inside = wide["truth_within_intervals"].sum()
        text += f", and between the outer ends of their intervals at {inside} of {len(wide)} that have both"
    crossed = int((levels["width"] < 0).sum())
    return f"{text}. The bounds cross at {plural(crossed, 'level') if crossed else 'no level'}."


def _missing(levels: pd.DataFrame) -> str:
    """State where the band has a gap, and which bound is missing there."""
    parts = []
    for kind, name in zip(_KINDS, _NAMED, strict=True):
        if count := int(levels[name].isna().sum()):
            parts.append(f"no {kind} bound at {plural(count, 'level')}")
    return f"The band has gaps: {' and '.join(parts)}." if parts else ""


def _table(means: pd.DataFrame, levels: pd.DataFrame) -> pd.DataFrame:
    """One row per estimator and level, with the level's band beside it."""
    band = levels[[*_LEVEL, *_NAMED, "width", "truth_within", "truth_within_intervals"]]
    table = means.drop(columns=["estimator", "sd", "median"]).merge(band, on=_LEVEL, validate="many_to_one")
    order = [*_LEVEL, "kind", "estimator_label"]
    return table.sort_values(order, kind="stable").reset_index(drop=True).rename(columns=_NAMES)
