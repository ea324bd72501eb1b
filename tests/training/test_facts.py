"""What components say of a run before it is trained: what a row can hold is kept, the rest is named."""

from __future__ import annotations

import math
from typing import Any

import pytest

import mibench
from mibench.core.errors import UsageError
from mibench.core.plugins import load_plugins
from mibench.experiments.specs import RunSpec
from mibench.store.parquet import as_table
from mibench.training.components import Run
from mibench.training.facts import facts_of
from mibench.training.loop import train_pack
from tests.support.paths import SUPPORT
from tests.support.runs import specs_over

specs_of = specs_over({"critic": "separable", "hidden": "1x4", "batch": 8, "steps": 3, "seeds": 1})
NWJ = {"estimator": "nwj"}
GAUSSIAN = {"task": "gaussian20d:dim=2", "mi": 1.0}
FINITE = "a finite number of at least 0, as a plain float"


@pytest.fixture(autouse=True)
def odd_components(fresh_registries: None) -> None:
    load_plugins([SUPPORT / "odd_components.py"], strict=True)


def spec_of(options: dict[str, Any]) -> RunSpec:
    (spec,) = specs_of(**options)
    return spec


@pytest.mark.parametrize(
    ("name", "column", "found", "wanted"),
    [
        ("odd-tensor", "mi_true", "mi is tensor(0.5000)", FINITE),
        ("odd-text", "mi_true", "mi is '0.5'", FINITE),
        ("odd-truth", "mi_true", "mi is True", FINITE),
        ("odd-object", "mi_true", "mi is <object object at ", FINITE),
        ("odd-nan", "mi_true", "mi is nan", FINITE),
        ("odd-infinite", "mi_true", "mi is inf", FINITE),
        ("odd-huge", "mi_true", "mi is 1000", FINITE),
        ("odd-negative", "mi_true", "mi is -0.5", FINITE),
        ("odd-error", "mi_se", "mi_se is tensor(0.1000)", FINITE),
        (
            "odd-method",
            "mi_method",
            "mi_method is 'by heart'",
            "one of closed-form, quadrature, enumeration, monte-carlo",
        ),
        ("odd-columns", "dim_x", "dim_x is tensor(2)", "a whole number of at least 1, as a plain int"),
        ("odd-ceiling", "ceiling", "ceiling is tensor(2.)", "a number, as a plain float"),
        ("odd-nan-ceiling", "ceiling", "ceiling is nan", "a number, as a plain float"),
        ("odd-kind", "kind", "kind is 'lowr'", "one of lower, upper, plug-in"),
    ],
)
def test_what_no_row_can_hold_is_named_and_all_else_is_kept(name: str, column: str, found: str, wanted: str) -> None:
    odd_task = name in mibench.list_tasks()
    spec = spec_of({"task": name, **NWJ} if odd_task else {**GAUSSIAN, "estimator": name})
    whole = facts_of(Run.from_spec(spec_of({**GAUSSIAN, **NWJ})), 0)
    facts = facts_of(Run.from_spec(spec), 0)
    assert set(facts.columns) == set(whole.columns) - {column}
    as_table("runs", [facts.columns])
    known: list[Any] = []
    with pytest.raises(UsageError) as error:
        train_pack([spec], known=known.append)
    assert known == [{spec.run_id: [facts.columns]}]
    assert str(error.value).startswith(f"{'task' if odd_task else 'estimator'} '{name}-v1': {found}")
    assert str(error.value).endswith(f"; it must be {wanted}")


def test_what_an_attribute_raises_is_kept_for_the_run_to_raise() -> None:
    spec = spec_of({"task": "odd-raises", **NWJ})
    assert "mi_true" not in facts_of(Run.from_spec(spec), 0).columns
    with pytest.raises(KeyError, match="no such row"):
        train_pack([spec])


def test_numbers_of_numpy_are_numbers() -> None:
    facts = facts_of(Run.from_spec(spec_of({"task": "odd-numpy", "estimator": "odd-numpy-ceiling"})), 0)
    assert facts.fault is None
    found = {name: facts.columns[name] for name in ("dim_x", "mi_true", "mi_se", "ceiling")}
    assert found == {"dim_x": 2, "mi_true": 0.5, "mi_se": 0.0, "ceiling": 2.0}
    assert [type(value) for value in found.values()] == [int, float, float, float]
    (row,) = train_pack([spec_of({"task": "odd-numpy", "estimator": "odd-numpy-ceiling"})])[0].rows
    assert row["predicted_optimum"] is None or math.isfinite(row["predicted_optimum"])
    as_table("runs", [row])
