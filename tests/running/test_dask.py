"""Packs on a Dask cluster of real processes, which are killed and join while a grid runs."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from mibench.core.errors import UsageError
from mibench.core.version import __version__
from mibench.experiments.grid import resolve
from mibench.running.packs import Pack
from mibench.running.runner import run
from mibench.running.supervision import PackOutcome, Settings
from mibench.store.folders import load_runs
from tests.support.processes import wait_until

dask = pytest.importorskip("dask", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="dask is not installed")

from mibench.running import cluster  # noqa: E402  # after the reason to skip
from mibench.running.engines.dask import ClusterGrid  # noqa: E402
from tests.support.dask_processes import DaskProcesses  # noqa: E402

SLEEPY = '''
import time

import mibench
from mibench.estimators.nwj import NWJ


@mibench.register_estimator("sleepy-nwj")
class Sleepy(NWJ):
    """NWJ that takes its time, so that there is a midst of a pack, and no processor's."""

    def loss(self, scores):
        time.sleep(0.03)
        return super().loss(scores)
'''
GRID: dict[str, Any] = {
    "task": "gaussian20d:dim=2",
    "estimator": "sleepy-nwj",
    "mi": [1.0, 2.0, 3.0, 4.0],
    "batch": 8,
    "critic": "separable",
    "hidden": "1x8",
    "steps": 20,
    "seeds": 6,
}
TIMES = {"session_id", "finished_at", "seconds", "seconds_per_step", "pack_size", "peak_rss_mb"}


@pytest.fixture
def plugin(tmp_path: Path, fresh_registries: None) -> Path:
    path = tmp_path / "sleepy.py"
    path.write_text(SLEEPY, encoding="utf-8")
    return path


def test_workers_are_killed_and_one_joins_late(tmp_path: Path, plugin: Path) -> None:
    with DaskProcesses(tmp_path) as processes:
        early = [processes.start_worker(), processes.start_worker()]
        ends = 0

        def disturb(done: int, total: int) -> None:
            nonlocal ends
            ends += 1
            if ends == 1:
                processes.kill(early[0])
                processes.start_worker()
            elif ends == 3:
                wait_until(lambda: threads_at(processes.address) == 2, 300)
                processes.kill(early[1])  # what is left is for the newcomer alone

        with distributed.Client(processes.address) as client:
            client.wait_for_workers(2, timeout=300)
        rows = run(
            **GRID, plugins=plugin, results=tmp_path / "cluster", engine="dask", scheduler=processes.address,
            progress=disturb,
        )  # fmt: skip
    assert list(rows["status"]) == ["ok"] * 24
    assert ends == len(list((tmp_path / "cluster" / "runs").glob("*.parquet"))) >= 6
    assert early[1].poll() is not None
    here = run(**GRID, plugins=plugin, results=tmp_path / "here")
    same = [name for name in here.columns if name not in TIMES]
    assert load_runs(tmp_path / "cluster")[same].equals(load_runs(tmp_path / "here")[same])


def threads_at(address: str) -> int:
    with distributed.Client(address) as client:
        return cluster.threads_of(client)


def test_a_scheduler_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(UsageError, match=f"the Dask scheduler '{address}' does not answer"),
    ):
        run(**{**GRID, "estimator": "nwj"}, results=tmp_path, engine="dask", scheduler=address)


@pytest.mark.parametrize(
    ("scheduler", "worker", "mibench", "said"),
    [
        ("1", "2", __version__, "the Dask scheduler has distributed 1, and here is 2"),
        ("2", "3", __version__, "tcp://w has distributed 3, and here"),
        ("2", "2", "0.0.1", "tcp://w has mibench 0.0.1, and here is"),
        ("2", "2", ModuleNotFoundError("No module"), "tcp://w has no mibench \\(No module\\), and here is"),
    ],
)
def test_other_versions_are_refused(scheduler: str, worker: str, mibench: str | Exception, said: str) -> None:
    client, scheduler_side, worker_side = ({"packages": {"distributed": v}} for v in ("2", scheduler, worker))
    found = {"client": client, "scheduler": scheduler_side, "workers": {"tcp://w": worker_side}}
    with pytest.raises(UsageError, match=said):
        cluster.check_versions(found, {"tcp://w": mibench})


def test_what_waits_is_cut_again_where_workers_join() -> None:
    specs = resolve({**GRID, "estimator": "nwj", "seeds": 12})
    settings = Settings("/nowhere", "session", "cpu", 10.0, (), ())
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as here,
        distributed.Client(here) as client,
    ):
        grid = ClusterGrid(client, settings, specs, train=_sleep)
        sizes, trained = [], []
        for part, _ in grid.outcomes():
            if not sizes:
                here.scale(5)  # ten threads
                client.wait_for_workers(5, timeout=300)
            sizes.append(len(part))
            trained += [spec.run_id for spec in part]
    assert sorted(trained) == sorted(spec.run_id for spec in specs)
    assert max(sizes) == 8  # 48 runs on two threads: three packs each
    assert len(sizes) >= 25
    assert min(sizes) == 1


def _sleep(settings: Settings, part: Pack, version: str) -> PackOutcome:
    time.sleep(0.05 * len(part))
    return PackOutcome(len(part))
