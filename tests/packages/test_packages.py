"""Adapters of packages: what they say, environments, and what an estimator of a package answers; without a network."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import mibench
from mibench.cli.app import main
from mibench.core import adapters
from mibench.core.adapters import MANIFEST, adapter, adapter_names, manifest_of
from mibench.core.answers import NATS_IN
from mibench.core.errors import UnknownNameError, UsageError
from mibench.core.registry import ESTIMATORS
from mibench.packages import environments
from mibench.packages.checks import CHECKS, TIME, normal_pairs, truth
from mibench.packages.environments import environment_of, install, interpreter_for, remove
from mibench.packages.page import tables
from mibench.packages.probing import probe
from mibench.packages.rows import read_probes, write_probe
from tests.support.paths import ROOT

PRETEND = '''
"""pretend: the Gaussian formula for one column a side, in bits; a sample whose y is constant is refused.

More of it.
"""

import numpy as np

REQUIREMENTS = ("pretend==1.0", "numpy==2.4.6")
UNIT = "bits"
COLUMNS = "one"
TREATMENT = "nothing"


def estimate(x, y):
    print("progress")
    if y.std() == 0:
        raise ValueError("y is constant")
    return -np.log2(1 - np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2) / 2
'''


pytestmark = pytest.mark.usefixtures("fresh_registries")


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registries: None) -> Iterator[adapters.Adapter]:
    """An adapter of a package that needs numpy alone, whose environment is this one's packages."""
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "pretend.py").write_text(PRETEND)
    monkeypatch.setattr(adapters, "PLACE", tmp_path / "adapters")
    monkeypatch.setattr(environments, "_create", make_environment)
    adapter.cache_clear()
    yield adapter("pretend")
    adapter.cache_clear()


def make_environment(one: adapters.Adapter, place: Path, requirements: object) -> None:
    interpreter = place / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    interpreter.chmod(0o755)


@pytest.mark.parametrize("name", adapter_names())
def test_adapters_say_what_they_need(name: str) -> None:
    one = adapter(name)
    assert one.description.split("\n")[0].endswith(".")
    assert one.unit in NATS_IN
    assert one.columns in ("one", "any")
    assert not one.treatment.endswith(".")
    assert all(text.count("==") == 1 for text in one.requirements)  # pinned, every one
    assert {"numpy"} <= {text.partition("==")[0] for text in one.requirements}
    assert len(set(one.requirements)) == len(one.requirements)
    if one.breaks_with:
        name, _, version = one.breaks_with.partition("==")
        assert version
        assert any(text.startswith(f"{name}==") and text != one.breaks_with for text in one.requirements)


def test_packages_are_found_by_name_and_in_no_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path))
    entry = ESTIMATORS.entry("npeet-plus-v1")
    assert (entry.id, entry.code) == ("npeet-plus-v1", None)
    assert ESTIMATORS.entry("npeet-plus") == entry
    assert dict(mibench.get_estimator("npeet-plus").params()) == {"release": adapter("npeet-plus").version}
    assert set(adapter_names()).isdisjoint(mibench.list_estimators())
    with pytest.raises(UnknownNameError, match="did you mean 'npeet-plus'"):
        ESTIMATORS.entry("npeet-pluss")


def test_a_package_that_is_not_installed_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    grid = ["run", "--task", "gaussian20d:dim=1", "--mi", "1", "--estimator", "npeet-plus", "--samples", "100"]
    assert main(grid) == 2
    assert capsys.readouterr().err == (
        "mibench: estimator 'npeet-plus' is the package npeet-plus 0.2.0, which is not installed; "
        "give 'mibench packages install npeet-plus'\n"
    )
    assert not (tmp_path / "results").exists()


def test_info_says_the_unit_and_what_the_adapter_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "npeet-plus"]) == 0
    said = capsys.readouterr().out
    assert "Package: npeet-plus 0.2.0, in an environment of its own." in said
    assert "Unit: bits, which is converted to nats." in said
    assert f"Treatment: {adapter('npeet-plus').treatment}." in said


def test_an_installed_package_answers_in_nats(pretend: adapters.Adapter) -> None:
    estimator = ESTIMATORS.create("pretend")
    x, y = map(torch.from_numpy, normal_pairs(0.6, 500))
    with pytest.raises(UsageError, match="'mibench packages install pretend'"):
        estimator.value(x, y)
    assert environment_of(pretend).state == "missing"
    assert install(pretend).state == "installed"
    expected = mibench.get_estimator("cca").value(x, y)
    assert estimator.value(x, y) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(UsageError, match="takes one column a side, not 2 and 1"):
        estimator.smallest_sample(2, 1)
    assert remove(pretend)
    assert not remove(pretend)


def test_a_broken_package_is_said_with_its_own_error_and_stops_nothing(
    pretend: adapters.Adapter, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend.file.write_text(PRETEND.replace("return -np", "import no_such_package; return -np"))
    assert main(["packages", "install", "pretend"]) == 1
    own = "ModuleNotFoundError: No module named 'no_such_package'"
    said = capsys.readouterr().out
    assert said.startswith("pretend 1.0 is installed and broken: ")
    assert own in said
    assert main(["packages", "list"]) == 0
    assert f"it said: {own}" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"is broken as it is installed: .*no_such_package"):
        ESTIMATORS.create("pretend").smallest_sample(1, 1)
    assert main(["packages", "try", "pretend", "--with", "numpy==1.0"]) == 1
    said = capsys.readouterr().out
    assert "is broken with numpy==1.0: " in said
    assert "it works with numpy==2.4.6, which its adapter has" in said
    assert main(["packages", "try", "pretend"]) == 2
    assert main(["packages", "try", "pretend", "--with", "scipy==1.0"]) == 2


def test_an_environment_of_other_requirements_is_none(pretend: adapters.Adapter) -> None:
    install(pretend)
    path = pretend.environment / MANIFEST
    written = json.loads(path.read_text())
    assert manifest_of(pretend) == written
    path.write_text(json.dumps({**written, "requirements": ["pretend==0.9"]}))
    assert manifest_of(pretend) is None
    path.write_text("{")
    assert manifest_of(pretend) is None


def test_an_environment_that_cannot_be_made_is_a_sentence(pretend: adapters.Adapter) -> None:
    with pytest.raises(environments.InstallationError, match=r"environment of pretend 1\.0 cannot be made: no wheel"):
        environments._call(["sh", "-c", "echo no wheel >&2; exit 1"], pretend)


def test_a_python_that_is_too_old_is_replaced_or_named(
    pretend: adapters.Adapter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert interpreter_for(pretend) == sys.executable
    pretend = dataclasses.replace(pretend, python=(3, 90))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"needs Python 3\.90 or newer"):
        interpreter_for(pretend)
    newer = tmp_path / "python3.91"
    newer.write_text("#!/bin/sh\n")
    newer.chmod(0o755)
    (tmp_path / "python3.90").write_text("#!/bin/sh\nexit 127\n")  # as a version manager leaves it
    (tmp_path / "python3.90").chmod(0o755)
    assert interpreter_for(pretend) == str(newer)


def test_probing_asks_every_check_in_the_packages_process(
    pretend: adapters.Adapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(pretend)
    assert main(["packages", "probe", "pretend", "--keep", str(tmp_path / "rows")]) == 0
    assert "copy of ten labels" in capsys.readouterr().out
    (read,) = read_probes(tmp_path / "rows")
    found = {one.check: one for one in read.found}
    assert list(found) == [check for check in CHECKS if check != "10 columns a side"]  # which it does not take
    assert (read.name, read.version, read.unit) == ("pretend", "1.0", "bits")
    assert found["correlation 0.6"].value == pytest.approx(truth(0.6), abs=0.1)
    assert {check for check, one in found.items() if one.holds == "no"} == {"copy of ten labels", "labels and numbers"}
    assert (found["constant y"].holds, found["constant y"].said) == ("refuses", "ValueError: y is constant")
    assert found["NaN"].holds == "yes"  # by the value NaN
    assert found["same again"].value == found["same again"].reference
    assert found[TIME].value > 0
    assert "| pretend | 1.0 | bits | 0.000 | " in tables([read])
    write_probe(read, tmp_path / "again")
    assert (tmp_path / "again" / "pretend.csv").read_text() == (tmp_path / "rows" / "pretend.csv").read_text()


def test_a_package_that_dies_while_it_is_probed_is_said_at_its_check(pretend: adapters.Adapter) -> None:
    install(pretend)
    pretend.file.write_text(PRETEND.replace('print("progress")', "assert len(x) < 2000 or __import__('os')._exit(9)"))
    last = probe("pretend").found[-1]
    assert (last.check, last.holds) == (TIME, "no")
    assert last.said == "the command of pretend 1.0 ended with exit code 9"


def test_estimators_of_mibench_stand_in_the_table_and_are_clean() -> None:
    found = {one.check: one for one in probe("gaussian-copula").found}
    assert list(found) == list(CHECKS)
    assert {check for check, one in found.items() if one.holds == "no"} <= {"copy of ten labels", "labels and numbers"}
    with pytest.raises(UnknownNameError):
        probe("no-such")


def test_the_page_shows_what_the_rows_say() -> None:
    probes = read_probes(ROOT / "results" / "packages")
    text = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")
    assert tables(probes) in text
    assert {"ksg", "gaussian-copula"} <= {one.name for one in probes}
    for one in probes:
        if one.name in adapter_names():
            assert (one.version, one.unit) == (adapter(one.name).version, adapter(one.name).unit)


def test_normal_pairs_have_their_correlation() -> None:
    x, y = normal_pairs(0.95, 20_000)
    assert np.corrcoef(x[:, 0], y[:, 0])[0, 1] == pytest.approx(0.95, abs=0.005)
    assert truth(0.9, 10) == pytest.approx(8.304, abs=5e-4)
    assert math.isclose(truth(0.6), 0.22314355131420976)
