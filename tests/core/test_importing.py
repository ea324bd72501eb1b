"""Plug-ins with neighbours: importable while a file loads, shadowing nothing, and each folder its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mibench.core import importing, outside, plugins
from mibench.core.outside import code_of, files_of, hash_of
from mibench.core.plugins import load_plugins
from mibench.core.registry import ESTIMATORS, broken
from mibench.testing import check_plugin

PLUGIN = '''
import mibench
from helper import SHIFT

@mibench.register_estimator("{name}")
class Mine(mibench.DonskerVaradhan):
    """A bound with a number from beside it."""

    shift = SHIFT
'''


@pytest.fixture(autouse=True)
def _as_before(fresh_registries: None) -> Iterator[None]:
    """Forget what was imported beside plug-ins, and see that the module path is as it was."""
    path, known = list(sys.path), set(sys.modules)
    yield
    assert sys.path == path
    for name in list(importing._NEIGHBOURS):
        importing.forget(name)
    importing._NEIGHBOURS.clear()
    for name in set(sys.modules) - known:
        if name.startswith("mibench_plugin_"):
            del sys.modules[name]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def shift_of(name: str) -> float:
    shift: float = ESTIMATORS.get(name).shift  # type: ignore[attr-defined]
    return shift


def test_two_folders_each_have_their_helper(tmp_path: Path) -> None:
    for place, name in enumerate(("one", "two")):
        write(tmp_path / name, "helper.py", f"SHIFT = {place}.0")
        load_plugins([write(tmp_path / name, "plugin.py", PLUGIN.format(name=name))], strict=True)
    assert [shift_of("one"), shift_of("two")] == [0.0, 1.0]


def test_a_neighbour_shadows_nothing_that_is_installed(tmp_path: Path) -> None:
    write(tmp_path, "colorsys.py", "raise RuntimeError('the wrong one')")  # of the standard library
    sys.modules.pop("colorsys", None)
    load_plugins([write(tmp_path, "plugin.py", "import colorsys\nassert colorsys.rgb_to_hsv")], strict=True)


def test_a_folder_with_a_helper_passes_the_check_and_one_without_use_does_not(tmp_path: Path) -> None:
    write(tmp_path, "helper.py", "SHIFT = 0.0")
    write(tmp_path, "plugin.py", PLUGIN.format(name="mine-a"))
    assert [finding for finding in check_plugin(tmp_path) if not finding.passed] == []
    write(tmp_path, "unused.py", "SHIFT = 0.0")
    assert [f.subject for f in check_plugin(tmp_path) if not f.passed] == ["unused.py"]


@pytest.mark.parametrize("names", [("a_child.py", "base.py"), ("child.py", "base.py")])
def test_a_plug_in_that_another_imports_registers_once(tmp_path: Path, names: tuple[str, str]) -> None:
    child, base = names
    write(tmp_path, base, PLUGIN.format(name="base").replace("from helper import SHIFT", "SHIFT = 0.0"))
    write(tmp_path, child, PLUGIN.format(name="child").replace("from helper import SHIFT", "from base import SHIFT"))
    load_plugins([tmp_path])
    assert broken() == []
    assert {ESTIMATORS.entry(name).origin for name in ("base", "child")} == {str(tmp_path / n) for n in names}
    write(tmp_path, base, PLUGIN.format(name="base").replace("from helper import SHIFT", "SHIFT = 2.0"))
    load_plugins([tmp_path])
    assert [shift_of("base"), shift_of("child")] == [2.0, 2.0]


def test_the_files_of_a_plug_in_are_those_that_it_imports(tmp_path: Path) -> None:
    main = write(
        tmp_path,
        "main.py",
        "import json, torch, lib.util\nfrom pack import deep\nimport missing\ndef late():\n    import lazy\n",
    )
    members = {
        "lib/util.py": "",  # in a folder without __init__.py
        "pack/__init__.py": "from . import other",
        "pack/other.py": "from .. import above\nfrom .deep import main",
        "pack/deep.py": "import main",  # a circle
        "lazy.py": "def broken(:",
    }
    for name, text in members.items():
        write(tmp_path, name, text)
    write(tmp_path, "unused.py", "")
    write(tmp_path, "torch/other.py", "")
    assert files_of(main) == {main, *(tmp_path / name for name in members)}


def test_the_hash_follows_content_and_names_and_no_place(tmp_path: Path) -> None:
    first = write(tmp_path / "here", "plugin.py", "import helper")
    write(tmp_path / "here", "helper.py", "x = 1")
    second = write(tmp_path / "there", "plugin.py", "import helper")
    other = write(tmp_path / "there", "helper.py", "x = 1")
    assert hash_of(first) == hash_of(second)
    other.write_text("x = 2", encoding="utf-8")
    assert hash_of(first) != hash_of(second)


WAYS = {
    "an import from a folder that the file adds": "import sys\nsys.path.append({lib!r})\nfrom far import SHIFT",
    "an import of a module of the path": "from far import SHIFT",
    "import_module": "import importlib\nSHIFT = importlib.import_module('near').SHIFT",
    "import_module of a name that is computed": "import importlib\nSHIFT = importlib.import_module('n' + 'ear').SHIFT",
    "__import__": "SHIFT = __import__('near').SHIFT",
    "exec": "import pathlib\nexec(pathlib.Path(__file__).with_name('near' + '.py').read_text())",
    "a file's path": "import importlib.util as u, pathlib\n"
    "spec = u.spec_from_file_location('x', pathlib.Path(__file__).with_name('n' + 'ear.py'))\n"
    "module = u.module_from_spec(spec)\nspec.loader.exec_module(module)\nSHIFT = module.SHIFT",
    "runpy": "import pathlib, runpy\nSHIFT = runpy.run_path(str(pathlib.Path(__file__).with_name('near.py')))['SHIFT']",
    "a package's module": "from pack.deep import SHIFT",
    "an import in a method that names a file": "SHIFT = 0.0\ndef late():\n    return open('near.py')",
}


@pytest.mark.parametrize("way", WAYS)
def test_the_code_of_a_plug_in_is_all_that_it_reads(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lib = tmp_path / "lib"
    helpers = [write(tmp_path, name, "SHIFT = 1.0") for name in ("lib/far.py", "near.py", "pack/deep.py")]
    write(tmp_path, "unused.py", "")
    write(tmp_path, "pack/__init__.py", "")
    text = PLUGIN.format(name="mine-w").replace("from helper import SHIFT", WAYS[way].format(lib=str(lib)))
    plugin = write(tmp_path, "plugin.py", text)
    monkeypatch.setattr(sys, "path", [*sys.path, *([str(lib)] if "of the path" in way else [])])
    load_plugins([plugin], strict=True)
    first = ESTIMATORS.entry("mine-w").code
    write(tmp_path, "unused.py", "SHIFT = 1")
    load_plugins([plugin], strict=True)
    assert ESTIMATORS.entry("mine-w").code == first
    for helper in helpers:
        helper.write_text("SHIFT = 2.0", encoding="utf-8")  # of the same size, within the same second
    load_plugins([plugin], strict=True)
    assert ESTIMATORS.entry("mine-w").code != first
    for helper in helpers:
        helper.write_text("SHIFT = 1.0", encoding="utf-8")
    load_plugins([plugin], strict=True)
    assert ESTIMATORS.entry("mine-w").code == first
    for name in ("far", "near", "pack", "pack.deep"):
        sys.modules.pop(name, None)


COMPUTED = "import importlib\nSHIFT = importlib.import_module('f' + 'ar').SHIFT"


def test_the_code_of_a_plug_in_is_the_same_whatever_was_imported_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "lib")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(tmp_path, "lib/far.py", "SHIFT = 1.0")
    plugin = write(tmp_path, "plugin.py", PLUGIN.format(name="mine-w").replace("from helper import SHIFT", COMPUTED))
    codes = []
    for before in ("nothing", "the helper", "another plug-in"):
        sys.modules.pop("far", None)
        if before == "the helper":
            importlib.import_module("far")
        if before == "another plug-in":
            load_plugins([write(tmp_path, "other.py", COMPUTED)], strict=True)
        importing.forget(plugins._LOADED.pop(plugin, ""))
        load_plugins([plugin], strict=True)
        codes.append(ESTIMATORS.entry("mine-w").code)
    assert len(set(codes)) == 1
    sys.modules.pop("far", None)


def test_what_a_file_names_or_makes_is_no_part_of_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    making = (
        "import runpy, tempfile, pathlib\nPROGRAM = 'setup.py'\nfile = pathlib.Path(tempfile.mkdtemp()) / 'made.py'\n"
        "file.write_text(f'SHIFT = 1.0  # {file}')\nSHIFT = runpy.run_path(str(file))['SHIFT']"
    )
    plugin = write(tmp_path, "plugin.py", PLUGIN.format(name="mine-w").replace("from helper import SHIFT", making))
    write(tmp_path, "elsewhere/setup.py", "")
    load_plugins([plugin], strict=True)
    first = ESTIMATORS.entry("mine-w").code
    monkeypatch.chdir(tmp_path / "elsewhere")
    importing.forget(plugins._LOADED.pop(plugin))
    load_plugins([plugin], strict=True)
    assert ESTIMATORS.entry("mine-w").code == first


def test_sources_with_the_metadata_of_a_package_beside_them_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside._package.cache_clear()
    monkeypatch.syspath_prepend(tmp_path / "project")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(tmp_path, "project/pk/__init__.py", "")
    write(tmp_path, "project/pk.egg-info/PKG-INFO", "Metadata-Version: 2.1\nName: pk\nVersion: 0.1\n")
    write(tmp_path, "project/pk.egg-info/top_level.txt", "pk")
    plugin = write(tmp_path, "plugin.py", PLUGIN.format(name="mine-w").replace("from helper", "from pk.constants"))
    codes = []
    for shift in ("1.0", "2.0"):
        write(tmp_path, "project/pk/constants.py", f"SHIFT = {shift}")
        load_plugins([plugin], strict=True)
        codes.append(ESTIMATORS.entry("mine-w").code)
    assert len(set(codes)) == 2
    for name in ("pk", "pk.constants"):
        sys.modules.pop(name, None)
    outside._package.cache_clear()


def test_what_a_file_fetches_on_import_is_part_of_its_code_alone(tmp_path: Path) -> None:
    inner = write(tmp_path, "a.py", PLUGIN.format(name="fetched").replace("from helper import SHIFT", "SHIFT = 1.0"))
    fetching = "SHIFT = mibench.get_estimator('fetched').shift"
    outer = write(tmp_path, "b.py", PLUGIN.format(name="fetching").replace("from helper import SHIFT", fetching))
    load_plugins([inner, outer], strict=True)
    codes = [ESTIMATORS.entry(name).code for name in ("fetched", "fetching")]
    assert not {entry.name for entry in ESTIMATORS.asked_for()} & {"fetched", "fetching"}
    inner.write_text(inner.read_text(encoding="utf-8").replace("1.0", "2.0"), encoding="utf-8")
    load_plugins([inner, outer], strict=True)
    assert shift_of("fetching") == 2.0
    assert not set(codes) & {ESTIMATORS.entry(name).code for name in ("fetched", "fetching")}


@pytest.mark.parametrize("line", ["from pk.common import SHIFT", "from ..common import SHIFT", "from .. import common"])
def test_the_code_of_a_module_is_its_package_as_far_as_it_is_imported(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    common = write(tmp_path, "pk/common.py", "SHIFT = 1.0")
    start = write(tmp_path, "pk/__init__.py", "")
    write(tmp_path, "pk/sub/__init__.py", "")
    write(tmp_path, "pk/unused.py", "")
    write(tmp_path, "pk/sub/p.py", line)
    codes = []
    for edit in (
        lambda: None,
        lambda: write(tmp_path, "pk/unused.py", "x = 1"),
        lambda: common.write_text("SHIFT = 2.0"),
        lambda: start.write_text("x = 1"),
    ):
        edit()
        importlib.invalidate_caches()
        importlib.import_module("pk.sub.p")
        codes.append(code_of("pk.sub.p"))
        for name in ("pk", "pk.common", "pk.sub", "pk.sub.p"):
            sys.modules.pop(name, None)
    assert codes[0] == codes[1]
    assert len(set(codes)) == 3


def test_code_of_packages_goes_by_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy

    assert code_of("numpy.linalg") == f"numpy {numpy.__version__}"
    assert code_of("mibench.estimators.nwj") is None
    monkeypatch.setitem(sys.modules, "cell", type(sys)("cell"))  # without a file, as in a notebook
    assert code_of("cell") == "unknown"


def test_byte_code_is_not_trusted(tmp_path: Path) -> None:
    helper = write(tmp_path, "helper.py", "SHIFT = 1.0")
    plugin = write(tmp_path, "plugin.py", PLUGIN.format(name="mine-b"))
    load_plugins([plugin], strict=True)
    helper.write_text("SHIFT = 2.0", encoding="utf-8")  # of the same size, within the same second
    load_plugins([plugin], strict=True)
    assert shift_of("mine-b") == 2.0
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_module_of_many_components_is_hashed_once_for_each_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(tmp_path, "many_components.py", "x = 1")
    module = importlib.import_module("many_components")
    hashed: list[Path] = []
    monkeypatch.setattr("mibench.core.outside.hash_of", lambda file, more: hashed.append(file) or hash_of(file, more))
    first = code_of("many_components")
    assert code_of("many_components") == first
    assert len(hashed) == 1
    write(tmp_path, "many_components.py", "x = 22")
    importlib.reload(module)
    assert code_of("many_components") != first
    assert len(hashed) == 2
