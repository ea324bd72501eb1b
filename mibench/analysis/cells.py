"""The runs that a grid file asks for, found among stored rows without building a component, and what is missing.

Notable: `mibench.experiments.grid.resolve` gives ids, but builds tasks and estimators, and so imports torch. Reports
read rows alone: here an option of the file is compared with the column that it fills. What the file leaves to a
component (the estimator's own sampler, say) is not compared. Parameters that a name leaves out have their defaults, as
far as these can be read from the source.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mibench.analysis.labels import COMPONENTS, listing, plural, versioned
from mibench.core.entries import written_defaults
from mibench.experiments.components import REGISTRIES
from mibench.experiments.grid import GridOptions, at_budget, budgets_of, load_grid, override, read_grid
from mibench.experiments.reading import Options
from mibench.experiments.specs import as_number
from mibench.experiments.values import ComponentName, as_stored
from mibench.store.columns import RESULT_STATUSES

_COMPARED = (
    *("task", "mi", "schedule", "estimator", "batch", "samples", "critic", "hidden", "activation", "dropout"),
    *("weight_decay", "precision", "negatives", "optimiser", "lr", "steps"),
)
_NAMED = ("task", "estimator", "critic", "negatives", "batch", "mi", "schedule")
"""Options by which a missing cell is named, where they differ within the grid."""


@dataclasses.dataclass(frozen=True)
class GridRows:
    """The rows of a grid among others.

    Parameters
    ----------
    runs
        Rows of the runs table that the grid asks for, failed ones included.
    budget
        The budget whose cells they are: ``"standard"`` or ``"paper"``.
    expected, found
        Cells (runs without regard to their seeds) that the grid asks for, and those with a result.
    missing
        The cells without a result, named by what differs within the grid.
    """

    runs: pd.DataFrame
    budget: str
    expected: int
    found: int
    missing: tuple[str, ...]

    @property
    def share(self) -> float:
        """Share of the cells that have a result."""
        return self.found / self.expected

    def note(self) -> str:
        """Say in one sentence what is missing; empty where nothing is."""
        if not self.missing:
            return ""
        count = plural(len(self.missing), "cell")
        return f"Missing: {count} of {self.expected:,} ({listing(self.missing, 6)})."


def rows_of_grid(runs: pd.DataFrame, grid: str) -> GridRows:
    """Find a grid's rows at the budget of which most cells are there, in shares; of equals at the file's own.

    Parameters
    ----------
    runs
        Rows of the runs table, of this grid and others.
    grid
        Name of a shipped grid, or a TOML file.

    Raises
    ------
    UsageError
        As `mibench.experiments.grid.load_grid`.
    """
    options = load_grid(grid)
    columns = _Columns(runs)
    own, *further = budgets_of(options)
    best = _match(columns, read_grid(at_budget(options)), own)
    others = [_match(columns, read_grid(at_budget(options, budget)), budget) for budget in further]
    for rows in others:
        if rows.share > best.share:
            best = rows
    return best


def rows_of_suite(runs: pd.DataFrame, grid: Mapping[str, Any]) -> GridRows:
    """Find the rows of a suite, whatever their estimators: those that it names, and newcomers, registered or not.

    Parameters
    ----------
    runs
        Rows of the runs table, of this suite and others.
    grid
        The suite's options, `mibench.experiments.suite.Suite.grid`.

    Returns
    -------
    GridRows
        With the cells of the suite as cells, without regard to estimators: missing are those that nobody ran.
    """
    if runs.empty:
        return GridRows(runs, "standard", 0, 0, ())
    columns = _Columns(runs)
    owners = np.asarray(versioned(runs, "estimator"))
    wanted = read_grid(override(grid, {"estimator": sorted(set(owners))}))
    chosen = np.zeros(len(runs), dtype=bool)
    by_cell: dict[str, tuple[dict[str, Any], np.ndarray]] = {}
    for owner in wanted.products[0].estimator:  # one by one, since a suite may exclude an estimator from a cell
        own = owners == owner.text
        alone = tuple(dataclasses.replace(product, estimator=(owner,)) for product in wanted.products)
        for cell in _cells(dataclasses.replace(wanted, products=alone)):
            del cell["estimator"]
            key = json.dumps(cell, default=str)
            if key not in by_cell:
                by_cell[key] = (cell, columns.of_cell(cell))
            chosen |= by_cell[key][1] & own
    chosen &= columns.any_of("seed", wanted.seeds)
    for name in ("window", "every"):
        given = [getattr(product, name) for product in wanted.products]
        if all(given):  # a table that leaves it open has what follows from its steps
            chosen &= columns.any_of(name, [value for values in given for value in values]) | columns.takes_sample
    differing = [name for name in _NAMED if len({str(cell.get(name)) for cell, _ in by_cell.values()}) > 1]
    missing = tuple(
        ", ".join(_named(name, cell[name]) for name in differing if name in cell) or "all"
        for cell, rows in by_cell.values()
        if not (rows & chosen).any()
    )
    return GridRows(runs[chosen], "standard", len(by_cell), len(by_cell) - len(missing), missing)


def exact_rows_of_suite(runs: pd.DataFrame, grid: Mapping[str, Any], exact: str) -> pd.DataFrame:
    """Find the rows of the exact critic that stand beside those of a suite, of any length: nothing is trained.

    Parameters
    ----------
    runs, grid
        As in `rows_of_suite`.
    exact
        Id of the exact critic.
    """
    unsized = override(grid, {"critic": exact, "steps": 1})  # other steps take window and spacing with them
    tables = [unsized, *unsized.get("include", ())]
    for table in tables:
        table.pop("steps", None)
    rows = runs[(versioned(runs, "critic") == exact) & (runs["own_critic"] != 1)] if len(runs) else runs
    return rows_of_suite(rows, unsized).runs


def _match(columns: _Columns, grid: GridOptions, budget: str) -> GridRows:
    cells = _cells(grid)
    chosen = np.zeros(len(columns.runs), dtype=bool)
    missing = []
    differing = [name for name in _NAMED if len({str(cell.get(name)) for cell in cells}) > 1]
    for cell in cells:
        rows = columns.of_cell(cell)
        chosen |= rows
        if not (rows & columns.done).any():
            missing.append(", ".join(_named(name, cell[name]) for name in differing if name in cell) or "all")
    found = len(cells) - len(missing)
    return GridRows(columns.runs[chosen], budget, len(cells), found, tuple(dict.fromkeys(missing)))


def _named(option: str, value: Any) -> str:
    plain = f"{value:g}" if isinstance(value, float) else str(value)
    return {"batch": f"N = {plain}", "mi": f"{plain} nats"}.get(option, plain)


def _cells(grid: GridOptions) -> list[dict[str, Any]]:
    """Every combination of options that a grid asks for, each once and without its seeds."""
    excluded = [_by_column(table) for table in grid.excluded]
    found: dict[str, dict[str, Any]] = {}
    for product in grid.products:
        values = _by_column(product)
        for combination in itertools.product(*values.values()):
            cell = dict(zip(values, combination, strict=True))
            cell.setdefault("samples", None)  # fresh pairs at every step
            if not any(all(cell.get(k) in v for k, v in table.items()) for table in excluded if table):
                found.setdefault(json.dumps(cell, default=str), cell)
    return list(found.values())


def _by_column(options: Options) -> dict[str, list[Any]]:
    """The values of each compared option that is given, in the form that its column has."""
    values = {name: getattr(options, name) for name in _COMPARED}
    return {name: [as_stored(value) for value in given] for name, given in values.items() if given}


class _Columns:
    """Rows whose columns are compared with options; every comparison is made once."""

    def __init__(self, runs: pd.DataFrame) -> None:
        self.runs = runs
        self.done = np.asarray(runs["status"].isin(RESULT_STATUSES))
        self._params = {name: pd.factorize(runs[f"{name}_params"].fillna("{}")) for name in COMPONENTS}
        self._known: dict[tuple[str, str], np.ndarray] = {}

    @functools.cached_property
    def takes_sample(self) -> np.ndarray:
        """Mark the rows of a fixed sample that is taken as a whole, once."""
        runs = self.runs
        return np.asarray((runs["own_critic"] == 1) & (runs["critic"] == "none") & runs["samples"].notna())

    def any_of(self, column: str, values: Collection[Any]) -> np.ndarray:
        """Mark the rows whose column has one of the values."""
        return np.asarray(self.runs[column].isin(list(values)))

    def of_cell(self, cell: Mapping[str, Any]) -> np.ndarray:
        """Mark the rows that fit all of a cell's options."""
        return functools.reduce(np.logical_and, (self.matching(name, cell[name]) for name in _COMPARED if name in cell))

    def matching(self, option: str, value: Any) -> np.ndarray:
        """Mark the rows that have this value, and those whose components have no use for the option."""
        key = (option, str(value))
        if key not in self._known:
            self._known[key] = self._compare(option, value)
        return self._known[key]

    def _of_params(self, option: str, of_one: Callable[[dict[str, Any]], Any], dtype: type) -> np.ndarray:
        """Return for every row what follows from a component's parameters, worked out once for equal ones."""
        places, texts = self._params[option]
        return np.array([of_one(json.loads(text)) for text in texts], dtype=dtype)[places]

    def _compare(self, option: str, value: Any) -> np.ndarray:
        runs = self.runs
        if option in COMPONENTS:
            return self._component(option, value)
        if option == "mi":
            levels = self._of_params("task", lambda values: as_number(values.get("mi", math.nan)), float)
            return np.asarray(np.isclose(levels, value, rtol=1e-12, atol=0))
        if option == "schedule":
            return np.asarray(runs["schedule"] == json.dumps(list(value)))
        if value is None:
            return np.asarray(runs[option].isna())
        unused = runs[option].isna()
        if option in ("batch", "steps"):
            unused |= self.takes_sample
        return np.asarray((runs[option] == value) | unused)

    def _component(self, option: str, name: ComponentName) -> np.ndarray:
        runs = self.runs
        entry = REGISTRIES[option].entry(name.name)
        same = np.asarray(runs[option] == entry.name)
        if name.name == entry.id:  # a name without a version is that of all
            same = same & np.asarray(runs[f"{option}_version"] == entry.version)
        wanted = {**{k: str(v) for k, v in written_defaults(entry).items() if k != "mi"}, **dict(name.params)}
        fits = self._of_params(option, lambda values: all(_equal(values.get(k), v) for k, v in wanted.items()), bool)
        own = runs[f"own_{option}"] == 1 if f"own_{option}" in runs else False
        return np.asarray((same & fits) | own)


def _equal(stored: Any, written: str) -> bool:
    """Whether a stored parameter is what was written: numbers by value, components part by part, all else by text."""
    if isinstance(stored, str) and ":" in written:  # as the base of a transformed task
        (name, params), (wanted, values) = _nested(stored), _nested(written)
        return wanted in (name, name.rpartition("-v")[0]) and all(
            _equal(params.get(key), value) for key, value in values.items()
        )
    if isinstance(stored, bool):
        return str(stored).lower() == written.lower()
    try:
        return math.isclose(float(stored), float(written), rel_tol=1e-12)
    except (TypeError, ValueError):
        return str(stored).lower() == written.lower()


def _nested(text: str) -> tuple[str, dict[str, str]]:
    """Split ``"normal-pairs-v1:mi=2:pairs=5"``, a component's name with parameters inside a parameter."""
    name, *parts = text.split(":")
    return name, {key: value for key, _, value in (part.partition("=") for part in parts)}
