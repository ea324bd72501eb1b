"""What estimators state of themselves that boards need: what they are given, and whom they coincide with. No torch.

Notable:

- Statements are those of the classes of today, read without importing them: rows of any age are marked alike. Of a
  plug-in nothing is known until somebody has loaded it.
- That two estimators coincide cannot be seen in their rows: each run draws its own batches. It is stated, and the
  statement holds of functions of the scores, so that it is for rows to be of the same critics, samplers and lengths.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from mibench.analysis.labels import parameter_texts, versioned
from mibench.core.registry import ESTIMATORS
from mibench.ranking.matrix import COMPARED, Matrix

_NEGATIVES = "n_negatives"


@dataclasses.dataclass(frozen=True)
class Coincidence:
    """A statement that two estimators coincide: the other's versioned name, and what must hold."""

    other: str
    conditions: Mapping[str, str]


def given_of(methods: pd.DataFrame) -> list[str]:
    """Return what each method's estimator is given or takes for granted; empty where nothing is, or is known."""
    names = zip(methods["estimator"], methods["estimator_version"], strict=True)
    entries = [ESTIMATORS.known(str(name), int(version)) for name, version in names]
    return ["" if entry is None else entry.given for entry in entries]


def read_coincidence(text: str) -> Coincidence:
    """Read ``"infonce-v1 where form=simplified"``; see `mibench.core.estimator.Estimator.coincides`."""
    other, _, conditions = text.partition(" where ")
    parts = [condition.partition("=") for condition in conditions.split(",") if condition]
    return Coincidence(other.strip(), {name.strip(): value.strip() for name, _, value in parts})


def twins_of(matrix: Matrix) -> dict[int, int]:
    """Find the methods that coincide with another one of the board in all cells, by their places in the matrix."""
    methods = matrix.methods
    names = list(versioned(methods, "estimator"))
    found: dict[int, int] = {}
    for method in range(len(methods)):
        for stated in _stated(methods.iloc[method]):
            for other in (place for place, name in enumerate(names) if name == stated.other and place not in found):
                if _holds(stated, matrix, method, other):
                    found.setdefault(method, other)
    return found


def _stated(method: pd.Series) -> Iterator[Coincidence]:
    entry = ESTIMATORS.known(str(method["estimator"]), int(method["estimator_version"]))
    return map(read_coincidence, () if entry is None else entry.coincides)


def _holds(stated: Coincidence, matrix: Matrix, method: int, other: int) -> bool:
    """Whether the conditions hold, the parameters that both have agree, and the runs are of one kind in every cell."""
    params = [matrix.methods["estimator_params"].iloc[place] for place in (method, other)]
    texts = parameter_texts(params[0])
    if any(texts.get(name) != value for name, value in stated.conditions.items() if name != _NEGATIVES):
        return False
    own, theirs = map(json.loads, params)
    if any(own[name] != theirs[name] for name in set(own) & set(theirs)):
        return False
    rows = matrix.rows[[method, other]]
    ours, others = (matrix.runs.iloc[part[part >= 0]].reset_index(drop=True) for part in rows)
    if _NEGATIVES in stated.conditions:
        wanted = float(stated.conditions[_NEGATIVES])
        if not np.all(ours[_NEGATIVES].to_numpy(np.float64) == wanted):
            return False
    return bool(ours[COMPARED].equals(others[COMPARED]))
