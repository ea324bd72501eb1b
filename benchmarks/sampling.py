"""What drawing pairs costs, as a share of a separable critic's training step in the same process, on one thread.

python benchmarks/sampling.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from mibench.core.lookup import get_task
from mibench.experiments.grid import resolve
from mibench.training.components import Run
from mibench.training.pack import Pack
from mibench.training.precision import configure_process
from mibench.training.sources import StreamSource, block_steps

BATCH, PACK, BLOCKS = 64, 4, 15
TASKS = (
    *("gaussian20d", "gaussian20d-cubic", "gaussian20d-cubic:mix=True", "normal-pairs", "normal-dense"),
    *("student-t", "additive-noise", "transformed:base=student-t:dof=1:mi=2,x=asinh,y=asinh"),
)


def milliseconds(work: Callable[[], object], steps: int) -> float:
    """Median processor time per step over blocks of steps; the first block warms up."""
    times = []
    for _ in range(1 + BLOCKS):
        start = time.process_time()
        work()
        times.append(1e3 * (time.process_time() - start) / steps)
    return statistics.median(times[1:])


def training_step() -> float:
    """A training step of one run in a pack: InfoNCE, separable 2x256, without the drawing."""
    grid = {"task": "gaussian20d", "mi": 6, "estimator": "infonce", "critic": "separable", "batch": BATCH}
    pack = Pack([Run.from_spec(spec) for spec in resolve({**grid, "steps": 100, "seeds": PACK})], torch.device("cpu"))
    batch = pack.feed(0, "data", "negatives", "marginal").block(1).step(0)

    def work() -> None:
        for _ in range(50):
            pack.step(batch)

    return milliseconds(work, 50) / PACK


def main() -> None:
    configure_process()
    step = training_step()
    print(f"a training step of one run, separable 2x256, N = {BATCH}, packs of {PACK}: {step:.2f} ms")
    for name in TASKS:
        task = get_task(name)
        steps = block_steps(BATCH, task.dim_x, task.dim_y)
        source = StreamSource(task, torch.Generator().manual_seed(0))
        drawing = milliseconds(lambda source=source, steps=steps: source.block(steps, BATCH), steps)  # type: ignore[misc]
        print(f"{name:56} {drawing:.4f} ms a step, {drawing / step:.1%}")


if __name__ == "__main__":
    main()
