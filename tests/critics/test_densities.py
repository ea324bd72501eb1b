"""Parametric densities: their scorers against plain modules, and the estimators and runs that use them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mibench.core.critic import Architecture, Critic
from mibench.core.errors import UsageError
from mibench.core.estimator import Density, Estimator, Extra, Side
from mibench.core.lookup import get_estimator, get_task
from mibench.core.registry import CRITICS
from mibench.core.scorer import Scorer, Shape
from mibench.core.scores import Scores
from mibench.critics.beside import build_extra
from mibench.critics.bilinear import Bilinear
from mibench.critics.densities import ConditionalGaussian, ConditionalSoftmax, DensityCritic
from mibench.critics.density_families import Gaussian
from mibench.critics.density_scorer import DensityScorer, MarginalScorer
from mibench.critics.first_columns import FirstColumnsScorer
from mibench.critics.joint import Joint
from mibench.critics.oracle import Oracle, OracleScorer
from mibench.critics.separable import Separable
from mibench.experiments.grid import resolve
from mibench.running.packs import pack_key
from mibench.testing import check_estimator
from mibench.training.components import Run, build_scorers
from mibench.training.loop import train_pack
from tests.support.equality import same
from tests.support.runs import specs_over

pytestmark = pytest.mark.usefixtures("one_thread")

RUNS, BATCH = 3, 16
NAMES = ["club", "l1out", "barber-agakov", "hybrid", "doe", "v-information"]


# The scorers


def beside(critic: Critic, extra: Extra, shape: Shape, layers: Architecture | None = None) -> Scorer:
    """What is built beside a critic."""
    layers = layers or Architecture()
    return build_extra(critic, extra, shape, layers, [], critic.build(shape, layers, []))


def shape_of(pool: int = BATCH, dim_y: int = 3) -> Shape:
    return Shape(RUNS, BATCH, pool, 5, dim_y, torch.device("cpu"))


def one_hot(runs: int, rows: int, dim: int, g: torch.Generator) -> Tensor:
    return nn.functional.one_hot(torch.randint(dim, (runs, rows), generator=g), dim).float()


def sides(pool: int, of: Side, hot: bool) -> tuple[Tensor, Tensor]:
    """A batch and a pool; what the density is of is one-hot where asked for, and elsewhere not standardised."""
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(RUNS, BATCH, 5, generator=g), torch.randn(RUNS, pool, 3, generator=g)
    if hot and of == "x":
        return one_hot(RUNS, BATCH, 5, g), y
    if hot:
        return x, one_hot(RUNS, pool, 3, g)
    return (2 * x + 1, y) if of == "x" else (x, 2 * y + 1)


def by_pairs(function: Any, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
    """Raw values of one run, row by row, in float64."""
    x, y = x.double(), y.double()
    if index is None:
        return torch.stack([function(row.expand(len(y), -1), y) for row in x])
    negatives = [function(row.expand(index.shape[1], -1), y[chosen]) for row, chosen in zip(x, index, strict=True)]
    return torch.cat((function(x, y[: len(x)]), torch.cat(negatives)))


def places(scorer: DensityScorer | MarginalScorer, run: int) -> list[tuple[Tensor, Tensor]]:
    """Parameters and gradients of one run, in the order and the shapes of a plain module's."""
    found: list[tuple[Tensor, Tensor]] = []
    for linear in scorer._source.network.linears if scorer._source.network else ():
        rows, columns = linear.real
        found.append((linear.weight[run, rows, columns].T, linear.weight_gradient[run, rows, columns].T))
        found.append((linear.bias[run, 0, columns], linear.bias_gradient[run, 0, columns]))
    free = zip(scorer._source.free, scorer._source.free_gradients, strict=True)
    return found + [(numbers[run, 0], gradient[run, 0]) for numbers, gradient in free]


CRITICS_TESTED: list[tuple[DensityCritic, int]] = [
    (ConditionalGaussian(), 3),
    (ConditionalGaussian(of="x"), 1),
    (ConditionalGaussian(of="x", variance="learned"), 2),
    (ConditionalGaussian(mean="linear", variance="0.25"), 1),
    (ConditionalGaussian(of="x", mean="linear"), 1),
    (ConditionalSoftmax(), 2),
    (ConditionalSoftmax(of="x", mean="linear"), 1),
]


@pytest.mark.parametrize(("m", "pool"), [(None, BATCH), (1, BATCH), (3, 4 * BATCH)])
@pytest.mark.parametrize(("critic", "depth"), CRITICS_TESTED)
def test_log_densities_and_their_gradients_equal_those_of_a_plain_module(
    critic: DensityCritic, depth: int, m: int | None, pool: int
) -> None:
    architecture = Architecture(depth=depth, width=20, activation="elu")
    scorer = critic.build(shape_of(pool), architecture, [])
    assert isinstance(scorer, DensityScorer)
    g = torch.Generator().manual_seed(1)
    for run in range(RUNS):
        scorer.initialise(run, torch.Generator().manual_seed(run))
        for numbers in scorer._source.free:  # they start at 0, where the variance's bound is not seen
            numbers[run] = 4 * torch.randn(numbers[run].shape, generator=g)
    x, y = sides(pool, critic.density.of, isinstance(critic, ConditionalSoftmax))
    index = None if m is None else torch.randint(pool, (RUNS, BATCH, m), generator=g)
    raw = scorer.forward(x, y, index, train=True)
    weights = torch.randn(raw.shape, generator=g)
    scorer.backward(weights)
    for run in range(RUNS):
        module = critic.module(5, 3, architecture)
        own = list(module.parameters())
        if critic.density.variance == "learned":  # a module lists its own parameters before its parts'
            own = own[1:] + own[:1]
        for parameter, (value, _) in zip(own, places(scorer, run), strict=True):
            parameter.data = value.clone()
        module.double()
        expected = by_pairs(module, x[run], y[run], None if index is None else index[run])
        torch.testing.assert_close(raw[run].double(), expected, rtol=1e-4, atol=1e-4)
        (expected * weights[run].double()).sum().backward()
        for parameter, (_, gradient) in zip(own, places(scorer, run), strict=True):
            torch.testing.assert_close(gradient.double(), parameter.grad, rtol=1e-3, atol=2e-4)
        pool_x, pool_y = x[run], y[run, :BATCH]
        matrix = by_pairs(module, pool_x, pool_y, None)
        torch.testing.assert_close(scorer.pairs(run, pool_x, pool_y).double(), matrix.diag(), rtol=1e-4, atol=1e-4)
        block = scorer.block(scorer.prepare(run, pool_x, pool_y), 2, 5)
        torch.testing.assert_close(block.double(), matrix[2:5], rtol=1e-4, atol=1e-4)


MARGINALS = [
    Density(of="y", given=None),
    Density(of="x", given=None, variance="learned"),
    Density(of="x", given=None, variance=0.25),
    Density(of="y", given=None, family="softmax"),
]


def marginal_of(density: Density, numbers: list[Tensor], target: Tensor) -> Tensor:
    """Log density by torch's own distributions."""
    if density.family == "softmax":
        return torch.distributions.OneHotCategorical(logits=numbers[0]).log_prob(target)
    variance = density.variance
    log_variance = 12 * torch.tanh(numbers[1] / 12) if isinstance(variance, str) else torch.tensor(math.log(variance))
    normal = torch.distributions.Normal(numbers[0], torch.exp(log_variance / 2))
    return normal.log_prob(target).sum(-1)


@pytest.mark.parametrize(("m", "pool"), [(None, BATCH), (1, BATCH), (3, 4 * BATCH)])
@pytest.mark.parametrize("density", MARGINALS)
def test_marginals_and_their_gradients_equal_autograds(density: Density, m: int | None, pool: int) -> None:
    scorer = beside(Separable(), Extra("marginal", density, 0.0), shape_of(pool))
    assert isinstance(scorer, MarginalScorer)
    g = torch.Generator().manual_seed(1)
    for run in range(RUNS):
        scorer.initialise(run, torch.Generator())
        for numbers in scorer._source.free:
            assert not numbers[run].any()
            numbers[run] = torch.randn(numbers[run].shape, generator=g)
    x, y = sides(pool, density.of, density.family == "softmax")
    index = None if m is None else torch.randint(pool, (RUNS, BATCH, m), generator=g)
    raw = scorer.forward(x, y, index, train=True)
    weights = torch.randn(raw.shape, generator=g)
    scorer.backward(weights)
    for run in range(RUNS):
        own = [value.double().requires_grad_() for value, _ in places(scorer, run)]

        def value(x: Tensor, y: Tensor, own: list[Tensor] = own) -> Tensor:
            return marginal_of(density, own, x if density.of == "x" else y)

        expected = by_pairs(value, x[run], y[run], None if index is None else index[run])
        torch.testing.assert_close(raw[run].double(), expected, rtol=1e-4, atol=1e-4)
        gradients = torch.autograd.grad((expected * weights[run].double()).sum(), own)
        for gradient, (_, found) in zip(gradients, places(scorer, run), strict=True):
            torch.testing.assert_close(found.double(), gradient, rtol=1e-3, atol=1e-4)
        matrix = by_pairs(value, x[run], y[run, :BATCH], None)
        torch.testing.assert_close(
            scorer.pairs(run, x[run], y[run, :BATCH]).double(), matrix.diag(), rtol=1e-4, atol=1e-4
        )
        block = scorer.block(scorer.prepare(run, x[run], y[run, :BATCH]), 2, 5)
        torch.testing.assert_close(block.double(), matrix[2:5], rtol=1e-4, atol=1e-4)


def test_a_log_variance_is_itself_near_zero_and_never_passes_its_bound() -> None:
    numbers = torch.tensor([-1e4, -0.5, 0.0, 0.5, 1e4]).repeat(7)[:32].view(1, 1, 32)
    features = Gaussian(32, None).features((torch.zeros(1, 1, 32), numbers))
    precision = -2 * features[0, 0, :5]
    assert precision.log().tolist() == pytest.approx([12.0, 0.5, 0.0, -0.5, -12.0], rel=1e-3)


def test_padding_has_no_gradient() -> None:
    scorer = ConditionalGaussian(variance="learned").build(shape_of(), Architecture(depth=1, width=20), [])
    for run in range(RUNS):
        scorer.initialise(run, torch.Generator().manual_seed(run))
    x, y = sides(BATCH, "y", hot=False)
    scorer.backward(scorer.forward(x, y, None, train=True))
    free = scorer._layout.blocks[-1].view(scorer.parameters)
    real = scorer.parameters != 0
    first = scorer._layout.blocks[-1].start
    for run in range(RUNS):
        assert free[run].numel() == 3
        real[first + 32 * run : first + 32 * run + 3] = True
    assert not scorer.gradients[~real].any()
    assert scorer.gradients[real].count_nonzero() > 0.5 * real.sum()


def test_variance_is_read_and_refused() -> None:
    assert CRITICS.create("conditional-gaussian:variance=1") == CRITICS.create("conditional-gaussian:variance=1.0")
    for wrong in ("0", "-1", "1e9", "nan", "wide"):
        with pytest.raises(UsageError, match="variance must be network, learned or a number in"):
            CRITICS.create(f"conditional-gaussian:variance={wrong}")


def test_the_linear_one_has_no_hidden_layers_in_its_id() -> None:
    ids = {
        mean: {
            spec.run_id
            for spec in specs_of(estimator="infonce", critic=f"conditional-gaussian:mean={mean}", hidden=hidden)
        }
        for mean, hidden in (("linear", ["1x16", "2x32"]), ("mlp", ["1x16", "2x32"]))
    }
    assert {mean: len(found) for mean, found in ids.items()} == {"linear": 1, "mlp": 2}


@pytest.mark.parametrize("of", ["x", "y"])
def test_what_is_built_beside_a_critic(of: Side) -> None:
    given: Side = "y" if of == "x" else "x"
    conditional = Extra("density", Density(of, given), 1.0)
    assert type(beside(Joint(), conditional, shape_of())) is DensityScorer
    scorer = beside(Bilinear(), conditional, shape_of(), Architecture(depth=3, width=96))
    assert isinstance(scorer, DensityScorer)
    assert scorer._source.network is not None
    assert [linear.n_out for linear in scorer._source.network.linears] == [64, 32]  # 1x64, the last padded
    assert type(beside(Oracle(), conditional, shape_of())) is OracleScorer


# Columns


class HalfOfY(Estimator):
    """InfoNCE's margin whose critic sees half of y."""

    kind = "plug-in"
    critic_sees = "first half of y"
    extras = (Extra("density", of=Density(of="x", given="y"), exact=1.0),)

    def estimate(self, scores: Scores) -> Tensor:
        return (scores.pos - scores.neg.mean(-1) + scores.extra("density").pos).mean(-1)


@pytest.mark.parametrize("critic", ["separable", "joint", "conditional-gaussian:of=x"])
def test_a_critic_that_sees_half_of_y_is_the_one_built_for_it(critic: str) -> None:
    (spec,) = specs_of(estimator="infonce", critic=critic)
    shape = shape_of(dim_y=7)
    run = dataclasses.replace(Run.from_spec(spec), estimator=HalfOfY())
    scorer, extras = build_scorers(run, shape, [HalfOfY()] * RUNS)
    inner = run.critic.build(dataclasses.replace(shape, dim_y=3), Architecture(width=32), [HalfOfY()] * RUNS)
    assert isinstance(scorer, FirstColumnsScorer)
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(RUNS, BATCH, 5, generator=g), torch.randn(RUNS, BATCH, 7, generator=g)
    for each in (scorer, inner):
        for r in range(RUNS):
            each.initialise(r, torch.Generator().manual_seed(r))
    seen = y[..., :3].contiguous()
    for index in (None, torch.randint(BATCH, (RUNS, BATCH, 1), generator=g)):
        raw = scorer.forward(x, y, index, train=True).clone()
        assert torch.equal(raw, inner.forward(x, seen, index, train=True))
        for each in (scorer, inner):
            each.backward(raw)
        assert torch.equal(scorer.gradients, inner.gradients)
        assert scorer.gradients.any()
    assert scorer.places(1, 2) == inner.places(1, 2)
    assert torch.equal(scorer.pairs(1, x[1], y[1]), inner.pairs(1, x[1], seen[1]))
    blocks = (scorer.block(scorer.prepare(1, x[1], y[1]), 0, 4), inner.block(inner.prepare(1, x[1], seen[1]), 0, 4))
    assert torch.equal(*blocks)
    # What stands beside it sees all of y.
    beside = extras["density"]
    beside.initialise(0, torch.Generator().manual_seed(0))
    assert beside.shape.dim_y == 7
    assert not torch.equal(beside.pairs(0, x[0], y[0]), beside.pairs(0, x[0], y[0].roll(1, -1)))


def test_the_exact_critic_is_not_halved_and_single_columns_are_refused() -> None:
    (spec,) = specs_of(estimator="hybrid", critic="oracle")
    run = Run.from_spec(spec)
    assert isinstance(build_scorers(run, shape_of(), [run.estimator] * RUNS)[0], OracleScorer)
    with pytest.raises(UsageError, match="has a single column of y; 'hybrid-v1' needs two"):
        specs_of(estimator="hybrid", task="gaussian20d:dim=1")


# The estimators


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def reference(name: str, s: Scores) -> tuple[float, float]:
    """Estimate and loss by plain loops."""
    p, q = s.pos.tolist(), s.neg.tolist()
    other = {extra: s.extra(extra).pos.tolist() for extra in s.extras}
    rows = range(len(p))
    if name == "barber-agakov":
        value = mean([p[i] + other["entropy"][i] for i in rows])
        return value, -value
    if name == "hybrid":
        ba = mean([other["density"][i] + other["entropy"][i] for i in rows])
        shares = [math.exp(p[i]) / (math.exp(p[i]) + math.fsum(math.exp(v) for v in q[i])) for i in rows]
        value = 0.3 * ba + 0.7 * mean([math.log((len(q[0]) + 1) * share) for share in shares])
        return value, -value
    marginal = other["marginal"]
    return mean([p[i] - marginal[i] for i in rows]), -mean(p) - mean(marginal)


@pytest.mark.parametrize("text", ["barber-agakov", "hybrid:a=0.3", "doe", "v-information"])
@pytest.mark.parametrize(("n", "m"), [(2, 1), (5, 4), (64, 63)])
def test_estimate_and_loss_are_their_formulas(text: str, n: int, m: int) -> None:
    estimator, g = get_estimator(text), torch.Generator().manual_seed(n + m)

    def draw() -> Scores:
        return Scores(*(torch.randn(s, generator=g, dtype=torch.float64) for s in ((n,), (n, m))))

    scores = draw().with_extras({extra.name: draw() for extra in estimator.extras})
    estimate, loss = reference(text.partition(":")[0], scores)
    assert float(estimator.estimate(scores)) == pytest.approx(estimate, rel=1e-10)
    assert float(estimator.loss(scores)) == pytest.approx(loss, rel=1e-10)


def expected_with_the_exact_critic(name: str, mi: float, dim: int) -> float:
    """Expected value for 63 negatives a row; what has no formula by draws that are independent from row to row."""
    if name == "club":  # E log p(y|x) on pairs less that on independent ones: d rho^2 / (1 - rho^2), here 4.92
        return dim * math.expm1(2 * mi / dim)
    if name not in ("l1out", "hybrid"):
        return mi
    task, g, rows = get_task("gaussian20d", mi=mi, dim=dim), torch.Generator().manual_seed(0), 20_000
    x, y = task.sample(rows, g)
    others = torch.randn(rows * 63, dim, generator=g)
    neg = task.log_ratio(x.repeat_interleave(63, 0), others).view(rows, 63)
    if name == "l1out":  # above the truth, since the log of a mean of 63 ratios is below 0 on average
        return mi - float((torch.logsumexp(neg, -1) - math.log(63)).mean())
    lack = torch.logaddexp(torch.logsumexp(neg, -1) - task.log_ratio(x, y), torch.zeros(rows)).mean()
    return (mi + math.log(64) - float(lack)) / 2


@pytest.mark.parametrize("name", NAMES)
def test_values_with_the_exact_critic(name: str) -> None:
    (spec,) = resolve(
        {"task": "gaussian20d:dim=10", "mi": 2.0, "critic": "oracle", "estimator": name, "seeds": 1}
        | {"steps": 500, "window": 500, "every": 500}
    )
    (row,) = train_pack([spec])[0].rows
    error = 4 * row["estimate_train_sd"] / math.sqrt(500)
    assert row["status"] == "ok"  # CLUB's slack of 2.9 nats is none of a run that diverges
    assert row["estimate_train"] == pytest.approx(expected_with_the_exact_critic(name, 2.0, 10), abs=error)


class TooHigh(Estimator):
    """Barber-Agakov less a marginal that is learnt, which is no bound."""

    kind = "lower"
    own_critic = "conditional-gaussian:of=x"
    extras = (Extra("marginal", of=Density(of="x", given=None), exact=0.0),)

    def estimate(self, scores: Scores) -> Tensor:
        return (scores.pos - scores.extra("marginal").pos).mean(-1)


class Doubled(Estimator):
    """Barber-Agakov with a second density added, which only the exact one does not betray."""

    kind = "lower"
    own_critic = "conditional-gaussian:of=x"
    extras = (Extra("density", of=Density(of="x", given="y"), exact=1.0),)

    def estimate(self, scores: Scores) -> Tensor:
        return (2 * scores.pos - scores.extra("density").pos).mean(-1)


@pytest.mark.parametrize(
    ("estimator", "sentence"), [(TooHigh(), "whose 'marginal' is"), (Doubled(), "whose 'density' is")]
)
def test_conformance_tries_other_densities(estimator: Estimator, sentence: str) -> None:
    failed = {finding.check: finding.sentence for finding in check_estimator(estimator) if not finding.passed}
    assert list(failed) == ["any critic"]
    assert sentence in failed["any critic"]


def test_own_critics_replace_trained_ones_and_follow_the_parameters() -> None:
    critics = {}
    for name in ("club", "l1out", "v-information:mean=linear,variance=1", "v-information:family=softmax"):
        (spec,) = specs_of(estimator=name, critic="joint")
        critics[name] = spec.critic, dict(spec.critic_params)
        (exact,) = specs_of(estimator=name, critic="oracle")
        assert exact.critic == "oracle-v1"
    network = {"mean": "mlp", "variance": "network"}
    assert critics == {
        "club": ("conditional-gaussian-v1", {"of": "y", **network}),
        "l1out": ("conditional-gaussian-v1", {"of": "x", **network}),
        "v-information:mean=linear,variance=1": (
            "conditional-gaussian-v1",
            {"of": "y", "mean": "linear", "variance": "1.0"},
        ),
        "v-information:family=softmax": ("conditional-softmax-v1", {"of": "y", "mean": "mlp"}),
    }


# Runs


specs_of = specs_over({"task": "gaussian20d:dim=5", "mi": 2.0, "steps": 20, "seeds": 1, "hidden": "2x32", "window": 10})


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize(
    "options",
    [
        {"estimator": "club"},
        {"estimator": "club", "negatives": "independent:m=1", "batch": 50, "activation": "elu"},
        {"estimator": "l1out", "negatives": "shuffle", "lr": [1e-3, 1e-4], "weight_decay": [0.0, 0.1]},
        {"estimator": "l1out", "negatives": "derangement", "batch": 9, "hidden": "1x16"},
        {"estimator": "barber-agakov", "task": "gaussian20d:dim=40"},
        {"estimator": "hybrid", "critic": "separable"},
        {"estimator": "hybrid", "critic": "joint", "negatives": "shuffle", "batch": 9},
        {"estimator": "doe"},
        {"estimator": "doe", "batch": 9, "dropout": 0.3},
        {"estimator": "v-information"},
        {"estimator": "v-information:mean=linear,variance=1"},
        {"estimator": "v-information:family=softmax"},
        {"estimator": "nwj", "critic": "conditional-gaussian:variance=learned"},
    ],
    ids=lambda o: "-".join(str(v) for v in o.values()),
)
def test_a_run_is_the_same_alone_in_a_pack_and_in_another_order(options: dict[str, Any]) -> None:
    specs = specs_of(**{"seeds": 2, "steps": 5, "window": 5, **options})
    assert len({pack_key(spec) for spec in specs}) == 1
    together = train_pack(specs)
    assert all(same(one, other) for one, other in zip(together, reversed(train_pack(specs[::-1])), strict=True))
    (alone,) = train_pack(specs[1:2])
    assert same(alone, together[1])


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("barber-agakov", 1.8, 2.05),  # linear in the density, so that the pool of 2^16 pairs has no bias
        ("hybrid", 1.3, 1.6),  # half of y carries 1 nat: (2 + 1) / 2 at the best
        ("doe", 1.8, 2.05),
        ("v-information:mean=linear", 1.9, 2.1),
    ],
)
def test_estimators_with_densities_learn(name: str, low: float, high: float) -> None:
    options = {"steps": 700, "window": 200, "batch": 64, "hidden": "2x64", "lr": 3e-3, "every": 700}
    (row,) = train_pack(specs_of(estimator=name, critic="separable", **options))[0].rows
    assert row["status"] == "ok"
    assert low < row["estimate_fresh_large"] < high


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")
@pytest.mark.parametrize("name", ["hybrid", "doe", "v-information:family=softmax"])
def test_a_captured_step_trains_densities_like_the_cpu(name: str) -> None:
    specs = specs_of(estimator=name, steps=400, window=200)
    (on_cpu,), (on_cuda,) = train_pack(specs), train_pack(specs, device="cuda")
    assert on_cuda.rows[0]["device"] == "cuda"
    error = 5 * on_cpu.rows[0]["estimate_train_sd"] / math.sqrt(20)  # other random numbers, the same distribution
    assert on_cuda.rows[0]["estimate_train"] == pytest.approx(on_cpu.rows[0]["estimate_train"], abs=error)
