"""Components with parameters: a frozen dataclass that can be written as ``name:key=value,key=value``.

Tasks, estimators, critics and negative samplers all derive from `Parametrised`. A subclass declares its parameters as
annotated fields with defaults and becomes a frozen, keyword-only dataclass without further ado; values are checked
and converted by the fields' annotations, so that ``"smile:tau=5"`` and ``Smile(tau=5.0)`` are the same object.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, Union, dataclass_transform, get_args, get_origin

from mibench.core.errors import UsageError, did_you_mean, shown
from mibench.core.numbers import LARGEST_WHOLE, to_number

Scalar = str | int | float | bool | None
Params = tuple[tuple[str, Scalar], ...]
"""Resolved parameters, sorted by name: the canonical form that ids are made of."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Parametrised:
    """Base of everything that a registry holds and that takes parameters."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Names of the parameters, in the order of declaration."""
        return tuple(f.name for f in dataclasses.fields(cls) if f.init)

    @classmethod
    def from_params(cls, values: Mapping[str, Any], *, label: str) -> Self:
        """Build an instance from text or numbers.

        Parameters
        ----------
        values
            Parameter values; strings are converted by the field's annotation.
        label
            How the component is called in messages, for example ``"estimator 'smile'"``.

        Raises
        ------
        UsageError
            For a parameter that does not exist, is missing, or does not have the annotated type.
        """
        hints = typing.get_type_hints(cls)
        names = cls.parameter_names()
        for key in values:
            if key not in names:
                hint = f"it takes {', '.join(names)}" if names else "it takes none"
                raise UsageError(f"{label} has no parameter '{key}'{did_you_mean(key, names, hint)}")
        for field in dataclasses.fields(cls):
            if field.init and field.name not in values and _is_required(field):
                raise UsageError(f"{label} needs a value for '{field.name}'")
        return cls(**{k: convert(v, hints[k], f"{label}, parameter '{k}'") for k, v in values.items()})

    def params(self) -> Params:
        """Return all parameters with their values, defaults included, sorted by name."""
        return tuple(sorted((name, getattr(self, name)) for name in self.parameter_names()))


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def convert(value: Any, annotation: Any, label: str) -> Any:
    """Convert a value to an annotated type (str, int, float, bool, Literal, or a union with None).

    Raises
    ------
    UsageError
        Where the value does not have that type; NaN is never accepted.
    """
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            return None
        return convert(value, inner[0], label)
    if origin is Literal:
        choices = get_args(annotation)
        for choice in choices:
            if (value == choice and not isinstance(value, bool)) or str(value) == str(choice):
                return choice
        raise UsageError(f"{label}: '{shown(value)}' is none of {', '.join(map(str, choices))}")
    if annotation is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise UsageError(f"{label}: '{shown(value)}' is neither true nor false")
    if annotation in (int, float):
        number = to_number(value, label)
        if annotation is float:
            return number
        if not number.is_integer():
            raise UsageError(f"{label}: '{shown(value)}' is not a whole number")
        if abs(number) > LARGEST_WHOLE:
            raise UsageError(f"{label}: '{shown(value)}' is too large; use at most {LARGEST_WHOLE}")
        return int(number)
    if annotation is str:
        return str(value)
    raise TypeError(f"{label}: parameters of type {annotation!r} are not supported")


def to_rows(text: str, label: str) -> list[list[float]]:
    """Read ``"0.4_0.1/0.1_0.4"`` as rows of equally many numbers; a comma would end the parameter.

    Raises
    ------
    UsageError
        Where an entry is not a number, and where rows differ in length.
    """
    rows = [[to_number(entry, label) + 0.0 for entry in row.split("_")] for row in text.split("/")]  # no -0.0
    if any(len(row) != len(rows[0]) for row in rows):
        raise UsageError(f"{label} has rows of {', '.join(str(len(row)) for row in rows)} entries; make them equal")
    return rows


def from_rows(rows: list[list[float]]) -> str:
    """Inverse of `to_rows`: the one spelling that ids are made of."""
    return "/".join("_".join(map(str, row)) for row in rows)


def split_name(text: str) -> tuple[str, dict[str, str]]:
    """Split ``"smile:tau=5"`` into ``("smile", {"tau": "5"})``.

    Raises
    ------
    UsageError
        Where a part after the colon is not ``key=value``, or a key stands twice.
    """
    name, colon, rest = str(text).strip().partition(":")
    values: dict[str, str] = {}
    for part in rest.split(",") if colon else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise UsageError(f"'{text}' does not parse; write parameters as '{name}:key=value,key=value'")
        if key in values:
            raise UsageError(f"'{text}' gives '{key}' twice")
        values[key] = value
    return name.strip(), values


def join_name(name: str, params: Params) -> str:
    """Inverse of `split_name`: ``"smile:tau=5.0"``; just the name where there are no parameters."""
    return name + (":" + ",".join(f"{k}={v}" for k, v in params) if params else "")
