"""The figures' contract and registry, and what several figures share: selecting rows, facets, curves.

A figure is a pure function ``(runs, curves) -> (figure, table, caption)``: the two stored tables in, and out a
matplotlib figure that carries its caption, the table that it drew, and the caption as text. It raises `UsageError`
with one sentence where the rows do not suit it. A figure of a claim is given the rows of the claim's grid alone. A
plug-in adds one by decorating such a function, or one of a single table that returns the figure alone::

    @register_figure("my-figure")
    def my_figure(runs):
        ...
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mibench import smoothing, style
from mibench.claims import Claim
from mibench.errors import DuplicateNameError, UsageError
from mibench.labels import listing, plural, with_labels
from mibench.metrics import finished

MAX_PANELS = 30
"""Panels that a figure has at most; its caption says how many were left out."""

_Key = TypeVar("_Key")

CURVE = "estimate_train_median"
"""The curve that is drawn: the median over the training batches since the point before."""


_TITLE_CHARACTER = 0.078
"""Inches that a character of a panel's title takes on average."""

_ENDS = ("low", "mean", "high")


class Drawing(NamedTuple):
    """What a figure's function returns; a plain tuple of the first three will do."""

    figure: Figure
    """The figure, with its caption printed on it."""

    table: pd.DataFrame
    """Everything that was drawn."""

    caption: str
    """The caption as text, a paragraph a line."""

    summary: pd.DataFrame | None = None
    """A short table to read, where `table` is long."""


class Draw(Protocol):
    """What a figure's function looks like."""

    def __call__(self, runs: pd.DataFrame, curves: pd.DataFrame) -> tuple[Any, ...]:
        """Draw rows of the runs and curves tables."""


@dataclasses.dataclass(frozen=True)
class FigureEntry:
    """A registered figure."""

    name: str
    draw: Draw
    needs_curves: bool
    claim: Claim | None = None
    grid: str = ""
    """Shipped grid whose rows it is made for; of a claim the one of its name."""


FIGURES: dict[str, FigureEntry] = {}
"""All figures, in the order of registration."""


def register_figure(
    name: str, *, needs_curves: bool = False, claim: Claim | None = None, grid: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a figure's function under a name.

    Parameters
    ----------
    name
        What ``mibench report`` calls it, and the stem of its files. Of a claim also the name of its grid.
    needs_curves
        Whether it reads the curves table; without, it is given an empty one.
    claim
        What the figure tests; it is then given the rows of the grid of its name alone.
    grid
        Shipped grid whose rows show best what a figure of any rows can show; the report ``claims`` draws it from them.

    A function of one argument is given the runs (with ``needs_curves`` the curves) and returns the figure alone: its
    table is what it was given, its caption the first line of its docstring.

    Raises
    ------
    DuplicateNameError
        Where another function already has that name.
    """

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        alone = len(inspect.signature(function).parameters) == 1
        draw: Draw = _figure_alone(function, needs_curves) if alone else function
        if name in FIGURES and inspect.unwrap(FIGURES[name].draw) is not function:
            raise DuplicateNameError(f"the figure name '{name}' is taken; choose another")
        FIGURES[name] = FigureEntry(name, draw, needs_curves, claim, name if claim else grid)
        return function

    return enter


def _figure_alone(function: Callable[[pd.DataFrame], Figure], of_curves: bool) -> Draw:
    """Turn a function DataFrame -> Figure into a drawing."""

    @functools.wraps(function)
    def draw(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
        table = curves if of_curves else runs
        caption = (inspect.getdoc(function) or function.__name__).partition("\n")[0]
        return Drawing(function(table), table, caption)

    return draw


# --- selecting rows -------------------------------------------------------------------------------------------


def is_staircase(runs: pd.DataFrame) -> pd.Series:
    """Mark the rows of runs with a schedule of MI levels."""
    return ~runs["schedule"].fillna("[]").isin(["[]", "{}", ""])


def constant_runs(runs: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Return the runs with constant MI, failed ones included.

    Raises
    ------
    UsageError
        Where none of them has a result.
    """
    return _with_result(runs[~is_staircase(runs)], f"{figure} needs finished runs with constant MI; run a grid first")


def staircase_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with a schedule of MI levels, a row per stair.

    Raises
    ------
    UsageError
        Where none of them has a result.
    """
    return _with_result(
        runs[is_staircase(runs)], "staircase needs finished runs with a schedule of MI levels; run some with --schedule"
    )


def _with_result(runs: pd.DataFrame, otherwise: str) -> pd.DataFrame:
    if finished(runs).empty:
        raise UsageError(otherwise)
    return runs


# --- facets ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Facet:
    """One panel's share of the rows."""

    estimator: str
    """Label of its estimator; empty where estimators share the panel."""

    setup: str
    negatives: str
    task: str
    batch: int
    rows: pd.DataFrame

    @property
    def row_key(self) -> tuple[str, str, str, str]:
        """What panels of one row have in common."""
        return self.task, self.estimator, self.setup, self.negatives


def facets(runs: pd.DataFrame, *, together: bool = False) -> list[Facet]:
    """Split labelled runs by task, estimator, other settings, negative sampler and batch size, in this order.

    Parameters
    ----------
    runs
        Rows of `with_labels`.
    together
        Whether all estimators share a panel.
    """
    shared = pd.Series("", index=runs.index) if together else runs["estimator_label"]
    found = []
    for key, rows in runs.groupby(["task_label", shared, "setup", "negatives_label", "batch"]):
        task, estimator, setup, negatives = map(str, key[:4])
        found.append(Facet(estimator, setup, negatives, task, int(rows["batch"].iloc[0]), rows))
    return sorted(found, key=lambda f: (f.task, f.estimator, f.setup, sampler_order(f.negatives), f.batch))


def sampler_order(label: str) -> tuple[bool, str]:
    """Sort key of negative samplers: shuffle, the seeds' sampler, comes first."""
    return not label.startswith("shuffle"), label


def arrange(items: Sequence[Facet]) -> tuple[list[list[Facet]], str]:
    """Lay panels out in rows of up to five batch sizes, or in rows of four where there is one batch size.

    Returns
    -------
    rows, note
        At most `MAX_PANELS` panels, and a sentence for the caption about those left out (empty if none).
    """
    kept, note = first_panels(items)
    batches = {item.batch for item in kept}
    if 1 < len(batches) <= 5:
        rows: dict[tuple[str, str, str, str], list[Facet]] = {}
        for item in kept:
            rows.setdefault(item.row_key, []).append(item)
        return list(rows.values()), note
    across = len(kept) if len(kept) <= 3 else 4 if len(kept) != 9 else 3
    return [kept[i : i + across] for i in range(0, len(kept), across)], note


def first_panels(keys: Sequence[_Key], across: int = 1) -> tuple[list[_Key], str]:
    """Keep as many panels, or rows of panels, as make at most `MAX_PANELS`, one at least.

    Parameters
    ----------
    keys
        A key for every panel, or for every row of panels that are drawn or left out together, in order.
    across
        Panels that a key stands for.

    Returns
    -------
    kept, note
        The first keys, and a sentence for the caption about those left out (empty if none).
    """
    fit = max(MAX_PANELS // across, 1)
    what = "panels" if across == 1 else "rows of panels"
    note = f"Only the first {fit} of {len(keys)} {what} are drawn; select rows to see the others."
    return list(keys[:fit]), note if len(keys) > fit else ""


def panel_title(facet: Facet, inches: float = 5.0) -> str:
    """Name a panel by estimator, sampler and N, and below by the settings that differ between panels.

    Settings that are longer than the panel is wide take further lines.
    """
    first = " · ".join(filter(None, [facet.estimator, facet.negatives, f"N = {facet.batch:,}"]))
    return "\n".join([first, *textwrap.wrap(facet.setup, int(inches / _TITLE_CHARACTER))])


def estimator_colours(runs: pd.DataFrame, rows: pd.DataFrame) -> dict[str, str]:
    """Colour of each estimator label of a figure, the same in every figure of a report.

    Parameters
    ----------
    runs
        All runs of the report: the colours are chosen among them, since figures differ in the rows that they draw
        and thereby in their labels.
    rows
        The figure's own rows, labelled.
    """
    known = with_labels(runs).drop_duplicates("run_id").set_index("run_id")
    colours = style.estimator_colours(known["estimator"], known["estimator_label"])
    first = rows.drop_duplicates("estimator_label")
    labels = zip(first["estimator_label"], known.loc[first["run_id"], "estimator_label"], strict=True)
    return {own: colours[label] for own, label in labels}


def estimator_names(rows: pd.DataFrame) -> dict[str, str]:
    """Registered name of each estimator label that occurs, in the order of the labels."""
    first = rows.drop_duplicates("estimator_label").sort_values("estimator_label")
    return dict(zip(first["estimator_label"].astype(str), first["estimator"].astype(str), strict=True))


# --- means over seeds -----------------------------------------------------------------------------------------


def draw_means(
    ax: Axes, x: pd.Series, line: pd.DataFrame, *, limits: tuple[float, float] | None = None, **look: Any
) -> None:
    """Draw the means of `summarise` with their intervals.

    Parameters
    ----------
    limits
        View of the axis, where values may lie too far outside it for a renderer.
    look
        Options of the line; its colour is also that of the intervals.
    """
    low, mean, high = (line[end] if limits is None else style.drawable(line[end], limits) for end in _ENDS)
    ax.vlines(x, low, high, color=look["color"], linewidth=1.1, zorder=4)
    ax.plot(x, mean, zorder=5, **look)


def diverged_sentence(runs: pd.DataFrame) -> str:
    """State how many of the runs drawn diverged; empty where none did."""
    count = runs.loc[runs["status"] == "diverged", "run_id"].nunique()
    return f"{plural(count, 'diverged run')} {'is' if count == 1 else 'are'} among them." if count else ""


def fixed_sample_clause(runs: pd.DataFrame) -> str:
    """Say where an estimate is a test value, to follow on what it is elsewhere; empty where it nowhere is."""
    return "; on a fixed sample it is the value of the test part" if (runs["regime"] == "dataset").any() else ""


# --- curves ---------------------------------------------------------------------------------------------------


def draw_curve(
    ax: Axes, steps: pd.Series, values: pd.Series, *, batch: int, start: int, limits: tuple[float, float], colour: str
) -> pd.DataFrame:
    """Draw one run's curve, or one stair of it: raw and faint behind, smoothed in front.

    Returns
    -------
    DataFrame
        What was drawn: ``series`` (raw or smoothed), ``step``, ``value``.
    """
    at, smoothed = smoothing.smooth_curve(steps, values, batch=batch, start=start)
    ax.plot(steps, style.drawable(values, limits), color=colour, linewidth=0.6, alpha=0.35, zorder=2)
    ax.plot(at, style.drawable(smoothed, limits), color=colour, linewidth=1.5, zorder=3)
    return pd.DataFrame(
        {
            "series": np.repeat(["raw", "smoothed"], [len(steps), len(at)]),
            "step": np.concatenate([steps.to_numpy(np.float64), at]),
            "value": np.concatenate([values.to_numpy(np.float64), smoothed]),
        }
    )


def smoothing_sentence(runs: pd.DataFrame, within: str = "") -> str:
    """State the smoothing rule, and where its epochs had to be shortened."""
    done = finished(runs)
    stairs = done.groupby("run_id")["stair"].transform("max") + 1
    short = sorted(
        {
            int(b)
            for b, s in zip(done["batch"], done["steps"] // stairs, strict=True)
            if smoothing.epoch_steps(int(b), int(s)) < smoothing.epoch_steps(int(b))
        }
    )
    text = (
        "Faint: the median over the training batches since the point before, one line a run. Bold: the same, smoothed "
        f"by the rule of Gosch (2020){within}: means over epochs of 51200/N training steps (100 from N = 512 on), then "
        "averages with weights (11 - d)/11 over up to 10 epochs either side, divided by the sum of the weights."
    )
    if short:
        text += (
            f" At N = {listing(short)} this would make fewer than {smoothing.MIN_EPOCHS} epochs; they are "
            f"shortened to make {smoothing.MIN_EPOCHS}."
        )
    return text


def outside_sentence(far: int, nonfinite: int, what: str) -> str:
    """State how many values the view does not show; empty where it shows all.

    Parameters
    ----------
    far, nonfinite
        Finite values outside the view, and values that are not finite.
    what
        What they are, in the singular.
    """
    parts = []
    if far:
        parts.append(f"{plural(far, what)} {'lies' if far == 1 else 'lie'} outside the view")
    if nonfinite:
        parts.append(f"{plural(nonfinite, what)} {'is' if nonfinite == 1 else 'are'} not finite")
    return f"{' and '.join(parts)}; the table holds all of them." if parts else ""
