"""The exact-critic counterparts of runs: what they share with them, who has none, and what runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import mibench
from mibench.cli.app import main
from mibench.core.errors import UsageError
from mibench.experiments.exact import exact_counterparts
from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.experiments.suite import list_suites

BASE = {"task": "gaussian20d", "mi": [2, 5], "estimator": "nwj", "critic": "separable", "steps": 100, "seeds": 1}


def alike(spec: RunSpec) -> RunSpec:
    """Leave out what does not move the value of a critic that is not trained."""
    return dataclasses.replace(spec, steps=0, every=0)


@pytest.mark.parametrize("name", list_suites())
def test_of_a_suite_they_are_its_runs_with_the_exact_critic(name: str) -> None:
    suite = mibench.get_suite(name)
    own = {} if suite.estimators else {"estimator": ["nwj", "smile", "ksg-v1"]}
    found = exact_counterparts(suite.specs({**own, "seeds": 1})).specs
    wanted = [spec for spec in suite.specs({**own, "seeds": 1, "critic": "oracle"}) if spec.critic == "oracle-v1"]
    assert {alike(spec) for spec in found} == {alike(spec) for spec in wanted}
    assert all(spec.steps == spec.window * spec.stairs for spec in found)


@pytest.mark.parametrize(
    "options",
    [
        {"critic": ["separable", "joint"], "hidden": ["1x8", "2x8"], "lr": [1e-3, 1e-4]},
        {"precision": ["float32", "bfloat16"]}, {"optimiser": ["adam", "sgd"], "dropout": [0, 0.5]},
    ],
)  # fmt: skip
def test_runs_that_differ_in_what_is_trained_have_one_counterpart(options: dict[str, Any]) -> None:
    assert len(exact_counterparts(resolve({**BASE, **options})).specs) == 2


def test_a_counterpart_keeps_the_sampler_of_the_run_and_the_precision_of_its_scores() -> None:
    (spec,) = exact_counterparts(resolve({**BASE, "mi": 2, "precision": "float16-scores"})).specs
    assert (spec.negatives, spec.precision) == ("shuffle-v1", "float16-scores")
    (own,) = exact_counterparts(resolve({**BASE, "mi": 2, "estimator": "tre"})).specs
    assert (own.critic, own.negatives) == ("oracle-v1", "waypoints-v1")


def test_who_has_none_is_left_out_by_reason() -> None:
    specs = resolve({**BASE, "estimator": ["nwj", "cca"], "task": ["gaussian20d", "additive-noise"], "mi": None})
    found = exact_counterparts(specs)
    assert {spec.task for spec in found.specs} <= {"gaussian20d-v1", "additive-noise-v1"}
    assert "estimator 'cca-v1' has no critic" in found.left_out
    with pytest.raises(UsageError, match=r"no run has a counterpart .*: estimator 'cca-v1' has no critic"):
        exact_counterparts(resolve({**BASE, "estimator": "cca"}))


@pytest.mark.usefixtures("fresh_registries")
def test_a_task_without_a_density_ratio_is_left_out() -> None:
    class Unknown(type(mibench.get_task("gaussian20d"))):  # type: ignore[misc]
        """Gaussian pairs whose density ratio nobody knows.

        Source: none.
        """

        log_ratio = mibench.Task.log_ratio

    mibench.register_task("unknown-ratio")(Unknown)
    found = exact_counterparts(resolve({**BASE, "task": ["gaussian20d", "unknown-ratio"]}))
    assert {spec.task for spec in found.specs} == {"gaussian20d-v1"}
    assert found.left_out == ("task 'unknown-ratio-v1' has no known density ratio",)


def test_the_command_says_who_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["run", "--task", "gaussian20d", "--mi", "2", "--estimator", "nwj", "--estimator", "cca", "--seeds", "1"]
    assert main([*given, "--steps", "40", "--exact", "--dry-run", "--results", str(tmp_path / "results")]) == 0
    said = capsys.readouterr()
    assert "left out: estimator 'cca-v1' has no critic" in said.out
    assert "1 run" in said.out + said.err


@pytest.mark.usefixtures("small_pools")
def test_python_runs_them_as_well(tmp_path: Path) -> None:
    options = {"task": "gaussian20d", "mi": 2, "estimator": "nwj", "steps": 4, "seeds": 1, "results": tmp_path}
    rows = mibench.run(**options, exact=True)
    assert rows["critic"].tolist() == ["oracle"]
