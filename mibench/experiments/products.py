"""One product of options, without tables, turned into runs with every default resolved.

Notable: a value is checked even where the critic at hand has no use for it: a slip never passes unnoticed.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mibench.core.errors import UsageError
from mibench.core.parameters import Params, split_name
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS, Registry
from mibench.experiments import options as read
from mibench.experiments.matching import check_components, check_sizes
from mibench.experiments.options import DEFAULTS, OPTION_NAMES, PATIENCE
from mibench.experiments.specs import RunSpec, parse_hidden, split_sizes

if TYPE_CHECKING:
    from mibench.core.critic import Critic
    from mibench.core.estimator import Estimator
    from mibench.core.sampler import NegativeSampler
    from mibench.core.task import Task

MAX_RUNS = 1_000_000
"""A grid with more runs than this is a slip of the pen."""

REGISTRIES: Mapping[str, Registry[Any]] = {
    "task": TASKS,
    "estimator": ESTIMATORS,
    "critic": CRITICS,
    "negatives": NEGATIVES,
}
"""Where the names that options hold are looked up."""


class Components:
    """Components by the text that names them, each built once."""

    def __init__(self) -> None:
        self._built: dict[tuple[str, str, float | None], Any] = {}

    def get(self, option: str, text: Any, mi: float | None = None) -> Any:
        """Build the component that an option names; ``mi`` sets a task's level."""
        key = (option, text, mi)
        if key not in self._built:
            if not isinstance(text, str):
                raise UsageError(f"{option} must be a name, not {text}; see 'mibench list'")
            self._built[key] = REGISTRIES[option].create(text, None if mi is None else {"mi": mi})
        return self._built[key]

    def named(self, option: str, text: Any) -> tuple[str, Params]:
        """Return the versioned name and the resolved parameters of what an option names."""
        component = self.get(option, text)
        return REGISTRIES[option].id_of(component), component.params()


def runs(grid: Mapping[str, Any], components: Components) -> Iterator[RunSpec]:
    """Yield the runs of one product."""
    for name in ("task", "estimator"):
        if name not in grid:
            raise UsageError(f"no {name} is given; name one with --{name}, see 'mibench list {name}s'")
    for pair in (("mi", "schedule"), ("seed", "seeds")):
        if set(pair) <= grid.keys():
            raise UsageError(f"{pair[0]} and {pair[1]} exclude each other; give one of them")
    full = {**DEFAULTS, **grid}
    if isinstance(full["budget"], list | tuple):
        raise UsageError("budget takes one name, not a list; give steps as a list instead")
    seeds = seeds_of(full)
    levels = _levels(full)
    names = [n for n in OPTION_NAMES if n in full and n not in ("mi", "schedule", "seed", "seeds", "budget")]
    lists = [read.as_list(name, full[name]) for name in names]
    count = math.prod(map(len, lists)) * len(seeds) * max(len(levels or ()), 1)
    if count > MAX_RUNS:
        raise UsageError(f"the grid has {count} runs, more than {MAX_RUNS}; split it")
    for values in itertools.product(*lists):
        chosen = dict(zip(names, values, strict=True))
        for stairs, task in _tasks(chosen["task"], levels, components):
            spec = _spec({**chosen, "budget": full["budget"]}, stairs, task, components)
            yield from (dataclasses.replace(spec, seed=seed) for seed in seeds)


def seeds_of(grid: Mapping[str, Any]) -> Sequence[int]:
    """Return the seeds of a product, whose budget is given; raises `UsageError` where they do not parse."""
    if "seed" in grid:
        return [read.whole("seed", value, 0) for value in read.as_list("seed", grid["seed"])]
    if isinstance(grid.get("seeds"), list | tuple):
        raise UsageError("seeds takes how many, not a list; name them with seed")
    return range(read.whole("seeds", grid.get("seeds", read.budget(grid["budget"]).seeds), 1))


def _levels(grid: Mapping[str, Any]) -> list[tuple[float, ...]] | None:
    """Read the MI levels: staircases as they are, constants as tuples of one; None without any."""
    if "schedule" in grid:
        return read.schedules(grid["schedule"])
    if "mi" in grid:
        return [(read.level(value),) for value in read.as_list("mi", grid["mi"])]
    return None


def _tasks(
    text: Any, levels: list[tuple[float, ...]] | None, components: Components
) -> Iterator[tuple[tuple[float, ...], Task]]:
    """Yield for each level a staircase (empty for constant MI) and the task at its first level."""
    if not isinstance(text, str):
        raise UsageError(f"task must be a name, not {text}; see 'mibench list tasks'")
    name, written = split_name(text)
    task_class = TASKS.get(name)
    if levels is not None and not task_class.has_knob():
        raise UsageError(f"task '{name}' has no mi that could be set; leave mi and schedule out")
    if levels is not None and "mi" in written:
        raise UsageError(f"task '{text}' names its mi, and the grid does too; give it once")
    if levels is None and task_class.has_knob() and "mi" not in written:
        levels = [(value,) for value in task_class.default_levels]
    if not levels:
        yield (), components.get("task", text)
        return
    for stairs in levels:
        tasks = [components.get("task", text, mi) for mi in stairs]  # every level is checked
        yield (stairs if len(stairs) > 1 else ()), tasks[0]


def _spec(chosen: Mapping[str, Any], stairs: tuple[float, ...], task: Task, components: Components) -> RunSpec:
    """Resolve and check one combination of options; its seed is still 0."""
    from mibench.core.estimator import SampleEstimator

    estimator: Estimator = components.get("estimator", chosen["estimator"])
    critic_name, critic = _critic(chosen["critic"], estimator, components)
    given = chosen.get("negatives", critic.default_negatives or estimator.default_negatives)
    components.get("negatives", given)  # checked even where the estimator brings its own
    sampler: NegativeSampler = components.get("negatives", estimator.own_negatives or given)
    estimator_id, estimator_params = components.named("estimator", chosen["estimator"])
    critic_id, critic_params = components.named("critic", critic_name)
    check_components(task, chosen["task"], estimator, critic, sampler)
    sampler = sampler.bound_to(task)
    lengths = _lengths(chosen, stairs, takes_sample=isinstance(estimator, SampleEstimator))
    check_sizes(task, chosen["task"], estimator, sampler, batch=lengths.batch, samples=lengths.samples)
    return RunSpec(
        task=TASKS.id_of(task),
        task_params=tuple(p for p in task.params() if not (stairs and p[0] == "mi")),
        schedule=stairs,
        estimator=estimator_id,
        estimator_params=estimator_params,
        critic=critic_id,
        critic_params=critic_params,
        negatives=NEGATIVES.id_of(sampler),
        negatives_params=sampler.params(),
        seed=0,
        **dataclasses.asdict(lengths),
        precision=_precision(chosen["precision"], critic),
        **_training(chosen, critic.uses),
    )


def _critic(given: Any, estimator: Estimator, components: Components) -> tuple[Any, Critic]:
    """Return the name and the critic of a run: the one given, unless the estimator brings its own.

    The exact critic stands in for every critic that an estimator has; where it has none, there is nothing to stand in
    for.
    """
    critic: Critic = components.get("critic", given)
    if estimator.own_critic is None:
        return given, critic
    own: Critic = components.get("critic", estimator.own_critic)
    return (given, critic) if critic.needs_log_ratio and own.scores_pairs else (estimator.own_critic, own)


@dataclasses.dataclass(frozen=True)
class _Lengths:
    """The sizes of a run, named as in `RunSpec`."""

    batch: int
    steps: int
    window: int
    every: int
    regime: str = "stream"
    samples: int | None = None
    patience: int | None = None


def _lengths(chosen: Mapping[str, Any], stairs: Sequence[float], *, takes_sample: bool) -> _Lengths:
    """Resolve batch size, steps, window, the spacing of the curve, and what a fixed sample adds."""
    batch = read.whole("batch", chosen["batch"], 2)
    samples, patience = _fixed_sample(chosen, stairs)
    steps = _steps(chosen, max(len(stairs), 1))
    per_stair = steps // max(len(stairs), 1)
    spacing, span = max(1, steps // 200), max(1, min(1000, per_stair // 2))
    epoch = 0 if samples is None else split_sizes(samples)[0] // batch
    # A checkpoint costs a pass over the validation part: once an epoch is enough, but for very long ones.
    every = read.whole("every", chosen.get("every", max(spacing, min(epoch, steps // 20))), 1)
    if samples is not None:  # an epoch before the best checkpoint: earlier critics have nothing to do with it
        span = min(steps, max(epoch, every))
    window = read.whole("window", chosen.get("window", span), 1)
    if window > per_stair:
        raise UsageError(f"a window of {window} steps is longer than a stair of {per_stair}; use a shorter one")
    if every > steps:
        raise UsageError(f"every {every} is more than the {steps} steps of a run; use a smaller spacing")
    if samples is None:
        return _Lengths(batch, steps, window, every)
    if takes_sample:  # once, as a whole: what is trained on it by others does not matter
        return _Lengths(batch=samples, steps=1, window=1, every=1, regime="dataset", samples=samples)
    return _Lengths(batch, steps, window, every, "dataset", samples, patience)


def _fixed_sample(chosen: Mapping[str, Any], stairs: Sequence[float]) -> tuple[int | None, int | None]:
    """Read the size of the fixed sample and the patience; None where pairs are fresh at every step."""
    patience = read.whole("patience", chosen.get("patience", PATIENCE), 1)
    if "samples" not in chosen:
        if "patience" in chosen:
            raise UsageError("patience is for runs on a fixed sample; give samples too, or leave patience out")
        return None, None
    if stairs:
        raise UsageError("a schedule needs fresh pairs on every stair, which samples fixes; leave one of them out")
    return read.whole("samples", chosen["samples"], 2), patience


def _steps(chosen: Mapping[str, Any], stairs: int) -> int:
    if "steps" not in chosen:
        return -(-read.budget(chosen["budget"]).steps // stairs) * stairs
    steps = read.whole("steps", chosen["steps"], 1)
    if steps % stairs:
        raise UsageError(f"steps {steps} cannot be shared evenly by {stairs} stairs; use a multiple of {stairs}")
    return steps


def _training(chosen: Mapping[str, Any], uses: frozenset[str]) -> dict[str, Any]:
    """Options of the critic and its optimiser; None where this critic has no use for one, wrong or not."""
    hidden = read.hidden(chosen["hidden"])
    values = {
        "hidden": hidden,
        "activation": read.activation(chosen["activation"]),
        "dropout": read.dropout(chosen["dropout"], parse_hidden(hidden)[0] if "dropout" in uses else None),
        "weight_decay": read.non_negative("weight_decay", chosen["weight_decay"]),
        "lr": read.positive("lr", chosen["lr"]),
    }
    optimiser = read.optimiser(chosen["optimiser"])
    used = {name: value if name in uses else None for name, value in values.items()}
    return {**used, "optimiser": optimiser if "lr" in uses else DEFAULTS["optimiser"]}


def _precision(given: Any, critic: Critic) -> str:
    """Read the precision; float32 where the critic has no products, or no scores, to round: such runs are one."""
    name = read.precision(given)
    without_products = name.endswith("-products") and "products" not in critic.uses
    return "float32" if without_products or not critic.scores_pairs else name
