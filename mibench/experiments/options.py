"""The options that a grid is written in, and how a single value of each is read.

Notable: text and numbers mean the same everywhere (command line, TOML, Python), and every value leaves in one
canonical form, so that two spellings of a run have one id. Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mibench.core.errors import UsageError, did_you_mean
from mibench.core.parameters import join_name, split_name
from mibench.experiments.specs import parse_hidden

OPTION_NAMES = (
    "task",
    "mi",
    "schedule",
    "estimator",
    "batch",
    "samples",
    "critic",
    "hidden",
    "activation",
    "dropout",
    "weight_decay",
    "precision",
    "negatives",
    "optimiser",
    "steps",
    "lr",
    "seeds",
    "seed",
    "window",
    "every",
    "patience",
    "budget",
)
"""Every option of a grid, in the order in which the product runs: the first varies slowest."""

DEFAULTS: Mapping[str, Any] = {
    "critic": "joint",
    "hidden": "2x256",
    "activation": "relu",
    "dropout": 0.0,
    "weight_decay": 0.0,
    "precision": "float32",
    "optimiser": "adam",
    "lr": 5e-4,
    "batch": 64,
    "budget": "standard",
}
"""What is taken where an option is not given; the others are derived (see `mibench.experiments.grid.resolve`)."""

PATIENCE = 10
"""Checkpoints without improvement on the validation part after which a run on a fixed sample stops."""

ACTIVATIONS = ("relu", "elu")
"""Activations of the stock critics."""

PRECISIONS = ("float32", "bfloat16-products", "float16-scores", "bfloat16-scores")
"""How a run computes; what each stands for is in `mibench.training.precision.PRECISIONS`."""

OPTIMISERS = ("adam", "sgd")
"""Optimisers: Adam with torch's averages, and stochastic gradient descent, with momentum where it is given."""

NATS_PER_BIT = math.log(2)

_LEVEL = re.compile(r"(?P<number>.*?)\s*(?P<unit>bits?|nats?)?", re.DOTALL)
_LARGEST_WHOLE = 2**63 - 1  # what a column of the store can hold


@dataclasses.dataclass(frozen=True)
class Budget:
    """What one word on effort stands for: training steps and seeds; both yield to explicit ones."""

    steps: int
    seeds: int


BUDGETS: Mapping[str, Budget] = {
    "quick": Budget(steps=1000, seeds=1),
    "standard": Budget(steps=3000, seeds=2),
    "paper": Budget(steps=20000, seeds=5),
}


def check_option_name(name: str, *, where: str = "", extra: Sequence[str] = ()) -> None:
    """Refuse a name that is no option.

    Parameters
    ----------
    name
        The name as the user wrote it.
    where
        Where it stands, for the message: ``" in 'grid.toml'"``.
    extra
        Further names that are allowed there.

    Raises
    ------
    UsageError
        With the nearest names.
    """
    if name not in (*OPTION_NAMES, *extra):
        raise UsageError(f"unknown option '{name}'{where}{did_you_mean(name, (*OPTION_NAMES, *extra))}")


def as_list(name: str, value: Any) -> list[Any]:
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
            raise UsageError(f"option '{name}' takes a value or a list of values, not {item!r}")
    return values


def _plain(value: Any) -> Any:
    """Turn NumPy's arrays and numbers into Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


def whole(name: str, value: Any, least: int) -> int:
    """Read a whole number of at least ``least``: ``512``, ``"512"``, ``1e4``.

    Raises
    ------
    UsageError
        For anything else.
    """
    try:  # not by way of float, which would round large seeds
        number = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None and _number(value).is_integer():  # 1e4 is a whole number too
        number = int(_number(value))
    if number is None or not least <= number <= _LARGEST_WHOLE:
        raise UsageError(f"{name} must be a whole number of at least {least}, not {value}")
    return number


def positive(name: str, value: Any) -> float:
    """Read a finite number above 0, or raise `UsageError`."""
    if not 0 < _number(value) < math.inf:
        raise UsageError(f"{name} must be a finite number above 0, not {value}")
    return _number(value)


def non_negative(name: str, value: Any) -> float:
    """Read a finite number of at least 0, or raise `UsageError`."""
    if not 0 <= _number(value) < math.inf:
        raise UsageError(f"{name} must be a finite number of at least 0, not {value}")
    return _number(value) + 0.0  # -0.0 is 0.0


def _number(value: Any) -> float:
    """Return the value as a float, NaN where it is no number."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def level(value: Any) -> float:
    """Read a mutual information and return nats: ``5``, ``"5"``, ``"5nats"``, ``"2bits"``.

    Raises
    ------
    UsageError
        For what is no number, negative or infinite.
    """
    if not isinstance(value, str):
        return non_negative("mi", value)
    match = _LEVEL.fullmatch(value.strip())
    number, unit = (match["number"], match["unit"]) if match else (value, None)
    parsed = _number(number)
    if math.isnan(parsed):
        raise UsageError(f"mi '{value}' does not parse; write nats as '5' or bits as '2bits'")
    return non_negative("mi", parsed * NATS_PER_BIT if unit in ("bit", "bits") else parsed)


def schedules(value: Any) -> list[tuple[float, ...]]:
    """Read one staircase or a list of them.

    Parameters
    ----------
    value
        ``"2,4,6"``, ``[2, 4, 6]``, ``["2,4,6", "2,8"]`` or ``[[2, 4, 6], [2, 8]]``; levels as in `level`.

    Raises
    ------
    UsageError
        For fewer than two levels, and for levels that do not parse.
    """
    items = as_list("schedule", value)
    if not any(_is_schedule(item) for item in items):
        items = [items]
    found = []
    for item in items:
        parts = item.split(",") if isinstance(item, str) else as_list("schedule", item)
        if len(parts) < 2:
            raise UsageError(f"schedule '{_text(item)}' has fewer than two levels; use mi for a constant one")
        found.append(tuple(level(part) for part in parts))
    return found


def _is_schedule(item: Any) -> bool:
    return "," in item if isinstance(item, str) else isinstance(item, list | tuple)


def _text(item: Any) -> str:
    return ",".join(map(str, item)) if isinstance(item, list | tuple) else str(item)


def hidden(value: Any) -> str:
    """Read ``"2x256"`` and return its canonical spelling, or raise `UsageError`."""
    depth, width = parse_hidden(value)
    return f"{depth}x{width}"


def dropout(value: Any, depth: int | None = None) -> str:
    """Read a dropout probability, or one per hidden layer joined by slashes: ``0.5``, ``"0.5/0.3"``.

    Parameters
    ----------
    value
        As the user wrote it.
    depth
        Hidden layers that it is for; None where that is not known.

    Returns
    -------
    str
        ``"0.5"`` where all layers share one probability, else ``"0.5/0.3"``.

    Raises
    ------
    UsageError
        For a probability outside [0, 1), and for a count that does not fit the hidden layers.
    """
    parts = value.split("/") if isinstance(value, str) else [value]
    rates = [_number(part) for part in parts]
    if not all(0 <= rate < 1 for rate in rates):
        raise UsageError(f"dropout must lie in [0, 1), not {value}")
    if depth is not None and len(rates) not in (1, depth):
        raise UsageError(
            f"dropout '{value}' is for {len(rates)} hidden layers, but there are {depth}; "
            "give one value or one per layer"
        )
    if len(set(rates)) == 1:
        rates = rates[:1]
    return "/".join(repr(rate + 0.0) for rate in rates)


def activation(value: Any) -> str:
    """Read the name of an activation, or raise `UsageError`."""
    if value not in ACTIVATIONS:
        raise UsageError(f"unknown activation '{value}'{did_you_mean(str(value), ACTIVATIONS)}")
    return str(value)


def precision(value: Any) -> str:
    """Read the name of a precision, or raise `UsageError`."""
    if value not in PRECISIONS:
        raise UsageError(f"unknown precision '{value}'{did_you_mean(str(value), PRECISIONS)}")
    return str(value)


def optimiser(value: Any) -> str:
    """Read ``"adam"``, ``"sgd"`` or ``"sgd:momentum=0.9"`` and return its canonical spelling, or raise `UsageError`."""
    name, params = split_name(str(value))
    momentum = _number(params.pop("momentum", 0.0))
    if name not in OPTIMISERS:
        raise UsageError(f"unknown optimiser '{name}'{did_you_mean(name, OPTIMISERS)}")
    if params or not 0 <= momentum < 1 or (name == "adam" and momentum):
        raise UsageError(f"optimiser '{value}' does not parse; write adam, sgd or sgd:momentum=0.9, momentum in [0, 1)")
    return join_name(name, (("momentum", momentum),) if momentum else ())


def budget(value: Any) -> Budget:
    """Read the name of a budget, or raise `UsageError`."""
    if not isinstance(value, str) or value not in BUDGETS:
        raise UsageError(f"unknown budget '{value}'{did_you_mean(str(value), BUDGETS)}")
    return BUDGETS[value]


READERS: Mapping[str, Callable[[Any], Any]] = {
    "batch": lambda v: whole("batch", v, 2),
    "steps": lambda v: whole("steps", v, 1),
    "seed": lambda v: whole("seed", v, 0),
    "window": lambda v: whole("window", v, 1),
    "every": lambda v: whole("every", v, 1),
    "samples": lambda v: whole("samples", v, 2),
    "patience": lambda v: whole("patience", v, 1),
    "lr": lambda v: positive("lr", v),
    "weight_decay": lambda v: non_negative("weight_decay", v),
    "precision": precision,
    "optimiser": optimiser,
    "hidden": hidden,
    "activation": activation,
    "dropout": dropout,
}
"""How a single value is read, of the options that are one column of a run each."""


def read_shard(text: str) -> tuple[int, int]:
    """Read ``"3/40"`` as (3, 40), or raise `UsageError`."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal()):
        raise UsageError(f"shard '{text}' does not parse; write I/N, for example 3/40")
    return int(part), int(parts)


def read_conditions(texts: Sequence[str]) -> dict[str, list[str]]:
    """Read ``["batch=64,128"]`` as values by column, or raise `UsageError`; a column named twice has both values."""
    wanted: dict[str, list[str]] = {}
    for text in texts:
        column, equals, values = text.partition("=")
        if not (equals and column and values):
            raise UsageError(f"condition '{text}' does not parse; write COLUMN=VALUE, for example batch=64,128")
        wanted.setdefault(column, []).extend(values.split(","))
    return wanted
