"""Critics given as torch modules: their precision is their parameters' own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mibench.core.critic import Architecture
from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.registry import CRITICS
from mibench.core.scorer import Shape
from mibench.critics.module import ModuleCritic
from mibench.experiments.grid import resolve
from mibench.training.loop import train_pack
from mibench.training.memory import memory_of

pytestmark = pytest.mark.usefixtures("fresh_registries", "one_thread")

RUNS, BATCH = 2, 8


class Product(nn.Module):
    """Scores in the precision of the parameters, and only pairs in that precision."""

    def __init__(self, dim_x: int, dim_y: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.w = nn.Linear(dim_x, dim_y, dtype=dtype)
        for parameter in self.parameters():  # the same start in every precision
            nn.init.constant_(parameter, 0.125)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        assert x.dtype == y.dtype == self.w.weight.dtype
        return (self.w(x) * y).sum(-1)


class InDouble(ModuleCritic):
    """A bilinear critic in float64."""

    precision: str = "float64"

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        return Product(dim_x, dim_y, getattr(torch, self.precision))


def shape(products: torch.dtype | None = None) -> Shape:
    return Shape(RUNS, BATCH, BATCH, 3, 2, torch.device("cpu"), products)


def test_a_module_in_float64_is_trained_in_float64() -> None:
    scorer = InDouble().build(shape(), Architecture(), [Estimator()] * RUNS)
    for run in range(RUNS):
        scorer.initialise(run, torch.Generator().manual_seed(run))
    x, y = torch.randn(RUNS, BATCH, 3), torch.randn(RUNS, BATCH, 2)  # float32
    raw = scorer.forward(x, y, None, train=True)
    scorer.backward(torch.ones_like(raw))
    assert {t.dtype for t in (raw, scorer.parameters, scorer.gradients)} == {torch.float64}
    for run, module in enumerate(scorer._modules):  # type: ignore[attr-defined]
        weight, bias = (p.detach() for p in module.parameters())
        expected = (x[run].double() @ weight.T + bias) @ y[run].double().T
        torch.testing.assert_close(raw[run], expected, rtol=1e-14, atol=1e-14)
        total = y[run].double().sum(0)[:, None] * x[run].double().sum(0)
        torch.testing.assert_close(module.w.weight.grad, total, rtol=1e-13, atol=1e-13)
        pairs = scorer.pairs(run, x[run], y[run])
        torch.testing.assert_close(pairs, raw[run].diagonal().detach(), rtol=1e-14, atol=1e-14)


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize("estimator", ["infonce", "nwj", "tuba", "flo", "hybrid"])
def test_runs_of_a_module_in_float64_agree_with_those_in_float32(
    estimator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    CRITICS.register("in-double")(InDouble)
    options = {"task": "gaussian20d:dim=4", "mi": 1.0, "batch": 16, "steps": 4, "window": 2, "every": 2, "seeds": 1}
    specs = resolve({**options, "estimator": estimator, "critic": "in-double"})
    (double,) = train_pack(specs)[0].rows
    monkeypatch.setattr(InDouble, "module", lambda self, dim_x, dim_y, _: Product(dim_x, dim_y, torch.float32))
    (single,) = train_pack(specs)[0].rows  # the same id, and so the same pairs
    assert double["status"] == single["status"] == "ok"
    for column in ("estimate_train", "estimate_fresh", "estimate_fresh_large"):
        assert double[column] == pytest.approx(single[column], rel=1e-4)
        assert double[column] != single[column]


def test_memory_counts_the_bytes_of_the_parameters() -> None:
    CRITICS.register("in-double")(InDouble)
    options = {"task": "gaussian20d:dim=1000", "mi": 1.0, "estimator": "infonce", "batch": 16, "steps": 10, "seeds": 1}
    double, single = (
        memory_of(resolve({**options, "critic": f"in-double:precision={precision}"})[0]).held
        for precision in ("float64", "float32")
    )
    assert double - single == pytest.approx(4 * 4 * 1000**2, rel=0.01)


def test_what_cannot_keep_its_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="parameters are bfloat16; make all of them float32, or all of them float64"):
        InDouble(precision="bfloat16").build(shape(), Architecture(), [])
    with pytest.raises(UsageError, match="parameters are float64, whose products are not rounded"):
        InDouble().build(shape(torch.bfloat16), Architecture(), [])
