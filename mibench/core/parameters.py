"""Components with parameters: a frozen dataclass that can be written as ``name:key=value,key=value``.

Tasks, estimators, critics and negative samplers all derive from `Parametrised`. A subclass declares its parameters as
annotated fields with defaults and becomes a frozen, keyword-only dataclass without further ado; values, defaults
included, are checked and converted by the fields' annotations, so that ``"smile:tau=5"``, ``Smile(tau=5)`` and a
default that is written ``5`` are the same object.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import numbers
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self, Union, dataclass_transform, get_args, get_origin

from mibench.core.errors import UsageError, did_you_mean, shown
from mibench.core.numbers import LARGEST_PARAMETER, as_whole, to_number

Scalar = str | int | float | bool | None
Params = tuple[tuple[str, Scalar], ...]
"""Resolved parameters, sorted by name: the canonical form that ids are made of."""

_READABLE = "str, int, float, bool, Literal[...], or one of these with '| None'"
"""The annotations that parameters can have, for messages."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Parametrised:
    """Base of everything that a registry holds and that takes parameters."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        generated = "__init__" not in cls.__dict__
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        if generated:
            cls.__init__ = _reading(cls, cls.__init__)  # type: ignore[method-assign]

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Names of the parameters, in the order of declaration."""
        return tuple(f.name for f in dataclasses.fields(cls) if f.init)

    @classmethod
    def required_names(cls) -> tuple[str, ...]:
        """Names of the parameters without a default, in the order of declaration."""
        return tuple(f.name for f in dataclasses.fields(cls) if f.init and not _has_default(f))

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
            For a parameter that does not exist, is missing, or does not have the annotated type, its default included.
        """
        names = cls.parameter_names()
        for key in values:
            if key not in names:
                hint = f"it takes {', '.join(names)}" if names else "it takes none"
                raise UsageError(f"{label} has no parameter '{key}'{did_you_mean(key, names, hint)}")
        for name in cls.required_names():
            if name not in values:
                raise UsageError(f"{label} needs a value for '{name}'")
        return cls(**_read(cls, values, label))

    def params(self) -> Params:
        """Return all parameters with their values, defaults included, sorted by name."""
        return tuple(sorted((name, getattr(self, name)) for name in self.parameter_names()))


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _reading(cls: type[Parametrised], init: Callable[..., None]) -> Callable[..., None]:
    """Make a constructor read its values, and the defaults of those that are not given."""

    @functools.wraps(init)
    def read_and_init(self: Parametrised, **values: Any) -> None:
        init(self, **_read(cls, values, cls.__name__))

    return read_and_init


def _read(cls: type[Parametrised], values: Mapping[str, Any], label: str) -> dict[str, Any]:
    """Convert given values and the defaults of the others; names that are no parameters stay for the constructor."""
    hints = _annotations(cls, label)
    read = dict(values)
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        annotation, what = hints[field.name], f"parameter '{field.name}'"
        if field.name in values:
            read[field.name] = convert(values[field.name], annotation, f"{label}, {what}")
        elif _has_default(field):
            read[field.name] = _read_default(field, annotation, f"{label}, default of {what}")
    return read


def _read_default(field: dataclasses.Field[Any], annotation: Any, label: str) -> Any:
    made = field.default_factory
    default = field.default if made is dataclasses.MISSING else made()
    try:
        read = convert(default, annotation, label)
    except UsageError as error:
        if default is not None:
            raise
        raise UsageError(f"{error}; annotate it with '| None' where None is meant") from error
    if type(default) in get_args(annotation) and _sort(default) is not _sort(read):
        raise UsageError(
            f"{label}: {shown(default, repr)} is read as {shown(read, repr)} wherever it is written; give another "
            "default, or annotate it so that one type alone takes it"
        )
    return read


def _sort(value: Any) -> type:
    """Whether a value is text, a number, a truth value or None; 1 and 1.0 are the same number."""
    return float if _is_number(value) else type(value)


def _annotations(cls: type[Parametrised], label: str) -> dict[str, Any]:
    """Return what the fields are annotated with, read once."""
    known: dict[str, Any] | None = cls.__dict__.get("_read_annotations")
    if known is None:
        try:
            known = typing.get_type_hints(cls)
        except Exception as error:  # text that is no type: whatever its evaluation raises
            raise UsageError(
                f"{label}: the annotations of its parameters cannot be read ({type(error).__name__}: {error}); write "
                f"{_READABLE}, and import what they name"
            ) from error
        cls._read_annotations = known  # type: ignore[attr-defined]  # of this class alone, whose fields these are
    return known


def convert(value: Any, annotation: Any, label: str) -> Any:
    """Convert a value to an annotated type: str, int, float, bool, Literal, or a union of these or with None.

    Of a union the first type counts that takes the value; None and its name come before, and a choice that is written
    out before these.

    Raises
    ------
    UsageError
        Where the value does not have that type; NaN is never accepted, nor is a whole number that reports would round.
        For an annotation of another type.
    """
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return _convert_to_any(value, get_args(annotation), label)
    if origin is Literal:
        return _choice(value, get_args(annotation), label)
    if annotation is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise UsageError(f"{label}: '{shown(value)}' is neither true nor false")
    if annotation is int:
        return _whole(value, label)
    if annotation is float:
        return to_number(value, label)
    if annotation is str:
        if not isinstance(value, str | numbers.Number):
            raise UsageError(f"{label}: '{shown(value)}' is not text")
        return str(value)
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    raise UsageError(f"{label}: parameters of type {shown(name)} are not supported; use {_READABLE}")


def _convert_to_any(value: Any, annotations: tuple[Any, ...], label: str) -> Any:
    *others, last = [annotation for annotation in annotations if annotation is not type(None)]
    choices = (get_args(annotation) for annotation in annotations if get_origin(annotation) is Literal)
    if any(_is_same(value, choice) for choice in itertools.chain.from_iterable(choices)):
        return value
    if type(None) in annotations and (value is None or (isinstance(value, str) and value.lower() == "none")):
        return None
    for annotation in others:
        with contextlib.suppress(UsageError):
            return convert(value, annotation, label)
    return convert(value, last, label)


def _choice(value: Any, choices: tuple[Any, ...], label: str) -> Any:
    for choice in choices:
        if not isinstance(choice, str | int | None):
            raise UsageError(f"{label}: a choice of type {type(choice).__name__} is not supported; use text or numbers")
    exact = [choice for choice in choices if _is_same(value, choice)]
    equal = [choice for choice in choices if str(value) == str(choice) or (_is_number(value) and value == choice)]
    for choice in exact + equal:
        return choice
    raise UsageError(f"{label}: '{shown(value)}' is none of {', '.join(map(str, choices))}")


def _is_same(value: Any, choice: Any) -> bool:
    """Whether a value is a choice as it stands, ``1`` and ``"1"`` being two."""
    return type(value) is type(choice) and bool(value == choice)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any, label: str) -> int:
    if not to_number(value, label).is_integer():
        raise UsageError(f"{label}: '{shown(value)}' is not a whole number")
    number = as_whole(value)
    if number is None or abs(number) > LARGEST_PARAMETER:
        raise UsageError(f"{label}: '{shown(value)}' is too large; use at most {LARGEST_PARAMETER}")
    return number


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
