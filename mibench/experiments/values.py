"""How a single value of each option is read, and the types that values have from there on.

Notable: text and numbers mean the same everywhere (command line, TOML, Python), and every value leaves in one
canonical form, so that two spellings of a run have one id. Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from mibench.core.errors import UsageError, did_you_mean, shown
from mibench.core.numbers import as_float, given_value, non_negative
from mibench.core.parameters import join_name, split_name
from mibench.experiments.options import ACTIVATIONS, BUDGETS, OPTIMISERS, PRECISIONS, Budget
from mibench.experiments.specs import Hidden

NATS_PER_BIT = math.log(2)

_LEVEL = re.compile(r"(?P<number>.*?)\s*(?P<unit>bits?|nats?)?", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class ComponentName:
    """A component as an option names it: ``smile:tau=5``.

    Parameters
    ----------
    name, params
        Its name, versioned or not, and the parameters that are written with it, as text.
    text
        How the user wrote it, for messages; two spellings of one name are equal.
    """

    name: str
    params: tuple[tuple[str, str], ...]
    text: str = dataclasses.field(compare=False)

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class Dropout:
    """Dropout probabilities; as text ``0.5`` where all layers share one, else ``0.5/0.3``, the form that a run holds.

    Parameters
    ----------
    rates
        One probability, or one per hidden layer.
    text
        How the user wrote them, for messages.
    """

    rates: tuple[float, ...]
    text: str = dataclasses.field(compare=False)

    def __str__(self) -> str:
        rates = self.rates[:1] if len(set(self.rates)) == 1 else self.rates
        return "/".join(map(repr, rates))

    def check_depth(self, depth: int) -> None:
        """Refuse, by `UsageError`, a count that does not fit the hidden layers."""
        if len(self.rates) not in (1, depth):
            raise UsageError(
                f"dropout '{self.text}' is for {len(self.rates)} hidden layers, but there are {depth}; "
                "give one value or one per layer"
            )


def refuse_empty(option: str, value: Any) -> None:
    """Refuse, by `UsageError`, text without a character: an option that is given has a value."""
    if isinstance(value, str) and not value.strip():
        raise UsageError(f"option '{option}' is empty; give it a value or leave it out")


def as_stored(value: Any) -> Any:
    """Return a value of an option as a run's specification and its row hold it."""
    return str(value) if isinstance(value, Hidden | Dropout) else value


def component_name(option: str, value: Any) -> ComponentName:
    """Take the name of a component apart, without looking it up.

    Raises
    ------
    UsageError
        For what is no text, and for parameters that are not written as ``key=value``.
    """
    if not isinstance(value, str):
        list_of = "list tasks" if option == "task" else "list"
        raise UsageError(f"{option} must be a name, not {shown(value)}; see 'mibench {list_of}'")
    name, params = split_name(value)
    return ComponentName(name, tuple(params.items()), value)


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
    parsed = as_float(number)
    if math.isnan(parsed):
        raise UsageError(f"mi '{shown(value)}' does not parse; write nats as '5' or bits as '2bits'")
    return non_negative("mi", parsed * NATS_PER_BIT if unit in ("bit", "bits") else parsed)


def dropout(value: Any) -> Dropout:
    """Read a dropout probability, or one per hidden layer joined by slashes: ``0.5``, ``"0.5/0.3"``.

    Raises
    ------
    UsageError
        For a probability outside [0, 1).
    """
    rates = tuple(as_float(part) + 0.0 for part in (value.split("/") if isinstance(value, str) else [value]))  # no -0.0
    if not all(0 <= rate < 1 for rate in rates):
        raise UsageError(f"dropout must lie in [0, 1), not {given_value(value)}")
    return Dropout(rates, shown(value))


def activation(value: Any) -> str:
    """Read the name of an activation, or raise `UsageError`."""
    return _one_of("activation", value, ACTIVATIONS)


def precision(value: Any) -> str:
    """Read the name of a precision, or raise `UsageError`."""
    return _one_of("precision", value, PRECISIONS)


def _one_of(option: str, value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UsageError(f"unknown {option} '{shown(value)}'{did_you_mean(shown(value), known)}")
    return str(value)


def optimiser(value: Any) -> str:
    """Read ``"adam"``, ``"sgd"`` or ``"sgd:momentum=0.9"`` and return its canonical spelling, or raise `UsageError`."""
    name, params = split_name(value if isinstance(value, str) else shown(value))
    momentum = as_float(params.pop("momentum", 0.0))
    _one_of("optimiser", name, OPTIMISERS)
    if params or not 0 <= momentum < 1 or (name == "adam" and momentum):
        raise UsageError(
            f"optimiser '{shown(value)}' does not parse; write adam, sgd or sgd:momentum=0.9, momentum in [0, 1)"
        )
    return join_name(name, (("momentum", momentum),) if momentum else ())


def budget(value: Any) -> Budget:
    """Read the name of a budget, or raise `UsageError`."""
    if isinstance(value, list | tuple):
        raise UsageError("budget takes one name, not a list; give steps as a list instead")
    refuse_empty("budget", value)
    if not isinstance(value, str):
        raise UsageError(f"budget must be one of the words {', '.join(BUDGETS)}, not {shown(value)}")
    return BUDGETS[_one_of("budget", value, tuple(BUDGETS))]
