"""Hidden layers in bfloat16: one arithmetic by units and by float32 products, and here once more in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mibench.core import processor
from mibench.core.critic import Activation, Architecture, Critic
from mibench.core.estimator import Density, Estimator, Extra
from mibench.core.layout import Layout
from mibench.core.scorer import Scorer, Shape
from mibench.critics.beside import build_extra
from mibench.critics.cosine import Cosine
from mibench.critics.half import HalfMLP, perceptrons
from mibench.critics.joint import HalfJointScorer, Joint, JointScorer
from mibench.critics.kernels import MLP
from mibench.critics.separable import Separable
from mibench.critics.siamese import Siamese

pytestmark = pytest.mark.usefixtures("one_thread")

ULP = 2.0**-8  # of a bfloat16 number, relative

CRITICS = [
    (Separable(embed=8), (5, 5)),
    (Separable(embed=8), (5, 3)),
    (Siamese(embed=8), (5, 5)),
    (Cosine(embed=8, scale=7.0), (5, 5)),
    (Joint(), (5, 3)),
]


def half(t: Tensor) -> Tensor:
    """Numbers of bfloat16, in float64."""
    return t.float().bfloat16().double()


def shape_of(dims: tuple[int, int], hidden: torch.dtype | None = torch.bfloat16, runs: int = 2) -> Shape:
    return Shape(runs, 64, 64, *dims, torch.device("cpu"), hidden, hidden)


def with_units(monkeypatch: pytest.MonkeyPatch, present: bool) -> None:
    monkeypatch.setattr("mibench.critics.half.has_bfloat16_units", lambda device: present)


def trained_once(scorer: Scorer, x: Tensor, y: Tensor, index: Tensor | None) -> tuple[Tensor, Tensor]:
    for run in range(len(x)):
        scorer.initialise(run, torch.Generator().manual_seed(run))
    raw = scorer.forward(x, y, index, train=True)
    scorer.backward(torch.randn(raw.shape, generator=torch.Generator().manual_seed(1)))
    return raw.clone(), scorer.gradients.clone()


@pytest.mark.parametrize("activation", ["relu", "elu"])
@pytest.mark.parametrize("units", [True, False])
def test_perceptrons_compute_what_is_written_down(
    activation: Activation, units: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_units(monkeypatch, units)
    layout = Layout(torch.bfloat16, torch.bfloat16)
    mlp = perceptrons(layout, 2, 5, (2, 64), 32, activation)
    assert isinstance(mlp, HalfMLP)
    parameters = torch.zeros(layout.size)
    gradients = torch.zeros(layout.size)
    generator = torch.Generator().manual_seed(0)
    for linear in mlp.linears:
        linear.attach(parameters, gradients)
        for s in range(2):
            linear.initialise(s, generator)
    x, d = torch.randn(2, 16, 5, generator=generator), torch.randn(2, 16, 32, generator=generator)
    found = mlp.forward(x).clone()
    mlp.backward(x, d)
    act = torch.relu if activation == "relu" else torch.nn.functional.elu
    for s in range(2):
        w1, w2, w3 = (half(linear.weight[s]) for linear in mlp.linears)
        z1 = half(half(x[s]) @ w1 + mlp.first.bias[s])
        h1 = half(act(z1))
        z2 = half(h1 @ w2 + half(mlp.inner.layers[0].bias[s]))
        h2 = half(act(z2))
        close: dict[str, Any] = {"rtol": 2 * ULP, "atol": 2 * ULP * 0.3}  # a sum's last bit may tip a rounding
        torch.testing.assert_close(found[s].double(), h2 @ w3 + mlp.last.bias[s], **close)
        if activation == "elu":
            continue
        g3 = half(d[s])
        torch.testing.assert_close(mlp.last.weight_gradient[s].double(), h2.T @ g3, rtol=2 * ULP, atol=0.1)
        g2 = half(g3 @ w3.T) * (h2 > 0)
        of_inner = half(h1.T @ g2)
        inner = mlp.inner.layers[0].weight_gradient[s]
        assert torch.equal(inner, inner.bfloat16().float())
        assert (inner - of_inner).norm() < ULP * of_inner.norm()
        g1 = half(g2 @ w2.T) * (h1 > 0)
        of_first = half(x[s]).T @ g1
        assert (mlp.first.weight_gradient[s] - of_first).norm() < ULP * of_first.norm()
    torch.testing.assert_close(mlp.apply(x[1], 1), found[1], rtol=2 * ULP, atol=2 * ULP * 0.3)


@pytest.mark.parametrize("activation", ["relu", "elu"])
@pytest.mark.parametrize("negatives", ["all-pairs", "three"])
@pytest.mark.parametrize(("critic", "dims"), CRITICS)
def test_units_and_float32_products_agree(
    critic: Critic, dims: tuple[int, int], negatives: str, activation: Activation, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(2, 64, dim, generator=g) for dim in dims)
    index = None if negatives == "all-pairs" else torch.randint(64, (2, 64, 3), generator=g)
    monkeypatch.setattr(HalfJointScorer, "chunk_rows", 1024)  # of 4096 rows: several chunks
    found = []
    for hidden, units in ((torch.bfloat16, True), (torch.bfloat16, False), (None, False)):
        with_units(monkeypatch, units)
        scorer = critic.build(
            shape_of(dims, hidden), Architecture(depth=3, width=32, activation=activation), [Estimator()] * 2
        )
        raw, gradients = trained_once(scorer, x, y, index)
        found.append((raw, gradients))
        matrix = torch.stack([scorer.block(scorer.prepare(r, x[r], y[r]), 0, 64) for r in (0, 1)])
        pairs = torch.stack([scorer.pairs(r, x[r], y[r]) for r in (0, 1)])
        assert raw.dtype == matrix.dtype == pairs.dtype == torch.float32
        pos = raw.diagonal(dim1=1, dim2=2) if index is None else raw[:, :64]
        torch.testing.assert_close(pairs, pos, rtol=1e-5, atol=2e-2 * float(raw.std()))
        torch.testing.assert_close(matrix.diagonal(dim1=1, dim2=2), pos, rtol=1e-5, atol=2e-2 * float(raw.std()))
    for units_found, wide, full in zip(*found, strict=True):
        assert (units_found - wide).norm() < 2e-3 * wide.norm()
        assert 1e-4 < (wide - full).norm() / full.norm() < 0.05


def test_what_stands_beside_a_critic_is_in_bfloat16_too() -> None:
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 2, 64, 5, generator=g)
    layers = Architecture(depth=2, width=32)
    for of in ("x", "pair", Density("y", "x")):
        found = []
        for hidden in (torch.bfloat16, None):
            shape = shape_of((5, 5), hidden)
            estimators = [Estimator()] * 2
            critic = Separable()
            scorer = critic.build(shape, layers, estimators)
            extra = build_extra(critic, Extra("beside", of, 0.0), shape, layers, estimators, scorer)
            found.append(trained_once(extra, x, y, None))
        for one, other in zip(*found, strict=True):
            assert 1e-5 < (one - other).norm() / other.norm() < 0.05


def test_activations_are_kept_in_half_the_memory() -> None:
    scorers = [Joint().build(shape_of((5, 5), hidden), Architecture(), []) for hidden in (torch.bfloat16, None)]
    x, y = torch.randn(2, 2, 64, 5)
    for scorer, kind in zip(scorers, (HalfJointScorer, JointScorer), strict=True):
        assert type(scorer) is kind
        trained_once(scorer, x, y, None)
    halves, full = (sum(t.nbytes for slot in s._slots.values() for t in slot) for s in scorers)
    assert isinstance(perceptrons(Layout(), 1, 5, (2, 32), 32, "relu"), MLP)
    kept = 2 * 2 * 64 * 64 * 256  # two runs' two layers
    assert halves < full
    assert halves >= 2 * kept


@pytest.mark.parametrize(
    ("flags", "units"),
    [("fpu amx_tile amx_bf16", True), ("avx512_bf16", True), ("avx512f avx512_vnni", False), ("", False)],
)
def test_units_are_what_the_processor_lists(
    flags: str, units: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "cpuinfo"
    listed.write_text(f"vendor_id\t: GenuineIntel\nflags\t\t: {flags}\n")
    monkeypatch.setattr(processor, "_CPU", listed)
    assert processor.has_bfloat16_units("cpu") is units
    assert processor.has_bfloat16_units("cuda")
    assert processor.is_intel()
