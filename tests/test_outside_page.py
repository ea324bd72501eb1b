"""The page on estimators of other programs: its files are written, and its commands run."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from mibench.cli.app import main
from mibench.core.outside_estimator import OutsideEstimator
from mibench.store.folders import load_runs
from tests.support.commands import commands_shown
from tests.support.paths import ROOT

TEXT = (ROOT / "docs" / "outside-estimators.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("fresh_registries", "kept_arithmetic")
def test_the_examples_of_the_page_give_the_gaussian_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, source in re.findall(r"^```(?:python|awk)\n# (\S+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        Path(name).write_text(source)
    interpreter = Path("venv", "bin", "python")  # as an environment has it; this one's packages serve
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    interpreter.chmod(0o755)
    for line in commands_shown(TEXT):
        assert main(shlex.split(line)[1:]) == 0, line
    rows = load_runs("results")
    assert set(rows["status"]) == {"ok"}
    values = {name: group.set_index("seed")["estimate_test"] for name, group in rows.groupby("estimator")}
    assert values["gaussian-elsewhere"].to_dict() == pytest.approx(values["cca"].to_dict(), rel=1e-9)
    assert values["gaussian-awk"].mean() == pytest.approx(0.5, abs=0.2)


def test_the_page_states_the_defaults() -> None:
    assert f"`seconds` ({OutsideEstimator.seconds:g})" in TEXT
    assert f"`memory` ({OutsideEstimator.memory:g})" in TEXT
