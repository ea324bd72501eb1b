from __future__ import annotations

import dataclasses
import json
import math
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import UsageError
from mibench.experiments.grid import resolve
from mibench.experiments.options import PRECISIONS
from mibench.experiments.specs import RunSpec, params_json, parse_hidden

numbers = st.floats(allow_nan=False)
params = st.dictionaries(
    st.from_regex(r"[a-z]{1,6}", fullmatch=True),
    st.one_of(numbers, st.integers(), st.booleans(), st.none()),
    max_size=3,
).map(lambda d: tuple(sorted(d.items())))
names = st.from_regex(r"[a-z]{1,8}-v[1-9]", fullmatch=True)
counts = st.integers(1, 2**63 - 1)
specs = st.builds(
    RunSpec,
    task=names,
    task_params=params,
    schedule=st.lists(st.floats(0, 100), max_size=4).map(tuple),
    estimator=names,
    estimator_params=params,
    critic=names,
    critic_params=params,
    hidden=st.sampled_from([None, "2x256", "1x8"]),
    activation=st.sampled_from([None, "relu", "elu"]),
    dropout=st.sampled_from([None, "0.0", "0.5/0.3"]),
    negatives=names,
    negatives_params=params,
    batch=counts,
    steps=counts,
    lr=st.one_of(st.none(), st.floats(1e-9, 1)),
    weight_decay=st.one_of(st.none(), st.floats(0, 1)),
    precision=st.sampled_from(PRECISIONS),
    window=counts,
    every=counts,
    seed=counts,
    samples=st.one_of(st.none(), counts),
    patience=st.one_of(st.none(), counts),
)


@given(specs)
def test_canonical_json_round_trip(spec: RunSpec) -> None:
    again = RunSpec.from_json(spec.canonical)
    assert again == spec
    assert (again.canonical, again.run_id) == (spec.canonical, spec.run_id)


@given(specs)
def test_canonical_json_is_plain_sorted_and_compact(spec: RunSpec) -> None:
    text = spec.canonical
    values = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert text == json.dumps(values, sort_keys=True, separators=(",", ":"))
    assert set(spec.run_id) <= set("0123456789abcdef")
    assert len(spec.run_id) == 32


@given(specs, st.data())
def test_any_change_of_a_number_changes_the_id(spec: RunSpec, data: st.DataObject) -> None:
    fields = [f.name for f in dataclasses.fields(spec) if isinstance(getattr(spec, f.name), int | float)]
    name = data.draw(st.sampled_from(fields))
    value = getattr(spec, name)
    other = value + 1 if isinstance(value, int) else math.nextafter(value, math.inf)
    assert dataclasses.replace(spec, **{name: other}).run_id != spec.run_id


@given(specs, st.data())
def test_any_change_of_a_parameter_changes_the_id(spec: RunSpec, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(["task_params", "estimator_params", "critic_params", "negatives_params"]))
    value = data.draw(st.floats(-1e6, 1e6))
    here = dataclasses.replace(spec, **{field: (("x", value),)})
    there = dataclasses.replace(spec, **{field: (("x", math.nextafter(value, math.inf)),)})
    assert here.run_id != there.run_id


def test_two_schedules_of_the_same_digits_are_two_runs() -> None:
    one, other = _spec(schedule=[[1, 0.5]]), _spec(schedule=[[1, 0, 5]], steps=3999)
    assert one.run_id != other.run_id
    assert '"schedule":[1.0,0.5]' in one.canonical


def _spec(**options: object) -> RunSpec:
    base: dict[str, object] = {"task": "gaussian20d", "estimator": "smile", "seeds": 1}
    if "schedule" not in options:
        base["mi"] = 4
    return resolve({**base, **options})[0]


GIVEN: dict[str, tuple[object, ...]] = {
    "task": ("gaussian20d", "gaussian", "gaussian20d-v1", "gaussian20d:dim=20", " gaussian20d : dim = 20.0 "),
    "mi": (4, 4.0, "4", "4nats", "4.0 nats"),
    "estimator": ("smile", "smile:tau=5", "smile-v1:tau=5.0", "smile:tau=5e0"),
    "critic": (None, "joint", "joint-v1"),
    "hidden": (None, "2x256", "2X256", " 2×256 "),
    "activation": (None, "relu"),
    "dropout": (None, 0, 0.0, "0", "0/0", "-0.0"),
    "weight_decay": (None, 0, "0.0", -0.0),
    "precision": (None, "float32"),
    "negatives": (None, "shuffle", "permutation", "shuffle:fixed=none"),
    "batch": (None, 64, "64", 64.0, "6.4e1"),
    "steps": (None, 3000, "3e3"),
    "lr": (None, 5e-4, "0.0005", "5e-4"),
    "window": (None, 1000),
    "every": (None, "15"),
    "budget": (None, "standard"),
}


@given(st.data())
def test_order_of_keys_and_spelling_of_defaults_do_not_matter(data: st.DataObject) -> None:
    spelled = {name: data.draw(st.sampled_from(ways), label=name) for name, ways in GIVEN.items()}
    keys = data.draw(st.permutations(list(spelled)))
    assert _spec(**{key: spelled[key] for key in keys}).run_id == _spec().run_id


CHANGES: dict[str, st.SearchStrategy[typing.Any]] = {
    "mi": st.floats(0.1, 30).filter(lambda v: v != 4),
    "lr": st.floats(1e-6, 1).filter(lambda v: v != 5e-4),
    "weight_decay": st.floats(1e-9, 1),
    "dropout": st.floats(1e-6, 0.9),
    "precision": st.sampled_from(PRECISIONS[1:]),
    "batch": st.integers(2, 10**6).filter(lambda v: v != 64),
    "steps": st.integers(2000, 10**6).filter(lambda v: v != 3000),
    "window": st.integers(1, 999),
    "every": st.integers(1, 14),
    "seed": st.integers(1, 2**63 - 1),
    "samples": st.integers(320, 10**6),
    "estimator": st.floats(0.1, 100).filter(lambda v: v != 5).map(lambda v: f"smile:tau={v!r}"),
    "task": st.integers(1, 19).map(lambda v: f"gaussian20d:dim={v}"),
    "hidden": st.tuples(st.integers(3, 9), st.integers(1, 999)).map(lambda v: f"{v[0]}x{v[1]}"),
    "negatives": st.integers(0, 9).map(lambda v: f"shuffle:fixed={v}"),
}


@given(st.data())
def test_any_option_that_differs_gives_another_id(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CHANGES)))
    options: dict[str, object] = {name: data.draw(CHANGES[name])}
    if name == "seed":
        options["seeds"] = None
    assert _spec(**options).run_id != _spec().run_id


def test_the_id_is_stable_across_versions() -> None:
    """An id that changes makes every stored row unreadable as the same run: raise ID_SCHEME instead."""
    assert _spec().run_id == "e0844a013a4f253639818c2b5c7c78bd"


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"id_scheme":1}', '{"id_scheme":1,"task":"x"}', "nonsense"])
def test_from_json_refuses_what_is_no_run(text: str) -> None:
    with pytest.raises(UsageError, match="not the specification of a run"):
        RunSpec.from_json(text)


def test_from_json_refuses_another_id_scheme() -> None:
    with pytest.raises(UsageError, match="id scheme 99 cannot be read"):
        RunSpec.from_json(_spec().canonical.replace('"id_scheme":1', '"id_scheme":99'))


@pytest.mark.parametrize(("text", "expected"), [("2x256", (2, 256)), (" 1X8 ", (1, 8)), ("3×4", (3, 4))])
def test_hidden_is_depth_times_width(text: str, expected: tuple[int, int]) -> None:
    assert parse_hidden(text) == expected


@pytest.mark.parametrize("text", ["", "256", "x8", "2x", "0x8", "2x0", "-1x8", "2x8x8", "2.5x8", "2x8 relu"])
def test_hidden_refuses_everything_else(text: str) -> None:
    with pytest.raises(UsageError, match="does not parse; write depth x width"):
        parse_hidden(text)


def test_params_json_spells_infinities() -> None:
    assert params_json((("a", None), ("tau", math.inf))) == '{"a":null,"tau":"inf"}'
