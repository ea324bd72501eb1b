"""Speed of the training engine against the plain eager loop that papers publish, as ratios.

All run in one process on one thread and take turns, step block by step block; a block's ratio is taken, and the median
of the ratios is reported, so that a machine whose speed drifts does not matter. Times are processor times. The plain
loop has the critic as an ``nn.Module``, all pairs by stacking and concatenating, torch's default Adam, and ``.item()``
at each step. The engine is timed in float32 and in bfloat16, and where jax is installed, JAX beside it: one run, its
steps compiled as one scan, with data drawn on the way.

    python benchmarks/engine.py             # every workload, and the pool of 8192 pairs
    python benchmarks/engine.py separable   # those whose name contains a word
    python benchmarks/engine.py --markdown  # the table of the README
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mibench.core.critic import Architecture, Critic
from mibench.core.lookup import get_estimator, get_task, list_estimators
from mibench.core.scorer import Shape
from mibench.critics.separable import Separable
from mibench.experiments.grid import resolve
from mibench.store.sessions import describe_session
from mibench.training.components import Run
from mibench.training.evaluation import evaluate_pool
from mibench.training.pack import Pack
from mibench.training.precision import PRECISIONS, configure_process, matmul_mode
from mibench.training.sources import block_steps

Loop = Callable[[int], None]


@dataclass(frozen=True)
class Workload:
    """One comparison: a pack of equal runs against one plain loop."""

    name: str
    critic: str
    hidden: str
    activation: str
    negatives: str
    batch: int
    pack: int
    steps: int  # in a block
    gflop: float  # forward and backward, one step of one run


WORKLOADS = (
    Workload("separable 2x256, N = 64, packs of 4", "separable", "2x256", "relu", "all-pairs", 64, 4, 40, 0.060),
    Workload("separable 2x256, N = 128, packs of 4", "separable", "2x256", "relu", "all-pairs", 128, 4, 20, 0.122),
    Workload("joint 2x256, all pairs, N = 64", "joint", "2x256", "relu", "all-pairs", 64, 1, 4, 1.62),
    Workload("joint 2x256, all pairs, N = 128", "joint", "2x256", "relu", "all-pairs", 128, 1, 2, 6.5),
    Workload("joint 2x512 ELU, shuffled, N = 512", "joint", "2x512", "elu", "shuffle", 512, 1, 8, 1.70),
)


def mlp(n_in: int, n_out: int, depth: int, width: int, activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Linear(n_in if i == 0 else width, width), nn.ReLU() if activation == "relu" else nn.ELU()]
    return nn.Sequential(*layers, nn.Linear(width, n_out))


def plain_loop(work: Workload) -> Loop:
    """The loop of public codes: SMILE's critics and InfoNCE for all pairs, NWJ for shuffled pairs."""
    depth, width = (int(part) for part in work.hidden.split("x"))
    n, task, generator = work.batch, get_task("gaussian20d", mi=6.0), torch.Generator().manual_seed(0)
    if work.critic == "separable":
        nets = [mlp(20, 32, depth, width, work.activation) for _ in range(2)]
    else:
        nets = [mlp(40, 1, depth, width, work.activation)]
    optimiser = torch.optim.Adam([p for net in nets for p in net.parameters()], lr=5e-4)

    def all_pairs(x: Tensor, y: Tensor) -> Tensor:
        if work.critic == "separable":
            return nets[0](x) @ nets[1](y).T
        xs, ys = torch.stack([x] * n, 0), torch.stack([y] * n, 1)
        return nets[0](torch.cat([xs, ys], 2).view(n * n, -1)).view(n, n).T

    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        if work.negatives == "all-pairs":
            scores = all_pairs(x, y)
            return -(scores.diag() - scores.logsumexp(1)).mean()
        pos = nets[0](torch.cat([x, y], 1))
        neg = nets[0](torch.cat([x, y[torch.randperm(n)]], 1))
        return -(pos.mean() - (neg - 1).exp().mean())

    def loop(steps: int) -> None:
        for _ in range(steps):
            loss = loss_of(*task.sample(n, generator))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss.item()

    return loop


def jax_loop(work: Workload) -> Loop | None:
    """The same run in JAX, jit around a scan of steps; None where jax is not installed, or for other than all pairs."""
    if work.negatives != "all-pairs" or not has_jax():
        return None
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # one thread; read at the import
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_platforms", "cpu")
    depth, width = (int(part) for part in work.hidden.split("x"))
    n, task = work.batch, get_task("gaussian20d", mi=6.0)
    rho = (1 - 2.718281828459045 ** (-2 * task.mi / 20)) ** 0.5
    separable = work.critic == "separable"

    def layers(key: Any, sizes: list[int]) -> list[Any]:
        keys = jax.random.split(key, len(sizes))
        bounds = [size**-0.5 for size in sizes]
        return [
            (jax.random.uniform(k, (i, o), minval=-b, maxval=b), jnp.zeros(o))
            for k, i, o, b in zip(keys, sizes, sizes[1:], bounds, strict=False)
        ]

    def network(weights: list[Any], a: Any) -> Any:
        for w, b in weights[:-1]:
            a = jax.nn.relu(a @ w + b)
        return a @ weights[-1][0] + weights[-1][1]

    def loss(nets: list[Any], x: Any, y: Any) -> Any:
        if separable:
            scores = network(nets[0], x) @ network(nets[1], y).T
        else:
            pairs = jnp.concatenate((jnp.repeat(x, n, 0), jnp.tile(y, (n, 1))), 1)
            scores = network(nets[0], pairs).reshape(n, n)
        return -(jnp.diag(scores) - jax.nn.logsumexp(scores, 1)).mean()

    def step(state: Any, key: Any) -> Any:
        nets, means, squares, t = state
        x, noise = jax.random.normal(key, (2, n, 20))
        value, gradients = jax.value_and_grad(loss)(nets, x, rho * x + (1 - rho**2) ** 0.5 * noise)
        t = t + 1
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradients)
        squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradients)
        nets = jax.tree.map(
            lambda p, m, v: p - 5e-4 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), nets, means, squares
        )
        return (nets, means, squares, t), value

    @jax.jit
    def steps_of(state: Any, keys: Any) -> Any:
        return jax.lax.scan(step, state, keys)

    hidden = [width] * depth
    sizes = [[20, *hidden, 32]] * 2 if separable else [[40, *hidden, 1]]
    nets = [layers(jax.random.key(k), size) for k, size in enumerate(sizes)]
    zeros = jax.tree.map(jnp.zeros_like, nets)
    state = (nets, zeros, zeros, 0)
    key = jax.random.key(7)

    def loop(steps: int) -> None:
        nonlocal state, key
        key, own = jax.random.split(key)
        state, values = steps_of(state, jax.random.split(own, steps))
        values.block_until_ready()

    return loop


@functools.cache
def has_jax() -> bool:
    found = importlib.util.find_spec("jax") is not None
    if not found:
        print("jax is not installed: no row for it (pip install jax)")
    return found


def engine_loop(work: Workload, precision: str) -> Loop:
    """The product's own pack: data, forward, objective, backward, optimiser, and the record of every step."""
    estimator = "infonce" if work.negatives == "all-pairs" else "nwj"
    specs = resolve(
        {
            "task": "gaussian20d",
            "mi": 6.0,
            "estimator": estimator,
            "critic": work.critic,
            "hidden": work.hidden,
            "activation": work.activation,
            "negatives": work.negatives,
            "batch": work.batch,
            "steps": 1000,
            "seeds": work.pack,
            "precision": precision,
        }
    )
    pack = Pack([Run.from_spec(spec) for spec in specs], torch.device("cpu"))
    feed = pack.feed(0, "data", "negatives", "marginal")
    longest = block_steps(work.batch, 20, 20)

    def loop(steps: int) -> None:
        for start in range(0, steps, longest):
            count = min(longest, steps - start)
            batches = feed.block(count)
            for s in range(count):
                loss, estimate, _ = pack.step(batches.step(s))
                pack.history.record(s, loss, estimate)

    return loop


def seconds(loop: Loop, steps: int) -> float:
    start = time.process_time()
    loop(steps)
    return (time.process_time() - start) / steps


def compare(work: Workload, blocks: int) -> dict[str, tuple[float, float]]:
    """Milliseconds per step and run, and how often each is faster than the plain loop, by name; medians of blocks."""
    loops: dict[str, tuple[Loop, int]] = {"plain loop": (plain_loop(work), 1)}
    if (jax := jax_loop(work)) is not None:
        loops["JAX"] = jax, 1
    configure_process()
    loops |= {precision: (engine_loop(work, precision), work.pack) for precision in ("float32", "bfloat16")}
    times: dict[str, list[float]] = {name: [] for name in loops}
    for block in range(blocks + 1):
        for name, (loop, runs) in loops.items():
            configure_process() if name in PRECISIONS else torch.set_float32_matmul_precision("highest")
            took = seconds(loop, work.steps) / runs
            if block:  # the first warms up
                times[name].append(took)
    plain = times["plain loop"]
    return {
        name: (1e3 * statistics.median(own), statistics.median(a / b for a, b in zip(plain, own, strict=True)))
        for name, own in times.items()
    }


def line(work: Workload, found: dict[str, tuple[float, float]]) -> str:
    parts = [f"{name} {ms:7.2f} ms {ratio:5.2f}x" for name, (ms, ratio) in found.items()]
    return f"{work.name:40} {'  '.join(parts)}  {work.gflop / found['float32'][0] * 1e3:5.0f} GFLOP/s"


def markdown(rows: dict[str, dict[str, tuple[float, float]]]) -> list[str]:
    """The table: milliseconds, and in brackets how often faster than the plain loop."""

    def cell(found: dict[str, tuple[float, float]], name: str) -> str:
        if name not in found:
            return "-"
        ms, ratio = found[name]
        return f"{ms:.3g}" if name == "plain loop" else f"{ms:.3g} ({ratio:.2f}x)"

    names = ("plain loop", "JAX", "float32", "bfloat16")
    head = ["one training step of one run, ms", "plain loop", "JAX jit + scan", "mibench", "mibench, bfloat16"]
    body = [[workload, *(cell(found, name) for name in names)] for workload, found in rows.items()]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)]


def product_rate() -> float:
    """GFLOP/s of one large float32 product in the probed mode: what one core can give."""
    a, b, out = torch.ones(1, 1024, 512), torch.ones(1, 512, 512), torch.empty(1, 1024, 512)
    times = []
    for _ in range(50):
        start = time.process_time()
        torch.bmm(a, b, out=out)
        times.append(time.process_time() - start)
    return 2 * 1024 * 512 * 512 / statistics.median(times) / 1e9


def pool(n: int = 8192) -> None:
    """All estimators with a per-row form on all pairs of a large pool, with the memory above the start."""
    critic: Critic = Separable()
    scorer = critic.build(Shape(1, 64, 64, 20, 20, torch.device("cpu")), Architecture(), [get_estimator("nwj")])
    scorer.initialise(0, torch.Generator().manual_seed(0))
    x, y = get_task("gaussian20d", mi=6.0).sample(n, torch.Generator().manual_seed(1))
    estimators = [e for e in (get_estimator(name) for name in list_estimators()) if e.by_rows]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    evaluate_pool(scorer, 0, estimators, x, y)
    took = time.process_time() - start
    above = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"pool of {n} pairs, separable, {len(estimators)} estimators: {took:.2f} s, {above:.0f} MB above the start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="", help="run only the workloads whose name contains it")
    parser.add_argument("--blocks", type=int, default=15, help="blocks of each, in turns")
    parser.add_argument("--markdown", action="store_true", help="print the table of the README alone")
    options = parser.parse_args()
    configure_process()
    processor = describe_session("engine", (), "cpu")["cpu"]
    print(
        f"{processor}; torch {torch.__version__}, one core and thread, medians of {options.blocks} blocks; "
        f"matmul mode {matmul_mode()}, one large product: {product_rate():.0f} GFLOP/s"
    )
    if options.word in "pool" and not options.markdown:
        pool()
    rows = {}
    for work in WORKLOADS:
        if options.word in work.name:
            rows[work.name] = compare(work, options.blocks)
            if not options.markdown:
                print(line(work, rows[work.name]), flush=True)
    if options.markdown:
        print("", *markdown(rows), sep="\n")


if __name__ == "__main__":
    main()
