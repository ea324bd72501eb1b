"""What a command from outside answers: one JSON line, read with suspicion, in nats."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from mibench.core.errors import CommandError, shown
from mibench.core.numbers import as_float

NATS_IN: dict[str, float] = {"nats": 1.0, "bits": math.log(2)}
"""Units that an answer can have, in nats."""

_KEYS = ("value", "unit", "interval")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command answered of a sample.

    Parameters
    ----------
    value
        Nats; it may be infinite.
    interval
        The command's own interval, nats; None where it gave none.
    unit
        The unit that it answered in.
    """

    value: float
    interval: tuple[float, float] | None
    unit: str


def read_answer(output: str, owner: str) -> Answer:
    """Read the last line of what a command printed: ``{"value": 0.32, "unit": "bits", "interval": [0.29, 0.36]}``.

    What it printed before, as progress, is left out. ``interval`` may be missing or null.

    Parameters
    ----------
    output
        What it printed on stdout.
    owner
        Whose command it is, for messages.

    Raises
    ------
    CommandError
        Where that is no such line, the value no number, or the unit another.
    """
    line = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    if not line:
        raise CommandError(f"the command of {owner} printed nothing; let it end with {_wanted()}")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CommandError(f"the command of {owner} ended with {shown(line, repr)}; let it end with {_wanted()}")
    if further := sorted(set(found) - set(_KEYS)):
        key = shown(further[0], repr)
        raise CommandError(f"the command of {owner} answered with the key {key}; let it end with {_wanted()}")
    factor = _factor(found.get("unit"), owner)
    return Answer(
        value=factor * _number(found.get("value"), "value", owner),
        interval=_interval(found.get("interval"), factor, owner),
        unit=found["unit"],
    )


def _wanted() -> str:
    return '{"value": 0.32, "unit": "nats"} on a line'


def _factor(unit: Any, owner: str) -> float:
    if isinstance(unit, str) and unit in NATS_IN:
        return NATS_IN[unit]
    known = " or ".join(f'"{name}"' for name in NATS_IN)
    why = ", from which no nats can be had" if unit == "normalised" else ""
    raise CommandError(f"the command of {owner} answered in the unit {shown(unit, repr)}{why}; answer in {known}")


def _number(value: Any, what: str, owner: str) -> float:
    number = math.nan if isinstance(value, str) else as_float(value)
    if math.isnan(number):
        raise CommandError(f"the command of {owner} answered with the {what} {shown(value, repr)}, which is no number")
    return number


def _interval(given: Any, factor: float, owner: str) -> tuple[float, float] | None:
    if given is None:
        return None
    if not (isinstance(given, list) and len(given) == 2):
        raise CommandError(f"the command of {owner} answered with the interval {shown(given, repr)}; give [low, high]")
    low, high = (factor * _number(end, "interval's end", owner) for end in given)
    if low > high:
        ends = f"from {low:g} to {high:g}"
        raise CommandError(f"the command of {owner} answered with an interval {ends}; give [low, high]")
    return low, high
