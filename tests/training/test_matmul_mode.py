"""The matmul mode: probed, taken only where it is float32, and put back by the probe."""

from __future__ import annotations

import pytest
import torch

from mibench.training import precision as arithmetic

pytestmark = pytest.mark.usefixtures("kept_arithmetic")


def test_the_probe_leaves_the_mode_as_it_was() -> None:
    torch.set_float32_matmul_precision("high")
    assert arithmetic.probe_matmul_mode() in ("medium", "highest")
    assert arithmetic.matmul_mode() == "high"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that is not Intel's."""
    monkeypatch.setattr(arithmetic, "is_intel", lambda: False)


@pytest.mark.usefixtures("elsewhere")
def test_a_mode_that_is_not_float32_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "_relative_error", lambda: 3e-3)
    assert arithmetic.probe_matmul_mode() == "highest"


@pytest.mark.parametrize("error", [6e-7, 3e-3])
def test_on_intels_processors_the_default_kernels_stay(error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "is_intel", lambda: True)
    monkeypatch.setattr(arithmetic, "_relative_error", lambda: error)
    assert arithmetic.probe_matmul_mode() == "highest"


@pytest.mark.usefixtures("elsewhere")
def test_an_accurate_mode_is_taken_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "_relative_error", lambda: 6e-7)
    assert {arithmetic.probe_matmul_mode() for _ in range(5)} == {"medium"}


def test_a_configured_process_multiplies_in_float32_on_one_thread() -> None:
    arithmetic.configure_process()
    assert torch.get_num_threads() == 1
    a, b = torch.randn(300, 256, generator=torch.Generator().manual_seed(0)), torch.eye(256) + 0.1
    exact = a.double() @ b.double()
    assert float((a @ b - exact).norm() / exact.norm()) < 1e-5
