"""The matrix that a ranking is made of: methods by cells by seeds, complete or left out. No torch, no files.

Notable:

- A **method** is an estimator with its version and its parameters. A **cell** is everything else that a run is made of
  but its seed: task with parameters and true MI, sample, critic and how it is trained, sampler, batch, steps.
- An estimator that brings its own critic or sampler is run once where others are run with each of the grid's: that run
  stands for it in every cell that differs in these options alone, since it is what a user gets there whatever else is
  asked for. Likewise an estimator that takes a fixed sample as a whole has no use for batch size and steps.
- Where no method was run with more than one sampler, the samplers are the methods' own defaults, and tell no cells
  apart.
- The cells are those that any method has, with the seeds that any method has in them. A method that lacks a run is
  named and left out; a cell never is.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mibench.analysis.labels import COMPONENTS, component_id, listing, plural, with_labels
from mibench.analysis.metrics import Floats
from mibench.ranking.columns import FIXED_SAMPLES, TRACKS
from mibench.ranking.statistics import Bools, Ints
from mibench.store.columns import RANKED, RESULT_STATUSES, RUNS

METHOD = ["estimator", "estimator_version", "estimator_params"]
"""Columns that make a method."""

TASK = ["task", "task_version", "task_params", "schedule"]
"""Columns that make a task."""

CRITIC = ["critic", "critic_version", "critic_params"]
TRAINED = ["hidden", "activation", "dropout", "lr", "weight_decay", "optimiser"]
"""Columns of what is trained, and how."""

WITHOUT_CRITIC = "none"
"""Critic of estimators that take a sample as a whole."""

_SAMPLER = ["negatives", "negatives_version", "negatives_params"]
LENGTHS = ["batch", "steps", "window", "every", "patience"]
_KEY = [*TASK, "samples", *CRITIC, *TRAINED, "precision", *_SAMPLER, *LENGTHS, "protocol", "stair"]

COMPARED = [*CRITIC, *TRAINED, "precision", *_SAMPLER]
"""What two methods in one cell may yet differ in, where one brings its own or takes its default."""

_LEVEL = ("task_params", "schedule", "stair")
"""Columns of a key that hold the true MI: without them a setting is left, in which levels are compared."""

_NESTED_MI = re.compile(r":mi=[^:,\"]*")
"""The true MI of a task inside a parameter of another one, as the base of a transformed task."""

_COLUMNS = [column for column in RUNS if column.name in RANKED]
_VALUES = ["estimate_train_median", "estimate_test", "seconds"]
_FILLED: dict[str, Any] = {
    **dict.fromkeys(COMPONENTS, ""),
    **{f"{name}_version": 1 for name in COMPONENTS},
    **{f"{name}_params": "{}" for name in COMPONENTS},
    **{"stair": 0, "seed": 0, "schedule": "[]", "regime": "stream", "session_id": ""},
}
KINDS = frozenset(TRACKS) - frozenset(FIXED_SAMPLES)
"""What an estimator can be."""

_MISSING, _ANY = 0, -1
"""Codes of a null and of "whatever the others have" among a key's columns."""


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Rows of one regime by method, cell and seed.

    Parameters
    ----------
    methods
        A row per method: its label ``method``, the columns `METHOD`, ``kind`` (of all its runs; a plug-in where any of
        them is no bound or they differ) and ``lacking`` (what is missing, in words; empty where nothing is).
    cells
        A row per cell: its ``name``; ``task``, ``family``, ``setting`` and ``setup`` (numbers from 0; a family are
        tasks that differ in true MI alone, a setting is all but the true MI, a setup all but the task);
        ``family_name``, ``sampler``, ``mi_true`` (nats) and ``batch``.
    runs
        The rows, in a canonical order.
    rows
        Row of each method, cell and seed, (K, C, S); -1 where there is none.
    """

    methods: pd.DataFrame
    cells: pd.DataFrame
    runs: pd.DataFrame
    rows: Ints

    def numbers(self, column: str) -> Floats:
        """Return a column of numbers as (K, C, S); NaN where it is null or there is no run."""
        values = np.append(self.runs[column].to_numpy(np.float64, na_value=math.nan), math.nan)
        return values[self.rows]

    def known(self, column: str) -> Bools:
        """Mark the runs whose column is not null, (K, C, S)."""
        return np.append(self.runs[column].notna().to_numpy(bool), False)[self.rows]

    def matches(self, column: str, *wanted: str) -> Bools:
        """Mark the runs whose column has one of the values, (K, C, S)."""
        return np.append(self.runs[column].isin(wanted).to_numpy(bool), False)[self.rows]

    def select(self, methods: Bools | None = None, cells: Bools | None = None) -> Matrix:
        """Keep some methods and cells; tasks, families and settings are numbered anew."""
        kept_methods = slice(None) if methods is None else methods
        kept_cells = slice(None) if cells is None else cells
        return Matrix(
            self.methods[kept_methods].reset_index(drop=True),
            _renumbered(self.cells[kept_cells].reset_index(drop=True)),
            self.runs,
            self.rows[kept_methods][:, kept_cells],
        )


def build_matrix(runs: pd.DataFrame, seeds: Collection[int] | None = None) -> Matrix:
    """Arrange rows of one regime.

    Parameters
    ----------
    runs
        Rows of `canonical_rows`.
    seeds
        The seeds that every cell must have, others are left out; by default all that any method has in it.
    """
    runs = (runs if seeds is None else runs[runs["seed"].isin(list(seeds))]).reset_index(drop=True)
    methods = runs.drop_duplicates(METHOD)[METHOD].sort_values(METHOD, ignore_index=True)
    owner = runs[METHOD].merge(methods.reset_index(names="number"), how="left")["number"].to_numpy(np.int64)
    keys, key_of_row = _keys(runs, owner)
    cells = _cells(keys)
    seed_of_row = runs["seed"].to_numpy(np.int64)
    found = [
        _rows_of_method(np.flatnonzero(owner == method), seed_of_row, keys, key_of_row, cells)
        for method in range(len(methods))
    ]
    wanted = [sorted(seeds or set().union(*(by_cell[cell] for by_cell in found))) for cell in range(len(cells))]
    rows = np.full((len(methods), len(cells), max(map(len, wanted), default=0)), -1, dtype=np.int64)
    for method, by_cell in enumerate(found):
        for cell, numbers in enumerate(wanted):
            rows[method, cell, : len(numbers)] = [by_cell[cell].get(seed, -1) for seed in numbers]
    truth = _truth(runs, rows)
    by_level = np.lexsort((truth, *keys[cells][:, [_KEY.index("task_version"), _KEY.index("task")]].T))
    known = by_level[np.isfinite(truth[by_level])]  # where the truth is not known there is no error
    rows, wanted = rows[:, known], [wanted[cell] for cell in known]
    known_keys = np.array(cells, dtype=np.int64)[known]
    first_rows = np.unique(key_of_row, return_index=True)[1][known_keys]
    described = _described(runs.iloc[first_rows], keys[known_keys], truth[known])
    methods = methods.assign(
        method=runs.groupby(owner)["estimator_label"].first(),
        kind=(kinds := runs.groupby(owner)["kind"]).agg(_kind),
        lacking=[
            _of_no_kind(found) or _lacking(of_method, wanted, list(described["name"]))
            for of_method, (_, found) in zip(rows, kinds, strict=True)
        ],
    )
    return Matrix(methods, described, runs, rows)


def canonical_rows(runs: pd.DataFrame) -> pd.DataFrame:
    """Return labelled rows in one order whatever the order they came in, with the columns `RANKED`.

    A column that the frame does not have tells no cells apart; without the tasks' parameters their true MI does.
    """
    rows = runs.reset_index(drop=True).reindex(columns=[column.name for column in _COLUMNS])
    for column in _COLUMNS:
        if column.type in ("int64", "float64"):
            rows[column.name] = pd.to_numeric(rows[column.name])
    levels = rows["mi_true"].map(lambda mi: f'{{"mi":{mi}}}')
    for name, value in {**_FILLED, "task_params": levels}.items():
        rows[name] = rows[name].astype(object).where(rows[name].notna(), value)
    whole = [name for name, value in _FILLED.items() if isinstance(value, int)]
    rows = rows.astype(dict.fromkeys(whole, "int64"))
    for name in ("own_critic", "own_negatives"):  # of a run that crashed nothing is known: what holds for its method
        of_method = rows[name].groupby([rows[column] for column in METHOD]).transform("max")
        rows[name] = rows[name].fillna(of_method).eq(1)
    rows["no_result"] = ~rows["status"].isin(RESULT_STATUSES)  # of two copies of a run the first one counts
    order = [*METHOD, "no_result", "run_id", "stair", *_VALUES]
    return with_labels(rows.sort_values(order, kind="stable", ignore_index=True))


# --- keys and cells -----------------------------------------------------------------------------------------


def _keys(runs: pd.DataFrame, owner: Ints) -> tuple[Ints, Ints]:
    """Distinct cells of runs as codes (n, columns of `_KEY`), and which of them each row has."""
    codes = pd.DataFrame({name: _codes(runs[name]) for name in _KEY})
    own_critic, own_sampler = runs["own_critic"].to_numpy(bool), runs["own_negatives"].to_numpy(bool)
    choosing = runs[~own_sampler].groupby(owner[~own_sampler])["negatives_label"].nunique()
    if (choosing <= 1).all() and runs["negatives_label"].nunique() > 1:
        own_sampler = np.ones(len(runs), dtype=bool)
    codes.loc[own_critic, CRITIC] = _ANY
    for name in TRAINED:
        codes.loc[own_critic & runs[name].isna().to_numpy(), name] = _ANY
    codes.loc[own_critic & (runs["precision"] == "float32").to_numpy(bool), "precision"] = _ANY
    codes.loc[own_sampler, _SAMPLER] = _ANY
    whole = own_critic & (runs["critic"] == WITHOUT_CRITIC).to_numpy(bool) & runs["samples"].notna().to_numpy()
    codes.loc[whole, LENGTHS] = _ANY
    keys, key_of_row = np.unique(codes.to_numpy(np.int64), axis=0, return_inverse=True)
    return keys, key_of_row.reshape(-1).astype(np.int64)


def _codes(values: pd.Series) -> Ints:
    """Numbers that tell a column's values apart, in their order; 0 for a null."""
    plain = values if pd.api.types.is_numeric_dtype(values) else values.map(str, na_action="ignore")
    return pd.factorize(plain, sort=True)[0].astype(np.int64) + 1


def _fit(keys: Ints, cells: Ints) -> Bools:
    """Which keys stand for which cells (n, C): equal but for what either leaves open.

    A method that brings its critic also stands in cells whose critic has no use for an option that its own has.
    """
    fits = np.ones((len(keys), len(cells)), dtype=bool)
    own_critic = keys[:, _KEY.index("critic")] == _ANY
    for place, name in enumerate(_KEY):
        key, cell = keys[:, place, None], cells[None, :, place]
        same = (key == cell) | (key == _ANY) | (cell == _ANY)
        if name in TRAINED:
            same |= own_critic[:, None] & (cell == _MISSING)
        fits &= same
    return fits


def _cells(keys: Ints) -> list[int]:
    """Choose the keys that make cells: all that leave nothing open, and of the others those that fit none yet."""
    chosen: list[int] = []
    open_options = (keys == _ANY).sum(axis=1)
    for key in np.argsort(open_options, kind="stable"):
        if not open_options[key] or not _fit(keys[[key]], keys[chosen]).any():
            chosen.append(int(key))
    return sorted(chosen)


def _rows_of_method(
    mine: Ints, seeds: Ints, keys: Ints, key_of_row: Ints, cells: Sequence[int]
) -> list[dict[int, int]]:
    """For every cell a method's rows by seed: of the cell's own key, else of the key that leaves least open."""
    by_key: dict[int, dict[int, int]] = {}
    for row in mine:
        by_key.setdefault(int(key_of_row[row]), {}).setdefault(int(seeds[row]), int(row))
    standing = sorted((int((keys[key] == _ANY).sum()), key) for key in by_key if (keys[key] == _ANY).any())
    fits = _fit(keys[[key for _, key in standing]], keys[cells])
    found = []
    for cell, column in zip(cells, fits.T, strict=True):
        standing_in = by_key[standing[int(np.argmax(column))][1]] if column.any() else {}
        found.append(by_key.get(cell, standing_in))
    return found


def _truth(runs: pd.DataFrame, rows: Ints) -> Floats:
    """True MI of each cell (C,); NaN where it is not known. Of a run that crashed it may be null."""
    truth = np.append(runs["mi_true"].to_numpy(np.float64, na_value=math.nan), math.nan)[rows]
    known: Floats = np.fmax.reduce(np.fmax.reduce(truth, axis=2), axis=0)
    return known


# --- what cells are called ----------------------------------------------------------------------------------


def _described(first: pd.DataFrame, keys: Ints, truth: Floats) -> pd.DataFrame:
    """Describe each cell by its first row, its key and its true MI."""
    levels_aside = first.assign(task_params=first["task_params"].map(lambda params: _NESTED_MI.sub("", params)))
    first = with_labels(levels_aside, ignore=("task_label", "samples"))
    columns = {name: keys[:, place] for place, name in enumerate(_KEY)}
    return pd.DataFrame(
        {
            "name": _names(first, truth),
            "family_name": (families := _families(first)),
            "sampler": first["negatives_label"].map(str).to_numpy(object),
            "mi_true": truth,
            "batch": first["batch"].to_numpy(np.float64, na_value=math.nan),
            "task": _numbered([columns[name] for name in TASK]),
            "family": pd.factorize(np.array(families), sort=True)[0].astype(np.int64),
            "setting": _numbered([column for name, column in columns.items() if name not in _LEVEL]),
            "setup": _numbered([column for name, column in columns.items() if name not in (*TASK, "stair")]),
        }
    )


def family_ids(rows: pd.DataFrame) -> list[str]:
    """Every row's task with its parameters, but without its true MI: tasks that differ in that alone are a family."""
    parts = zip(rows["task"], rows["task_version"], rows["task_params"], strict=True)
    return [component_id(name, version, _NESTED_MI.sub("", params)) for name, version, params in parts]


def _families(first: pd.DataFrame) -> list[str]:
    """Name families, with parameters only where a name has several."""
    full = family_ids(first)
    members: dict[str, set[str]] = {}
    for whole in full:
        members.setdefault(whole.partition(":")[0], set()).add(whole)
    return [own if len(members[own := whole.partition(":")[0]]) == 1 else whole for whole in full]


def _names(first: pd.DataFrame, truth: Floats) -> list[str]:
    """Name cells by what differs between them."""
    parts = {
        "task": list(first["task_label"]),
        "mi": [f"{mi:.3g} nats" for mi in truth],
        "samples": [f"n = {n:.0f}" for n in first["samples"].astype(float)],
        "batch": [f"N = {n:.0f}" for n in first["batch"].astype(float)],
        "negatives": list(first["negatives_label"].map(str)),
        "setup": list(first["setup"]),
    }
    told = [texts for what, texts in parts.items() if what in ("task", "mi") or len(set(texts)) > 1]
    return [" · ".join(filter(None, texts)) for texts in zip(*told, strict=True)]


def _numbered(columns: Sequence[Ints]) -> Ints:
    """Number distinct rows from 0, in their order."""
    _, numbers = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def _renumbered(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.assign(**{name: _numbered([cells[name].to_numpy(np.int64)]) for name in ("task", "family", "setting")})


def _lacking(rows: Ints, wanted: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Say which runs a method lacks; empty where none."""
    gone = [
        [seed for seed, row in zip(seeds, by_seed, strict=False) if row < 0]
        for seeds, by_seed in zip(wanted, rows, strict=True)
    ]
    count = sum(map(len, gone))
    if not count:
        return ""
    parts = [
        name if len(lost) == len(seeds) else f"{name} (seed {listing(lost)})"
        for name, lost, seeds in zip(names, gone, wanted, strict=True)
        if lost
    ]
    return f"lacks {count:,} of {plural(sum(map(len, wanted)), 'run')}: {listing(parts, 4)}"


def _kind(kinds: pd.Series) -> str:
    """The kind of a method: that of its runs where all agree."""
    found = set(kinds.dropna())
    return str(found.pop()) if len(found) == 1 and found <= KINDS else "plug-in"


def _of_no_kind(kinds: pd.Series) -> str:
    """Name a kind that is none, of rows of versions that did not look at it; empty where there is none."""
    unknown = sorted(set(kinds.dropna()) - KINDS)
    return f"has runs of the unknown kind '{unknown[0]}'; known: {', '.join(sorted(KINDS))}" if unknown else ""
