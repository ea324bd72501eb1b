"""The results folder: what is written comes back, what is broken is named, and nothing is lost on the way."""

from __future__ import annotations

import datetime
import math
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import StoreError, StoreWriteError, UsageError
from mibench.store.columns import TABLES, empty_row
from mibench.store.folders import (
    check_writable,
    curves_table,
    load_curves,
    load_runs,
    load_sessions,
    statuses,
    write_session,
)
from mibench.store.maintenance import compact, merge, verify
from mibench.store.parquet import TEMPORARY_PREFIX, as_table, file_of, write_pack
from mibench.store.paths import stems
from tests.support.stores import NOON, rows_of, spec, store

numbers = st.floats(allow_nan=False) | st.none()
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.none()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(numbers, numbers, texts, st.none() | st.integers(0, 2**53)), min_size=1, max_size=5))
def test_rows_come_back_as_they_were(values: list[tuple[Any, ...]]) -> None:
    names = ("estimate_train", "ceiling", "error", "diverged_at")
    runs = {spec(seed).run_id: dict(zip(names, row, strict=True)) for seed, row in enumerate(values)}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(len(values)):
            store(Path(folder), spec(seed), **runs[spec(seed).run_id])
        loaded = load_runs(folder).set_index("run_id")
        plain = pd.read_parquet(Path(folder) / "runs").set_index("run_id")
        curves = load_curves(folder).set_index("run_id")
    assert len(loaded) == len(plain) == len(values)
    for run, expected in runs.items():
        for frame in (loaded, plain):
            found = {name: None if pd.isna(frame.at[run, name]) else frame.at[run, name] for name in names}
            assert found == expected
        first, second = curves.loc[run, "estimate_train"]
        assert first == expected["estimate_train"] or expected["estimate_train"] is None
        assert math.isnan(second)


def test_infinities_survive(tmp_path: Path) -> None:
    store(tmp_path, spec(), ceiling=math.inf, estimate_train=-math.inf, bias=math.nan)
    row = load_runs(tmp_path).iloc[0]
    assert (row["ceiling"], row["estimate_train"]) == (math.inf, -math.inf)
    assert math.isnan(row["bias"])


def test_types_do_not_depend_on_content(tmp_path: Path) -> None:
    store(tmp_path, spec())
    runs = load_runs(tmp_path)
    assert list(runs.columns) == [c.name for c in TABLES["runs"]]
    assert runs["finished_at"].iloc[0] == pd.Timestamp(NOON)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert list(load_runs(empty).columns) == list(runs.columns)
    assert load_curves(empty).empty
    assert load_sessions(empty).empty


@pytest.mark.parametrize("kind", ["frame", "list", "arrow"])
def test_every_kind_of_rows_is_brought_into_the_schema(kind: str) -> None:
    rows = [{"run_id": "a", "stair": 0, "diverged_at": None}, {"run_id": "b", "stair": 1, "diverged_at": 7}]
    given_rows = {"frame": pd.DataFrame(rows), "list": rows, "arrow": pa.Table.from_pylist(rows)}[kind]
    table = as_table("runs", given_rows)
    assert table.column_names == [c.name for c in TABLES["runs"]]
    assert table["diverged_at"].to_pylist() == [None, 7]
    assert table["ceiling"].null_count == 2
    with pytest.raises(KeyError, match="no column colour"):
        as_table("runs", [{"colour": "red"}])


def test_results_win_over_failures_and_late_over_early(tmp_path: Path) -> None:
    later = NOON + datetime.timedelta(hours=1)
    store(tmp_path, spec(0), session="a", estimate_train=1.0)
    store(tmp_path, spec(0), session="b", status="crashed", at=later)
    store(tmp_path, spec(1), session="a", status="timeout", at=later)
    store(tmp_path, spec(1), session="b", status="diverged", estimate_train=2.0)
    store(tmp_path, spec(2), spec(3), session="a", estimate_train=3.0)
    store(tmp_path, spec(2), session="b", at=later, estimate_train=4.0)
    store(tmp_path, spec(4), session="a", status="crashed")
    runs = load_runs(tmp_path).set_index("run_id")
    expected = [("ok", 1.0), ("diverged", 2.0), ("ok", 4.0), ("ok", 3.0), ("crashed", None)]
    curves = load_curves(tmp_path)
    for seed, (status, value) in enumerate(expected):
        row = runs.loc[spec(seed).run_id]
        assert row["status"] == status
        points = curves[curves["run_id"] == spec(seed).run_id]["estimate_train"]
        assert len(points) == (0 if value is None else 2)
        if value is not None:
            assert row["estimate_train"] == points.iloc[0] == value
    assert statuses(tmp_path)[spec(4).run_id] == ("failed", 1, None)
    assert statuses(tmp_path)[spec(1).run_id] == ("done", 1, None)


def test_a_failure_never_replaces_a_result_of_its_session(tmp_path: Path) -> None:
    store(tmp_path, spec(0), estimate_train=1.0)
    store(tmp_path, spec(0), status="timeout")
    assert list(load_runs(tmp_path)["status"]) == ["ok"]


def test_curves_of_some_runs(tmp_path: Path) -> None:
    store(tmp_path, spec(0), spec(1))
    wanted = [spec(1).run_id]
    for run_ids in (wanted, iter(wanted), pd.Series(wanted), np.array(wanted)):
        assert set(load_curves(tmp_path, run_ids)["run_id"]) == {spec(1).run_id}
    assert load_curves(tmp_path, []).empty


def test_curves_of_runs_that_are_not_there_are_an_error_and_those_of_failed_runs_are_none(tmp_path: Path) -> None:
    store(tmp_path, spec(0))
    store(tmp_path, spec(1), status="crashed")
    assert set(load_curves(tmp_path, [spec(0).run_id, spec(1).run_id])["run_id"]) == {spec(0).run_id}
    with pytest.raises(UsageError, match=r"holds no run 'x'; take ids from mibench\.load_runs$"):
        load_curves(tmp_path, [spec(0).run_id, "x"])
    with pytest.raises(UsageError, match=r"holds no run '0', '1', '2' and 7 others; take ids from mibench\.load_runs$"):
        load_curves(tmp_path, range(10))


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    table = pq.read_table(path)
    metadata = dict(table.schema.metadata)
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("not a table")
    elif how == "garbled":
        path.write_bytes(content[:100] + bytes(len(content) // 2 - 100) + content[len(content) // 2 :])
    elif how == "foreign":
        pq.write_table(pa.table({"a": [1]}), path)
    elif how == "other table":
        pq.write_table(as_table("curves", []), path)
    elif how == "other columns":
        pq.write_table(table.drop_columns(["bias"]), path)
    else:
        version = {"newer": b"99", "older": b"0", "no number": b"x"}[how]
        pq.write_table(table.replace_schema_metadata({**metadata, b"schema_version": version}), path)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("truncated", "is truncated or no Parquet file"),
        ("empty", "is truncated or no Parquet file"),
        ("text", "is truncated or no Parquet file"),
        ("garbled", "is truncated or no Parquet file"),
        ("foreign", "was not written by mibench"),
        ("no number", "was not written by mibench"),
        ("other table", "holds the table 'curves', not 'runs'"),
        ("other columns", "does not have the columns of schema 3"),
        ("newer", "has schema 99, newer than the 1"),
        ("older", "has schema 0, older than the 1"),
    ],
)
def test_a_bad_file_is_named_by_readers_and_verify(tmp_path: Path, how: str, said: str) -> None:
    store(tmp_path, spec(0))
    path = file_of(tmp_path, "runs", store(tmp_path, spec(1)))
    assert verify(tmp_path) == []
    damage(path, how)
    for read in (load_runs, load_curves, statuses, compact):
        with pytest.raises(StoreError) as caught:
            read(tmp_path)
        message = str(caught.value)
        assert str(path) in message
        assert "mibench results verify" in message
        assert "\n" not in message
        assert said in message
    assert [finding.path for finding in verify(tmp_path)] == [str(path)]
    assert stems(tmp_path, "runs") == sorted(p.stem for p in (tmp_path / "runs").iterdir())  # nothing was removed


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    for read in (load_runs, load_curves, load_sessions, verify, compact):
        with pytest.raises(StoreError, match="no results folder"):
            read(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="no results folder"):
        merge(tmp_path, [tmp_path / "nowhere"])
    assert statuses(tmp_path / "nowhere") == {}


def test_verify_checks_rows(tmp_path: Path) -> None:
    stairs = spec(0, schedule=(1.0, 2.0))
    write_pack(tmp_path, "a", rows_of(stairs)[:1], [])
    write_pack(tmp_path, "b", [{**rows_of(spec(1))[0], "run_id": "f" * 32}], curves_table({"f" * 32: {"step": [1]}}))
    write_pack(tmp_path, "c", [{**rows_of(spec(2), status="crashed")[0], "spec": "{}"}], [])
    write_pack(tmp_path, "d", rows_of(spec(3), status="lost"), [])
    write_pack(tmp_path, "e", [*rows_of(spec(4)), *rows_of(spec(5))], curves_table({spec(4).run_id: {"step": [1]}}))
    (tmp_path / "runs" / "notes.txt").write_text("hello")
    text = "\n".join(map(str, verify(tmp_path)))
    expected = [
        f"runs/a.parquet: run {stairs.run_id} lacks stair 1",
        f"curves/a.parquet: lacks the curve of run {stairs.run_id}",
        f"runs/b.parquet: run {'f' * 32} has a specification whose id is {spec(1).run_id}",
        f"runs/c.parquet: run {spec(2).run_id}: this is not the specification of a run",
        f"runs/d.parquet: run {spec(3).run_id} has the unknown status 'lost'",
        f"curves/e.parquet: lacks the curve of run {spec(5).run_id}",
        "runs/notes.txt: is no results file",
    ]
    for problem in expected:
        assert problem in text
    assert len(text.splitlines()) == len(expected)


def test_missing_curves_are_an_error_of_readers(tmp_path: Path) -> None:
    file_of(tmp_path, "curves", store(tmp_path, spec(0))).unlink()
    with pytest.raises(StoreError, match="is incomplete"):
        load_curves(tmp_path)
    assert len(load_runs(tmp_path)) == 1


def test_a_link_to_nothing_is_named_by_readers_and_verify(tmp_path: Path) -> None:
    store(tmp_path, spec(0))
    path = file_of(tmp_path, "runs", "gone")
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="is incomplete"):
        load_runs(tmp_path)
    assert [str(finding) for finding in verify(tmp_path)] == [f"{path}: is a link to a file that does not exist"]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_a_file_is_a_finding(tmp_path: Path, table: str) -> None:
    stem = store(tmp_path, spec(0))
    if table != "sessions":
        file_of(tmp_path, table, stem).unlink()
        (tmp_path / table).rmdir()
    (tmp_path / table).write_text("no folder")
    (finding,) = verify(tmp_path)
    assert finding.path == str(tmp_path / table)
    assert "is not a folder" in finding.problem


def test_a_name_that_is_too_long_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 300)
    for read in (load_runs, load_curves, load_sessions, statuses, verify, compact):
        with pytest.raises(StoreError, match=r"no results folder|cannot be read \(File name too long\)"):
            read(folder)
    with pytest.raises(StoreError, match="no results folder"):
        merge(tmp_path, [folder])


def test_compact_changes_nothing_that_is_read(tmp_path: Path) -> None:
    store(tmp_path, spec(0), session="a", estimate_train=1.0)
    store(tmp_path, spec(0), session="b", status="crashed")
    store(tmp_path, spec(1), spec(2, schedule=(1.0, 2.0)), session="b", estimate_train=2.0)
    store(tmp_path, spec(3), session="b", status="timeout", error="no result after 3 seconds")
    for session in "ab":
        write_session(tmp_path, empty_row("sessions", session_id=session, started_at=NOON))
    before = [load(tmp_path) for load in (load_runs, load_curves, load_sessions)]
    done = compact(tmp_path)
    assert (done.files_before, done.files_after, done.duplicates) == (8, 3, 1)
    for load, expected in zip((load_runs, load_curves, load_sessions), before, strict=True):
        pd.testing.assert_frame_equal(load(tmp_path), expected, check_exact=True)
    assert verify(tmp_path) == []
    files = sorted(tmp_path.rglob("*.parquet"))
    assert compact(tmp_path).files_after == 3
    assert sorted(tmp_path.rglob("*.parquet")) == files


def test_compact_removes_only_old_leftovers(tmp_path: Path) -> None:
    store(tmp_path, spec(0))
    old, new = (tmp_path / "runs" / f"{TEMPORARY_PREFIX}{name}" for name in ("old", "new"))
    orphans = [tmp_path / "curves" / f"{name}.parquet" for name in ("old", "new")]
    for path in (old, new, *orphans):
        path.write_bytes(b"half a file")
    for path in (old, orphans[0]):
        os.utime(path, (0, 0))
    assert len(load_runs(tmp_path)) == len(pd.read_parquet(tmp_path / "runs")) == 1
    compact(tmp_path)
    assert [path.exists() for path in (old, new, *orphans)] == [False, True, False, True]


def test_compact_keeps_the_old_files_where_the_new_ones_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, spec(0))
    store(tmp_path, spec(1))
    before = load_runs(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreWriteError, match="No space left on device") as caught:
            compact(tmp_path)
    assert caught.value.exit_code == 1
    pd.testing.assert_frame_equal(load_runs(tmp_path), before)
    assert not list(tmp_path.rglob(f"{TEMPORARY_PREFIX}*"))


def test_readers_and_writers_beside_compaction(tmp_path: Path) -> None:
    """One thread writes packs and one compacts while this one reads: every read is a complete, growing table."""
    store(tmp_path, spec(0))
    finished = threading.Event()

    def write() -> None:
        for seed in range(1, 40):
            store(tmp_path, spec(seed))
        finished.set()

    def tidy() -> None:
        while not finished.is_set():
            compact(tmp_path)

    threads = [threading.Thread(target=job) for job in (write, tidy)]
    for thread in threads:
        thread.start()
    sizes = []
    while not finished.is_set():
        sizes.append(len(load_runs(tmp_path)))
        assert load_curves(tmp_path)["run_id"].nunique() >= sizes[-1]
    for thread in threads:
        thread.join()
    assert sizes == sorted(sizes)
    assert len(load_runs(tmp_path)) == 40
    assert verify(tmp_path) == []


def test_merge_copies_what_is_missing(tmp_path: Path) -> None:
    here, there, third = (tmp_path / name for name in "abc")
    store(here, spec(0), session="a", estimate_train=1.0)
    store(here, spec(1), session="a", status="crashed")
    store(there, spec(0), session="b", estimate_train=2.0)
    store(there, spec(1), session="b", estimate_train=3.0)
    store(there, spec(2), session="b", status="timeout")
    store(third, spec(2), session="c", status="crashed")
    write_session(there, empty_row("sessions", session_id="b", started_at=NOON))
    done = merge(here, [there, third])
    assert (done.runs, done.packs, done.sessions) == (2, 2, 1)
    runs = load_runs(here).set_index("run_id")
    assert [runs.at[spec(s).run_id, "status"] for s in range(3)] == ["ok", "ok", "timeout"]
    assert [runs.at[spec(s).run_id, "estimate_train"] for s in range(2)] == [1.0, 3.0]
    assert verify(here) == []
    assert merge(here, [there, third]).packs == 0
    with pytest.raises(UsageError, match="into itself"):
        merge(here, [here])


def test_merge_does_not_spread_bad_files(tmp_path: Path) -> None:
    path = file_of(tmp_path / "there", "curves", store(tmp_path / "there", spec(0)))
    damage(path, "truncated")
    with pytest.raises(StoreError, match="truncated") as caught:
        merge(tmp_path / "here", [tmp_path / "there"])
    assert str(path) in str(caught.value)
    assert statuses(tmp_path / "here") == {}


def test_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", Path("/proc/nothing")):
        with pytest.raises(UsageError, match="cannot be written to"):
            check_writable(folder)
    check_writable(tmp_path / "new")
    assert list((tmp_path / "new" / "runs").iterdir()) == []


def test_a_name_that_is_no_unicode_is_a_bad_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, "runs", store(tmp_path, spec(0)))
    content = path.read_bytes()
    assert content.count(b"\x06run_id") > 1
    path.write_bytes(content.replace(b"\x06run_id", b"\x06\xe9un_id"))
    with pytest.raises(StoreError, match="is truncated or no Parquet file"):
        load_runs(tmp_path)
