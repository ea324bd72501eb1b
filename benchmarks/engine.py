"""Speed of the training engine against the plain eager loop that papers publish, as ratios.

Both run in one process on one thread and take turns, step block by step block; a block's ratio is taken, and the median
of the ratios is reported, so that a machine whose speed drifts does not matter. Times are processor times. The plain
loop has the critic as an ``nn.Module``, all pairs by stacking and concatenating, torch's default Adam, and ``.item()``
at each step.

    python benchmarks/engine.py            # every workload, and the pool of 8192 pairs
    python benchmarks/engine.py separable  # those whose name contains a word
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mibench.core.critic import Architecture, Critic
from mibench.core.lookup import get_estimator, get_task, list_estimators
from mibench.core.scorer import Shape
from mibench.critics.separable import Separable
from mibench.experiments.grid import resolve
from mibench.training.components import Run
from mibench.training.evaluation import evaluate_pool
from mibench.training.pack import Pack
from mibench.training.precision import configure_process, matmul_mode
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


def engine_loop(work: Workload) -> Loop:
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


def compare(work: Workload, blocks: int) -> None:
    torch.set_float32_matmul_precision("highest")
    plain, engine = plain_loop(work), engine_loop(work)
    times: list[tuple[float, float]] = []
    for block in range(blocks + 1):
        torch.set_float32_matmul_precision("highest")
        one = seconds(plain, work.steps)
        configure_process()
        other = seconds(engine, work.steps) / work.pack
        if block:  # the first warms up
            times.append((one, other))
    ratio = statistics.median(a / b for a, b in times)
    plain_ms, engine_ms = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
    rate = work.gflop / engine_ms * 1e3
    print(f"{work.name:40} plain {plain_ms:7.2f} ms  engine {engine_ms:7.2f} ms  {ratio:5.2f}x  {rate:5.0f} GFLOP/s")


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
    parser.add_argument("--blocks", type=int, default=15, help="pairs of blocks")
    options = parser.parse_args()
    configure_process()
    print(f"one thread, matmul mode {matmul_mode()}, one large product: {product_rate():.0f} GFLOP/s")
    if options.word in "pool":
        pool()
    for work in WORKLOADS:
        if options.word in work.name:
            compare(work, options.blocks)


if __name__ == "__main__":
    main()
