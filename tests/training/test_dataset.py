"""The regime of a fixed sample: the split, the pairs that a run sees, early stopping, and what the rows say of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import mibench
from mibench.analysis.labels import with_labels
from mibench.cli.terminal.rows import show_results
from mibench.core.errors import UsageError
from mibench.core.estimator import SampleEstimator
from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec, split_sizes
from mibench.running.packs import pack_key
from mibench.running.plan import make_plan
from mibench.store.columns import RUNS
from mibench.training.components import Run
from mibench.training.dataset import EarlyStopping, Watch, fixed_sample, split
from mibench.training.dataset import regime_of as regime_of_pack
from mibench.training.loop import Loop, train_pack
from mibench.training.pack import Pack
from mibench.training.rows import spec_columns
from mibench.training.sources import BesideSource, EpochSource
from tests.support.equality import same
from tests.support.runs import pack_over, specs_over

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL: dict[str, Any] = {
    "task": "gaussian20d:dim=2",
    "mi": 1.0,
    "estimator": "infonce",
    "critic": "separable:embed=8",
    "negatives": "derangement",
    "hidden": "1x32",
    "lr": 5e-3,
    "batch": 16,
    "samples": 100,
    "steps": 60,
    "every": 3,
    "patience": 3,
    "seeds": 1,
}


specs_of = specs_over(SMALL)


def pack_of(**options: Any) -> Pack:
    return pack_over(specs_of(**options))


def regime_of(pack: Pack) -> EarlyStopping:
    regime = regime_of_pack(pack)
    assert isinstance(regime, EarlyStopping)
    return regime


def rows_in(values: Tensor) -> set[tuple[float, ...]]:
    return set(map(tuple, values.flatten(0, -2).tolist()))


# --- the sample and its split ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "sizes"), [(100, (60, 20, 20)), (103, (63, 20, 20)), (5, (3, 1, 1)), (1004, (604, 200, 200))]
)
def test_the_parts_are_disjoint_and_together_the_sample(n: int, sizes: tuple[int, int, int]) -> None:
    (spec,) = specs_of(samples=n, batch=2) if n >= 10 else specs_of(samples=10, batch=2)
    sample = fixed_sample(Run.from_spec(spec))
    sample = sample._replace(x=sample.x[:n], y=sample.y[:n])
    parts = split(sample)
    assert split_sizes(n) == sizes == tuple(len(part.x) for part in parts)
    for side in ("x", "y"):
        assert torch.equal(torch.cat([getattr(part, side) for part in parts]), getattr(sample, side))
    assert len(rows_in(sample.x)) == n  # continuous: equal pairs would be the same pair


def test_runs_on_one_task_n_and_seed_have_the_same_sample_and_no_others_have() -> None:
    same = specs_of(
        estimator=["infonce", "nwj", "ksg"], batch=[8, 16], negatives=["all-pairs", "shuffle"], lr=[1e-3, 1e-2]
    )
    first, *others = [fixed_sample(Run.from_spec(spec)) for spec in same]
    assert len(others) > 8
    assert all(torch.equal(first.x, other.x) and torch.equal(first.y, other.y) for other in others)
    changes: list[dict[str, Any]] = [
        {"seeds": None, "seed": 1},
        {"mi": 1.5},
        {"samples": 101},
        {"task": "gaussian20d:dim=3"},
    ]
    for change in changes:
        (spec,) = specs_of(**change)
        other = fixed_sample(Run.from_spec(spec))
        assert not rows_in(first.x[:, :1]) & rows_in(other.x[:, :1])


# --- the pairs that a run sees --------------------------------------------------------------------------------


def test_an_epoch_visits_whole_batches_without_replacement_in_a_new_order() -> None:
    x = torch.arange(11.0).unsqueeze(1)
    source = EpochSource(x, -x, torch.Generator().manual_seed(0))
    at_once = source.block(9, 3)[0][..., 0]  # three batches an epoch, two pairs are left out
    epochs = [epoch.flatten().tolist() for epoch in at_once.split(3)]
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert len({frozenset(epoch) for epoch in epochs}) > 1  # not always the same two
    again = EpochSource(x, -x, torch.Generator().manual_seed(0))
    pieces = [again.block(steps, 3) for steps in (1, 3, 2, 3)]
    assert torch.equal(at_once, torch.cat([piece[0] for piece in pieces])[..., 0])
    assert all(torch.equal(a, -b) for a, b in pieces)


def test_further_draws_are_uniform_over_what_is_not_in_the_batch() -> None:
    x = torch.arange(10.0).unsqueeze(1)
    source = EpochSource(x, x, torch.Generator().manual_seed(1))
    beside = BesideSource(source, torch.Generator().manual_seed(2))
    batches = source.block(7, 3)[1][..., 0]  # over three epochs
    drawn = beside.block(7, 7000)[1][..., 0]
    for batch, others in zip(batches.tolist(), drawn, strict=True):
        counts = torch.bincount(others.long(), minlength=10)
        assert not counts[torch.tensor(batch).long()].any()
        outside = counts[counts > 0]
        assert len(outside) == 7
        assert (outside - 1000).abs().max() < 5 * math.sqrt(1000)


@pytest.mark.parametrize("negatives", ["all-pairs", "shuffle", "independent:m=3", "queue:m=20", "threshold:t=1"])
def test_batches_come_from_their_part_alone(negatives: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = pack_of(negatives=negatives)
    run = pack.runs[0]
    parts, regime = split(fixed_sample(run)), regime_of(pack)
    monkeypatch.setattr(type(run.tasks[0]), "sample", lambda *_: pytest.fail("fresh pairs were drawn"))
    block = regime.training_feed(0).block(10)
    assert rows_in(block.x) <= rows_in(parts.train.x)
    assert rows_in(block.y) <= rows_in(parts.train.y)
    seen = []
    evaluate = pack.evaluate
    monkeypatch.setattr(pack, "evaluate", lambda batch: (seen.append(batch), evaluate(batch))[1])
    for name in ("validation", "test"):
        regime._evaluate(name)
        part = getattr(parts, name)
        (batch,) = seen  # 20 pairs hold one batch of 16
        assert batch.x[0].tolist() == part.x[:16].tolist()
        assert rows_in(batch.y) <= rows_in(part.y)
        seen.clear()


# --- early stopping -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criteria", "reported", "end"),
    [
        ([3, 2, 1, 1.5, 1.2, 0.5], 3, 5),
        ([3, 2, 2.5, 1, 0.5], 5, None),
        ([1, 1, 1, 0], 1, 3),  # an equal value is no improvement
        ([math.nan, 5, math.nan, -math.inf], 2, 4),
        ([math.nan, math.nan, math.nan], 1, 3),
    ],
)
def test_the_watch_keeps_the_best_checkpoint(criteria: list[float], reported: int, end: int | None) -> None:
    watch = Watch(patience=2)
    better = [step for step, value in enumerate(criteria, start=1) if watch.improves(step, value)]
    assert (watch.reported, watch.end, better[-1]) == (reported, end, reported)


def test_the_parameters_of_the_best_checkpoint_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crafted objective: the validation loss is lowest at the third checkpoint of run 0, at the first of run 1."""
    pack = pack_of(seeds=2, every=2)
    loop = Loop(pack)
    regime, states = loop.regime, []
    losses = iter([[3.0, 1.0], [2.0, 2.0], [1.0, 3.0], [4.0, 4.0], [5.0, 0.0], [6.0, 0.0], [0.0, 0.0]])

    def crafted(name: str) -> tuple[Any, Any]:
        states.append([[t.clone() for t in pack.state_of(r)] for r in range(2)])
        loss = np.array(next(losses))
        return loss, 10 - loss

    monkeypatch.setattr(regime, "_evaluate", crafted)
    (first, second) = loop.train()
    assert [r.rows[0]["stopped_at"] for r in (first, second)] == [6, 2]
    assert [r.rows[0]["steps_done"] for r in (first, second)] == [12, 8]
    assert [r.rows[0]["estimate_validation"] for r in (first, second)] == [9.0, 9.0]
    assert [r.rows[0]["validation_loss"] for r in (first, second)] == [1.0, 1.0]
    assert [r.rows[0]["estimate_test"] for r in (first, second)] == [10.0, 10.0]  # the seventh call, and the last
    assert next(losses, None) is None
    for r, best in ((0, 2), (1, 0)):
        assert all(torch.equal(a, b) for a, b in zip(pack.state_of(r), states[best][r], strict=True))
        assert not torch.equal(states[best][r][0], states[-2][r][0])
    assert first.curve["step"].tolist() == [2, 4, 6, 8, 10, 12]
    assert second.curve["step"].tolist() == [2, 4, 6, 8]


def test_the_validation_value_is_that_of_the_curve_and_of_the_reported_critic() -> None:
    names = ["flatnce", "infonce", "js", "mine"]
    pack = pack_of(estimator=names, patience=4)
    loop = Loop(pack)
    results = loop.train()
    assert isinstance(loop.regime, EarlyStopping)
    losses, estimates = loop.regime._evaluate("validation")
    for r, (name, result) in enumerate(zip(names, results, strict=True)):
        row, curve = result.rows[0], result.curve
        place = curve["step"].tolist().index(row["stopped_at"])
        assert row["estimate_validation"] == curve["estimate_fresh"][place] == estimates[r]
        surrogate = name == "flatnce"  # its loss is the same whatever the critic
        assert row["validation_loss"] == (-estimates[r] if surrogate else losses[r])
        assert row["steps_done"] == curve["step"][-1]
        if row["estimator"] in ("flatnce", "infonce"):  # whose criterion is minus the estimate
            assert place == int(np.argmax(curve["estimate_fresh"]))
        window = curve["estimate_train"][place]  # an epoch is three steps, a point of the curve
        assert row["window"] == 3
        assert row["estimate_train"] == pytest.approx(window, rel=1e-12)
        assert row["bias"] == row["estimate_test"] - row["mi_true"]


VIEWS = {"task": "instance-views:instances=64,noise=0.05", "mi": None, "critic": "memory-bank", "negatives": None}


@pytest.mark.parametrize(
    "options",
    [
        {
            "estimator": ["flatnce", "infonce", "js", "mine"],
            "batch": 32,
            "samples": 320,
            "every": 2,
            "negatives": "all-pairs",
        },
        {"estimator": ["nwj", "mine"], "critic": "joint", "negatives": "queue:m=8", "dropout": 0.3, "steps": 45},
        {"estimator": "vince-plus", "negatives": None, "seeds": 3, "steps": 30, "every": 2},
        {**VIEWS, "estimator": "ir", "seeds": 3, "samples": 160},
        {"estimator": "nwj", "critic": "oracle", "negatives": "independent:m=2", "seeds": 2, "mi": [0.5, 1.0]},
        {"estimator": ["cca", "histogram"], "seeds": 2, "critic": "none", "negatives": None},
    ],
    ids=lambda o: str(o["estimator"]),
)
def test_a_run_is_the_same_alone_and_among_runs_that_stop_elsewhere(options: dict[str, Any], small_pools: None) -> None:
    specs = specs_of(**{"steps": 90, "patience": 2, **options})
    assert len({pack_key(spec) for spec in specs}) == 1
    together = train_pack(specs)
    if "oracle" not in specs[0].critic and specs[0].patience:
        assert len({result.rows[0]["steps_done"] for result in together}) > 1
    for spec, result in zip(specs, together, strict=True):
        assert same(train_pack([spec])[0], result)


# --- what it shows --------------------------------------------------------------------------------------------


def test_over_fitting_shows_on_few_pairs() -> None:
    options = {"task": "gaussian20d", "mi": 2.0, "samples": 200, "batch": 32, "hidden": "1x128", "critic": "separable"}
    options |= {"negatives": "all-pairs"}
    results = train_pack(specs_of(**options, lr=1e-3, steps=200, every=10, patience=20, seeds=2))
    for result in results:
        row, curve = result.rows[0], result.curve
        gap = curve["estimate_train"] - curve["estimate_fresh"]  # of training over validation
        assert gap[-1] > 2 > 1 > gap[0]
        assert row["estimate_train"] > row["estimate_test"]
        assert row["stopped_at"] < row["steps_done"] == 200
        assert row["estimate_fresh_large"] < row["mi_true"]


def test_the_test_value_is_the_mean_of_fresh_draws_in_expectation() -> None:
    results = train_pack(specs_of(samples=320, seeds=16, steps=40, lr=2e-3))
    rows = pd.DataFrame([result.rows[0] for result in results])
    gaps = rows["estimate_test"] - rows["estimate_fresh"]
    assert abs(gaps.mean()) < 3 * gaps.std(ddof=1) / math.sqrt(len(gaps))
    assert gaps.std(ddof=1) > 0
    assert (rows["estimate_fresh_median"].notna()).all()


def test_estimators_on_samples_take_all_pairs_once() -> None:
    names = ["ksg", "cca", "cca:corrected=true", "histogram:bins=4"]
    specs = specs_of(estimator=names, batch=[16, 32], steps=[60, 90], lr=[1e-3, 1e-2], critic=["joint", "separable"])
    assert len(specs) == len(names)  # nothing of that changes their number
    (trained,) = specs_of()
    sample = fixed_sample(Run.from_spec(trained))
    for result in train_pack(specs):
        row, estimator = result.rows[0], Run.from_spec(result.spec).estimator
        assert isinstance(estimator, SampleEstimator)
        assert row["estimate_test"] == row["estimate_train"] == estimator.value(*sample)
        assert row["bias"] == row["estimate_test"] - row["mi_true"]
        assert (row["batch"], row["steps"], row["samples"], row["patience"]) == (100, 1, 100, None)
        assert row["ceiling"] == estimator.ceiling(100, 1)
        assert row["estimate_fresh"] is None
        assert result.curve["step"].tolist() == [1]


def test_a_row_of_a_fixed_sample_has_every_column() -> None:
    (result,) = train_pack(specs_of())
    (row,) = result.rows
    assert list(row) == [column.name for column in RUNS]
    empty = {name for name, value in row.items() if value is None}
    by_the_worker = {"session_id", "finished_at", "mibench_version", "peak_rss_mb", "error", "code"}
    assert empty == by_the_worker | {
        "diverged_at",
        "divergence",
        "inverse_temperature",
        "outcomes",
        "codes",
        "warnings",
    }
    assert (row["regime"], row["samples"], row["patience"]) == ("dataset", 100, 3)
    assert RunSpec.from_json(row["spec"]) == result.spec


# --- grids, the store, what is printed ------------------------------------------------------------------------


def test_what_follows_from_the_size_of_the_sample() -> None:
    spacing = {"every": None, "patience": None, "steps": 1000, "batch": 10}
    got = [(s.every, s.window, s.patience) for s in specs_of(**spacing, samples=[100, 500, 10_000])]
    # every epoch where that is not more than 200 or less than 20 times
    assert got == [(6, 6, 10), (30, 30, 10), (50, 600, 10)]


def test_ids_of_the_stream_regime_are_what_they_were() -> None:
    (spec,) = specs_of(samples=None, patience=None)
    assert (spec.regime, spec.samples, spec.patience) == ("stream", None, None)
    assert "samples" not in spec.canonical
    assert "patience" not in spec.canonical
    (fixed,) = specs_of()
    assert '"samples":100' in fixed.canonical
    assert RunSpec.from_json(fixed.canonical) == fixed


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a staircase": ({"mi": None, "schedule": [1, 2]}, "a schedule needs fresh pairs on every stair"),
    "too few pairs": ({"samples": 79}, "samples 79 are too few for a batch of 16: .*; use at least 80"),
    "none beside the batch": (
        {"samples": 84, "negatives": "independent"},
        "and, for this negative sampler, a pair beside it; use at least 85",
    ),
    "patience alone": ({"samples": None}, "patience is for runs on a fixed sample; give samples too"),
    "no pairs": ({"samples": 0}, "samples must be a whole number of at least 2, not 0"),
    "half a pair": ({"samples": 100.5}, "samples must be a whole number"),
    "no patience": ({"patience": 0}, "patience must be a whole number of at least 1, not 0"),
    "a small set": ({"estimator": "cca", "samples": 4}, "a fixed set of 4 is too small a sample .*; use at least 5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_before_any_work(case: str) -> None:
    change, message = REFUSED[case]
    with pytest.raises(UsageError, match=message):
        specs_of(**change)


@pytest.mark.parametrize(
    ("change", "least"), [({}, 80), ({"negatives": "independent"}, 85), ({"estimator": "cca", "negatives": None}, 5)]
)
def test_the_least_sample_that_is_named_is_enough(change: dict[str, Any], least: int) -> None:
    (result,) = train_pack(specs_of(**change, samples=least, steps=3))
    assert math.isfinite(result.rows[0]["estimate_test"])


def test_a_sweep_over_sample_sizes_is_stored_and_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = {**SMALL, "estimator": ["infonce", "cca"], "samples": [200, 1000]}
    before = mibench.run(**{**grid, "samples": 200}, results=tmp_path)
    rows = mibench.run(**grid, results=tmp_path)
    assert (len(before), list(rows["status"])) == (2, ["ok"] * 4)
    kept = rows[rows["samples"] == 200]
    assert list(kept["finished_at"]) == list(before["finished_at"])
    assert sorted(zip(rows["estimator"], rows["samples"], strict=True)) == [
        (name, n) for name in ("cca", "infonce") for n in (200, 1000)
    ]
    assert np.isfinite(rows["estimate_test"].astype("float64")).all()
    plan = make_plan(resolve(grid), tmp_path)
    assert (len(plan.done), plan.todo) == (4, 0)
    assert set(mibench.load_curves(tmp_path)["run_id"]) == set(rows["run_id"])
    capsys.readouterr()
    show_results(rows)
    printed = capsys.readouterr().out
    assert " test " in printed
    for value in rows["estimate_test"]:
        assert f"{value:.2f}" in printed
    assert " 1000 " in printed


def test_labels_tell_fixed_samples_and_fresh_pairs_apart_and_no_batch_sizes() -> None:
    fixed = specs_of(batch=[8, 16], samples=[100, 200], every=None)
    fresh = specs_of(samples=None, patience=None, window=3)
    assert len({spec.window for spec in fixed}) > 1
    rows = pd.DataFrame([spec_columns(spec) for spec in (*fixed, *fresh)])
    assert set(with_labels(rows).groupby("samples", dropna=False)["setup"].unique().map(tuple)) == {
        ("n = 100",),
        ("n = 200",),
        ("",),
    }
    others = pd.DataFrame([spec_columns(spec) for spec in specs_of(patience=[3, 5])])
    assert list(with_labels(others)["setup"]) == ["patience 3", "patience 5"]
