from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

import mibench
from mibench.core.errors import UsageError
from mibench.estimators.nwj import NWJ
from mibench.experiments.grid import at_budget, budgets_of, load_grid, override, resolve, shipped_grids
from mibench.experiments.options import ACTIVATIONS, BUDGETS
from mibench.tasks.gaussian import Gaussian20D

BASE = {"task": "gaussian20d", "mi": 5, "estimator": "nwj", "seeds": 1}


def one(**options: object) -> typing.Any:
    specs = resolve({**BASE, **options})
    assert len(specs) == 1
    return specs[0]


def test_defaults_are_resolved() -> None:
    spec = one()
    assert (spec.critic, spec.hidden, spec.activation, spec.dropout) == ("joint-v1", "2x256", "relu", "0.0")
    assert (spec.batch, spec.lr, spec.weight_decay) == (64, 5e-4, 0.0)
    assert (spec.steps, spec.window, spec.every) == (3000, 1000, 15)
    assert (spec.negatives, spec.negatives_params) == ("shuffle-v1", (("fixed", None),))
    assert spec.task_params == (("dim", 20), ("mi", 5.0))


@pytest.mark.parametrize("name", BUDGETS)
def test_budgets_stand_for_steps_and_seeds(name: str) -> None:
    specs = resolve({"task": "gaussian20d", "mi": 5, "estimator": "nwj", "budget": name})
    assert [spec.seed for spec in specs] == list(range(BUDGETS[name].seeds))
    assert {spec.steps for spec in specs} == {BUDGETS[name].steps}


def test_explicit_steps_and_seeds_win_over_the_budget() -> None:
    specs = resolve({**BASE, "budget": "paper", "steps": 10, "seeds": 2})
    assert [(spec.steps, spec.seed) for spec in specs] == [(10, 0), (10, 1)]


def test_lists_make_a_product_in_order_with_seeds_innermost() -> None:
    specs = resolve({**BASE, "estimator": ["nwj", "dv"], "batch": [64, 128], "seeds": 2})
    assert [(s.estimator, s.batch, s.seed) for s in specs] == [
        (estimator, batch, seed) for estimator in ("nwj-v1", "dv-v1") for batch in (64, 128) for seed in (0, 1)
    ]


def test_numpy_arrays_ranges_and_text_are_values_too() -> None:
    plain = resolve({**BASE, "mi": [2.0, 4.0], "batch": [64, 65]})
    assert resolve({**BASE, "mi": np.array([2.0, 4.0]), "batch": range(64, 66)}) == plain
    assert resolve({**BASE, "mi": ["2", "4nats"], "batch": ["64", np.int64(65)]}) == plain


def test_bits_are_turned_into_nats() -> None:
    assert dict(one(mi="2bits").task_params)["mi"] == pytest.approx(2 * np.log(2))
    assert one(mi="2 bits") == one(mi="2bits") != one(mi="2nats") == one(mi=2)


def test_the_task_s_levels_are_taken_where_none_are_given() -> None:
    specs = resolve({"task": "gaussian20d", "estimator": "nwj", "seeds": 1})
    assert [dict(s.task_params)["mi"] for s in specs] == [2.0, 4.0, 6.0, 8.0, 10.0]
    named = resolve({"task": "gaussian20d:mi=3,dim=5", "estimator": "nwj", "seeds": 1})
    assert [s.task_params for s in named] == [(("dim", 5), ("mi", 3.0))]


@pytest.mark.parametrize("schedule", ["2,4,6", [2, 4, 6], ["2", "4nats", 6.0], [[2, 4, 6]], ["2,4,6"]])
def test_a_staircase_shares_its_steps_evenly(schedule: object) -> None:
    spec = resolve({"task": "gaussian20d", "estimator": "nwj", "seeds": 1, "schedule": schedule})[0]
    assert spec.schedule == (2.0, 4.0, 6.0)
    assert "mi" not in dict(spec.task_params)
    assert (spec.steps, spec.steps_per_stair, spec.window) == (3000, 1000, 500)


def test_default_steps_are_rounded_up_to_a_multiple_of_the_stairs() -> None:
    spec = resolve({"task": "gaussian20d", "estimator": "nwj", "seeds": 1, "schedule": [1, 2, 3, 4, 5, 6, 7]})[0]
    assert (spec.steps, spec.steps_per_stair, spec.window) == (3003, 429, 214)


def test_several_staircases() -> None:
    specs = resolve({"task": "gaussian20d", "estimator": "nwj", "seeds": 1, "schedule": [[2, 4], "3,6"]})
    assert [s.schedule for s in specs] == [(2.0, 4.0), (3.0, 6.0)]


def test_named_seeds_keep_all_their_digits() -> None:
    assert [s.seed for s in resolve({**BASE, "seeds": None, "seed": [5, 2**62 + 1]})] == [5, 2**62 + 1]


@pytest.mark.parametrize(("critic", "estimator", "expected"), [
    ("joint", "nwj", "shuffle-v1"), ("joint", "infonce", "all-pairs-v1"), ("oracle", "nwj", "all-pairs-v1")
])  # fmt: skip
def test_default_negatives_come_from_the_critic_then_from_the_estimator(
    critic: str, estimator: str, expected: str
) -> None:
    assert one(critic=critic, estimator=estimator).negatives == expected


def test_options_without_effect_do_not_multiply_runs() -> None:
    specs = resolve({**BASE, "critic": ["oracle", "bilinear"], "hidden": ["1x8", "2x8"], "lr": [1e-3, 1e-4]})
    assert [(s.critic, s.hidden, s.lr) for s in specs] == [
        ("oracle-v1", None, None),
        ("bilinear-v1", None, 1e-3),
        ("bilinear-v1", None, 1e-4),
    ]


def test_dropout_per_layer_has_one_spelling() -> None:
    assert one(dropout="0.5/0.5", hidden="2x8").dropout == one(dropout=0.5, hidden="2x8").dropout == "0.5"
    assert one(dropout="0.5/.25", hidden="2x8").dropout == "0.5/0.25"
    with pytest.raises(UsageError, match="3 hidden layers, but there are 2"):
        one(dropout="0.5/0.3/0.1", hidden="2x8")


def test_include_adds_grids_that_replace_options_of_the_base() -> None:
    specs = resolve({**BASE, "include": [{"estimator": "dv", "batch": [8, 16]}, {"schedule": [2, 4], "steps": 10}]})
    assert [(s.estimator, s.batch, s.schedule) for s in specs] == [
        ("nwj-v1", 64, ()),
        ("dv-v1", 8, ()),
        ("dv-v1", 16, ()),
        ("nwj-v1", 64, (2.0, 4.0)),
    ]


def test_a_base_without_a_task_or_an_estimator_serves_its_tables_alone() -> None:
    specs = resolve({"batch": 8, "seeds": 1, "include": [{"task": "gaussian20d:mi=2", "estimator": "dv"}]})
    assert [(s.estimator, s.batch) for s in specs] == [("dv-v1", 8)]


def test_runs_that_two_grids_share_are_run_once() -> None:
    assert len(resolve({**BASE, "include": [{"batch": [64, 128]}]})) == 2


@pytest.mark.parametrize(("table", "left"), [
    ({"estimator": "smile"}, {("nwj-v1", 64), ("nwj-v1", 128)}),
    ({"estimator": "smile:tau=1", "batch": 64},
     {("nwj-v1", 64), ("nwj-v1", 128), ("smile-v1", 64), ("smile-v1", 128)}),
    ({"batch": [128, 256]}, {("nwj-v1", 64), ("smile-v1", 64)}),
    ({"mi": "5nats", "batch": 64}, {("nwj-v1", 128), ("smile-v1", 128)}),
    ({"negatives": "shuffle", "estimator": "nwj-v1"}, {("smile-v1", 64), ("smile-v1", 128)}),
    ({"lr": 5e-4, "hidden": "2X256", "dropout": 0, "batch": 64}, {("nwj-v1", 128), ("smile-v1", 128)}),
])  # fmt: skip
def test_exclude_leaves_out_runs_that_match_all_its_options(
    table: dict[str, object], left: set[tuple[str, int]]
) -> None:
    grid = {**BASE, "estimator": ["nwj", "smile:tau=1", "smile"], "batch": [64, 128], "exclude": [table]}
    assert {(s.estimator, s.batch) for s in resolve(grid)} == left


def test_exclude_tells_parameters_apart() -> None:
    grid = {**BASE, "estimator": ["smile:tau=1", "smile"], "exclude": [{"estimator": "smile:tau=1.0"}]}
    assert [s.estimator_params for s in resolve(grid)] == [(("tau", 5.0),)]


def test_override_replaces_and_never_leaves_two_ways_to_say_one_thing() -> None:
    grid = {"mi": 5, "seeds": 3, "steps": 9, "window": 4, "include": [{"steps": 8, "lr": 0.1}]}
    assert override(grid, {"schedule": [2, 4]}).keys() == {"schedule", "seeds", "steps", "window", "include"}
    assert override(grid, {"seed": [7]})["seed"] == [7]
    assert "seeds" not in override(grid, {"seed": [7]})
    # A window that was made for other steps goes with them.
    assert override(grid, {"steps": 5}) == {"mi": 5, "seeds": 3, "steps": 5, "include": [{"lr": 0.1}]}
    assert override(grid, {"steps": 5, "window": 2})["window"] == 2
    assert override(grid, {"budget": "quick"}) == {"mi": 5, "budget": "quick", "include": [{"lr": 0.1}]}
    assert override(grid, {"lr": None}) == grid


def test_load_grid_reads_toml(tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text('task = "gaussian20d"\nmi = [2, "4bits"]\n[[include]]\nestimator = "dv"\n', encoding="utf-8")
    assert load_grid(file) == {"task": "gaussian20d", "mi": [2, "4bits"], "include": [{"estimator": "dv"}]}


@pytest.mark.parametrize("grid", shipped_grids(), ids=lambda grid: grid.name)
def test_shipped_grids_resolve_and_have_a_summary(grid: typing.Any) -> None:
    assert grid.summary.endswith(".")
    values = load_grid(grid.name)
    assert values == load_grid(grid.path)
    runs = {budget: {spec.run_id for spec in resolve(at_budget(values, budget))} for budget in budgets_of(values)}
    assert all(runs.values())
    assert len({frozenset(ids) for ids in runs.values()}) == len(runs)


def test_the_number_of_runs_is_bounded_before_they_are_made() -> None:
    with pytest.raises(UsageError, match="10000000000 runs"):
        resolve({**BASE, "seeds": 10**10})
    with pytest.raises(UsageError, match="split it"):
        resolve({**BASE, "batch": range(2, 2000), "steps": range(1, 2000)})


def test_a_sampler_refuses_batches_that_it_cannot_serve() -> None:
    with pytest.raises(UsageError, match="no permutation of 4 has exactly 3"):
        one(batch=4, negatives="shuffle:fixed=3")


def test_activations_are_those_of_the_kernels() -> None:
    from mibench.core.critic import Activation

    assert set(ACTIVATIONS) == set(typing.get_args(Activation))


def test_every_field_of_a_run_can_be_reached_by_some_option() -> None:
    changed = {"task": "gaussian20d:dim=3", "estimator": "dv", "critic": "separable", "hidden": "1x8", "lr": 1.0,
               "activation": "elu", "dropout": 0.1, "negatives": "derangement", "batch": 8, "steps": 8,
               "weight_decay": 0.1, "precision": "float16-scores", "window": 2, "every": 3, "seed": 9,
               "mi": 1, "samples": 100, "patience": 3, "optimiser": "sgd"}  # fmt: skip
    base, other = one(), resolve({**{k: v for k, v in BASE.items() if k != "seeds"}, **changed})[0]
    same = {f.name for f in dataclasses.fields(base) if getattr(base, f.name) == getattr(other, f.name)}
    assert same == {"task", "schedule", "estimator_params", "protocol"}


def test_importing_the_grid_module_does_not_import_torch() -> None:
    code = "import sys, mibench.experiments.grid; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("fresh_registries")
def test_whatever_a_component_raises_while_it_is_asked_is_one_sentence() -> None:
    class Divides(NWJ):
        """A ceiling that some batches do not have."""

        def ceiling(self, n: int, m: int) -> float:
            return 1 / (n - 64)

    class Indexes(Gaussian20D):
        """A task that cannot be built."""

        def __post_init__(self) -> None:
            raise KeyError("no such table")

    mibench.register_estimator("divides")(Divides)
    mibench.register_task("indexes")(Indexes)
    for options, said in (
        ({"estimator": "divides"}, "task 'gaussian20d' with estimator 'divides' cannot be made a run: ZeroDivision"),
        ({"task": "indexes"}, "task 'indexes' with estimator 'nwj' cannot be made a run: KeyError: 'no such table'; "),
    ):
        with pytest.raises(UsageError, match=said) as error:
            one(**options)
        assert "\n" not in str(error.value)
    assert one(estimator="divides", batch=65).estimator == "divides-v1"
