"""Training packs: the same numbers in any company, rows and curves, and figures with known answers."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from mibench.experiments.specs import RunSpec
from mibench.running.packs import pack_key
from mibench.store.columns import CURVES, RUNS
from mibench.training.components import Run
from mibench.training.loop import Loop, train_pack
from mibench.training.pack import Pack
from tests.support.equality import same
from tests.support.runs import specs_over

pytestmark = pytest.mark.usefixtures("one_thread")

ESTIMATORS = ["dv", "infonce", "js", "js-nwj", "mine", "nwj", "smile"]
FILLED_BY_THE_WORKER = {"session_id", "finished_at", "mibench_version", "peak_rss_mb", "error", "code"}


specs_of = specs_over({"task": "gaussian20d", "steps": 60, "seeds": 1, "hidden": "2x64", "window": 20})


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize(
    "options",
    [
        {"critic": "separable", "negatives": "all-pairs"},
        {"critic": "separable", "negatives": "independent:m=3", "batch": 50},
        {
            "critic": "separable:embed=8",
            "hidden": "2x50",
            "batch": 10,
            "task": "gaussian20d:dim=3",
            "activation": "elu",
        },
        {"critic": "cosine", "negatives": "shuffle"},
        {"critic": "bilinear", "task": "gaussian20d:dim=3", "batch": 50, "negatives": "all-pairs"},
        {"critic": "joint", "negatives": "shuffle", "activation": "elu"},
        {"critic": "joint", "negatives": "shuffle", "activation": "elu", "hidden": "3x50", "batch": 50},
        {"critic": "joint", "negatives": "derangement", "batch": 520},
        {
            "critic": "joint",
            "negatives": "all-pairs",
            "batch": 48,
            "steps": 4,
            "window": 2,
            "every": 2,
            "estimator": ["nwj", "js"],
        },
        {"critic": "joint", "negatives": "shuffle", "batch": 9, "hidden": "1x16", "activation": "elu"},
        {"critic": "joint", "negatives": "shuffle", "dropout": 0.3, "estimator": ["nwj", "js"]},
        {"critic": "oracle", "negatives": "shuffle"},
    ],
    ids=lambda o: "-".join(str(v) for v in o.values()),
)
def test_a_run_is_the_same_alone_in_a_pack_and_in_another_order(options: dict[str, Any]) -> None:
    few = {"steps": 10, "window": 5, "every": 5}  # every step after one that differs differs too
    specs = specs_of(**{"estimator": ESTIMATORS, "mi": [2.0, 8.0], **few, **options})[:8]
    together = train_pack(specs)
    assert all(same(one, other) for one, other in zip(together, reversed(train_pack(specs[::-1])), strict=True))
    for place in (0, len(specs) // 2, len(specs) - 1):
        (alone,) = train_pack([specs[place]])
        assert same(alone, together[place])


@pytest.mark.usefixtures("small_pools")
def test_runs_with_different_rates_share_a_pack_without_touching_each_other() -> None:
    specs = specs_of(estimator="nwj", mi=2.0, critic="separable", lr=[1e-4, 1e-3], weight_decay=[0.0, 0.1])
    together = train_pack(specs)
    assert len({r.rows[0]["estimate_train"] for r in together}) == 4
    for spec, result in zip(specs, together, strict=True):
        assert same(train_pack([spec])[0], result)


@pytest.mark.usefixtures("small_pools")
def test_a_nan_in_one_run_stays_there() -> None:
    healthy, sick = specs_of(estimator="nwj", mi=2.0, critic="separable", seeds=2)
    pack = Pack([Run.from_spec(healthy), Run.from_spec(sick)], torch.device("cpu"))
    for place in pack.scorer.places(1, 2):
        pack.scorer.parameters[place] = torch.nan
    well, ill = Loop(pack).train()
    assert same(well, train_pack([healthy])[0])
    assert ill.rows[0]["status"] == "diverged"
    assert (ill.rows[0]["divergence"], ill.rows[0]["diverged_at"]) == ("non-finite", 1)
    assert ill.rows[0]["nonfinite_steps"] == 60


@pytest.mark.usefixtures("small_pools")
def test_rows_and_curves_have_every_column() -> None:
    (result,) = train_pack(specs_of(estimator="infonce", mi=2.0, critic="separable"))
    (row,) = result.rows
    assert list(row) == [column.name for column in RUNS]
    empty = {name for name, value in row.items() if value is None}
    of_a_fixed_sample = {
        *("samples", "patience", "estimate_test", "estimate_validation", "validation_loss", "stopped_at"),
    }
    assert (
        empty
        == FILLED_BY_THE_WORKER
        | {"diverged_at", "divergence", "inverse_temperature"}
        | {"outcomes", "codes", "warnings"}
        | of_a_fixed_sample
    )
    assert list(result.curve) == [column.name for column in CURVES]
    assert (row["run_id"], row["batch"], row["n_negatives"]) == (result.spec.run_id, 64, 63)
    assert row["ceiling"] == math.log(64)
    assert row["bias"] == row["estimate_train"] - 2.0
    assert RunSpec.from_json(row["spec"]) == result.spec


@pytest.mark.usefixtures("small_pools")
def test_the_window_and_the_curve_are_those_of_the_steps() -> None:
    (spec,) = specs_of(estimator="nwj", mi=2.0, critic="separable", every=1)
    (result,) = train_pack([spec])
    curve, row = result.curve, result.rows[0]
    assert curve["step"].tolist() == list(range(1, 61))
    window = curve["estimate_train"][-20:]
    assert row["estimate_train"] == pytest.approx(window.mean(), rel=1e-12)
    assert row["estimate_train_median"] == pytest.approx(np.median(window), rel=1e-12)
    assert row["estimate_train_sd"] == pytest.approx(window.std(ddof=1), rel=1e-12)
    # coarser points are means over the same steps: recording does not move training
    (coarse,) = train_pack([dataclasses.replace(spec, every=7)])
    assert coarse.curve["step"].tolist() == [*range(7, 60, 7), 60]


@pytest.mark.usefixtures("small_pools")
def test_a_staircase_has_a_row_per_stair_and_its_truth_along_the_curve() -> None:
    (result,) = train_pack(
        specs_of(estimator="infonce", critic="separable", schedule=[1, 3, 5], steps=30, window=5, every=4)
    )
    assert [row["stair"] for row in result.rows] == [0, 1, 2]
    assert [row["mi_true"] for row in result.rows] == [1.0, 3.0, 5.0]
    assert [row["steps_done"] for row in result.rows] == [10, 20, 30]
    steps, truth = result.curve["step"], result.curve["mi_true"]
    assert set(steps) >= {10, 20, 30}
    assert truth.tolist() == [1.0 + 2 * ((step - 1) // 10) for step in steps]
    assert json.loads(result.rows[0]["schedule"]) == [1.0, 3.0, 5.0]


@pytest.mark.usefixtures("small_pools")
def test_progress_adds_up_to_the_steps_of_all_runs() -> None:
    seen: list[int] = []
    train_pack(specs_of(estimator="nwj", mi=2.0, critic="separable", seeds=3), progress=seen.append)
    assert sum(seen) == 3 * 60


@pytest.mark.usefixtures("small_pools")
def test_fixed_points_are_counted_and_predict_the_ceiling() -> None:
    specs = specs_of(estimator="nwj", mi=2.0, critic="oracle", negatives=["shuffle", "shuffle:fixed=4", "derangement"])
    rows = {spec.negatives_params or spec.negatives: train_pack([spec])[0].rows[0] for spec in specs}
    shuffle, four, none = rows.values()
    assert 0.3 < shuffle["fixed_points"] < 2
    assert (four["fixed_points"], none["fixed_points"]) == (4.0, 0.0)
    assert four["predicted_ceiling"] == pytest.approx(math.log(16))
    assert none["predicted_ceiling"] == math.inf
    assert four["capped_by_sampler"] == none["capped_by_sampler"] == 1


@pytest.mark.parametrize(
    # Means over 15,000 batches of a plain float64 loop; their standard errors are below 0.0016.
    ("bits", "expected"),
    [("2bits", 1.3042), ("4bits", 2.3981), ("6bits", 3.1964), ("8bits", 3.6996), ("10bits", 3.9685)],
)
def test_infonce_with_the_exact_critic(bits: str, expected: float) -> None:
    options = {
        "task": "gaussian20d:dim=10",
        "mi": bits,
        "critic": "oracle",
        "steps": 2000,
        "window": 2000,
        "every": 500,
    }
    (result,) = train_pack(specs_of(estimator="infonce", **options))
    row = result.rows[0]
    error = math.hypot(row["estimate_train_sd"] / math.sqrt(2000), 0.0016)
    assert row["estimate_train"] == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("critic", ["separable", "joint"])
def test_critics_learn(critic: str) -> None:
    options = {"task": "gaussian20d:dim=5", "steps": 900, "window": 200, "batch": 128, "lr": 3e-3, "every": 900}
    negatives = {"separable": "all-pairs", "joint": "derangement"}[critic]
    (result,) = train_pack(specs_of(estimator="js", mi=2.0, critic=critic, negatives=negatives, **options))
    assert 1.5 < result.rows[0]["estimate_fresh_large"] < 2.1


@pytest.mark.usefixtures("small_pools")
def test_weight_decay_and_dropout_regularise() -> None:
    options = {"estimator": "nwj", "mi": 2.0, "critic": "joint", "steps": 300, "every": 300}
    plain, decayed = train_pack(specs_of(**options, weight_decay=[0.0, 0.3]))
    (dropped,) = train_pack(specs_of(**options, dropout=0.5))
    for regularised in (decayed, dropped):
        assert regularised.rows[0]["estimate_train_median"] < plain.rows[0]["estimate_train_median"] - 0.2


def test_only_equal_shapes_share_a_pack() -> None:
    base = {"estimator": "nwj", "mi": 2.0, "critic": "separable"}
    keys = [pack_key(specs_of(**{**base, **other})[0]) for other in ({}, {"mi": 8.0}, {"estimator": "js", "lr": 1e-3})]
    assert keys[0] == keys[1] == keys[2]
    for other in ({"batch": 32}, {"negatives": "shuffle:fixed=2"}, {"task": "gaussian20d:dim=5"}, {"steps": 50}):
        assert pack_key(specs_of(**{**base, **other})[0]) != keys[0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")
@pytest.mark.parametrize("options", [{"critic": "separable", "negatives": "all-pairs"}, {"critic": "joint"}])
def test_a_captured_step_trains_like_the_cpu(options: dict[str, Any]) -> None:
    specs = specs_of(estimator=["dv", "js", "mine", "nwj"], mi=2.0, steps=400, window=200, **options)
    for on_cpu, on_cuda in zip(train_pack(specs), train_pack(specs, device="cuda"), strict=True):
        assert on_cuda.rows[0]["device"] == "cuda"
        # other random numbers, the same distribution
        error = 5 * on_cpu.rows[0]["estimate_train_sd"] / math.sqrt(20)
        assert on_cuda.rows[0]["estimate_train"] == pytest.approx(on_cpu.rows[0]["estimate_train"], abs=error)
