from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mibench
from mibench.core.errors import DuplicateNameError, PluginError, UnknownNameError, UsageError
from mibench.core.plugins import load_plugins, loaded_plugins
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS, Registry, broken
from tests.support.paths import ROOT

WritePlugin = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("fresh_registries")


def test_names_aliases_and_versions_find_the_same_class() -> None:
    assert ESTIMATORS.get("nwj") is ESTIMATORS.get("mine-f") is ESTIMATORS.get("nwj-v1")
    assert ESTIMATORS.id_of(ESTIMATORS.create("mine-f")) == "nwj-v1"


def test_create_takes_parameters_from_the_name_and_beside_it() -> None:
    assert ESTIMATORS.create("smile:tau=1") == ESTIMATORS.create("smile", {"tau": 1}) != ESTIMATORS.create("smile")
    with pytest.raises(UsageError, match="gives 'tau' twice, in its name and beside it"):
        ESTIMATORS.create("smile:tau=1", {"tau": 1})


@pytest.mark.parametrize(("registry", "name", "message"), [
    (ESTIMATORS, "nwk", "unknown estimator 'nwk'; did you mean 'nwj'?"),
    (TASKS, "gausian20d", "unknown task 'gausian20d'; did you mean 'gaussian20d' or 'gaussian' or "
     "'gaussian20d-cubic'?"),
    (ESTIMATORS, "nwj-v9", "unknown estimator 'nwj-v9'; did you mean 'nwj-v1' or 'nwj'?"),
    (CRITICS, "qqqqqq", "unknown critic 'qqqqqq'; see 'mibench list'"),
])  # fmt: skip
def test_unknown_names_get_the_nearest_ones(registry: Registry[Any], name: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        registry.get(name)
    assert str(error.value) == message


def test_listing_reads_sources_and_imports_nothing() -> None:
    code = (
        "import sys, mibench; names = mibench.list_tasks() + mibench.list_estimators() + mibench.list_critics() "
        "+ mibench.list_negatives(); assert {'gaussian20d', 'nwj', 'joint', 'shuffle'} <= set(names), names; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("registry", [TASKS, ESTIMATORS, CRITICS, NEGATIVES], ids=lambda r: r.what)
def test_what_is_read_from_sources_is_what_the_classes_say(registry: Registry[Any]) -> None:
    for entry in registry.entries():
        cls = registry.get(entry.id)
        assert (cls.__doc__ or "").strip().split("\n")[0] == entry.summary != ""
        assert getattr(cls, "kind", None) == entry.kind
        assert cls.__qualname__ == entry.qualname
        assert Path(registry.origin(entry.name)).is_file()


def test_a_plug_in_file_is_loaded_once_and_remembered(write_plugin: WritePlugin) -> None:
    path = write_plugin()
    load_plugins([path])
    load_plugins([str(path)])
    entry = ESTIMATORS.entry("zero")
    assert (entry.id, entry.kind, entry.summary, entry.origin) == (
        "zero-v1", "lower", "A bound for a test.", str(path)
    )  # fmt: skip
    assert loaded_plugins() == (str(path),)
    assert isinstance(mibench.get_estimator("zero"), mibench.Estimator)


def test_a_folder_of_plug_ins_and_one_that_is_broken(tmp_path: Path, write_plugin: WritePlugin) -> None:
    write_plugin("a.py", "zero-a")
    write_plugin("c.py", "zero-c")
    (tmp_path / "b.py").write_text("import mibench\nraise RuntimeError('not today')\n", encoding="utf-8")
    load_plugins([tmp_path])
    assert {"zero-a", "zero-c"} <= set(mibench.list_estimators())
    assert [(b.origin, b.error) for b in broken()] == [(str(tmp_path / "b.py"), "RuntimeError: not today (line 2)")]
    with pytest.raises(UnknownNameError, match=r"b\.py is broken: RuntimeError: not today"):
        ESTIMATORS.get("qqqqqqq")


def test_a_plug_in_that_breaks_half_way_leaves_nothing_behind(write_plugin: WritePlugin) -> None:
    path = write_plugin()
    path.write_text(path.read_text(encoding="utf-8") + "\n1 / 0\n", encoding="utf-8")
    with pytest.raises(PluginError, match="cannot be imported: ZeroDivisionError"):
        load_plugins([path], strict=True)
    assert "zero" not in mibench.list_estimators()
    assert str(path) not in loaded_plugins()


@pytest.mark.parametrize("text", ["def broken(:\n", "\0"])
def test_a_plug_in_that_is_no_python_is_broken(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.py").write_text(text, encoding="utf-8")
    load_plugins([tmp_path / "x.py"])
    assert len(broken()) == 1


def test_paths_that_hold_no_plug_in(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist; give a Python file or a folder"):
        load_plugins([tmp_path / "no.py"])
    with pytest.raises(UsageError, match="holds no Python file"):
        load_plugins([tmp_path])
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="is not a Python file"):
        load_plugins([tmp_path / "notes.txt"])


@pytest.mark.parametrize(("name", "aliases"), [("nwj", ()), ("cpc", ()), ("mine-f", ()), ("fine", ("dv",))])
def test_a_name_that_is_taken_is_refused(name: str, aliases: tuple[str, ...], write_plugin: WritePlugin) -> None:
    with pytest.raises(PluginError) as error:
        load_plugins([write_plugin(name=name, aliases=aliases)], strict=True)
    assert isinstance(error.value.__cause__, DuplicateNameError)
    assert "is taken by" in str(error.value)
    assert ESTIMATORS.entry("nwj").module == "mibench.estimators.nwj"


def test_a_new_version_of_a_name_becomes_its_meaning_and_leaves_the_old_one(write_plugin: WritePlugin) -> None:
    load_plugins([write_plugin(name="nwj", version=2)])
    assert ESTIMATORS.entry("nwj").id == "nwj-v2"
    assert ESTIMATORS.entry("nwj-v1").module == "mibench.estimators.nwj"


@pytest.mark.parametrize("name", ["NWJ", "my bound", "my_bound", "", "x-v2", "-x", "x--y", "a:b"])
def test_names_are_lower_case_words_with_hyphens(name: str) -> None:
    with pytest.raises(UsageError, match="use lower-case words joined by hyphens"):
        mibench.register_estimator(name)


class Point:
    """An entry point without an installed package around it."""

    def __init__(self, value: str, load: Any) -> None:
        self.value, self.load = value, load
        self.module = value.partition(":")[0]


def test_entry_points_are_loaded_and_broken_ones_listed(
    monkeypatch: pytest.MonkeyPatch, write_plugin: WritePlugin
) -> None:
    def explode() -> None:
        raise ImportError("no module named 'elsewhere'")

    points = [Point("good", lambda: load_plugins([write_plugin()])), Point("elsewhere:Bound", explode)]
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: points if group == "mibench.estimators" else []
    )
    monkeypatch.setattr(ESTIMATORS, "_entry_points_loaded", False)
    assert "zero" in mibench.list_estimators()
    assert [b.origin for b in broken()] == ["elsewhere:Bound (entry point of mibench.estimators)"]
    assert "elsewhere" in broken()[0].error


@pytest.mark.usefixtures("fresh_registries")
def test_a_plugin_that_exits_is_broken_and_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "exits.py"
    file.write_text("raise SystemExit(3)", encoding="utf-8")
    load_plugins([file])
    assert any("SystemExit" in b.error for b in broken() if b.origin == str(file))


@pytest.mark.usefixtures("fresh_registries")
def test_all_versions_are_listed_on_demand(write_plugin: Callable[..., Path]) -> None:
    load_plugins([write_plugin("one.py", "twice", 1), write_plugin("two.py", "twice", 2)])
    assert [e.version for e in ESTIMATORS.entries() if e.name == "twice"] == [2]
    assert [e.version for e in ESTIMATORS.entries(all_versions=True) if e.name == "twice"] == [1, 2]


def test_defaults_are_read_without_an_import() -> None:
    code = (
        "import sys; from mibench.core.entries import written_defaults as read;"
        "from mibench.core.registry import ESTIMATORS, TASKS;"
        "assert read(ESTIMATORS.entry('smile')) == {'tau': 5.0};"
        "assert read(TASKS.entry('double-spirals')).items() >= {'eta': 0.4, 'turning': 'alike'}.items();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_threads_that_ask_at_once_in_a_fresh_process_get_what_they_ask_for() -> None:
    """Run ``python -m tests.support.first_use 1000`` for more rounds."""
    command = [sys.executable, "-m", "tests.support.first_use", "50"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert (done.stdout, done.returncode) == ("50 rounds of 8 threads, 0 wrong answers\n", 0), done.stderr
