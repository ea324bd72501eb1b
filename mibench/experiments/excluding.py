"""Tests of runs against the options of an ``exclude`` table: all options must match, each by any of its values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from mibench.experiments.components import REGISTRIES, Components
from mibench.experiments.reading import Options
from mibench.experiments.specs import RunSpec
from mibench.experiments.values import ComponentName, as_stored

_Test = Callable[[RunSpec], bool]


def matcher(wanted: Options, components: Components) -> _Test:
    """Return the test whether a run has all the options of a table.

    Raises
    ------
    UsageError
        For components that do not exist or refuse their parameters.
    """
    given = {field.name: getattr(wanted, field.name) for field in dataclasses.fields(wanted) if field.name != "budget"}
    tests = [_option_test(name, values, components) for name, values in given.items() if values]
    return lambda spec: all(test(spec) for test in tests)


def _option_test(option: str, values: Sequence[Any], components: Components) -> _Test:
    if option in REGISTRIES:
        tests = [_name_test(option, name, components) for name in values]
        return lambda spec: any(test(spec) for test in tests)
    if option == "mi":
        return lambda spec: dict(spec.task_params).get("mi") in values
    field, stored = {"seeds": "seed"}.get(option, option), [as_stored(value) for value in values]
    return lambda spec: getattr(spec, field) in stored


def _name_test(option: str, name: ComponentName, components: Components) -> _Test:
    """``"smile"`` matches every SMILE, ``"smile:tau=5"`` those with that parameter."""
    wanted_id, params = components.named(option, name)
    written = dict(name.params)
    wanted = {item for item in params if item[0] in written}
    return lambda spec: getattr(spec, option) == wanted_id and wanted <= set(getattr(spec, f"{option}_params"))
