"""Planning: what is stored is not done again, and everything else is in exactly one pack."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mibench
from mibench.core.errors import UsageError
from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.running.packs import cost, pack, pack_key, pack_size
from mibench.running.plan import in_shard, make_plan
from mibench.store.columns import empty_row
from mibench.store.parquet import pack_stem, write_pack
from tests.support.stores import NOON, spec


def store(folder: Path, run: RunSpec, status: str, stairs: Sequence[int] = (0,), *, hours: int = 0) -> None:
    """Write rows of a run as one pack, so many hours after noon: of two copies the later one counts."""
    facts = {"run_id": run.run_id, "status": status, "finished_at": NOON + datetime.timedelta(hours=hours)}
    rows = [empty_row("runs", **facts, stair=stair) for stair in stairs]
    write_pack(folder, pack_stem([run.run_id], "s", status), rows, [])


def ids(runs: Sequence[RunSpec]) -> set[str]:
    return {run.run_id for run in runs}


def test_the_plan_knows_what_is_stored(tmp_path: Path) -> None:
    runs = [spec(seed) for seed in range(6)]
    store(tmp_path, runs[0], "ok")
    store(tmp_path, runs[1], "diverged")
    store(tmp_path, runs[2], "crashed")
    store(tmp_path, runs[3], "timeout")
    store(tmp_path, runs[3], "ok")
    plan = make_plan(runs, tmp_path)
    assert plan.done == (runs[0], runs[1], runs[3])
    assert plan.failed == (runs[2],)
    assert plan.new == tuple(runs[4:])
    assert str(plan) == "6 runs: 3 done, 2 new, 1 failed before (--retry-failed)"
    assert ids(plan.packs[0]) == ids(runs[4:])
    assert (plan.todo, plan.work) == (2, 40)
    again = make_plan(runs, tmp_path, retry_failed=True)
    assert str(again) == "6 runs: 3 done, 2 new, 1 failed before (tried again)"
    assert ids([run for part in again.packs for run in part]) == ids([runs[2], *runs[4:]])


def test_an_empty_folder_has_done_nothing(tmp_path: Path) -> None:
    assert str(make_plan([spec()], tmp_path / "none")) == "1 run: 0 done, 1 new"
    assert not (tmp_path / "none").exists()


def test_a_staircase_that_lacks_a_stair_is_not_done(tmp_path: Path) -> None:
    run = spec(schedule=(1.0, 2.0))
    store(tmp_path, run, "ok", stairs=(0,))
    assert make_plan([run], tmp_path).new == (run,)
    store(tmp_path, run, "diverged", stairs=(0, 1), hours=1)
    assert make_plan([run], tmp_path).done == (run,)


@given(
    batches=st.lists(st.tuples(st.integers(2, 5), st.integers(0, 30)), min_size=1, max_size=40, unique=True),
    jobs=st.integers(1, 12),
    device=st.sampled_from(["cpu", "cuda"]),
)
def test_packs_partition_the_runs(batches: list[tuple[int, int]], jobs: int, device: str) -> None:
    runs = [spec(seed, batch=batch) for batch, seed in batches]
    packs = pack(runs, jobs=jobs, device=device)
    assert sorted(run.run_id for part in packs for run in part) == sorted(run.run_id for run in runs)
    assert all(len({pack_key(run) for run in part}) == 1 for part in packs)
    assert all(1 <= len(part) <= pack_size(part[0], device) for part in packs)
    assert len(packs) >= min(jobs, len(runs))
    costs = [cost(part) for part in packs]
    assert costs == sorted(costs, reverse=True)


def test_packs_are_large_and_even() -> None:
    def sizes(runs: int, hidden: str) -> list[int]:
        packs = pack([spec(seed, hidden=hidden) for seed in range(runs)], jobs=1, device="cpu")
        return sorted(len(part) for part in packs)

    assert sizes(9, hidden="3x1024") == [3, 3, 3]  # costly steps
    assert sizes(9, hidden="2x64") == [9]
    assert sizes(34, hidden="2x64") == [11, 11, 12]
    mixed = [spec(seed, estimator=name) for seed in range(2) for name in ("nwj-v1", "infonce-v1")]
    assert [len(part) for part in pack(mixed, jobs=1, device="cpu")] == [4]
    assert [len(part) for part in pack(mixed, jobs=2, device="cpu")] == [2, 2]


def test_long_packs_start_first() -> None:
    runs = [spec(batch=64), spec(batch=512), spec(batch=128, negatives="all-pairs-v1")]
    order = [part[0].batch for part in pack(runs, jobs=1, device="cpu")]
    assert order == [128, 512, 64]


@given(parts=st.integers(1, 7))
def test_shards_partition_the_grid(parts: int) -> None:
    runs = [spec(seed) for seed in range(30)]
    shards = [in_shard(runs, (part, parts)) for part in range(1, parts + 1)]
    assert sorted(run.run_id for shard in shards for run in shard) == sorted(run.run_id for run in runs)
    assert in_shard(runs[::-1], (1, parts)) == shards[0][::-1]


@pytest.mark.parametrize("shard", [(0, 4), (5, 4), (1, 0), (-1, 4)])
def test_a_shard_that_does_not_exist_is_refused(shard: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        make_plan([spec()], tmp_path, shard=shard)


def test_estimators_that_take_batches_for_samples_are_named(tmp_path: Path) -> None:
    def note(**options: object) -> str:
        return make_plan(resolve({"task": "gaussian20d", "mi": 1, **options}), tmp_path).note

    assert note(estimator=["ksg", "nwj", "cca"], batch=64) == (
        "ksg, cca take each batch of 64 pairs as a sample: give --samples for a fixed one"
    )
    assert note(estimator="ksg:k=5", batch=[128, 64]).startswith("ksg takes each batch of 64 or 128 pairs as a sample")
    assert note(estimator=["ksg", "nwj"], batch=64, samples=1000) == note(estimator="nwj") == ""


def test_a_shard_is_text_too_and_its_numbers_may_be_numpys() -> None:
    specs = resolve({"task": "gaussian20d", "mi": 1, "estimator": "nwj", "seeds": 8})
    parts = [in_shard(specs, (part, 2)) for part in (1, 2)]
    assert sorted(len(part) for part in parts)[0] > 0
    assert [in_shard(specs, text) for text in ("1/2", "2/2")] == parts
    assert in_shard(specs, (np.int64(2), np.int32(2))) == parts[1]


@pytest.mark.parametrize("shard", [(1,), (1, 2, 3), ("1", "2"), (1.0, 2.0), 3])
def test_a_shard_is_a_pair_of_whole_numbers(shard: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"shard must be two whole numbers, not .*; write \(3, 40\) for part 3 of 40"):
        mibench.run(task="gaussian20d", estimator="nwj", results=tmp_path / "new", shard=shard, dry_run=True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("precision", "device", "units", "said"),
    [
        ("bfloat16", "cpu", False, True),
        ("bfloat16", "cpu", True, False),
        ("bfloat16-products", "cpu", False, False),
        ("bfloat16", "cuda", False, False),
    ],
)
def test_a_line_says_where_bfloat16_gains_nothing(
    precision: str, device: str, units: bool, said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = frozenset({"avx512f", "avx512_bf16"} if units else {"avx512f"})
    monkeypatch.setattr("mibench.core.processor.cpu_flags", lambda: flags)
    specs = resolve({"task": "gaussian20d", "mi": 1, "estimator": "nwj", "precision": precision, "seeds": 1})
    note = make_plan(specs, tmp_path, device=device).speed_note
    assert ("will not be faster than float32" in note) is said
    assert bool(note) is said
