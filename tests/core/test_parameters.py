from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import UsageError
from mibench.core.parameters import Parametrised, convert, join_name, split_name

keys = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
values = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none())


class Thing(Parametrised):
    """A component for these tests."""

    size: int
    rate: float = 0.5
    form: Literal["full", "weighted"] = "full"
    cut: float | None = None
    flag: bool = False


@given(st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True), st.dictionaries(keys, values, max_size=4))
def test_split_name_inverts_join_name(name: str, params: dict[str, Any]) -> None:
    pairs = tuple(sorted(params.items()))
    assert split_name(join_name(name, pairs)) == (name, {key: str(value) for key, value in pairs})


@given(st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.sampled_from(["full", "weighted"]), st.booleans())
def test_a_component_is_rebuilt_from_its_name(size: int, rate: float, form: Any, flag: bool) -> None:
    thing = Thing(size=size, rate=rate, form=form, flag=flag)
    _, written = split_name(join_name("thing", thing.params()))
    assert Thing.from_params(written, label="thing") == thing


def test_params_are_all_of_them_sorted() -> None:
    assert Thing(size=1).params() == (("cut", None), ("flag", False), ("form", "full"), ("rate", 0.5), ("size", 1))


def test_components_are_frozen_and_take_keywords_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Thing(size=1).size = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Thing(1)  # type: ignore[misc]


@pytest.mark.parametrize(("given_", "message"), [
    ({}, "thing needs a value for 'size'"),
    ({"size": 1, "rats": 2}, "thing has no parameter 'rats'; did you mean 'rate'?"),
    ({"size": 1, "zzz": 2}, "thing has no parameter 'zzz'; it takes size, rate, form, cut, flag"),
    ({"size": 1.5}, "thing, parameter 'size': '1.5' is not a whole number"),
    ({"size": "many"}, "thing, parameter 'size': 'many' is not a number"),
    ({"size": True}, "thing, parameter 'size': 'True' is not a number"),
    ({"size": "nan"}, "thing, parameter 'size': 'nan' is not a number"),
    ({"size": 1, "form": "short"}, "thing, parameter 'form': 'short' is none of full, weighted"),
    ({"size": 1, "flag": "maybe"}, "thing, parameter 'flag': 'maybe' is neither true nor false"),
])  # fmt: skip
def test_wrong_parameters_are_refused_in_one_sentence(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        Thing.from_params(given_, label="thing")
    assert str(error.value) == message


@pytest.mark.parametrize(("value", "annotation", "expected"), [
    ("5", float, 5.0), ("inf", float, math.inf), ("1e3", int, 1000), ("none", float | None, None),
    ("2", float | None, 2.0), ("True", bool, True), ("x", str, "x"), (3, Literal["a", 3], 3), ("3", Literal["a", 3], 3),
])  # fmt: skip
def test_text_is_converted_by_annotation(value: Any, annotation: Any, expected: Any) -> None:
    found = convert(value, annotation, "x")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", ["smile:", "smile:tau", "smile:tau=", "smile:=5", "smile:tau=5,", "smile:tau=5;x"])
def test_names_that_do_not_parse(text: str) -> None:
    if text == "smile:tau=5;x":  # the value is refused later, by its annotation
        assert split_name(text) == ("smile", {"tau": "5;x"})
        return
    with pytest.raises(UsageError, match="write parameters as 'smile:key=value,key=value'"):
        split_name(text)


def test_a_parameter_stands_once() -> None:
    with pytest.raises(UsageError, match="gives 'tau' twice"):
        split_name("smile:tau=1,tau=2")


class Written(Parametrised):
    """A component whose defaults are written in other types than theirs."""

    a: float = 1
    b: int = 3.0  # type: ignore[assignment]
    c: float | None = None
    d: bool = "true"  # type: ignore[assignment]
    e: int | float = 2.0
    f: float | str = "auto"


def test_defaults_are_read_like_given_values() -> None:
    read = (("a", 1.0), ("b", 3), ("c", None), ("d", True), ("e", 2), ("f", "auto"))
    texts = {"a": "1", "b": "3", "c": "none", "d": "True", "e": "2", "f": "auto"}
    found = [Written(), Written.from_params({}, label="written"), Written.from_params(texts, label="written")]
    found += [Written(a=1, b=3), dataclasses.replace(Written(), a=1)]
    for one in found:
        assert one.params() == read
        assert [type(value) for _, value in one.params()] == [float, int, type(None), bool, int, str]
        assert one == found[0]


class Chosen(Parametrised):
    """A component whose choices look like something else."""

    norm: Literal["none", "layer"] | None = "none"
    none: Literal["none", "layer"] | None = None
    number: Literal["1", 1] = 1
    text: Literal["1", 1] = "1"
    auto: float | Literal["auto", "1"] = "1"


def test_a_default_that_is_one_of_the_choices_stays_as_it_is() -> None:
    expected = {"norm": "none", "none": None, "number": 1, "text": "1", "auto": "1"}
    for one in (Chosen(), Chosen.from_params({}, label="chosen"), Chosen.from_params(expected, label="chosen")):
        assert dict(one.params()) == expected
        assert isinstance(one.number, int)
    as_text = {"norm": "none", "none": "layer", "number": "1", "text": "1", "auto": "2"}
    read = {"norm": "none", "none": "layer", "number": "1", "text": "1", "auto": 2.0}
    assert dict(Chosen.from_params(as_text, label="chosen").params()) == read


def test_a_union_takes_the_first_type_that_fits() -> None:
    assert convert("2.5", int | float, "x") == 2.5
    assert convert("0.5", float | str, "x") == 0.5
    assert convert("half", float | str, "x") == "half"
    with pytest.raises(UsageError, match=r"^x: 'half' is not a number$"):
        convert("half", int | float | None, "x")


@pytest.mark.parametrize(("annotation", "default", "message"), [
    (float, None, "bad, default of parameter 'a': 'None' is not a number; annotate it with '| None' where None is "
     "meant"),
    (str, None, "bad, default of parameter 'a': 'None' is not text; annotate it with '| None' where None is meant"),
    (float, math.nan, "bad, default of parameter 'a': 'nan' is not a number"),
    (int, 2**53 + 1, "bad, default of parameter 'a': '9007199254740993' is too large; use at most 9007199254740992"),
    (tuple[int, ...], (1,), "bad, default of parameter 'a': parameters of type tuple[int, ...] are not supported; use "
     "str, int, float, bool, Literal[...], or one of these with '| None'"),
    (str | None, "None", "bad, default of parameter 'a': 'None' is read as None wherever it is written; give another "
     "default, or annotate it so that one type alone takes it"),
    (int | str, "5", "bad, default of parameter 'a': '5' is read as 5 wherever it is written; give another default, "
     "or annotate it so that one type alone takes it"),
    (str | int, 5, "bad, default of parameter 'a': 5 is read as '5' wherever it is written; give another default, or "
     "annotate it so that one type alone takes it"),
    ("Missing", 1, "bad: the annotations of its parameters cannot be read (NameError: name 'Missing' is not defined); "
     "write str, int, float, bool, Literal[...], or one of these with '| None', and import what they name"),
])  # fmt: skip
def test_defaults_that_no_id_can_hold_are_refused_in_one_sentence(annotation: Any, default: Any, message: str) -> None:
    bad = type("Bad", (Parametrised,), {"__annotations__": {"a": annotation}, "a": default, "__module__": __name__})
    with pytest.raises(UsageError) as error:
        bad.from_params({}, label="bad")
    assert str(error.value) == message
    with pytest.raises(UsageError, match=r"^Bad"):
        bad()
