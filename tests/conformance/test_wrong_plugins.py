"""What breaks a run does not pass the check, and what nothing can be made of is refused by a run in the same words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import mibench
from mibench.conformance.trial import Trial, check_parameters, check_run
from mibench.core.errors import MibenchError, PluginError, UsageError
from mibench.core.plugins import load_plugins
from mibench.experiments.components import REGISTRIES
from mibench.experiments.grid import resolve
from mibench.experiments.specs import params_json
from mibench.testing import check_plugin
from tests.support.wrong_plugins import FAILING, PARAMETERS, UNPLANNED, WRONG_PLUGINS, WrongPlugin

pytestmark = pytest.mark.usefixtures("fresh_registries")

Written = Callable[[WrongPlugin], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(plugin: WrongPlugin) -> Path:
        path = tmp_path / "plugin.py"
        path.write_text(plugin.source, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("case", WRONG_PLUGINS)
def test_a_plug_in_that_breaks_runs_does_not_pass(case: str, written: Written) -> None:
    wrong = WRONG_PLUGINS[case]
    failed = {f.check: f.sentence for f in check_plugin(written(wrong)) if not f.passed}
    assert list(failed) == [wrong.check]
    assert failed[wrong.check].startswith(wrong.sentence)
    assert "\n" not in failed[wrong.check]


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_run_refuses_parameters_that_reach_no_worker_in_one_sentence(
    case: str, written: Written, tmp_path: Path
) -> None:
    wrong = PARAMETERS[case]
    options = {"task": "gaussian20d", "estimator": "nwj", wrong.what: "wrong"}
    with pytest.raises(UsageError) as error:
        mibench.run(**options, plugins=[written(wrong)], results=tmp_path / "results")
    assert str(error.value).replace(" 'wrong'", " 'wrong-v1'").startswith(wrong.sentence)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("case", UNPLANNED)
def test_a_run_refuses_what_it_cannot_plan_in_one_sentence(case: str, written: Written, tmp_path: Path) -> None:
    wrong = UNPLANNED[case]
    options = {"task": "gaussian20d", "estimator": "nwj", "negatives": "independent", wrong.what: "wrong"}
    with pytest.raises(MibenchError) as error:
        mibench.run(**options, plugins=[written(wrong)], results=tmp_path / "results")
    why = wrong.sentence.rpartition("raised ")[2].rpartition("defaults: ")[2].partition("; derive")[0]
    assert why in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("case", ["a kind that is a list", *FAILING])
def test_what_only_training_finds_is_a_row_and_takes_nobody_along(case: str, written: Written, tmp_path: Path) -> None:
    wrong = WRONG_PLUGINS[case]
    good = {"task": "gaussian20d:dim=2", "estimator": "nwj", "critic": "separable", "negatives": "independent"}
    options = {**good, wrong.what: [good[wrong.what], "wrong"], "mi": 1, "batch": 8, "hidden": "1x8", "steps": 10}
    rows = mibench.run(**options, window=5, seeds=1, plugins=[written(wrong)], results=tmp_path / "results")
    assert dict(zip(rows[wrong.what], rows["status"], strict=True)) == {
        good[wrong.what].partition(":")[0]: "ok",
        "wrong": "crashed",
    }
    why = wrong.sentence.removeprefix("raised ").partition(";")[0]
    assert rows["error"].dropna().str.contains(why, regex=False).tolist() == [True]


def test_a_plug_in_leaves_the_process_as_it_found_it(written: Written, tmp_path: Path) -> None:
    here, printed, dtype = Path.cwd(), sys.stdout, torch.get_default_dtype()
    moving = WrongPlugin("estimator", "import os, sys; os.chdir('/'); sys.stdout = None", "", "")
    load_plugins([written(moving)], strict=True)
    assert Path.cwd() == here
    assert sys.stdout is printed
    with pytest.raises(PluginError, match=r"sets torch's default dtype to torch\.float64, which was"):
        load_plugins([written(UNPLANNED["a type of numbers for the whole process"])], strict=True)
    assert torch.get_default_dtype() is dtype


@pytest.mark.parametrize("case", ["an extra of nothing", "extras as a list"])
def test_a_run_refuses_extras_that_cannot_be_built(case: str, written: Written) -> None:
    wrong = WRONG_PLUGINS[case]
    load_plugins([written(wrong)], strict=True)
    with pytest.raises(UsageError) as error:
        resolve({"task": "gaussian20d", "estimator": "wrong"})
    assert str(error.value).startswith(f"estimator 'wrong-v1': {wrong.sentence}")


READ = '''
import math
from typing import Literal

import numpy as np

import mibench
from mibench.estimators.nwj import NWJ


@mibench.register_estimator("read")
class Read(NWJ):
    """NWJ with defaults that are written in other ways than they are kept."""

    a: float = 1
    b: int = np.int64(3)
    c: float = np.float32(0.5)
    d: float | None = None
    e: float | str = "auto"
    f: int | float = 2.0
    g: Literal["inf", "x"] = "inf"
    h: float = -math.inf
    i: str = "inf"
    j: int = 2**53
'''


def test_parameters_are_read_into_their_types_and_one_setting_has_one_id(tmp_path: Path) -> None:
    path = tmp_path / "read.py"
    path.write_text(READ, encoding="utf-8")
    findings = check_plugin(path)
    assert [f for f in findings if not f.passed] == []
    checks = [f.check for f in findings]
    assert (checks[1], checks[-1]) == ("parameters", "run")
    spellings = ["read", "read:a=1,f=2", "read:a=1.0,b=3e0,c=.5,f=2.0,h=-inf,j=9007199254740992"]
    (spec,) = resolve({"task": "gaussian20d:mi=1", "estimator": spellings, "seeds": 1})
    assert params_json(spec.estimator_params) == (
        '{"a":1.0,"b":3,"c":0.5,"d":null,"e":"auto","f":2,"g":"inf","h":"-inf","i":"inf","j":9007199254740992}'
    )


@pytest.mark.parametrize(("option", "name"), [
    ("task", "finite"), ("task", "transformed"), ("estimator", "alpha-ml-cpc"), ("estimator", "v-information"),
    ("estimator", "cca"), ("estimator", "ir"), ("critic", "siamese"), ("critic", "memory-bank"),
    ("negatives", "uniform"), ("negatives", "waypoints"),
])  # fmt: skip
def test_built_ins_of_every_kind_end_in_a_row(option: str, name: str) -> None:
    trial = Trial.of(option, REGISTRIES[option].create(name))
    assert check_parameters(trial)
    assert check_run(trial)
