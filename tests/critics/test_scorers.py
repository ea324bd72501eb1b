"""The hand-written backward passes against autograd, and every scorer's evaluation against its own forward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mibench.core.critic import Architecture, Critic
from mibench.core.estimator import Estimator
from mibench.core.scorer import Scorer, Shape, as_scores
from mibench.critics.bilinear import Bilinear
from mibench.critics.cosine import Cosine
from mibench.critics.dot_products import DotScorer
from mibench.critics.joint import Joint, JointScorer
from mibench.critics.kernels import Linear
from mibench.critics.module import ModuleCritic
from mibench.critics.separable import Separable

RUNS, BATCH = 3, 16


class Product(nn.Module):
    """The bilinear critic as a plain module."""

    def __init__(self, dim_x: int, dim_y: int) -> None:
        super().__init__()
        self.w = nn.Linear(dim_x, dim_y, bias=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.w(x) * y).sum(-1)


def shape_of(dim_x: int, dim_y: int, extra: int = 0) -> Shape:
    return Shape(RUNS, BATCH, BATCH + extra, dim_x, dim_y, torch.device("cpu"))


def inputs(shape: Shape, negatives: str, seed: int = 0) -> tuple[Tensor, Tensor, Tensor | None]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(RUNS, BATCH, shape.dim_x, generator=g)
    y = torch.randn(RUNS, shape.pool, shape.dim_y, generator=g)
    if negatives == "all-pairs":
        return x, y, None
    m = {"one": 1, "three": 3}[negatives]
    return x, y, torch.randint(shape.pool, (RUNS, BATCH, m), generator=g)


def linears(scorer: Scorer, run: int) -> list[tuple[Tensor, Tensor | None, Tensor, Tensor | None]]:
    """Weights, biases and their gradients of one run's layers, in torch's order of a reference module's parameters."""

    def of(linear: Linear, s: int) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
        rows, columns = linear.real
        weight, gradient = linear.weight[s, rows, columns], linear.weight_gradient[s, rows, columns]
        if not linear.has_bias:
            return weight, None, gradient, None
        return weight, linear.bias[s, 0, columns], gradient, linear.bias_gradient[s, 0, columns]

    if isinstance(scorer, DotScorer) and not scorer._towers:
        return [of(scorer._linear, run)]
    if isinstance(scorer, DotScorer):
        towers = [scorer._tower(run, tower) for tower in (0, 1)]
        return [of(linear, s) for mlp, s in towers for linear in mlp.linears]
    assert isinstance(scorer, JointScorer)
    wx, _, gx, _ = of(scorer._first_x, run)
    wy, b, gy, gb = of(scorer._first_y, run)
    rest = [of(linear, run) for linear in [*scorer._inner.layers, scorer._last]]
    return [(torch.cat((wx, wy)), b, torch.cat((gx, gy)), gb), *rest]


def reference(critic: Critic, scorer: Scorer, run: int, architecture: Architecture, dims: tuple[int, int]) -> nn.Module:
    """A plain module in float64 with the weights of one run."""
    module = critic.module(*dims, architecture) if isinstance(critic, ModuleCritic) else Product(*dims)
    parameters = iter(module.parameters())
    for weight, bias, _, _ in linears(scorer, run):
        next(parameters).data = weight.T.clone()
        if bias is not None:
            next(parameters).data = bias.clone()
    assert next(parameters, None) is None
    return module.double()


def reference_raw(module: nn.Module, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
    """Raw scores, pair by pair, in plain loops over the rows."""
    x, y = x.double(), y.double()
    if index is None:
        return torch.stack([module(row.expand(len(y), -1), y) for row in x])
    negatives = [module(row.expand(index.shape[1], -1), y[chosen]) for row, chosen in zip(x, index, strict=True)]
    return torch.cat((module(x, y[: len(x)]), torch.cat(negatives)))


CASES = [
    (Separable(embed=8), (5, 5), "relu"),
    (Separable(embed=8), (5, 3), "elu"),
    (Cosine(embed=8, scale=7.0), (5, 5), "elu"),
    (Cosine(embed=8, scale=7.0), (4, 5), "relu"),
    (Bilinear(), (5, 3), "relu"),
    (Joint(), (5, 3), "relu"),
    (Joint(), (4, 4), "elu"),
]


@pytest.mark.parametrize("negatives", ["all-pairs", "one", "three", "extra"])
@pytest.mark.parametrize(("critic", "dims", "activation"), CASES)
@pytest.mark.parametrize("depth", [1, 3])
def test_scores_and_gradients_equal_those_of_a_plain_module(
    critic: Critic, dims: tuple[int, int], activation: str, negatives: str, depth: int
) -> None:
    architecture = Architecture(depth=depth, width=20, activation=activation)
    shape = shape_of(*dims, extra=3 * BATCH if negatives == "extra" else 0)
    scorer = critic.build(shape, architecture, [Estimator()] * RUNS)
    for run in range(RUNS):
        scorer.initialise(run, torch.Generator().manual_seed(run))
    x, y, index = inputs(shape, "three" if negatives == "extra" else negatives)

    raw = scorer.forward(x, y, index, train=True)
    weights = torch.randn(raw.shape, generator=torch.Generator().manual_seed(9))
    scorer.backward(weights)

    for run in range(RUNS):
        module = reference(critic, scorer, run, architecture, dims)
        expected = reference_raw(module, x[run], y[run], None if index is None else index[run])
        torch.testing.assert_close(raw[run].double(), expected, rtol=1e-4, atol=1e-5)
        (expected * weights[run].double()).sum().backward()
        gradients = iter(parameter.grad for parameter in module.parameters())
        for _, _, weight_gradient, bias_gradient in linears(scorer, run):
            torch.testing.assert_close(weight_gradient.T.double(), next(gradients), rtol=1e-3, atol=2e-5)
            if bias_gradient is not None:
                torch.testing.assert_close(bias_gradient.double(), next(gradients), rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize(("critic", "dims", "activation"), CASES)
def test_blocks_and_pairs_of_a_pool_equal_the_forward_pass(
    critic: Critic, dims: tuple[int, int], activation: str
) -> None:
    shape = shape_of(*dims)
    architecture = Architecture(depth=2, width=16, activation=activation)
    scorer = critic.build(shape, architecture, [Estimator()] * RUNS)
    for run in range(RUNS):
        scorer.initialise(run, torch.Generator().manual_seed(run))
    x, y, _ = inputs(shape, "all-pairs")
    matrix = scorer.forward(x, y, None, train=False).clone()
    for run in range(RUNS):
        prepared = scorer.prepare(run, x[run], y[run])
        blocks = torch.cat([scorer.block(prepared, 0, 5), scorer.block(prepared, 5, BATCH)])
        torch.testing.assert_close(blocks, matrix[run], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(scorer.pairs(run, x[run], y[run]), matrix[run].diagonal(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("negatives", ["all-pairs", "one"])
def test_joint_chunks_and_recomputation_change_nothing(negatives: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, architecture = shape_of(5, 3), Architecture(depth=2, width=16, activation="elu")
    x, y, index = inputs(shape, negatives)

    def train() -> tuple[Tensor, Tensor]:
        scorer = Joint().build(shape, architecture, [Estimator()] * RUNS)
        for run in range(RUNS):
            scorer.initialise(run, torch.Generator().manual_seed(run))
        raw = scorer.forward(x, y, index, train=True)
        scorer.backward(raw.cos())
        return raw, scorer.gradients

    whole = train()
    for chunk, kept in ((64, 2**27), (10, 2**27), (10, 0)):
        monkeypatch.setattr("mibench.critics.joint.CHUNK_ROWS", chunk)
        monkeypatch.setattr("mibench.critics.joint.KEPT_NUMBERS", kept)
        for one, other in zip(whole, train(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_padding_stays_zero_under_training() -> None:
    scorer = Joint().build(shape_of(5, 3), Architecture(depth=2, width=20), [Estimator()] * RUNS)
    for run in range(RUNS):
        scorer.initialise(run, torch.Generator().manual_seed(run))
    real = scorer.parameters != 0
    x, y, index = inputs(scorer.shape, "one")
    for _ in range(3):
        scorer.backward(scorer.forward(x, y, index, train=True))
        assert not scorer.gradients[~real].any()
        scorer.parameters.add_(scorer.gradients)
    assert scorer.gradients[real].count_nonzero() > 0.5 * real.sum()


def test_dropout_goes_through_plain_modules_with_the_runs_own_stream() -> None:
    shape, architecture = shape_of(5, 5), Architecture(depth=1, width=32, dropout=(0.5,))
    x, y, _ = inputs(shape, "all-pairs")

    def scores(seeds: list[int], global_seed: int) -> Tensor:
        torch.manual_seed(global_seed)
        scorer = Joint().build(shape, architecture, [Estimator()] * RUNS)
        for run, seed in enumerate(seeds):
            scorer.initialise(run, torch.Generator().manual_seed(seed))
        return scorer.forward(x[:1].expand(RUNS, -1, -1), y[:1].expand(RUNS, -1, -1), None, train=True)

    first = scores([0, 1, 2], global_seed=0)
    torch.testing.assert_close(first, scores([0, 1, 2], global_seed=1), rtol=0, atol=0)
    torch.testing.assert_close(first[0], scores([5, 0, 2], global_seed=2)[1], rtol=0, atol=0)
    assert not torch.equal(first[0], first[1])


def test_raw_scores_are_read_in_the_layout_that_scorers_write() -> None:
    raw = torch.arange(2 * 3 * 3.0).view(2, 9)  # N = 3, M = 2
    scores = as_scores(raw, 3, all_pairs=False)
    assert scores.pos[1].tolist() == [9.0, 10.0, 11.0]
    assert scores.neg[1].tolist() == [[12.0, 13.0], [14.0, 15.0], [16.0, 17.0]]
