"""What mibench names is the built-in version, whatever is registered; a plain name of the user's is the newest."""

from __future__ import annotations

import re

import pytest

import mibench
from mibench.core.errors import UsageError
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS
from mibench.experiments.components import REGISTRIES
from mibench.experiments.grid import at_budget, load_grid, resolve, shipped_grids
from mibench.experiments.specs import RunSpec
from mibench.experiments.suite import get_suite, shipped_suites

SUITES = ("negatives", "quick", "staircase")
NEWER = 99


def shipped() -> dict[str, list[str]]:
    """Ids of the runs of everything that is shipped, large suites aside."""
    grids = {grid.name: resolve(at_budget(load_grid(grid.name))) for grid in shipped_grids()}
    suites = {name: get_suite(name).specs() for name in SUITES}
    return {name: [spec.run_id for spec in specs] for name, specs in (grids | suites).items()}


@pytest.fixture
def newer_versions(fresh_registries: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register a newer version of every built-in component."""
    for module in ("registry", "entries"):
        monkeypatch.setattr(f"mibench.core.{module}.code_of", lambda module: "this file")  # whose hash takes a while
    for registry in (TASKS, ESTIMATORS, CRITICS, NEGATIVES):
        for entry in registry.entries():
            cls = registry.get(entry.id)
            body = {"__doc__": "A newer version.", "__module__": __name__}
            registry.register(entry.name, version=NEWER)(type(cls.__name__, (cls,), body))


def test_shipped_runs_are_the_same_whatever_is_registered(request: pytest.FixtureRequest) -> None:
    before = shipped()
    request.getfixturevalue("newer_versions")
    assert shipped() == before


@pytest.mark.usefixtures("newer_versions")
def test_shipped_files_name_every_version() -> None:
    for path in [*(grid.path for grid in shipped_grids()), *(suite.path for suite in shipped_suites())]:
        for key, names in re.findall(r"^(task|estimator|critic|negatives) = (\[[^\]]*\]|.*)$", path.read_text(), re.M):
            for text in re.findall(r'"([^"]*)"', names):
                name = text.partition(":")[0]
                assert REGISTRIES[key].entry(name).id == name, path
            assert re.findall(r"base=(?![a-z-]+-v\d)", names) == [], path


def ids(spec: RunSpec) -> set[str]:
    return {spec.task, spec.estimator, spec.critic, spec.negatives}


@pytest.mark.usefixtures("newer_versions")
@pytest.mark.parametrize("estimator", [entry.id for entry in ESTIMATORS.entries(all_versions=True) if entry.is_builtin])
def test_what_an_estimator_brings_is_of_the_built_in_version(estimator: str) -> None:
    task = "instance-views-v1" if estimator in ("ir-v1", "ball-v1", "annulus-v1", "local-aggregation-v1") else None
    (spec,) = resolve({"task": task or "gaussian20d-v1:mi=1", "estimator": estimator, "batch": 64, "seeds": 1})
    assert {name for name in ids(spec) if name.endswith(f"-v{NEWER}")} == set()


@pytest.mark.usefixtures("newer_versions")
def test_what_critics_and_tasks_bring_is_of_the_built_in_version() -> None:
    (spec,) = resolve({"task": "transformed-v1", "estimator": "nwj-v1", "critic": "oracle-v1", "seeds": 1})
    assert {name for name in ids(spec) if name.endswith(f"-v{NEWER}")} == set()
    assert dict(spec.task_params)["base"].startswith("normal-pairs-v1:")


@pytest.mark.usefixtures("newer_versions")
def test_a_plain_name_of_the_users_is_the_newest_version() -> None:
    options = {
        "task": "gaussian20d:mi=1",
        "estimator": "nwj",
        "critic": "separable",
        "negatives": "shuffle",
        "seeds": 1,
    }
    (spec,) = resolve(options)
    assert ids(spec) == {"gaussian20d-v99", "nwj-v99", "separable-v99", "shuffle-v99"}


@pytest.mark.usefixtures("newer_versions")
def test_moments_are_known_of_the_built_in_version_alone() -> None:
    task = mibench.get_task("binary-exact-v1")
    assert set(task.outcomes(mibench.get_estimator("infonce-v1"), 8)) == {"expected", "variance"}
    assert task.outcomes(mibench.get_estimator("infonce"), 8) == {}
    with pytest.raises(UsageError, match="'infonce-v99' is none of infonce, alpha-cpc, ml-cpc, alpha-ml-cpc"):
        task.expected("infonce", n=8)  # type: ignore[attr-defined]
