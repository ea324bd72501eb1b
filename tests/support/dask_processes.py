"""A Dask scheduler and workers as processes of their own, on loopback; the workers can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.processes import wait_until

_QUIET = ("--no-dashboard", "--host", "127.0.0.1")


class DaskProcesses:
    """A context: a scheduler, and as many workers of one thread as are started; none outlives the block."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "scheduler.json"
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> DaskProcesses:
        scheduler = self._start("dask_scheduler", *_QUIET, "--port", "0")
        wait_until(lambda: bool(self.address) or scheduler.poll() is not None, 300)
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    @property
    def address(self) -> str:
        """The scheduler's, which it writes into a file, not all at once; empty until then."""
        with contextlib.suppress(OSError, ValueError):
            address: str = json.loads(self._file.read_text())["address"]
            return address
        return ""

    def start_worker(self) -> subprocess.Popen[bytes]:
        local = str(self._folder / f"local-{len(self._processes)}")
        return self._start("dask_worker", *_QUIET, "--no-nanny", "--nthreads", "1", "--local-directory", local)

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{what}", "--scheduler-file", str(self._file), *options]
        path = os.pathsep.join(entry for entry in sys.path if entry)  # workers find the same mibench
        with (self._folder / "dask.log").open("ab") as log:
            process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log)
        self._processes.append(process)
        return process
