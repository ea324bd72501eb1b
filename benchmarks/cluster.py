"""What the engine ``dask`` costs by itself: packs that sleep, on clusters of this machine's processes.

python benchmarks/cluster.py                      1, 4 and 16 workers, 40 packs of half a second each
python benchmarks/cluster.py --workers 4          of 4 alone
python benchmarks/cluster.py --nothing 10000      packs of nothing, on one worker

Scheduler and client share this process, so its processor time and memory are those of both.
"""

from __future__ import annotations

import argparse
import resource
import time

import distributed

from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.running.engines.dask import ClusterGrid
from mibench.running.packs import Pack
from mibench.running.supervision import PackOutcome, Settings

SLEEP = 0.5
PACKS_A_WORKER = 40


def sleep(settings: Settings, part: Pack, version: str) -> PackOutcome:
    time.sleep(SLEEP)
    return PackOutcome(len(part))


def nothing(settings: Settings, part: Pack, version: str) -> PackOutcome:
    return PackOutcome(len(part))


def runs(count: int) -> list[RunSpec]:
    """Return runs of which no two can share a pack: their batches differ."""
    return resolve(
        {"task": "gaussian20d", "estimator": "nwj", "mi": 2.0, "seeds": 1, "batch": list(range(2, count + 2))}
    )


def measure(workers: int, specs: list[RunSpec], train: object) -> tuple[float, float]:
    """Return the seconds from the first pack's end to the last one's, and the processor time of this process."""
    settings = Settings("/nowhere", "benchmark", "cpu", 60.0, (), ())
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        client.wait_for_workers(workers)
        grid = ClusterGrid(client, settings, specs, train=train)
        begun, used = time.perf_counter(), time.process_time()
        for _ in grid.outcomes():
            pass
        return time.perf_counter() - begun, time.process_time() - used


def peak() -> float:
    """Return the peak resident memory of this process, MB; Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--nothing", type=int, metavar="PACKS", help="measure so many packs of nothing")
    given = parser.parse_args()
    if given.nothing:
        specs, before = runs(given.nothing), peak()
        wall, used = measure(1, specs, nothing)
        print(
            f"{given.nothing} packs of nothing: {1000 * wall / given.nothing:.2f} ms a pack, "
            f"{1000 * used / given.nothing:.2f} ms of processor; peak memory {peak():.0f} MB, {before:.0f} before"
        )
        return
    for workers in given.workers:
        packs = PACKS_A_WORKER * workers
        wall, used = measure(workers, runs(packs), sleep)
        efficiency = PACKS_A_WORKER * SLEEP / wall
        print(
            f"{workers} workers, {packs} packs of {SLEEP} s: {efficiency:.1%} of the time at work, "
            f"{1000 * (wall / PACKS_A_WORKER - SLEEP):.0f} ms a pack and worker beside it, "
            f"{1000 * used / packs:.2f} ms of processor a pack"
        )


if __name__ == "__main__":
    main()
