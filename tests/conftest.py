from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, here and in child processes


import hypothesis
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background, where no test could interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("mibench", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("mibench")


@pytest.fixture
def fresh_registries() -> Iterator[None]:
    """Undo what a test registers or loads."""
    from tests.support.registries import registered_in_vain

    with registered_in_vain():
        yield


@pytest.fixture(scope="module")
def kept_arithmetic() -> Iterator[None]:
    """Put back what a module's tests change of torch's arithmetic: hypothesis, for one, needs its denormals."""
    import torch

    mode, threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
    yield
    torch.set_float32_matmul_precision(mode)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def one_thread(kept_arithmetic: None) -> None:
    """Compute as a worker process does."""
    from mibench.training.precision import configure_process

    configure_process()


@pytest.fixture
def small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the large pools of runs that are trained in this process small."""
    from tests.support.pools import shrink

    shrink(monkeypatch.setattr)


@pytest.fixture(scope="module", autouse=True)
def small_pools_of_workers() -> Iterator[None]:
    """Make the large pools of runs that are trained in workers small; a module where they matter overrides this."""
    from mibench.core.processes import python_command

    def command(module: str, *arguments: str) -> list[str]:
        return python_command("tests.support.pools", *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mibench.running.workers.python_command", command)
        yield


@pytest.fixture(scope="module", autouse=True)
def kept_workers() -> Iterator[None]:
    """Train in workers that are kept between tests."""
    from tests.support.workers import KeptWorkers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mibench.running.engines.local.Workers", KeptWorkers)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    """Stop the workers that were kept, at the end."""
    yield
    from tests.support.workers import stop_kept

    stop_kept()


PLUGIN = '''
import mibench

@mibench.register_estimator("{name}", version={version}, aliases={aliases})
class Mine(mibench.Estimator):
    """A bound for a test."""

    kind = "lower"

    def estimate(self, scores):
        return scores.pos.mean(-1) * 0
'''


@pytest.fixture
def write_plugin(tmp_path: Path) -> Callable[..., Path]:
    """Write a plug-in file with an estimator that is always 0, and return its path."""

    def write(file: str = "plugin.py", name: str = "zero", version: int = 1, aliases: Sequence[str] = ()) -> Path:
        path = tmp_path / file
        path.write_text(PLUGIN.format(name=name, version=version, aliases=tuple(aliases)), encoding="utf-8")
        return path

    return write
