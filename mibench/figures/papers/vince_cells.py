"""Cells of double spirals over the width of the noise: accuracies of the probe, and the objective against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.metrics import summarise
from mibench.claims.vince import OUTCOMES, REPORTED_ACCURACY, REPORTED_ETA
from mibench.figures import style
from mibench.figures.style.palette import ESTIMATOR_COLOURS

CELL = ["geometry", "eta"]
PROBE, RAW, OBJECTIVE = "#4477AA", "#8A8A8A", ESTIMATOR_COLOURS["infonce"]
REPORTED = "#AA3377"
_ACCURACIES = (0.35, 0.85)
_APART = 0.12
"""How far a cell's dots, one a run, stand from its mean; cells are 1 apart."""


def draw_probe(ax: Axes, table: pd.DataFrame) -> pd.DataFrame:
    """Draw accuracies of codes and raw coordinates over the widths of every geometry."""
    places = _places(table)
    limits = _accuracy_limits(table)
    for outcome, shade, side in (("x_linear", RAW, -0.16), ("code_linear", PROBE, 0.16)):
        _draw_cells(ax, table, outcome, places, shade, side, limits, hollow=outcome == "x_linear")
    for place, arms in zip(places.values(), table.groupby(CELL, sort=False)["arms"].first(), strict=True):
        ax.hlines(
            1 / arms, place - 0.5, place + 0.5, color=style.INK, linewidth=1.0, linestyle=style.DASHED, zorder=1.5
        )
    stars = [place for (_, eta), place in places.items() if eta == REPORTED_ETA]
    ax.scatter(stars, [REPORTED_ACCURACY] * len(stars), marker="*", s=60, color=REPORTED, linewidth=0, zorder=6)
    _finish_cells(ax, places, limits, "(d) held-out accuracy of a linear probe", "accuracy")
    return pd.concat([drawn_part("probe", table, name, table["eta"], table[name]) for name in OUTCOMES])


def _accuracy_limits(table: pd.DataFrame) -> tuple[float, float]:
    values = table[list(OUTCOMES)].to_numpy(np.float64)
    low, high = (float(np.nanmin(values)), float(np.nanmax(values))) if np.isfinite(values).any() else _ACCURACIES
    return max(min(_ACCURACIES[0], low - 0.03), -0.02), min(max(_ACCURACIES[1], high + 0.03), 1.02)


def draw_objective(ax: Axes, table: pd.DataFrame) -> pd.DataFrame:
    """Draw the objective on a large pool, and the true MI, over the widths of every geometry."""
    places = _places(table)
    limits = style.view(table["objective"], table["truth"])
    _draw_cells(ax, table, "objective", places, OBJECTIVE, 0.0, limits)
    for _, truth in table.groupby("geometry", sort=False):
        levels = truth.groupby(CELL)["truth"].first()
        at = [places[key] for key in levels.index]
        ax.plot(at, levels, color=style.INK, linestyle=style.DASHED, linewidth=1.2, marker="_", markersize=9, zorder=2)
    _finish_cells(ax, places, limits, "(e) objective on a large pool, and the true MI", "objective, nats")
    series = (("objective", table["objective"]), ("true MI", table["truth"]))
    return pd.concat([drawn_part("objective", table, name, table["eta"], values) for name, values in series])


def _places(table: pd.DataFrame) -> dict[tuple[str, float], float]:
    """Where each geometry and width stands on an axis that they share, a step apart, geometries by two."""
    places: dict[tuple[str, float], float] = {}
    at = 0.0
    for geometry, cell in table.groupby("geometry", sort=False):
        for eta in sorted(cell["eta"].unique()):
            places[str(geometry), float(eta)] = at
            at += 1
        at += 0.6
    return places


def _draw_cells(
    ax: Axes,
    table: pd.DataFrame,
    value: str,
    places: dict[tuple[str, float], float],
    colour: str,
    side: float,
    limits: tuple[float, float],
    *,
    hollow: bool = False,
) -> None:
    """Draw a value's means with intervals by cell, joined within a geometry, and a dot a run."""
    face = "white" if hollow else colour
    cells = summarise(table, CELL, value)
    for _, rows in cells.groupby("geometry"):
        at = np.array([places[key] for key in zip(rows["geometry"], rows["eta"], strict=True)]) + side
        low, mean, high = (style.drawable(rows[end], limits) for end in ("low", "mean", "high"))
        ax.plot(at, mean, color=colour, linewidth=0.9, alpha=0.6, zorder=3)
        ax.vlines(at, low, high, color=colour, linewidth=1.3, zorder=4)
        ax.plot(at, mean, linestyle="", marker="o", markersize=4.8, color=colour, markerfacecolor=face, zorder=5)
    at = np.array([places[key] for key in zip(table["geometry"], table["eta"], strict=True)]) + side
    values = table[value].to_numpy(np.float64)
    inside = (values >= limits[0]) & (values <= limits[1])
    apart = np.copysign(_APART, side or 1.0)
    ax.scatter(at[inside] + apart, values[inside], s=6, color=colour, alpha=0.6, linewidth=0, zorder=3.5)


def _finish_cells(
    ax: Axes, places: dict[tuple[str, float], float], limits: tuple[float, float], title: str, unit: str
) -> None:
    """Label an axis of cells with their widths and, below, with the geometries."""
    ax.set_xticks(list(places.values()), [f"{eta:g}" for _, eta in places])
    ax.set_xlim(-0.6, max(places.values()) + 0.6)
    ax.set_ylim(limits)
    ax.grid(visible=False, axis="x")
    for geometry in dict.fromkeys(name for name, _ in places):
        own = [place for (name, _), place in places.items() if name == geometry]
        ax.annotate(
            geometry,
            (float(np.mean(own)), 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -18),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
            color=style.INK,
        )
    ax.set_xlabel("width η of the views' noise", labelpad=13)
    ax.set_ylabel(unit)
    ax.set_title(title)


def drawn_part(panel: str, run: Any, series: Any, at: Any, value: Any) -> pd.DataFrame:
    """Rows of the table of everything drawn."""
    keys = {name: run[name] for name in ("geometry", "eta", "seed")}
    values = {"series": series, "at": np.asarray(at), "value": np.asarray(value)}
    return pd.DataFrame({"panel": panel, **keys, **values, "run_id": run["run_id"]})
