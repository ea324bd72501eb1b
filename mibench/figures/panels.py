"""Panels: which runs a figure draws, how they are shared out among panels, and the panels' titles and colours.

Notable: colours of estimators are chosen among all runs of a report, so that figures of different rows agree.
"""

from __future__ import annotations

import dataclasses
import itertools
import textwrap
from collections.abc import Iterable, Sequence
from typing import TypeVar

import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.labels import sampler_order, with_labels
from mibench.analysis.metrics import finished, is_staircase, with_truth
from mibench.core.errors import UsageError
from mibench.figures import style

MAX_PANELS = 30
"""Panels that a figure has at most; its caption says how many were left out."""

_Key = TypeVar("_Key")
_TITLE_CHARACTER = 0.078
"""Inches that a character of a panel's title takes on average."""


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
    if finished(with_truth(runs)).empty:
        raise UsageError(otherwise)
    return runs


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


def by_row(layout: Iterable[Iterable[Facet]]) -> dict[tuple[str, str, str, str], list[Facet]]:
    """Gather facets by `Facet.row_key`: those of one view."""
    groups: dict[tuple[str, str, str, str], list[Facet]] = {}
    for facet in itertools.chain.from_iterable(layout):
        groups.setdefault(facet.row_key, []).append(facet)
    return groups


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
        return list(by_row([kept]).values()), note
    across = len(kept) if len(kept) <= 3 else 4 if len(kept) != 9 else 3
    return [kept[i : i + across] for i in range(0, len(kept), across)], note


def name_axes(panels: Iterable[Sequence[Axes]], layout: Sequence[Sequence[Facet]], x: str, y: str) -> None:
    """Name the axes at the left edge and at the lowest panel of every column, and remove panels without a facet."""
    for i, (axes, row) in enumerate(zip(panels, layout, strict=True)):
        axes[0].set_ylabel(y)
        for j, ax in enumerate(axes):
            if j >= len(row):
                ax.remove()
            elif i + 1 == len(layout) or j >= len(layout[i + 1]):
                ax.set_xlabel(x)


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
