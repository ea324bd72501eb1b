"""Paths that are neither files nor folders are refused before they are opened: none of these may hang."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mibench.core.errors import PluginError, StoreError, UsageError
from mibench.core.files import LARGEST, check_output, kind_of, read_small
from mibench.core.plugins import load_plugins
from mibench.core.registry import broken
from mibench.experiments.grid import load_grid
from mibench.experiments.suite import get_suite
from mibench.store.folders import load_runs
from mibench.store.maintenance import compact, merge, verify
from mibench.store.parquet import read_table
from mibench.store.paths import compaction_hint

pytestmark = pytest.mark.usefixtures("fresh_registries")


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with one of each kind."""
    monkeypatch.chdir(tmp_path)
    for name in ("pipe.py", "pipe.toml"):
        os.mkfifo(tmp_path / name)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.toml")
    for name in ("huge.py", "huge.toml"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**40)  # without a block on the disk
    return tmp_path


def test_what_a_path_leads_to(odd: Path) -> None:
    kinds = {name: kind_of(Path(name)) for name in ("pipe.py", "socket.toml", "huge.py", ".", "/dev/zero", "nowhere")}
    assert list(kinds.values()) == ["a named pipe", "a socket", "a file", "a folder", "a device", ""]
    assert kind_of(Path("huge.py/in-a-file")) == kind_of(Path("a\0b")) == ""


def test_files_of_exactly_the_limit_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * LARGEST)
    assert len(read_small(path, "it", "a file")) == LARGEST
    path.write_bytes(b"x" * (LARGEST + 1))
    with pytest.raises(UsageError, match="it is larger than 1 MB; give a file of at most 1 MB"):
        read_small(path, "it", "a file")


@pytest.mark.parametrize(("name", "what"), [
    ("pipe", "is a named pipe"), ("huge", "is larger than 1 MB"),
])  # fmt: skip
def test_grids_suites_and_plug_ins_are_small_regular_files(name: str, what: str, odd: Path) -> None:
    for read in (load_grid, get_suite):
        with pytest.raises(UsageError, match=f"{what}.*; give a TOML file of at most 1 MB"):
            read(f"{name}.toml")
    with pytest.raises(PluginError, match=f"it {what}; give a Python file of at most 1 MB"):
        load_plugins([f"{name}.py"])


def test_devices_and_sockets_are_no_grids(odd: Path) -> None:
    with pytest.raises(UsageError, match="grid '/dev/zero' is a device"):
        load_grid("/dev/zero")
    with pytest.raises(UsageError, match=r"grid 'socket\.toml' is a socket"):
        load_grid("socket.toml")
    with pytest.raises(PluginError, match="it is a device"):
        load_plugins(["/dev/zero"])


def test_what_is_no_file_in_a_folder_of_plug_ins_is_broken_and_stops_nothing(odd: Path) -> None:
    load_plugins([odd])
    assert {Path(b.origin).name: b.error.partition(";")[0] for b in broken()} == {
        "pipe.py": "it is a named pipe", "huge.py": "it is larger than 1 MB",
    }  # fmt: skip


def test_results_lie_in_folders(odd: Path) -> None:
    for read in (load_runs, compact, verify, lambda path: merge("new", [path])):
        with pytest.raises(StoreError, match=r"results folder 'pipe\.py' is a named pipe; name a folder"):
            read("pipe.py")
    with pytest.raises(UsageError, match="cannot be written to, since it is a named pipe; name another"):
        merge("pipe.py", [])
    with pytest.raises(UsageError, match=r"cannot be written to, since '.*huge\.py' is a file; name another with -o"):
        check_output(odd / "huge.py" / "deeper" / "still", "results folder", "-o")
    check_output(odd / "new" / "newer", "results folder", "-o")
    assert not (odd / "new").exists()


def test_a_pipe_among_results_is_named(odd: Path) -> None:
    (odd / "results" / "runs").mkdir(parents=True)
    path = odd / "results" / "runs" / "x.parquet"
    os.mkfifo(path)
    with pytest.raises(StoreError, match="is a named pipe, no Parquet file"):
        read_table(path, "runs")
    assert [f.problem for f in verify("results")] == ["is a named pipe, no Parquet file"]


@pytest.mark.parametrize("use", [load_runs, load_grid, get_suite, compact, lambda path: load_plugins([path])])
def test_an_empty_name_is_not_the_current_folder(use: object, odd: Path) -> None:
    assert callable(use)
    with pytest.raises(UsageError, match="is empty; give one, or leave it out"):
        use("")


def test_a_hint_counts_names_alone_and_begins_beyond_500(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for number in range(500):
        (tmp_path / "runs" / f"{number}.parquet").touch()
    assert compaction_hint(tmp_path) == compaction_hint(tmp_path / "nowhere") == ""
    (tmp_path / "runs" / "500.parquet").touch()
    assert f"lie in 501 files; 'mibench results compact --results {tmp_path}' turns" in compaction_hint(tmp_path)
