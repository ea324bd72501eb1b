"""Conditions on rows: what a figure or a table prints of rows selects them, and nothing else."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mibench.analysis.labels import COMPONENTS, component_id, with_labels
from mibench.core.errors import UsageError
from mibench.figures.registry import FIGURES, Drawing, load_figures
from mibench.report.conditions import read_conditions
from mibench.report.selection import select
from tests.support.rows import make

load_figures()

BIT = math.log(2)
STUDENT = {"dim_x": 2, "dim_y": 2, "dof": 2.0}
NESTED = {"base": "normal-pairs-v1:mi=2:pairs=5", "x": "asinh", "y": None}
BASE: dict[str, Any] = {"batches": (64,), "levels": (2.0,), "negatives": ("shuffle",), "steps": 60, "seeds": 1}

VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"batches": (128, 1024, 2048), "seeds": 2},
    {"levels": (BIT, 1 / 3, 5.0, 12.0)},
    {"schedule": (2.0, 4.5)},
    {"schedule": (2.0, 4.5, 8.0)},
    {"task": "student-t", "task_params": json.dumps(STUDENT)},
    {"task": "student-t", "task_params": json.dumps({**STUDENT, "dof": 3.5})},
    {"task": "student-t", "task_params": json.dumps({**STUDENT, "dim_x": 3, "dim_y": 1})},
    {"task": "transformed", "task_params": json.dumps(NESTED)},
    {"task": "transformed", "task_params": json.dumps({**NESTED, "x": "cubic"})},
    *({"estimators": ("smile",), "estimator_params": json.dumps({"tau": tau})} for tau in (1.0, 1 / 3, "inf")),
    {"estimators": ("nwj",), "estimator_version": 2},
    {"estimators": ("infonce",), "estimator_params": '{"ess":null}'},
    {"estimators": ("infonce",), "estimator_params": '{"ess":0.25}'},
    {"estimators": ("ksg",), "estimator_params": '{"k":3,"variant":1}'},
    {"estimators": ("ksg",), "estimator_params": '{"k":5,"variant":2}'},
    {"negatives_params": '{"fixed":0}'},
    {"negatives": ("derangement", "queue"), "negatives_params": '{"length":256}'},
    {"critic": "separable", "critic_params": '{"dim":32}'},
    {"critic": "separable", "critic_params": '{"dim":64}'},
    {"critic": "oracle", **dict.fromkeys(("hidden", "activation", "dropout", "lr", "weight_decay"))},
    {"lr": 1 / 3000},
    {"lr": 1e-3, "weight_decay": 0.01, "dropout": "0.5/0.3"},
    {"steps": 10_000, "window": 1000},
    {"hidden": "1x8", "activation": "elu", "precision": "float16-scores"},
    {"regime": "dataset", "samples": 1000, "patience": 5, "lr": 2e-3, "estimate_test": 1.0},
    {"regime": "dataset", "samples": 25_000, "patience": 10, "lr": 2e-3, "estimate_test": 1.0},
)
"""What groups of rows have in place of `BASE`."""

IGNORED = (
    *(
        (),
        ("task_label",),
        ("steps", "window"),
        ("task_label", "critic_label"),
        ("task_label", "critic_label", "steps"),
    ),
    ("task_label", "critic_label", "steps", "window"),
)
"""Settings that figures and tables print elsewhere."""


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows that differ in everything that labels speak of, and their curves."""
    made = []
    for number, columns in enumerate(VARIANTS):
        runs, curves = make(**{**BASE, **columns, "steps": 60})
        for table in (runs, curves):
            table["run_id"] = f"{number:02}" + table["run_id"].str[2:]
        made.append((runs.assign(steps=columns.get("steps", 60), optimiser="adam"), curves))
    return tuple(pd.concat(parts, ignore_index=True) for parts in zip(*made, strict=True))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def runs(tables: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return tables[0]


def chosen(runs: pd.DataFrame, *conditions: str) -> list[int]:
    """Places of the rows that conditions of the command line select."""
    return list(select(runs, read_conditions(conditions)).index)


def places(marks: Any) -> list[int]:
    return list(np.flatnonzero(np.asarray(marks)))


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_label_selects_the_rows_that_bear_it(name: str, runs: pd.DataFrame) -> None:
    labels = with_labels(runs)[f"{name}_label"]
    assert labels.nunique() > 2
    assert name not in ("task", "estimator") or labels.str.contains(",").any()
    for label in labels.unique():
        assert chosen(runs, f"{name}={label}") == places(labels == label), label
    some = list(labels.unique()[:3])
    assert chosen(runs, f"{name}={','.join(some)}") == places(labels.isin(some))


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_ids_of_captions_select_too(name: str, runs: pd.DataFrame) -> None:
    columns = [runs[name], runs[f"{name}_version"], runs[f"{name}_params"]]
    ids = np.array([component_id(*parts) for parts in zip(*columns, strict=True)], dtype=object)
    for one in set(ids):
        if ":" in one:  # a name without parameters has those of all
            assert chosen(runs, f"{name}={one}") == places(ids == one), one


@pytest.mark.parametrize("ignored", IGNORED)
def test_settings_that_are_printed_together_select_the_rows_that_have_them(
    ignored: tuple[str, ...], runs: pd.DataFrame
) -> None:
    setups = with_labels(runs, ignore=ignored)["setup"]
    assert setups.nunique() > 5
    for setup in filter(None, setups.unique()):
        assert chosen(runs, f"setup={setup}") == places(setups == setup), setup


@pytest.mark.parametrize("name", ["saturation", "staircase", "divergence"])
def test_what_a_figure_draws_is_selected_by_what_its_table_says(
    name: str, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    """In the labels of the figure's own rows, whatever other rows there are."""
    runs, _ = tables
    drawn = Drawing(*FIGURES[name].draw(*tables)).table
    keys = ["task", "estimator", "setup", "negatives", "batch", "mi_true"]
    groups = drawn.groupby(keys, dropna=False)
    assert len(groups) > 2
    for key, rows in groups:
        task, estimator, setup, negatives, batch, mi = key
        conditions = [f"task={task}", f"estimator={estimator}", f"negatives={negatives}", f"N={batch:,}"]
        conditions += [f"mi={mi:g} nats", *([f"setup={setup}"] if setup else [])]
        selected = set(runs.loc[chosen(runs, *conditions), "run_id"])
        assert set(rows["run_id"]) <= selected, conditions
        if name == "saturation":
            constant = set(runs.loc[runs["schedule"] == "[]", "run_id"])
            assert selected & constant & set(drawn["run_id"]) == set(rows["run_id"]), conditions


@pytest.mark.parametrize(
    ("condition", "column", "values"),
    [
        ("task=student-t:dim_x=2,dim_y=2,dof=2", "task_params", [json.dumps(STUDENT)]),
        (
            "task=student-t:dim_x=3,transformed:x=cubic",
            "task_params",
            [json.dumps({**STUDENT, "dim_x": 3, "dim_y": 1}), json.dumps({**NESTED, "x": "cubic"})],
        ),
        ("mi=1bits", "mi_true", [BIT]),
        ("mi=1 bit", "mi_true", [BIT]),
        ("mi=0.693147 nats", "mi_true", [BIT]),
        ("mi=0.693nats", "mi_true", [BIT]),
        ("mi=0.333", "mi_true", [1 / 3]),
        ("mi_true=2.0,12", "mi_true", [2.0, 12.0]),
        ("mi=5 nats, 12 nats", "mi_true", [5.0, 12.0]),
        ("batch=1,024", "batch", [1024]),
        ("batch=64,128", "batch", [64, 128]),
        ("batch=64,1,024,2,048", "batch", [64, 1024, 2048]),
        ("N=64, 128", "batch", [64, 128]),
        ("batch=64,999", "batch", [64]),
        ("n=1,000", "samples", [1000]),
        ("samples=25,000,1000", "samples", [1000, 25000]),
        ("steps=10,000", "steps", [10000]),
        ("lr=0.000333333", "lr", [1 / 3000]),
        ("dropout=0.0", "dropout", ["0"]),
        ("hidden=1x8,2x128", "hidden", ["1x8", "2x128"]),
        ("schedule=2,4.5", "schedule", ["[2.0, 4.5]"]),
        ("schedule=staircase 2 4.5 8", "schedule", ["[2.0, 4.5, 8.0]"]),
        ("schedule=[2.0, 4.5]", "schedule", ["[2.0, 4.5]"]),
    ],
)
def test_numbers_are_read_as_they_are_printed(
    condition: str, column: str, values: list[Any], runs: pd.DataFrame
) -> None:
    assert chosen(runs, condition) == places(runs[column].isin(values))


def test_a_label_of_fewer_rows_selects_among_more_and_one_of_more_among_fewer() -> None:
    runs, _ = make(estimators=("smile", "nwj"))
    runs["estimator_params"] = np.where(runs["estimator"] == "smile", '{"clip":true,"tau":5.0}', "{}")
    smile = places(runs["estimator"] == "smile")
    for value in ("smile", "smile-v1", "smile:tau=5", "smile:clip=True,tau=5.0", "smile-v1:tau=5,clip=true"):
        assert chosen(runs, f"estimator={value}") == smile, value
    for value in ("smile:tau=4", "smile:tua=5", "smile-v2", "smile:tau", "club"):
        with pytest.raises(UsageError, match=rf"^none of 32 rows has estimator {value}; select others"):
            chosen(runs, f"estimator={value}")
    assert chosen(runs, "estimator=club,smile:tau=5,nwk") == smile


def test_a_name_whose_label_is_borne_by_some_selects_these() -> None:
    runs, _ = make(negatives=("shuffle",))
    runs["negatives_params"] = np.where(runs["seed"] == 0, '{"fixed":null}', '{"fixed":0}')
    assert set(with_labels(runs)["negatives_label"]) == {"shuffle", "shuffle:fixed=0"}
    assert chosen(runs, "negatives=shuffle") == places(runs["seed"] == 0)
    assert chosen(runs, "negatives=shuffle-v1") == places(runs["seed"] >= 0)


def test_values_of_python_are_values_too(runs: pd.DataFrame) -> None:
    assert list(select(runs, {"batch": [np.int64(64), 128.0], "mi": [2]}).index) == chosen(runs, "batch=64,128", "mi=2")


@pytest.mark.parametrize(
    "condition", ["mi=nan", "mi=x", "mi=-1", "lr=x", "batch=7", "hidden=3x3", "setup=joint, lr 7", "schedule=3,4"]
)
def test_what_no_row_has_is_one_sentence(condition: str, runs: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match=r"^none of \d+ rows has \w+ .*; select others, see 'mibench results ls'$"):
        chosen(runs, condition)
