"""How a worker process computes: one thread, no denormals, and fast float32 products that are float32.

Notable: torch's "medium" precision routes float32 products to kernels that are up to twice as fast at the same
accuracy on some processors, and really compute in fewer bits on others. So it is probed: one product against float64.
It is taken where the error is that of float32 unless it is clearly slower: a close race must not decide which kernels,
and so which bits, a worker uses.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator

import torch

_WORST_ERROR = 1e-5
_PROBE_SHAPES = ((4, 64, 256, 256), (1, 1024, 256, 256))
_REPEATS = 7
_CLEARLY_SLOWER = 1.5


def matmul_mode() -> str:
    """Return the mode of float32 products now in force: ``highest``, ``high`` or ``medium``."""
    return torch.get_float32_matmul_precision()


def configure_process(device: str = "cpu") -> None:
    """Prepare a worker process for training: one thread, denormals flushed, the probed matmul mode.

    On CUDA the faster modes are not float32, so the default stays.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision(probe_matmul_mode() if device == "cpu" else "highest")


def probe_matmul_mode() -> str:
    """Return ``medium`` where its products are float32-accurate and not clearly slower, else ``highest``."""
    with _kept_mode():
        torch.set_float32_matmul_precision("medium")
        if _relative_error() > _WORST_ERROR:
            return "highest"
        medium = _product_seconds()
        torch.set_float32_matmul_precision("highest")
        return "medium" if medium < _CLEARLY_SLOWER * _product_seconds() else "highest"


@contextlib.contextmanager
def _kept_mode() -> Iterator[None]:
    mode = torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(mode)


def _relative_error() -> float:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(64, 256, 256, generator=generator)[:1] for _ in range(2))
    exact = torch.bmm(a.double(), b.double())
    return float((torch.bmm(a, b) - exact).norm() / exact.norm())


def _product_seconds() -> float:
    """Summed median times of the products that stacked critics are made of."""
    total = 0.0
    for stacked, n, k, m in _PROBE_SHAPES:
        a, b, out = torch.ones(stacked, n, k), torch.ones(stacked, k, m), torch.empty(stacked, n, m)
        times = []
        for _ in range(_REPEATS):
            start = time.perf_counter()
            torch.bmm(a, b, out=out)
            times.append(time.perf_counter() - start)
        total += statistics.median(times)
    return total
