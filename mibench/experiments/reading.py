"""From options as a user writes them to typed values: the one place where options are read.

Notable: all that a grid says is read here, once, whether some run has a use for it or not: a slip never passes
unnoticed. What follows from several options together, as a window from the steps, is worked out from the typed values
by `mibench.experiments.lengths` and `mibench.experiments.products`. Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mibench.core.errors import UsageError, shown
from mibench.core.numbers import non_negative, positive, whole
from mibench.experiments import values as read
from mibench.experiments.options import BUDGETS, DEFAULTS, Budget
from mibench.experiments.specs import Hidden, parse_hidden
from mibench.experiments.values import ComponentName, Dropout


@dataclasses.dataclass(frozen=True)
class Options:
    """The values of options, read; those that are not given are empty.

    ``mi`` and the stairs of a ``schedule`` are nats. ``seeds`` are the seeds themselves, however they were given.
    """

    task: tuple[ComponentName, ...] = ()
    estimator: tuple[ComponentName, ...] = ()
    critic: tuple[ComponentName, ...] = ()
    negatives: tuple[ComponentName, ...] = ()
    mi: tuple[float, ...] = ()
    schedule: tuple[tuple[float, ...], ...] = ()
    batch: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    activation: tuple[str, ...] = ()
    dropout: tuple[Dropout, ...] = ()
    weight_decay: tuple[float, ...] = ()
    precision: tuple[str, ...] = ()
    optimiser: tuple[str, ...] = ()
    lr: tuple[float, ...] = ()
    steps: tuple[int, ...] = ()
    window: tuple[int, ...] = ()
    every: tuple[int, ...] = ()
    patience: tuple[int, ...] = ()
    seeds: Sequence[int] = ()
    budget: Budget = BUDGETS[DEFAULTS["budget"]]

    @property
    def levels(self) -> tuple[tuple[float, ...], ...]:
        """MI levels: staircases as they are, constants as tuples of one; empty where they are left to the task."""
        return self.schedule or tuple((mi,) for mi in self.mi)

    def combinations(self) -> Iterator[Combination]:
        """Yield every combination of options, the first field of `Combination` slowest, levels and seeds aside."""
        for values in itertools.product(*self._lists()):
            yield Combination(*values)

    @property
    def count(self) -> int:
        """Number of runs: combinations, levels and seeds."""
        return math.prod(map(len, self._lists())) * max(len(self.levels), 1) * len(self.seeds)

    def _lists(self) -> list[tuple[Any, ...]]:
        return [getattr(self, field.name) or (None,) for field in dataclasses.fields(Combination)]


@dataclasses.dataclass(frozen=True)
class Combination:
    """One value of each option; None where it is not given and has no default of its own."""

    task: ComponentName
    estimator: ComponentName
    batch: int
    samples: int | None
    critic: ComponentName
    hidden: Hidden
    activation: str
    dropout: Dropout
    weight_decay: float
    precision: str
    negatives: ComponentName | None
    optimiser: str
    steps: int | None
    lr: float
    window: int | None
    every: int | None
    patience: int | None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    **{
        option: functools.partial(read.component_name, option)
        for option in ("task", "estimator", "critic", "negatives")
    },
    "mi": read.level,
    "batch": lambda v: whole("batch", v, 2),
    "samples": lambda v: whole("samples", v, 2),
    "hidden": parse_hidden,
    "activation": read.activation,
    "dropout": read.dropout,
    "weight_decay": lambda v: non_negative("weight_decay", v),
    "precision": read.precision,
    "optimiser": read.optimiser,
    "lr": lambda v: positive("lr", v),
    "steps": lambda v: whole("steps", v, 1),
    "window": lambda v: whole("window", v, 1),
    "every": lambda v: whole("every", v, 1),
    "patience": lambda v: whole("patience", v, 1),
}
"""How one value is read, of the options that take a list of them."""


def read_options(given: Mapping[str, Any]) -> Options:
    """Read options, a value or a list of values each.

    Parameters
    ----------
    given
        Values by the names of options, which are known to exist; other names do not count.

    Raises
    ------
    UsageError
        For the first value that cannot be read; the message says what to do.
    """
    values: dict[str, Any] = {
        name: tuple(map(one, _values(name, given[name]))) for name, one in _READERS.items() if name in given
    }
    if "schedule" in given:
        values["schedule"] = _schedules(given["schedule"])
    if "budget" in given:
        values["budget"] = read.budget(given["budget"])
    seeds = _seeds(given, range(values["budget"].seeds) if "budget" in given else ())
    return Options(**values, seeds=seeds)


def _seeds(given: Mapping[str, Any], default: Sequence[int]) -> Sequence[int]:
    """Read the seeds: those of ``seed``, or as many as ``seeds`` says."""
    if "seed" in given:
        return tuple(whole("seed", value, 0) for value in _values("seed", given["seed"]))
    if "seeds" not in given:
        return default
    if isinstance(given["seeds"], list | tuple):
        raise UsageError("seeds takes how many, not a list; name them with seed")
    read.refuse_empty("seeds", given["seeds"])
    return range(whole("seeds", given["seeds"], 1))


def _schedules(value: Any) -> tuple[tuple[float, ...], ...]:
    """Read one staircase or a list of them.

    Parameters
    ----------
    value
        ``"2,4,6"``, ``[2, 4, 6]``, ``["2,4,6", "2,8"]`` or ``[[2, 4, 6], [2, 8]]``; levels as in
        `mibench.experiments.values.level`.

    Raises
    ------
    UsageError
        For fewer than two levels, and for levels that do not parse.
    """
    items = _as_list("schedule", value)
    if not any("," in item if isinstance(item, str) else isinstance(item, list | tuple) for item in items):
        items = [items]
    return tuple(map(_schedule, items))


def _schedule(item: Any) -> tuple[float, ...]:
    parts = item.split(",") if isinstance(item, str) else _as_list("schedule", item)
    if len(parts) < 2:
        read.refuse_empty("schedule", parts[0])
        raise UsageError(
            f"schedule '{','.join(map(shown, parts))}' has fewer than two levels; use mi for a constant one"
        )
    return tuple(map(read.level, parts))


def _values(name: str, value: Any) -> list[Any]:
    """As `_as_list`, without empty text."""
    values = _as_list(name, value)
    for item in values:
        read.refuse_empty(name, item)
    return values


def _as_list(name: str, value: Any) -> list[Any]:
    """Return the values of an option: a list as it is, a single value as a list of one.

    Raises
    ------
    UsageError
        For an empty list, and for what is neither text, a number nor a list of these.
    """
    value = _plain(value)
    values = [_plain(item) for item in value] if isinstance(value, list | tuple | range) else [value]
    if not values:
        raise UsageError(f"option '{name}' is an empty list; give it a value or leave it out")
    for item in values:
        nested = name == "schedule" and isinstance(item, list | tuple)
        if not nested and not isinstance(item, str | int | float):
            raise UsageError(f"option '{name}' takes a value or a list of values, not {shown(item, repr)}")
    return values


def _plain(value: Any) -> Any:
    """Turn NumPy's arrays and numbers into Python's."""
    return value.tolist() if hasattr(value, "tolist") else value
