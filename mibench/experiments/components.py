"""Components built from the names that options hold, each once, and named as specifications and workers know them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mibench.core.errors import UsageError, shown
from mibench.core.faults import describe_error
from mibench.core.numbers import LARGEST_PARAMETER
from mibench.core.parameters import Params
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS, Registry
from mibench.experiments.specs import params_from_json, params_json
from mibench.experiments.values import ComponentName

REGISTRIES: Mapping[str, Registry[Any]] = {
    "task": TASKS,
    "estimator": ESTIMATORS,
    "critic": CRITICS,
    "negatives": NEGATIVES,
}
"""Where the names that options hold are looked up."""


class Components:
    """Components by the names that options hold."""

    def __init__(self) -> None:
        self._built: dict[tuple[str, ComponentName, float | None], Any] = {}
        self._stored: dict[tuple[str, str, str], tuple[str, Params]] = {}

    def get(self, option: str, name: ComponentName, mi: float | None = None) -> Any:
        """Build the component that an option names; ``mi`` sets a task's level.

        Raises
        ------
        UsageError
            As `mibench.core.registry.Registry.create`.
        """
        key = (option, name, mi)
        if key not in self._built:
            level = {} if mi is None else {"mi": mi}
            self._built[key] = REGISTRIES[option].create(name.name, {**dict(name.params), **level})
        return self._built[key]

    def named(self, option: str, name: ComponentName) -> tuple[str, Params]:
        """Return the versioned name and the resolved parameters of what an option names; see `stored`."""
        return self.stored(option, self.get(option, name))

    def stored(self, option: str, component: Any) -> tuple[str, Params]:
        """As `stored`, which has a component built again: here once for all that are equal."""
        registry = REGISTRIES[option]
        named = _named(registry, component)
        key = (option, named[0], str(named[1]))
        if key not in self._stored:
            self._stored[key] = stored(registry, component)
        return self._stored[key]


def stored(registry: Registry[Any], component: Any) -> tuple[str, Params]:
    """Return the versioned name and the parameters of a component, as an id, a row and a worker hold them.

    Parameters
    ----------
    registry
        Where its class is registered.
    component
        An instance.

    Raises
    ------
    UsageError
        Where the class is not registered, a parameter is no text, number, truth value or None, and where what is built
        from the parameters in JSON has others: a worker would train something else.
    """
    name, params = _named(registry, component)
    label = f"{registry.what} '{name}'"
    for key, value in params:
        if reason := _unstorable(value):
            raise UsageError(f"{label}, parameter '{key}': {shown(value, repr)} cannot be stored, since it is {reason}")
    text = params_json(params)
    try:
        again = params_json(registry.create(name, dict(params_from_json(text))).params())
    except Exception as error:
        why = str(error) if isinstance(error, UsageError) else describe_error(error)
        raise UsageError(
            f"{label} cannot be built from its own parameters, {shown(text)}: {why}; let __post_init__ take what it "
            "sets"
        ) from error
    if again != text:
        raise UsageError(
            f"{label} has the parameters {text}, and {again} when it is built from these; let __post_init__ take what "
            "it sets, and leave it as it is"
        )
    return name, params


def _named(registry: Registry[Any], component: Any) -> tuple[str, Params]:
    try:
        return registry.id_of(component), component.params()
    except KeyError as error:
        raise UsageError(
            f"'{type(component).__name__}' stands where a {registry.what} should, and is not registered; register it, "
            "or return one of a class that is"
        ) from error


def _unstorable(value: object) -> str:
    """Say why a parameter cannot be part of an id; empty where it can."""
    if not isinstance(value, str | int | float | None):
        return f"of type {type(value).__name__}; make it text, a number, true, false or None"
    if isinstance(value, float) and math.isnan(value):
        return "no number; use None, or another value"
    if isinstance(value, int) and abs(value) > LARGEST_PARAMETER:
        return f"too large; use at most {LARGEST_PARAMETER}"
    return ""
