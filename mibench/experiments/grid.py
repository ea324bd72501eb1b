"""Grids: options that may hold lists, in files and tables, turned into runs with every default resolved.

Notable: everything that can be wrong with a grid is refused here, in one sentence, before any work. Importing
this module does not import torch; `resolve` does, since components check their own parameters.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mibench.core.errors import UsageError, did_you_mean
from mibench.core.files import FOLDER, given_path, kind_of, read_small
from mibench.experiments.components import Components
from mibench.experiments.excluding import matcher
from mibench.experiments.options import BUDGETS, DEFAULTS, check_option_name
from mibench.experiments.products import runs
from mibench.experiments.reading import Options, read_options
from mibench.experiments.specs import RunSpec
from mibench.experiments.values import budget as read_budget

_SHIPPED = Path(__file__).parent / "grids"
SUITES = Path(__file__).parent / "suites"
"""Where the suites lie, grid files with a header; see `mibench.experiments.suite`."""

_TABLES = ("include", "exclude")
_OWN_BUDGET = "standard"
"""The budget that a grid file's own options are for; a table named after another budget replaces some of them."""
# A later option takes the place of these: two ways to say one thing never stand side by side.
_REPLACES: Mapping[str, tuple[str, ...]] = {
    "mi": ("schedule",),
    "schedule": ("mi",),
    "seed": ("seeds",),
    "seeds": ("seed",),
    "steps": ("window", "every"),
    "budget": ("steps", "seeds", "window", "every"),
}


@dataclasses.dataclass(frozen=True)
class ShippedGrid:
    """A grid file that comes with mibench."""

    name: str
    summary: str
    path: Path


@dataclasses.dataclass(frozen=True)
class GridOptions:
    """A grid, read.

    Parameters
    ----------
    products
        The grids without tables that it is made of, defaults included; see `products_of`.
    excluded
        The options of its ``exclude`` tables.
    seeds
        The seeds that its own options ask for; a table of ``include`` may have others.
    """

    products: tuple[Options, ...]
    excluded: tuple[Options, ...]
    seeds: Sequence[int]


def shipped_grids() -> list[ShippedGrid]:
    """Return the grid files that come with mibench, sorted, numbers by value; a file's first line is its summary."""
    paths = sorted(_SHIPPED.glob("*.toml"), key=lambda path: natural_order(path.stem))
    return [ShippedGrid(path.stem, summary(path), path) for path in paths]


def natural_order(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Sort key that puts ``gosch-2`` before ``gosch-10``."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)


def summary(path: Path) -> str:
    """Return the first line of a grid file, a comment."""
    return path.read_text(encoding="utf-8").split("\n")[0].lstrip("# ")


def load_grid(source: str | Path) -> dict[str, Any]:
    """Read a grid file.

    Parameters
    ----------
    source
        Path of a TOML file, or the name of a shipped grid (``"saturation"``).

    Returns
    -------
    dict
        Options as `resolve` takes them, with the tables ``include`` and ``exclude`` as lists of options, and tables of
        options by the names of budgets; see `at_budget`.

    Raises
    ------
    UsageError
        For what is no path, and where the file is missing or unreadable, is not TOML, or names an option that does
        not exist.
    """
    values = read_toml(_grid_path(source), f"grid '{source}'")
    check_names(values, f" in grid '{source}'")
    return values


def read_toml(path: Path, label: str) -> dict[str, Any]:
    """Read a TOML file, called ``label`` in messages, or raise `UsageError`."""
    try:
        # Some editors begin a file with a byte order mark.
        return tomllib.loads(read_small(path, label, "a TOML file").decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{label} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{label} is not a text file; write it as TOML in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{label} is not valid TOML: {error}") from error
    except ValueError as error:  # Python does not read an integer of thousands of digits
        raise UsageError(f"{label} holds a number of thousands of digits; write at most 19") from error
    except RecursionError as error:
        raise UsageError(f"{label} is nested too deeply; give options values or lists of values") from error


def _grid_path(source: str | Path) -> Path:
    path = given_path(source, "grid")
    shipped = {grid.name: grid.path for grid in shipped_grids()}
    if str(source) in shipped:
        return shipped[str(source)]
    try:
        kind = kind_of(path)
    except OSError as error:
        raise UsageError(f"grid '{source}' cannot be read: {error.strerror or error}") from error
    if kind == FOLDER:
        raise UsageError(f"grid '{source}' is a folder; give a TOML file in it")
    if not kind and (SUITES / f"{source}.toml").is_file():
        raise UsageError(f"'{source}' is a suite, not a grid; run it with --suite {source}")
    if not kind:
        nearest = did_you_mean(str(source), shipped, "give a TOML file, or a name of 'mibench list grids'")
        raise UsageError(f"there is no grid '{source}'{nearest}")
    return path


def check_names(values: Mapping[str, Any], where: str = "") -> None:
    """Check the names of all options, and that the tables are tables."""
    for name, value in values.items():
        if name in BUDGETS:
            _check_budget(name, value, where)
            continue
        check_option_name(name, where=where, extra=_TABLES)
        if name == "budget" and value is not None:
            read_budget(value)  # even where another one replaces it
        if name not in _TABLES:
            continue
        if not isinstance(value, list | tuple) or not all(isinstance(v, Mapping) for v in value):
            raise UsageError(f"'{name}'{where} must be tables of options; write [[{name}]]")
        for table in value:
            for key in table:
                check_option_name(key, where=f" in [[{name}]]{where}")


def _check_budget(name: str, table: Any, where: str) -> None:
    """Check a budget's table, its values too: it may not be the budget that is run."""
    if not isinstance(table, Mapping):
        raise UsageError(f"'{name}'{where} must be a table of options; write [{name}] above them")
    if name == _OWN_BUDGET:
        raise UsageError(f"[{name}]{where} must not be a table; write its options above all tables")
    if nested := [key for key in table if key in BUDGETS]:
        raise UsageError(f"[{name}]{where} holds another budget, '{nested[0]}'; write [{nested[0]}] beside it")
    check_names(table, f" in [{name}]{where}")
    for options in (table, *table.get("include", ()), *table.get("exclude", ())):
        read_options(options)


def override(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a grid with some options replaced, in its ``include`` tables too.

    ``mi`` and ``schedule`` replace each other, so do ``seed`` and ``seeds``. Other ``steps`` take the window and the
    spacing with them, which were made for the old ones, and a ``budget`` all that it stands for.

    Parameters
    ----------
    base
        A grid, as from `load_grid`.
    changes
        Options; those that are None are not given.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    replaced = {other for name in given for other in _REPLACES.get(name, ())} - set(given)
    grid = {**{name: value for name, value in base.items() if name not in replaced}, **given}
    if "include" in base:
        gone = replaced | set(given)
        grid["include"] = [{k: v for k, v in table.items() if k not in gone} for table in base["include"]]
    return grid


def budgets_of(grid: Mapping[str, Any]) -> list[str]:
    """Return the budgets that a grid file has options for: its own, and those that name a table."""
    return [_OWN_BUDGET, *(name for name in BUDGETS if isinstance(grid.get(name), Mapping))]


def at_budget(grid: Mapping[str, Any], budget: str | None = None) -> dict[str, Any]:
    """Return a grid without its budgets' tables, with the options of one in the place of its own.

    Parameters
    ----------
    grid
        As from `load_grid`.
    budget
        A budget; ``standard`` or None takes the grid as it is. One that the file has no table for stands for its
        usual steps and seeds; see `mibench.experiments.options.BUDGETS`.

    Raises
    ------
    UsageError
        For a budget that does not exist.
    """
    plain = {name: value for name, value in grid.items() if name not in BUDGETS}
    if budget is None or (budget == _OWN_BUDGET and len(budgets_of(grid)) > 1):
        return plain
    read_budget(budget)
    return override(plain, grid.get(budget, {"budget": budget}))


def resolve(options: Mapping[str, Any]) -> list[RunSpec]:
    """Turn a grid into its runs.

    Parameters
    ----------
    options
        Options of `mibench.experiments.options.OPTION_NAMES`; each a value or a list of values, of which the product is
        taken. Those that are None are not given. Each table of ``include`` is a further grid, whose options
        replace those of the base; where the base names no task or no estimator, it serves the tables alone. Runs
        that match all options of a table of ``exclude`` are left out. Tables of budgets do not count; see `at_budget`.

    Returns
    -------
    list of RunSpec
        Without duplicates, in the order of the product.

    Raises
    ------
    UsageError
        For anything wrong with the grid; the message says what to do.
    """
    given = _plain(options)
    for written in products_of(given):
        _check_complete(written)
    grid, components = _read(given), Components()
    excluded = [matcher(table, components) for table in grid.excluded]
    specs: dict[str, RunSpec] = {}
    for product in grid.products:
        for spec in runs(product, components):
            if not any(matches(spec) for matches in excluded):
                specs.setdefault(spec.run_id, spec)
    if not specs:
        raise UsageError("every run of the grid is excluded; take out an [[exclude]] table")
    return list(specs.values())


def read_grid(options: Mapping[str, Any]) -> GridOptions:
    """Read a grid, as `resolve` takes it, without building a component; it may leave the estimator to the user.

    Raises
    ------
    UsageError
        For options that do not exist or cannot be read.
    """
    return _read(_plain(options))


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given of a grid, names checked and budgets' tables out."""
    given = {name: value for name, value in options.items() if value is not None}
    check_names(given)
    return at_budget(given)


def _read(given: Mapping[str, Any]) -> GridOptions:
    effort = {name: value for name, value in {**DEFAULTS, **given}.items() if name in ("seed", "seeds", "budget")}
    return GridOptions(
        products=tuple(read_options({**DEFAULTS, **product}) for product in products_of(given)),
        excluded=tuple(_read_excluded(table) for table in given.get("exclude", ())),
        seeds=read_options(effort).seeds,
    )


def _read_excluded(table: Mapping[str, Any]) -> Options:
    if not table:
        raise UsageError("an [[exclude]] table is empty; name the options of the runs to leave out")
    given = {name: value for name, value in table.items() if value is not None}
    for name in ("seeds", "budget"):
        if name in given:
            raise UsageError(f"an [[exclude]] table cannot name {name}; use seed or steps")
    return read_options(given)


def _check_complete(product: Mapping[str, Any]) -> None:
    """Refuse options without a task or an estimator, and two ways to say one thing."""
    for name in ("task", "estimator"):
        if name not in product:
            raise UsageError(f"no {name} is given; name one with --{name}, see 'mibench list {name}s'")
    for one, other in (("mi", "schedule"), ("seed", "seeds")):
        if {one, other} <= product.keys():
            raise UsageError(f"{one} and {other} exclude each other; give one of them")


def products_of(grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the grids without tables that a grid is made of, runs to leave out not considered.

    The base, unless it names no task or no estimator and so serves the tables of ``include`` alone, and the base with
    the options of each of these.
    """
    base = {name: value for name, value in grid.items() if name not in _TABLES}
    include = grid.get("include", ())
    complete = {"task", "estimator"} <= base.keys()
    return [*([base] if complete or not include else []), *(override(base, table) for table in include)]
