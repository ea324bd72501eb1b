"""Packs for a Dask cluster: cut for its threads, and refused where versions differ or nobody answers."""

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

dask = pytest.importorskip("dask", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="dask is not installed")

from mibench.running import cluster  # noqa: E402  # after the reason to skip
from mibench.running.engines.dask import ClusterGrid  # noqa: E402

GRID: dict[str, Any] = {
    "task": "gaussian20d:dim=2",
    "estimator": "nwj",
    "mi": [1.0, 2.0, 3.0, 4.0],
    "batch": 8,
    "critic": "separable",
    "hidden": "1x8",
    "steps": 20,
    "seeds": 6,
}


def test_a_scheduler_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(UsageError, match=f"the Dask scheduler '{address}' does not answer"),
    ):
        run(**GRID, results=tmp_path, engine="dask", scheduler=address)


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


def test_what_waits_is_cut_again_where_workers_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mibench.running.engines.dask._LOOK", 0.05)
    specs = resolve({**GRID, "seeds": 12})
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
