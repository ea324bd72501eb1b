"""How a run computes: in which precision, and in a process with one thread, no denormals and fast float32 products.

Notable: torch's "medium" precision routes float32 products to kernels that are up to twice as fast at the same
accuracy on AMD's processors, and really compute in fewer bits on others. So it is probed: one product against float64.
Time is not asked: two sets of kernels give different bits, and a busy machine must not decide which a worker takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping

import torch

from mibench.core.processor import is_intel


@dataclasses.dataclass(frozen=True)
class Precision:
    """What is rounded in a run; None leaves it as it is: float32 for all but the exact critic and modules in float64.

    Parameters
    ----------
    products
        Inputs of the critic's matrix products; sums, weights and Adam stay in float32.
    hidden
        Hidden activations and the gradients that flow back through them; products between hidden layers have their
        sums in float32 and are rounded once.
    scores
        Scores, and all that the loss and its gradient are computed in.
    """

    products: torch.dtype | None = None
    hidden: torch.dtype | None = None
    scores: torch.dtype | None = None


PRECISIONS: Mapping[str, Precision] = {
    "float32": Precision(),
    "bfloat16": Precision(products=torch.bfloat16, hidden=torch.bfloat16),
    "bfloat16-products": Precision(products=torch.bfloat16),
    "float16-scores": Precision(scores=torch.float16),
    "bfloat16-scores": Precision(scores=torch.bfloat16),
}
"""What the names of `mibench.experiments.options.PRECISIONS` stand for."""

_WORST_ERROR = 1e-5


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
    """Return ``medium`` where its products are float32-accurate on a processor that is not Intel's, else ``highest``.

    The default kernels are made for Intel's processors, where the others take a tenth longer at least.
    """
    if is_intel():
        return "highest"
    with _kept_mode():
        torch.set_float32_matmul_precision("medium")
        return "medium" if _relative_error() < _WORST_ERROR else "highest"


@contextlib.contextmanager
def _kept_mode() -> Iterator[None]:
    mode = torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(mode)


def _relative_error() -> float:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1, 256, 256, generator=generator)
    exact = torch.bmm(a.double(), b.double())
    return float((torch.bmm(a, b) - exact).norm() / exact.norm())
