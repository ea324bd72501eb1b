"""One product of options turned into runs with every default resolved: typed values in, specifications out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mibench.core.errors import MibenchError, UsageError
from mibench.core.faults import describe_error, exceptions_alone
from mibench.core.registry import NEGATIVES, TASKS
from mibench.experiments.components import Components
from mibench.experiments.lengths import resolve_lengths
from mibench.experiments.matching import check_components, check_sizes
from mibench.experiments.options import DEFAULTS, PRODUCT_PRECISIONS, Budget
from mibench.experiments.reading import Combination, Options
from mibench.experiments.specs import RunSpec
from mibench.experiments.values import ComponentName, as_stored, component_name

if TYPE_CHECKING:
    from mibench.core.critic import Critic
    from mibench.core.estimator import Estimator
    from mibench.core.sampler import NegativeSampler
    from mibench.core.task import Task

MAX_RUNS = 1_000_000
"""A grid with more runs than this is a slip of the pen."""


def runs(options: Options, components: Components) -> Iterator[RunSpec]:
    """Yield the runs of one product, whose options name a task and an estimator and hold the defaults.

    Raises
    ------
    UsageError
        For too many runs, for options and components that do not go together, and for whatever else a component raises.
    """
    if options.count > MAX_RUNS:
        raise UsageError(f"the grid has {options.count} runs, more than {MAX_RUNS}; split it")
    for chosen in options.combinations():
        with _faults_named(chosen):
            tasks = list(_tasks(chosen.task, options.levels, components))
        for stairs, task in tasks:
            with _faults_named(chosen):
                spec = _spec(chosen, options.budget, stairs, task, components)
            yield from (dataclasses.replace(spec, seed=seed) for seed in options.seeds)


@contextlib.contextmanager
def _faults_named(chosen: Combination) -> Iterator[None]:
    """Turn whatever a component raises while it is built and asked into a `UsageError` that names the combination."""
    try:
        with contextlib.chdir("."), exceptions_alone():
            yield
    except MibenchError:
        raise
    except Exception as error:
        raise UsageError(
            f"task '{chosen.task}' with estimator '{chosen.estimator}' cannot be made a run: {describe_error(error)}; "
            "'mibench check PLUGIN' says more of a component that is not mibench's"
        ) from error


def _tasks(
    name: ComponentName, levels: tuple[tuple[float, ...], ...], components: Components
) -> Iterator[tuple[tuple[float, ...], Task]]:
    """Yield for each level a staircase (empty for constant MI) and the task at its first level."""
    task_class = TASKS.get(name.name)
    names_level = "mi" in dict(name.params)
    if levels and not task_class.has_knob():
        raise UsageError(f"task '{name.name}' has no mi that could be set; leave mi and schedule out")
    if levels and names_level:
        raise UsageError(f"task '{name}' names its mi, and the grid does too; give it once")
    if not levels and task_class.has_knob() and not names_level:
        levels = tuple((value,) for value in task_class.default_levels)
    if not levels:
        yield (), components.get("task", name)
        return
    for stairs in levels:
        tasks = [components.get("task", name, mi) for mi in stairs]  # every level is checked
        yield (stairs if len(stairs) > 1 else ()), tasks[0]


def _spec(
    chosen: Combination, budget: Budget, stairs: tuple[float, ...], task: Task, components: Components
) -> RunSpec:
    """Resolve and check one combination of options; its seed is still 0."""
    from mibench.core.declared import fault_of_statements
    from mibench.core.estimator import SampleEstimator

    estimator: Estimator = components.get("estimator", chosen.estimator)
    critic_name, critic = _critic(chosen.critic, estimator, components)
    sampler = _sampler(chosen.negatives, estimator, critic, components)
    estimator_id, estimator_params = components.named("estimator", chosen.estimator)
    critic_id, critic_params = components.named("critic", critic_name)
    for what, name, component in (
        ("estimator", estimator_id, estimator),
        ("critic", critic_id, critic),
        ("negative sampler", NEGATIVES.id_of(sampler), sampler),
    ):
        if fault := fault_of_statements(component):  # before anything relies on them
            raise UsageError(f"{what} '{name}': {fault}")
    check_components(task, chosen.task.text, estimator, critic, sampler)
    sampler = sampler.bound_to(task)
    task_id, task_params = components.stored("task", task)
    sampler_id, sampler_params = components.stored("negatives", sampler)
    sizes = resolve_lengths(chosen, budget, len(stairs), takes_sample=isinstance(estimator, SampleEstimator))
    check_sizes(task, chosen.task.text, estimator, sampler, batch=sizes.batch, samples=sizes.samples)
    return RunSpec(
        task=task_id,
        task_params=tuple(p for p in task_params if not (stairs and p[0] == "mi")),
        schedule=stairs,
        estimator=estimator_id,
        estimator_params=estimator_params,
        critic=critic_id,
        critic_params=critic_params,
        negatives=sampler_id,
        negatives_params=sampler_params,
        seed=0,
        **dataclasses.asdict(sizes),
        precision=_precision(chosen.precision, critic),
        **_training(chosen, critic.uses),
    )


def _critic(given: ComponentName, estimator: Estimator, components: Components) -> tuple[ComponentName, Critic]:
    """Return the name and the critic of a run: the one given, unless the estimator brings its own.

    The exact critic stands in for every critic that an estimator has; where it has none, there is nothing to stand in
    for.
    """
    critic: Critic = components.get("critic", given)
    if estimator.own_critic is None:
        return given, critic
    own_name = component_name("critic", estimator.own_critic)
    own: Critic = components.get("critic", own_name)
    return (given, critic) if critic.needs_log_ratio and own.scores_pairs else (own_name, own)


def _sampler(
    given: ComponentName | None, estimator: Estimator, critic: Critic, components: Components
) -> NegativeSampler:
    """Return the sampler of a run: the estimator's own, else the one given, else what the critic or estimator asks."""
    default = critic.default_negatives or estimator.default_negatives
    sampler: NegativeSampler = components.get("negatives", given or component_name("negatives", default))
    if estimator.own_negatives is not None:  # the one given was checked all the same
        sampler = components.get("negatives", component_name("negatives", estimator.own_negatives))
    return sampler


def _training(chosen: Combination, uses: frozenset[str]) -> dict[str, Any]:
    """Options of the critic and its optimiser; None where this critic has no use for one."""
    if "dropout" in uses:
        chosen.dropout.check_depth(chosen.hidden.depth)
    options = ("hidden", "activation", "dropout", "weight_decay", "lr")
    used = {name: as_stored(getattr(chosen, name)) if name in uses else None for name in options}
    return {**used, "optimiser": chosen.optimiser if "lr" in uses else DEFAULTS["optimiser"]}


def _precision(given: str, critic: Critic) -> str:
    """Return the precision; float32 where the critic has no products, or no scores, to round: such runs are one."""
    without_products = given in PRODUCT_PRECISIONS and "products" not in critic.uses
    return "float32" if without_products or not critic.scores_pairs else given
