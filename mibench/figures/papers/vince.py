"""Wu et al. (2020, VINCE), figure 1: views, codes, objective and probe of double spirals by the width of the noise.

Notable: views and codes are those of the held-out points that a run keeps, of one seed; all else is of all seeds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from mibench.analysis.labels import caption, listing, plural
from mibench.analysis.metrics import Floats, finished, summarise
from mibench.analysis.smoothing import CURVE
from mibench.claims.judgement import Claim
from mibench.claims.vince import OUTCOMES, REPORTED_ACCURACY, WITHOUT_INFORMATION, judge_spirals, spiral_runs
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.lines import draw_curve
from mibench.figures.papers.vince_cells import (
    CELL,
    OBJECTIVE,
    PROBE,
    RAW,
    REPORTED,
    draw_objective,
    draw_probe,
    drawn_part,
)
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence, smoothing_sentence

_WIDTH = 11.4  # inches, of a row of panels
_ACROSS = 9
"""Cells of one band of views and codes at most, unless a geometry has more widths."""

_ROOMY = 5
"""Cells up to which a band is two rows high."""

_ARMS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")  # Tol's bright
_LARGEST = 1e9
"""Codes beyond it are not drawn."""

_SAME = 1e-3
"""Relative spread of codes below which they are called all the same."""

_WHAT = (
    "(a) Views: the {points} held-out points of the curve that a run keeps, arms by colour, each moved by U(0, η) "
    "noise on both coordinates, drawn anew for this figure by the task's rule. (b) Codes of the same points without "
    "noise, of the first seed with codes ({seeds}), at one scale on both axes. (c) Objective during training; dashed: "
    "the views' true MI; dotted, where in view: the ceiling, the logarithm of a row's candidates. (d) Held-out "
    "accuracy of a linear probe of the codes (filled) and of the raw coordinates (open), which is what a code must "
    "beat; means with 95 % confidence intervals (Student t over seeds), a dot a run, the accuracy reported by the "
    "paper as a star, chance dashed. (e) The objective on a pool of {pools} fresh pairs with all others as negatives, "
    "against the true MI (dashed), means and intervals likewise."
)

_WHY = (
    "How to read it: the paper gives neither turns nor radius of its spirals; each geometry stands for itself. "
    "InfoNCE is a lower bound, so that (e) lies below the truth; that it falls with the noise says nothing of whether "
    "the codes part the arms, which (d) does."
)

_CLAIM = Claim(
    "Wu et al. (2020, VINCE), figure 1",
    "A linear probe of the codes is most accurate at moderate noise (0.70 at η = 0.4) and at chance at both ends; the "
    "objective falls with the noise.",
    judge_spirals,
)


@register_figure("vince-1", needs_curves=True, claim=_CLAIM)
def vince_1(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw views, codes, objective and probe of double spirals, by geometry and width of the noise.

    Raises
    ------
    UsageError
        Where no run on double spirals has a result.
    """
    table = spiral_runs(runs)
    if table.empty:
        raise UsageError("vince-1 needs finished runs on double spirals")
    rows = runs[runs["task"] == "double-spirals"]
    colours = style.level_colours(table["eta"])
    bands = _bands(table)
    with style.theme():
        text = _caption(rows, table, curves)
        high = 2 if max(len(band) for band in bands) <= _ROOMY else 1
        sheet = style.Sheet(
            high * len(bands) + 2,
            1,
            panel=(_WIDTH, 2.25),
            title="Double spirals: what codes keep of two noisy views",
            caption=text,
            gap=0.78,
            legend=_legend(table, colours),
            title_lines=2,
        )
        strips = list(sheet.axes[:, 0])
        parts = []
        for i, band in enumerate(bands):
            boxes = _split(sheet.figure, strips[i * high : (i + 1) * high], 2, len(band), gap=(0.14, 0.34), widest=2.6)
            parts += list(_draw_band(boxes, band))
        geometries = list(table["geometry"].unique())
        boxes = _split(sheet.figure, strips[-2:-1], 1, len(geometries), gap=(0.55, 0.0))
        parts += list(_draw_training(boxes[0], rows, table, curves, colours))
        probe, objective = _split(sheet.figure, strips[-1:], 1, 2, gap=(0.75, 0.0))[0]
        parts += [draw_probe(probe, table), draw_objective(objective, table)]
    drawn = pd.concat(parts, ignore_index=True)
    return Drawing(sheet.figure, drawn, text, _summary(table))


# --- panels ---------------------------------------------------------------------------------------------------


def _bands(table: pd.DataFrame) -> list[list[pd.DataFrame]]:
    """Cells side by side, the widths of a geometry always in one band."""
    bands: list[list[pd.DataFrame]] = []
    for _, geometry in table.groupby("geometry", sort=False):
        cells = [cell for _, cell in geometry.groupby("eta")]
        if bands and len(bands[-1]) + len(cells) <= _ACROSS:
            bands[-1] += cells
        else:
            bands.append(cells)
    return bands


def _split(
    figure: Figure,
    strips: Sequence[Axes],
    rows: int,
    columns: int,
    *,
    gap: tuple[float, float],
    widest: float = _WIDTH,
) -> Any:
    """Replace strips of a sheet by a grid of panels with gaps in inches, (rows, columns)."""
    boxes = [strip.get_position() for strip in strips]
    for strip in strips:
        strip.remove()
    width, height = figure.get_size_inches()
    left, bottom, top = boxes[0].x0 * width, boxes[-1].y0 * height, boxes[0].y1 * height
    wide = min((_WIDTH - (columns - 1) * gap[0]) / columns, widest)
    tall = (top - bottom - (rows - 1) * gap[1]) / rows
    panels = np.empty((rows, columns), dtype=object)
    for i, j in np.ndindex(rows, columns):
        x, y = left + j * (wide + gap[0]), top - tall - i * (tall + gap[1])
        panels[i, j] = figure.add_axes((x / width, y / height, wide / width, tall / height))
    return panels


def _shown(cell: pd.DataFrame) -> pd.Series:
    """The run of a cell whose codes are drawn: the first seed with codes, else the first."""
    with_codes = cell[cell["codes"].notna()]
    return (cell if with_codes.empty else with_codes).iloc[0]


def _draw_band(axes: Any, cells: Sequence[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Draw the views (above) and codes (below) of cells side by side."""
    before = ""
    for (above, under), cell in zip(axes.T, cells, strict=True):
        run = _shown(cell)
        arm, x, code = _kept(run)
        noise = np.random.default_rng(0).random(x.shape)  # the figure's own, the same for the same rows
        yield _draw_points(above, run, "views", x + run["eta"] * noise, arm)
        yield _draw_points(under, run, "codes", code, arm)
        first = run["geometry"] != before
        above.set_title(f"{run['geometry'] if first else ''}\nη = {run['eta']:g}", fontsize=8.5, color=style.INK)
        accuracy = "no probe" if np.isnan(run["code_linear"]) else f"probe {run['code_linear']:.2f}"
        under.set_title(accuracy, fontsize=7.5, fontweight="normal", color=style.MUTED, pad=3)
        before = run["geometry"]
    axes[0, 0].set_ylabel("(a) views")
    axes[1, 0].set_ylabel("(b) codes")


def _kept(run: pd.Series) -> tuple[Any, Floats, Floats]:
    """Arms, points and codes that a run keeps, (n,), (n, 2) and (n, columns); of n = 0 where it keeps none."""
    if not isinstance(run["codes"], str):
        return np.empty(0, dtype=int), np.empty((0, 2)), np.empty((0, 2))
    kept = json.loads(run["codes"])
    x, code = (np.array(kept[name], dtype=np.float64) for name in ("x", "code"))
    return np.array(kept["label"], dtype=int), x, code


def _draw_points(ax: Axes, run: pd.Series, panel: str, points: Floats, arm: Any) -> pd.DataFrame:
    """Draw the first two columns of points by arm; of one column its values twice."""
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ("top", "right"):
        ax.spines[side].set_visible(True)
    drawable = (np.isfinite(points) & (np.abs(points) < _LARGEST)).all(axis=1)
    if not drawable.any():
        text = "codes are\nnot finite" if len(points) else "no codes kept"
        ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=7.5, color=style.MUTED)
    else:
        shades = np.array([_ARMS[label % len(_ARMS)] for label in arm[drawable]])
        ax.scatter(points[drawable, 0], points[drawable, -1], s=3.2, c=shades, linewidth=0, zorder=3)
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.06)
        if np.ptp(points[drawable], axis=0).max() < _SAME * np.abs(points[drawable]).max():
            ax.text(0.5, 0.4, "all the same", transform=ax.transAxes, ha="center", fontsize=7.5, color=style.MUTED)
    return drawn_part(panel, run, [f"arm {label + 1}" for label in arm], points[:, 0], points[:, -1])


def _draw_training(
    axes: Any, rows: pd.DataFrame, table: pd.DataFrame, curves: pd.DataFrame, colours: dict[float, str]
) -> Iterator[pd.DataFrame]:
    """Draw the objective over training steps, a panel per geometry."""
    settings = rows.drop_duplicates("run_id").set_index("run_id")
    by_run = dict(tuple(curves.sort_values("step", kind="stable").groupby("run_id")))
    limits = _training_limits(table, curves)
    for ax, (geometry, cell) in zip(axes, table.groupby("geometry", sort=False), strict=True):
        for eta, truth in cell.groupby("eta")["truth"].first().items():
            ax.axhline(truth, color=colours[float(str(eta))], linewidth=1.0, linestyle=style.DASHED, zorder=1.6)
        batches = settings["batch"].astype(int).to_dict()
        for _, run in cell[cell["run_id"].isin(by_run)].iterrows():
            curve, batch = by_run[run["run_id"]], batches[run["run_id"]]
            shade = colours[run["eta"]]
            drawn = draw_curve(ax, curve["step"], curve[CURVE], batch=batch, start=0, limits=limits, colour=shade)
            yield drawn_part("training", run, drawn["series"], drawn["step"], drawn["value"])
        _draw_ceiling(ax, cell, limits)
        ax.set_title(f"(c) {geometry}")
        ax.set_xlabel("training steps")
        ax.set_ylim(limits)
        ax.set_xlim(0, float(settings["steps_done"].max()))
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes[0].set_ylabel("objective (InfoNCE), nats")


def _draw_ceiling(ax: Axes, cell: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Draw the largest value that the objective can take on a training batch, where it is in view."""
    for ceiling in cell.loc[cell["ceiling"] <= limits[1], "ceiling"].unique():
        ax.axhline(ceiling, color=style.INK, linestyle=style.DOTTED, linewidth=1.1, zorder=2.5)
        ax.annotate(
            f"log {math.exp(ceiling):,.0f} = {ceiling:.2f}",
            (1, ceiling),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 1.5),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=6.8,
            zorder=6,
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
        )


def _training_limits(table: pd.DataFrame, curves: pd.DataFrame) -> tuple[float, float]:
    return style.view(_training_points(table, curves), table["truth"])


def _training_points(table: pd.DataFrame, curves: pd.DataFrame) -> Floats:
    if CURVE not in curves:
        return np.empty(0)
    return curves.loc[curves["run_id"].isin(table["run_id"]), CURVE].to_numpy(np.float64, na_value=np.nan)


# --- text and tables ------------------------------------------------------------------------------------------


def _legend(table: pd.DataFrame, colours: dict[float, str]) -> dict[str, Line2D]:
    dot: dict[str, Any] = {"width": 0.0, "marker": "o"}
    samples = {
        f"arm {label + 1}": style.handle(_ARMS[label % len(_ARMS)], markersize=4, **dot)
        for label in range(table["arms"].max())
    }
    samples |= {f"η = {eta:g}": style.handle(colour, width=2.0) for eta, colour in colours.items()}
    return samples | {
        "probe of the codes": style.handle(PROBE, marker="o", markersize=5),
        "probe of the raw coordinates": style.handle(RAW, marker="o", markersize=5, markerfacecolor="white"),
        f"reported: {REPORTED_ACCURACY:.2f}": style.handle(REPORTED, width=0.0, marker="*", markersize=9),
        "objective": style.handle(OBJECTIVE, marker="o", markersize=5),
        "true MI, chance": style.handle(style.INK, style.DASHED, 1.2),
    }


def _caption(rows: pd.DataFrame, table: pd.DataFrame, curves: pd.DataFrame) -> str:
    done = finished(rows)
    shown = pd.DataFrame([_shown(cell) for _, cell in table.groupby(CELL, sort=False)])
    kept = [len(json.loads(codes)["label"]) for codes in shown["codes"] if isinstance(codes, str)]
    what = _WHAT.format(
        points=listing(sorted(set(kept))) or "no",
        seeds=f"seed {listing(sorted(shown['seed'].unique()))}",
        pools=listing(sorted(int(n) for n in done["fresh_pool"].dropna().unique())),
    )
    seeds = table.groupby(CELL).size()
    budget = (
        f"These rows: {listing(sorted(int(n) for n in done['n_negatives'].dropna().unique()))} negatives a row, "
        f"{listing(sorted(int(n) for n in done['steps'].unique()))} steps, "
        f"{' to '.join(str(n) for n in sorted({seeds.min(), seeds.max()}))} runs a cell."
    )
    diverged = int((table["status"] == "diverged").sum())
    collapsed = int((table["lost"] & (table["status"] != "diverged")).sum())
    unprobed = int(table["code_linear"].isna().sum())
    far, none = style.outside(_training_points(table, curves), _training_limits(table, curves))
    notes = [
        budget,
        f"{plural(diverged, 'run')} diverged and {'is' if diverged == 1 else 'are'} included." if diverged else "",
        f"{plural(collapsed, 'run')} collapsed, to an objective under {WITHOUT_INFORMATION:.0%} of the truth."
        if collapsed
        else "",
        f"{plural(unprobed, 'run')} without finite codes {'has' if unprobed == 1 else 'have'} no probe."
        if unprobed
        else "",
        outside_sentence(far, none, "raw point") and f"In (c) {outside_sentence(far, none, 'raw point')}",
        smoothing_sentence(rows),
    ]
    estimate = "curves are training-batch values; (e) is taken once, with the trained encoder, on fresh pairs."
    return caption(rows, what, _WHY, " ".join(filter(None, notes)), estimate=estimate)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row per cell: accuracies, gain and objective with intervals, beside the truth."""
    found = table.groupby(CELL)["truth"].first().reset_index()
    for value in (*OUTCOMES, "gain", "objective"):
        cells = summarise(table, CELL, value)[[*CELL, "n_runs", "mean", "low", "high"]]
        names = {"n_runs": "runs", "mean": value, "low": f"{value}_low", "high": f"{value}_high"}
        found = found.merge(cells.rename(columns=names), on=[c for c in [*CELL, "runs"] if c in found])
    order = {geometry: place for place, geometry in enumerate(table["geometry"].unique())}
    found = found.sort_values("geometry", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    return found[[*CELL, "runs", *(c for c in found if c not in (*CELL, "runs", "truth")), "truth"]]
