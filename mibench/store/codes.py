"""Rows of one component that different code made: what a name and a version do not tell apart.

Notable: a plug-in can be edited without raising its version, and rows of both states then lie in one folder. They are
different methods, so nothing averages over them: what counts is the code that was used last.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mibench.experiments.components import REGISTRIES

UNRECORDED = "unrecorded"
"""Stands for the code of rows that were stored before rows named it."""


class Mixed(NamedTuple):
    """A component with rows by several states of its code.

    Parameters
    ----------
    component
        As ``"estimator mine-v1"``.
    codes
        How many states there are.
    older
        Marks the rows of all but the one used last, (rows,).
    """

    component: str
    codes: int
    older: npt.NDArray[np.bool_]


def mixed_codes(runs: pd.DataFrame) -> list[Mixed]:
    """Find the components of which a table holds rows by several states of their code.

    Parameters
    ----------
    runs
        Rows of the runs table with the columns code and finished_at, and of each kind of component name and version.
    """
    places, texts = pd.factorize(runs["code"])
    by_text = [json.loads(text) for text in texts]
    found = []
    for component in sorted({name for codes in by_text for name in codes}):
        states = np.array([*(codes.get(component) for codes in by_text), None], dtype=object)[places]  # -1: null
        states[_is(component, runs) & pd.isna(states)] = UNRECORDED
        known = pd.Series(states, runs.index)
        if known.nunique() > 1:
            current = known[runs.loc[known.notna(), "finished_at"].sort_values(kind="stable").index[-1]]
            older = (known.notna() & (known != current)).to_numpy(bool)
            found.append(Mixed(component, known.nunique(), older))
    return found


def of_current_code(runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep of each component the rows by the code that was used last.

    Returns
    -------
    runs, note
        The rows, and a sentence about those that were left out; empty where none was.
    """
    mixed = mixed_codes(runs) if {"code", "finished_at"} <= set(runs.columns) else []
    if not mixed:
        return runs, ""
    older = np.logical_or.reduce([one.older for one in mixed])
    names = ", ".join(one.component for one in mixed)
    count = runs.loc[older, "run_id"].nunique()
    runs_of = "1 run" if count == 1 else f"{count:,} runs"
    return runs[~older], f"Left out: {runs_of} of {names} by other code than was used last."


def _is(component: str, runs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Mark the rows of a component, ``"estimator mine-v1"``, by their columns."""
    what, _, versioned = component.rpartition(" ")
    name, _, version = versioned.rpartition("-v")
    column = next((option for option, registry in REGISTRIES.items() if registry.what == what), None)
    if column is None:  # a module, which no column names
        return np.zeros(len(runs), bool)
    return ((runs[column] == name) & (runs[f"{column}_version"] == int(version))).to_numpy(bool)
