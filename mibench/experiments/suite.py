"""Suites: versioned grids that rankings are made on.

Notable: a suite is a grid file with a header, and all its names carry their versions (``nwj-v1``), so that its runs are
the same ones whatever is registered later. A change of its runs is a new version of the suite. Importing this module
does not import torch.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mibench.core.errors import UnknownNameError, UsageError, shown
from mibench.core.files import refuse_empty
from mibench.core.numbers import LARGEST_WHOLE
from mibench.core.parameters import split_name
from mibench.core.registry import ESTIMATORS, TASKS
from mibench.experiments.grid import (
    SUITES,
    GridOptions,
    at_budget,
    check_names,
    load_grid,
    override,
    products_of,
    read_grid,
    read_toml,
    resolve,
    summary,
)
from mibench.experiments.specs import RunSpec

if TYPE_CHECKING:
    from mibench.core.task import Task

_HEADER = "suite"
_ANY_ESTIMATOR = "nwj-v1"  # asks nothing of a task; stands in where a suite leaves the estimator to the user


@dataclasses.dataclass(frozen=True)
class Suite:
    """A grid with a name and a version.

    Parameters
    ----------
    name, version
        ``"standard"`` and 1; together the ``id``, ``"standard-v1"``.
    summary
        One line on it.
    path
        The file that it was read from.
    grid
        Its options, as `mibench.experiments.grid.resolve` takes them.
    tuned
        Whether each estimator is ranked, on every family of tasks, with the one setting of the suite's that its own
        validation loss prefers; see `mibench.ranking.tuning`.
    beside
        Name of a suite whose boards stand beside this one's; empty where there is none.
    """

    name: str
    version: int
    summary: str
    path: Path
    grid: Mapping[str, Any]
    tuned: bool = False
    beside: str = ""

    @property
    def id(self) -> str:
        """The name with the version."""
        return f"{self.name}-v{self.version}"

    @functools.cached_property
    def options(self) -> GridOptions:
        """Its options, read."""
        return read_grid(self.grid)

    @property
    def estimators(self) -> tuple[str, ...]:
        """The estimators that the suite runs, as its file writes them; empty where they are left to the user."""
        return tuple(dict.fromkeys(name.text for product in self.options.products for name in product.estimator))

    def specs(self, changes: Mapping[str, Any] | None = None) -> list[RunSpec]:
        """Return the suite's runs.

        Where a suite has fixed samples, estimators that take a sample as a whole run on these alone: a batch is no
        sample to judge them by.

        Parameters
        ----------
        changes
            Options that replace the suite's. With others than ``estimator`` it is no longer the suite that runs.

        Raises
        ------
        UsageError
            Where neither the suite nor ``changes`` names an estimator, and for options that do not fit.
        """
        return resolve(_samples_as_wholes(override(self.grid, changes or {})))

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The suite's tasks in its order, one for each MI level and each stair of a staircase."""
        specs = self.specs(None if self.estimators else {"estimator": _ANY_ESTIMATOR})
        found = {
            (spec.task, tuple(sorted({**dict(spec.task_params), **level}.items()))): None
            for spec in specs
            for level in ([{"mi": mi} for mi in spec.schedule] or [{}])
        }
        return tuple(TASKS.create(name, dict(params)) for name, params in found)


def list_suites() -> list[str]:
    """Return the names of all suites, sorted."""
    return sorted({suite.name for suite in shipped_suites()})


def shipped_suites() -> list[Suite]:
    """Return all suites in all their versions, sorted by name, the newest version of each first."""
    return sorted(map(read_suite, SUITES.glob("*.toml")), key=lambda suite: (suite.name, -suite.version))


def get_suite(name: str) -> Suite:
    """Return a suite: ``get_suite("standard")``, the newest version; ``"standard-v1"`` names one, ``"my.toml"`` a file.

    Raises
    ------
    UsageError
        For an unknown name or version, and as `read_suite`.
    """
    name = str(name)
    refuse_empty(name, "suite")
    if name.endswith(".toml"):
        return read_suite(Path(name))
    shipped = shipped_suites()
    suites = {suite.id: suite for suite in shipped} | {suite.name: suite for suite in reversed(shipped)}
    if name not in suites:
        raise UnknownNameError("suite", name, suites, f"there are {', '.join(list_suites())}")
    return suites[name]


def read_suite(path: Path) -> Suite:
    """Read a suite from a grid file with the header ``suite.version = 1``.

    The header takes `tuned` and `beside` as well, see `Suite`. A file ``NAME-v1.toml`` of version 1 is the suite
    ``NAME``.

    Raises
    ------
    UsageError
        As `mibench.experiments.grid.load_grid`, and for a header that is missing, or holds anything else.
    """
    label = f"suite '{path.stem}'"
    values = read_toml(path, label)
    header = values.pop(_HEADER, None)
    if not isinstance(header, dict):
        raise UsageError(f"{label} has no header; write suite.version = 1 above its options")
    version = header.pop("version", None)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= LARGEST_WHOLE:
        raise UsageError(f"the version of {label} must be a whole number of at least 1, not {shown(version)}")
    tuned, beside = header.pop("tuned", False), header.pop("beside", "")
    if header:
        what = "it takes version, tuned and beside"
        raise UsageError(f"unknown entry '{next(iter(header))}' in the header of {label}; {what}")
    if not isinstance(tuned, bool):
        raise UsageError(f"tuned of {label} must be true or false, not {shown(tuned)}")
    if not isinstance(beside, str):
        raise UsageError(f"beside of {label} must be the name of a suite, not {shown(beside)}")
    check_names(values, f" in {label}")
    name = path.stem.removesuffix(f"-v{version}")
    return Suite(name, version, summary(path), path, MappingProxyType(values), tuned, beside)


def requested_runs(grid: str | Path | None, suite: str | None, options: Mapping[str, Any]) -> list[RunSpec]:
    """Return the runs of a grid file or a suite, with options that replace its own, or of the options alone.

    Raises
    ------
    UsageError
        Where both are given, and as `mibench.experiments.grid.resolve`.
    """
    if grid is not None and suite is not None:
        raise UsageError(f"grid '{grid}' and suite '{suite}' exclude each other; give one of them")
    if suite is not None:
        return get_suite(suite).specs(options)
    if grid is None:
        return resolve(options)
    given = dict(options)
    return resolve(override(at_budget(load_grid(grid), given.pop("budget", None)), given))


def _samples_as_wholes(grid: dict[str, Any]) -> dict[str, Any]:
    """Take estimators of whole samples off tables with fresh pairs, where a grid has fixed samples beside them.

    They are not merely left out of what is resolved: a batch may be too small for one that all samples are large
    enough for.
    """
    products = products_of(grid)
    if not any("samples" in product for product in products):
        return grid
    for product in products:
        if "samples" not in product and "estimator" in product:
            product["estimator"] = _of_batches(product["estimator"])
    kept: dict[str, Any] = {
        name: value for name, value in grid.items() if name in ("seed", "seeds", "budget", "exclude")
    }
    return {**kept, "include": [product for product in products if product.get("estimator") != []]}


def _of_batches(estimators: Any) -> Any:
    """Drop those of some estimators, as a grid has them, that take a sample as a whole."""
    from mibench.core.estimator import SampleEstimator

    names = estimators if isinstance(estimators, list | tuple) else [] if estimators is None else [estimators]
    kept = [name for name in names if not issubclass(ESTIMATORS.get(split_name(str(name))[0]), SampleEstimator)]
    return estimators if len(kept) == len(names) else kept
