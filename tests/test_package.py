"""The house: one package, whose root folders are no packages of their own, with a public interface that is complete."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import mibench
from tests.support.paths import ROOT

MODULES = sorted(
    {path.resolve() for room in ("mibench", "tasks", "estimators") for path in (ROOT / room).rglob("*.py")}
)


PUBLIC = {
    "mibench": """
        Architecture CommandError Critic Density Derangement DonskerVaradhan Estimate Estimator Extra MibenchError
        ModuleCritic NegativeSampler OutsideEstimator Proposal SampleEstimator Scores StoreError Suite Task UsageError
        __version__ draw_reports effective_sample_size estimate get_estimator get_suite get_task leaderboard
        list_critics list_estimators list_negatives list_suites list_tasks load_curves load_plugins load_runs
        load_sessions log_mean_exp log_mean_negatives log_sum_leaving_one_out register_critic register_estimator
        register_negatives register_task run
    """,
    "mibench.figures": "Drawing caption register_figure with_labels",
    "mibench.testing": "Finding check_critic check_estimator check_negatives check_plugin check_task",
}
"""The public names, sorted: a change of this list is a change of the interface."""

SHOWN = sorted(
    [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests" / "support" / "plugins").glob("*.py")]
)


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_all_is_sorted_complete_and_importable() -> None:
    assert mibench.__all__ == sorted(mibench.__all__)
    assert set(mibench.__all__) == set(mibench._HOME) | {"__version__"}
    for name in mibench.__all__:
        assert getattr(mibench, name) is not None
    assert dir(mibench) == sorted(mibench.__all__)


@pytest.mark.parametrize("place", PUBLIC)
def test_the_public_names_are_these(place: str) -> None:
    module = importlib.import_module(place)
    assert list(module.__all__) == PUBLIC[place].split()
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []


@pytest.mark.parametrize("path", SHOWN, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_what_users_are_shown_imports_public_names_from_public_places(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    sources = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE) if path.suffix == ".md" else [text]
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names if alias.name.startswith("mibench")} <= set(PUBLIC)
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("mibench"):
            assert {alias.name for alias in node.names} <= set(PUBLIC.get(str(node.module), "").split())
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mibench":
            assert node.attr in PUBLIC["mibench"].split()


def test_unknown_attributes_are_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'leaderbord'"):
        mibench.leaderbord  # noqa: B018


def test_no_module_bears_the_name_of_a_public_function() -> None:
    modules = {path.stem for path in MODULES}
    assert modules & {name for name in mibench.__all__ if callable(getattr(mibench, name))} == set()


def test_importing_mibench_imports_nothing_heavy() -> None:
    code = "import sys, mibench; sys.exit(bool({'torch', 'pandas', 'numpy', 'matplotlib', 'rich'} & set(sys.modules)))"
    assert python(code, ROOT).returncode == 0


def test_torch_is_loaded_by_the_names_that_need_it() -> None:
    code = """
import sys, mibench, mibench.figures
mibench.leaderboard, mibench.load_runs, mibench.get_suite, mibench.UsageError, mibench.list_tasks, dir(mibench)
early = "torch" in sys.modules
mibench.Scores
sys.exit(early or "torch" not in sys.modules)
"""
    assert python(code, ROOT).returncode == 0


@pytest.mark.parametrize("name", ["tasks", "estimators"])
def test_root_folders_are_no_packages_of_their_own(name: str, tmp_path: Path) -> None:
    inside, outside = python(f"import {name}", ROOT), python(f"import {name}", tmp_path)
    assert f"ImportError: this folder is the package mibench.{name}; write 'import mibench.{name}'" in inside.stderr
    assert f"No module named '{name}'" in outside.stderr


@pytest.mark.parametrize("name", ["tasks", "estimators"])
def test_links_make_root_folders_subpackages(name: str) -> None:
    assert (ROOT / "mibench" / name).is_symlink()
    package = importlib.import_module(f"mibench.{name}")
    assert Path(str(package.__file__)).resolve() == ROOT / name / "__init__.py"
    folders = {path.name for path in (ROOT / name).iterdir() if path.is_dir()} - {"__pycache__"}
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    assert {f"mibench.{name}.{folder}" for folder in folders} <= set(packed)  # what is not named is in no wheel


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_modules_say_what_they_are(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith('"""')


READERS = ["store", "analysis", "claims", "ranking", "figures", "report"]
"""Rooms that read rows, each below those after it."""


@pytest.fixture(scope="module")
def rooms_with_torch() -> set[str]:
    """Rooms of readers after whose import torch is loaded, in one fresh process that imports them in order."""
    code = f"""
import importlib, pkgutil, sys
for name in {READERS}:
    room = importlib.import_module(f"mibench.{{name}}")
    for module in pkgutil.walk_packages(room.__path__, f"mibench.{{name}}."):
        importlib.import_module(module.name)
    print(name, "torch" in sys.modules)
"""
    said = dict(line.split() for line in python(code, ROOT).stdout.splitlines())
    assert list(said) == READERS
    return {name for name, found in said.items() if found == "True"}


@pytest.mark.parametrize("name", READERS)
def test_what_reads_rows_does_not_import_torch(name: str, rooms_with_torch: set[str]) -> None:
    assert name not in rooms_with_torch


def test_nothing_below_the_command_line_prints() -> None:
    files = [path for path in MODULES if not path.is_relative_to(ROOT / "mibench" / "cli")]
    assert [path.name for path in files if " print(" in path.read_text(encoding="utf-8")] == []


def _setuptools_is_new_enough() -> bool:
    try:
        return int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        return False


@pytest.mark.skipif(not _setuptools_is_new_enough(), reason="needs setuptools >= 77; 'make wheel' checks the same")
def test_the_wheel_s_only_top_level_is_mibench(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", "tests", ".*_cache")
    shutil.copytree(ROOT, source, symlinks=True, ignore=ignored)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {name.split("/")[0] for name in names} == {"mibench", f"mibench-{mibench.__version__}.dist-info"}
    modules = ("tasks/gaussian.py", "estimators/nwj.py", "__main__.py")
    for expected in (*modules, "py.typed", "experiments/grids/gosch-2.toml", "report/assets/page.html.j2"):
        assert f"mibench/{expected}" in names
    assert {f"mibench/experiments/suites/{name}.toml" for name in mibench.list_suites()} <= set(names)
