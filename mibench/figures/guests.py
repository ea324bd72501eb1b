"""Estimators that bring a critic or a sampler of their own, in the panels of those that take the grid's.

Notable: such an estimator is the same whatever critic and sampler the others have, so that a grid runs it once, and it
stands in every panel that differs from its own in these alone. An option that it has no use for sets no panel apart.
"""

from __future__ import annotations

import pandas as pd

from mibench.analysis.labels import listing, with_labels
from mibench.experiments.specs import EXACT

_TASK = "task_label"  # the task without its level of MI
_BROUGHT = {
    "own_critic": ("critic", "critic_version", "critic_params", "hidden", "activation", "dropout"),
    "own_negatives": ("negatives", "negatives_version", "negatives_params"),
}
_LENGTHS = ("batch", "steps", "window", "patience")
_OTHERS = ("regime", "samples", *_LENGTHS, "lr", "weight_decay", "optimiser", "precision")
_COMPARED = (_TASK, *(name for names in _BROUGHT.values() for name in names), *_OTHERS)


def place_guests(runs: pd.DataFrame) -> pd.DataFrame:
    """Copy the rows of estimators with their own critic or sampler, once for every place beside the others.

    Parameters
    ----------
    runs
        Rows of the runs table.

    Returns
    -------
    DataFrame
        The rows of the others, then copies that name the critic, sampler and unused options of a place in place of
        their own; a row that has no place beside the others stays as it is. The exact critic is no place for an
        estimator with its own.
    """
    guest = _is_guest(runs)
    if guest.all() or not guest.any():
        return runs
    rows = runs.assign(**{_TASK: with_labels(runs)[_TASK]})
    hosts = rows[~guest]
    groups = rows[guest].groupby([*_BROUGHT, *_COMPARED], dropna=False, sort=True)
    placed = pd.concat([hosts, *(_placed(rows_of_one, hosts) for _, rows_of_one in groups)], ignore_index=True)
    return placed.drop(columns=_TASK)


def guests_sentence(runs: pd.DataFrame) -> str:
    """Name the estimators that `place_guests` copies, and what they bring; empty where there are none."""
    guest = _is_guest(runs)
    if guest.all() or not guest.any():
        return ""
    parts = []
    for option, what in (("critic", "critic"), ("negatives", "sampler")):
        own = runs[runs[f"own_{option}"].eq(1).fillna(False)]
        names = [f"{estimator} ({brought})" for estimator, brought in own.groupby("estimator")[option].first().items()]
        if names:
            parts.append(f"a {what} of their own: {listing(names)}")
    return f"In every panel that differs from theirs in that alone stand estimators with {', and with '.join(parts)}."


def _is_guest(runs: pd.DataFrame) -> pd.Series:
    marks: pd.Series = runs[list(_BROUGHT)].eq(1).fillna(False).astype(bool).any(axis=1)
    return marks


def _placed(rows: pd.DataFrame, hosts: pd.DataFrame) -> pd.DataFrame:
    """Copy rows that agree in everything compared to the places that the others have for them."""
    first = rows.iloc[0]
    own_critic = first["own_critic"] == 1
    taken = {name for mark, names in _BROUGHT.items() if first[mark] == 1 for name in names}
    if own_critic and first["critic"] == "none" and pd.notna(first["samples"]):  # takes the sample as a whole, once
        taken |= {*_LENGTHS}
    taken |= {name for name in _COMPARED if pd.isna(first[name])}
    if own_critic:
        hosts = hosts[hosts["critic"] != EXACT]
    for name in _COMPARED:
        if name not in taken:
            hosts = hosts[hosts[name].eq(first[name]).fillna(False)]
    columns = [name for name in _COMPARED if name in taken]
    places = hosts[columns].drop_duplicates()
    return rows if places.empty else rows.drop(columns=columns).merge(places, how="cross")[rows.columns]
