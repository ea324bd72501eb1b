"""Components built from the names that options hold, each once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mibench.core.parameters import Params
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS, Registry
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
        """Return the versioned name and the resolved parameters of what an option names."""
        component = self.get(option, name)
        return REGISTRIES[option].id_of(component), component.params()
