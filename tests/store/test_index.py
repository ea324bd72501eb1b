"""The index of a results folder: it changes how long reading takes, and nothing else."""

from __future__ import annotations

import datetime
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mibench.cli.app import main
from mibench.core.errors import StoreError
from mibench.ranking.rows import read_ranking_rows
from mibench.running.plan import make_plan
from mibench.running.runner import rows_of as stored_rows_of
from mibench.store import index, parquet, reading
from mibench.store.columns import RANKED
from mibench.store.copies import CHOICE
from mibench.store.folders import load_curves, load_runs, read_runs, statuses
from mibench.store.maintenance import compact, merge, verify
from mibench.store.parquet import TEMPORARY_PREFIX, file_of, schema, write_pack
from mibench.store.paths import stems
from tests.support.odd_rows import write_odd_rows
from tests.support.stores import NOON, rows_of, spec, store

INDEX = index.INDICES[0].name
LATER = NOON + datetime.timedelta(hours=1)
OLD, NEW = (f'{{"estimator mine-v1":"sha256:{digest}"}}' for digest in "ab")


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder has an index, which takes files at once."""
    monkeypatch.setattr(index, "FEWEST", 0)
    monkeypatch.setattr(index, "_SETTLED", -1)


def without_index(folder: Path, read: Callable[[Path], Any]) -> Any:
    """What is read of the files themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "FEWEST", sys.maxsize)
        return read(folder)


def write_odd_store(folder: Path) -> None:
    """Fill a folder with copies of runs, failures, staircases, code from outside, files of schema 1 and odd rows."""
    store(folder, spec(0), session="a", estimate_train=1.0)
    store(folder, spec(0), session="b", status="crashed", at=LATER)
    store(folder, spec(1), session="a", status="timeout", at=LATER)
    store(folder, spec(1), spec(2), session="b", status="diverged", estimate_train=2.0)
    store(folder, spec(2), session="c", at=LATER, estimate_train=3.0)
    store(folder, spec(2), session="d", at=LATER, estimate_train=4.0)
    store(folder, spec(3), session="a", code=OLD, estimate_train=5.0)
    store(folder, spec(3), session="b", code=NEW, at=LATER, estimate_train=6.0)
    store(folder, spec(4), session="a", code=OLD)
    store(folder, spec(4), session="b", status="crashed", code=NEW, at=LATER)
    store(folder, spec(5), session="a", at=None)
    store(folder, spec(5), session="b", at=None, status="crashed")
    store(folder, spec(6, schedule=(1.0, 2.0)), spec(7), session="a")
    stairs = rows_of(spec(8, schedule=(1.0, 2.0)))
    write_pack(folder, "half", stairs[1:], [])
    write_pack(folder, "mixed", [*rows_of(spec(9)), {**rows_of(spec(9))[0], "stair": 1, "status": "crashed"}], [])
    write_pack(folder, "twice", rows_of(spec(10), status="crashed") * 2, [])
    write_pack(folder, "nameless", [{**rows_of(spec(11))[0], "run_id": None}], [])
    write_pack(folder, "empty", [], [])
    first = pa.Table.from_pylist(rows_of(spec(12), status="crashed"), schema=schema("runs", 1))
    parquet.write_table(file_of(folder, "runs", "first"), first)
    write_odd_rows(folder)


READ: dict[str, Callable[[Path], Any]] = {
    "statuses": statuses,
    "some statuses": lambda folder: statuses(folder, [spec(seed).run_id for seed in (2, 3, 4, 99)]),
    "runs": load_runs,
    "columns": lambda folder: read_runs(folder, ["status", "batch", "run_id"]),
    "columns of boards": lambda folder: read_runs(folder, {*RANKED, *CHOICE}),
    "other columns": lambda folder: read_runs(folder, ["bias", "run_id", "code"]),
    "some runs": lambda folder: read_runs(folder, run_ids=[spec(seed).run_id for seed in (1, 3, 6, 99)]),
    "curves": load_curves,
    "some curves": lambda folder: load_curves(folder, [spec(seed).run_id for seed in (0, 2, 4)]),
}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        return True
    return bool(one == other)


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize("name", READ)
def test_an_odd_store_reads_the_same_with_an_index_and_without(name: str, tmp_path: Path) -> None:
    write_odd_store(tmp_path)
    if "curves" in name:
        file_of(tmp_path, "runs", "mixed").unlink()  # a result without its curve is an error of readers
        file_of(tmp_path, "runs", "half").unlink()
    expected = without_index(tmp_path, READ[name])
    assert not (tmp_path / INDEX).exists()
    assert len(expected) > 0
    for _ in ("cold", "warm"):
        assert same(READ[name](tmp_path), expected)
    assert len(load_runs(tmp_path)) == len(without_index(tmp_path, load_runs))


def test_columns_and_runs_are_those_of_the_whole_table(tmp_path: Path) -> None:
    write_odd_store(tmp_path)
    whole = load_runs(tmp_path)
    for columns in (["status", "batch", "run_id"], ["bias", "run_id", "code"], ["error"]):
        ordered = [name for name in whole.columns if name in columns]
        pd.testing.assert_frame_equal(read_runs(tmp_path, columns), whole[ordered], check_exact=True)
    wanted = [spec(seed).run_id for seed in (1, 3, 6)]
    part = whole[whole["run_id"].isin(wanted)].reset_index(drop=True)
    pd.testing.assert_frame_equal(read_runs(tmp_path, run_ids=wanted), part, check_exact=True)


def test_a_run_that_failed_by_the_code_of_now_has_no_curve_and_is_no_error(tmp_path: Path) -> None:
    store(tmp_path, spec(0), session="a", code=OLD)
    store(tmp_path, spec(0), session="b", status="crashed", code=NEW, at=LATER)
    store(tmp_path, spec(1))
    assert set(load_curves(tmp_path)["run_id"]) == {spec(1).run_id}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stems of the files that were opened, as they are."""
    seen: list[str] = []
    plain = reading.read_table

    def read(path: Path, *arguments: Any) -> pa.Table:
        seen.append(path.stem)
        return plain(path, *arguments)

    monkeypatch.setattr(reading, "read_table", read)
    return seen


@pytest.mark.usefixtures("indexed")
def test_only_files_that_disagree_are_opened(tmp_path: Path, opened: list[str]) -> None:
    first, second, third = (store(tmp_path, spec(seed)) for seed in range(3))
    assert len(statuses(tmp_path)) == 3
    assert sorted(opened) == sorted([first, second, third])
    opened.clear()
    assert len(statuses(tmp_path)) == 3
    assert opened == []
    fourth = store(tmp_path, spec(3))
    file_of(tmp_path, "runs", first).unlink()
    write_pack(tmp_path, second, rows_of(spec(9)), [])
    os.utime(file_of(tmp_path, "runs", third), (1, 1))
    assert set(statuses(tmp_path)) == {spec(seed).run_id for seed in (9, 2, 3)}
    assert sorted(opened) == sorted([second, third, fourth])
    opened.clear()
    assert len(statuses(tmp_path)) == 3
    assert opened == []


@pytest.mark.usefixtures("indexed")
def test_plans_and_listings_read_the_index_alone(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_odd_rows(tmp_path / "listed")
    store(tmp_path / "planned", spec(0))
    plan = make_plan([spec(0), spec(100)], tmp_path / "planned")
    assert (plan.done, plan.new) == ((spec(0),), (spec(100),))
    listing = ["results", "ls", "--results", str(tmp_path / "listed")]
    assert main(listing) == 0
    printed = capsys.readouterr().out
    assert "gaussian20d" in printed
    opened.clear()
    assert make_plan([spec(0), spec(100)], tmp_path / "planned") == plan
    assert main(listing) == 0
    assert capsys.readouterr().out == printed
    assert opened == []


@pytest.mark.usefixtures("indexed")
def test_rows_of_some_runs_are_read_from_their_files(tmp_path: Path, opened: list[str]) -> None:
    first, _, third = (store(tmp_path, spec(seed)) for seed in range(3))
    statuses(tmp_path)
    opened.clear()
    assert list(stored_rows_of([spec(2), spec(0)], tmp_path)["run_id"]) == [spec(2).run_id, spec(0).run_id]
    assert sorted(opened) == sorted([first, third])


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("no table")
    elif how == "garbled":
        middle = len(content) // 3
        path.write_bytes(
            content[:middle] + bytes(byte ^ 255 for byte in content[middle : middle + 40]) + content[middle + 40 :]
        )
    elif how == "foreign":
        pq.write_table(pa.table({"a": [1]}), path)
    elif how == "results":
        pq.write_table(pa.Table.from_pylist(rows_of(spec(0)), schema=schema("runs")), path)
    elif how == "another version":
        pq.write_table(pq.read_table(path).replace_schema_metadata({"mibench_index": "99"}), path)
    elif how == "a pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        path.unlink()
        path.mkdir()


WAYS = ("gone", "cut short", "empty", "text", "garbled", "foreign", "results", "another version", "a pipe", "a folder")


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize("how", WAYS)
def test_an_index_that_is_of_no_use_costs_time_alone(how: str, tmp_path: Path, opened: list[str]) -> None:
    for seed in range(3):
        store(tmp_path, spec(seed))
    expected = statuses(tmp_path)
    damage(tmp_path / INDEX, how)
    opened.clear()
    assert statuses(tmp_path) == expected
    assert len(opened) == 3
    opened.clear()
    assert statuses(tmp_path) == expected
    assert len(opened) == (3 if how == "a folder" else 0)  # which a file does not replace
    assert not list(tmp_path.glob(f"{TEMPORARY_PREFIX}*"))


@pytest.mark.usefixtures("indexed")
def test_every_byte_of_an_index_may_be_wrong(tmp_path: Path) -> None:
    for seed in range(3):
        store(tmp_path, spec(seed))
    expected, path = statuses(tmp_path), tmp_path / INDEX
    content = path.read_bytes()
    draws = random.Random(0)
    for place in draws.sample(range(len(content)), 40):
        changed = bytearray(content)
        changed[place] ^= draws.randrange(1, 256)
        path.write_bytes(changed)
        assert statuses(tmp_path) == expected, place


@pytest.mark.usefixtures("indexed")
def test_a_folder_that_cannot_be_written_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path, spec(0))

    def read_only(descriptor: int) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "fsync", read_only)
    for _ in range(2):
        assert set(statuses(tmp_path)) == {spec(0).run_id}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves", "runs"]


@pytest.mark.usefixtures("indexed")
def test_a_truncated_file_is_named_with_an_index_too(tmp_path: Path) -> None:
    path = file_of(tmp_path, "runs", store(tmp_path, spec(0)))
    store(tmp_path, spec(1))
    statuses(tmp_path)
    path.write_bytes(path.read_bytes()[:500])
    for read in (statuses, load_runs, load_curves):
        with pytest.raises(StoreError, match="is truncated or no Parquet file") as caught:
            read(tmp_path)
        assert str(path) in str(caught.value)
    path.unlink()
    assert set(statuses(tmp_path)) == {spec(1).run_id}


def test_a_file_is_noted_once_it_has_been_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written twice within a tick of the clock, at one size, is seen."""
    monkeypatch.setattr(index, "FEWEST", 0)
    stem = store(tmp_path, spec(0))
    path = file_of(tmp_path, "runs", stem)
    before, content = path.stat(), path.read_bytes()
    assert set(statuses(tmp_path)) == {spec(0).run_id}
    write_pack(tmp_path, stem, rows_of(spec(1)), [])
    path.write_bytes(path.read_bytes()[: len(content)].ljust(len(content), b"!"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(StoreError, match="truncated"):
        statuses(tmp_path)
    write_pack(tmp_path, stem, rows_of(spec(1)), [])
    an_hour_ago = before.st_mtime_ns - 3_600_000_000_000
    os.utime(path, ns=(an_hour_ago, an_hour_ago))
    assert set(statuses(tmp_path)) == {spec(1).run_id}
    assert index._marks_of(pq.read_table(tmp_path / INDEX)) == {stem: (path.stat().st_size, an_hour_ago)}


@pytest.mark.usefixtures("indexed")
def test_nobody_takes_an_index_for_results(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for seed in range(3):
        store(here, spec(seed))
    statuses(here)
    read_runs(here, RANKED)
    assert {path.name for path in here.glob(".*")} == {one.name for one in index.INDICES}
    assert verify(here) == []
    assert len(pd.read_parquet(here / "runs")) == len(stems(here, "runs")) == 3
    merge(there, [here])
    assert sorted(path.name for path in there.iterdir()) == ["curves", "runs"]
    left = here / f"{TEMPORARY_PREFIX}killed"
    left.touch()
    os.utime(left, (0, 0))
    done = compact(here)
    assert (done.files_before, done.files_after) == (6, 2)
    assert sorted(path.name for path in here.iterdir()) == ["curves", "runs"]
    assert len(statuses(here)) == 3


def test_verify_reads_the_files_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "FEWEST", 0)
    monkeypatch.setattr(index, "_SETTLED", -1)
    path = file_of(tmp_path, "runs", store(tmp_path, spec(0)))
    found = path.stat()
    statuses(tmp_path)
    path.write_bytes(bytes(found.st_size))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert set(statuses(tmp_path)) == {spec(0).run_id}  # nothing tells that it was changed
    assert [finding.problem for finding in verify(tmp_path)] == ["is truncated or no Parquet file"]


def test_a_folder_of_few_files_has_no_index(tmp_path: Path) -> None:
    stem = store(tmp_path, spec(0))
    statuses(tmp_path)
    assert not (tmp_path / INDEX).exists()
    os.utime(file_of(tmp_path, "runs", stem), (1, 1))
    for number in range(index.FEWEST - 1):
        os.link(file_of(tmp_path, "runs", stem), file_of(tmp_path, "runs", f"copy-{number}"))
    statuses(tmp_path)
    assert (tmp_path / INDEX).exists()


@pytest.mark.usefixtures("indexed")
def test_several_who_make_an_index_at_once(tmp_path: Path) -> None:
    expected: set[str] = set()
    found: list[set[str]] = []

    def read() -> None:
        for _ in range(8):
            index.remove_indices(tmp_path)
            found.append(set(statuses(tmp_path)))

    for seed in range(4):
        store(tmp_path, spec(seed))
        expected.add(spec(seed).run_id)
    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 24
    assert not list(tmp_path.glob(f"{TEMPORARY_PREFIX}*"))


WRITER = """
import sys
from mibench.store import folders, index
index.FEWEST, index._SETTLED = 0, -1
while True:
    index.remove_indices(sys.argv[1])
    folders.statuses(sys.argv[1])
    print(flush=True)
"""


@pytest.mark.usefixtures("indexed")
def test_a_process_killed_while_it_makes_an_index_loses_nothing(tmp_path: Path) -> None:
    for seed in range(3):
        store(tmp_path, spec(seed))
    expected = statuses(tmp_path)
    contents = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet") if path.name != INDEX}
    draws = random.Random(0)
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(draws.random() * 0.03)
            process.kill()
        assert statuses(tmp_path) == expected
    assert {path: path.read_bytes() for path in contents} == contents
    assert verify(tmp_path) == []


def test_no_index_has_what_is_long() -> None:
    assert index.index_of(["run_id", "batch"]) == index.INDICES[0]
    assert index.index_of(["run_id", "seconds"]) == index.INDICES[1]
    assert index.index_of(["run_id", "spec"]) is None
    with pytest.raises(KeyError, match="no index has all of the columns run_id, spec"):
        index.known_runs("nowhere", ["run_id", "spec"])


@pytest.mark.usefixtures("indexed")
def test_boards_are_ranked_by_an_index_of_their_own(tmp_path: Path, opened: list[str]) -> None:
    write_odd_rows(tmp_path)
    expected = without_index(tmp_path, read_ranking_rows).runs
    opened.clear()
    for files in (1, 0):
        pd.testing.assert_frame_equal(read_ranking_rows(tmp_path).runs, expected, check_exact=True)
        assert len(opened) == files
        opened.clear()
