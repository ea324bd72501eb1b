"""Conformance checks of a registered component as a part of a run: what goes into ids, to workers and into the store.

Notable: the other checks call a component as the engine does, one method after another; these have the engine do it.
The way is that of a run, from options to rows: an id, JSON, a component built again, two steps of training, a table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Self

from mibench.core.errors import MismatchError
from mibench.core.estimator import SampleEstimator
from mibench.core.registry import TASKS
from mibench.core.task import Task
from mibench.experiments.components import REGISTRIES, stored
from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.store.parquet import as_table, curves_table
from mibench.training.loop import train_pack

_TASKS = (
    "normal-pairs-v1:mi=1,dim_x=3,dim_y=2",
    "normal-pairs-v1:mi=1,dim_x=2,dim_y=2",
    "instance-views-v1",
    "symbols-v1:k=2",
)
"""What a component other than a task is tried on, the first that has what it asks for: unequal sides, equal ones,
numbered instances, a known finite support."""

_COMPANY: Mapping[str, Mapping[str, str]] = {
    "task": {"estimator": "nwj-v1", "critic": "separable-v1", "negatives": "derangement-v1"},
    "estimator": {"critic": "separable-v1"},
    "critic": {"estimator": "nwj-v1"},
    "negatives": {"estimator": "nwj-v1", "critic": "separable-v1"},
}
"""What else a trial's run is made of, by what is tried; the rest is the component's own, or a default."""

_SIZES = {"batch": 64, "hidden": "1x8", "steps": 2, "seeds": 1}


@dataclasses.dataclass(frozen=True)
class Trial:
    """What is tried: a component, the option of a grid that names it, and its versioned name."""

    option: str
    name: str
    component: Any

    @classmethod
    def of(cls, option: str, component: Any) -> Self:
        """Look up the name; raises `KeyError` where the class is not registered."""
        return cls(option, REGISTRIES[option].id_of(component), component)


def check_parameters(trial: Trial) -> str:
    """Check that the parameters reach a worker as they are, by way of an id and of the JSON that it is made of."""
    _, params = stored(REGISTRIES[trial.option], trial.component)
    return f"an id, the store and a worker keep {', '.join(name for name, _ in params)}" if params else "there are none"


def check_run(trial: Trial) -> str:
    """Check that a run of two steps ends in a row of the store."""
    spec = _spec(trial)
    if spec is None:
        return "nothing of mibench goes with it, so that no run was tried"
    (result,) = train_pack([RunSpec.from_json(spec.canonical)])
    as_table("runs", result.rows)
    as_table("curves", curves_table({spec.run_id: result.curve}))
    partner = spec.estimator if trial.option == "task" else spec.task
    return f"two steps with {partner} end in a row of the store"


def _spec(trial: Trial) -> RunSpec | None:
    """Specify the first of the trial's runs whose parts go together; None where there is none."""
    for options in _options(trial):
        try:
            return resolve(options)[0]
        except MismatchError:
            continue
    return None


def _options(trial: Trial) -> Iterator[dict[str, Any]]:
    tasks = (trial.name,) if trial.option == "task" else _TASKS
    for task in tasks:
        options: dict[str, Any] = {
            **_SIZES,
            **_COMPANY[trial.option],
            "task": task,
            trial.option: trial.name,
        }
        if isinstance(trial.component, SampleEstimator):
            sides: Task = TASKS.create(task)
            options["batch"] = max(options["batch"], trial.component.smallest_sample(sides.dim_x, sides.dim_y))
        yield options
