"""What estimators train beside the critic: the contract, its scorers, its estimators, and runs that use it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mibench.core.critic import Architecture, Critic
from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator, Extra
from mibench.core.lookup import get_estimator, get_task
from mibench.core.scorer import Scorer, Shape, as_scores
from mibench.core.scores import Scores
from mibench.critics.beside import build_extra
from mibench.critics.bilinear import Bilinear
from mibench.critics.extras import BaselineScorer, ConstantScorer
from mibench.critics.joint import Joint
from mibench.critics.oracle import Oracle, OracleScorer
from mibench.critics.separable import Separable
from mibench.experiments.grid import resolve
from mibench.negatives.permutations import partial_derangements
from mibench.running.packs import pack_key
from mibench.testing import check_estimator
from mibench.training.components import Run
from mibench.training.evaluation import evaluate_pairs, evaluate_pool
from mibench.training.loop import Loop, train_pack
from mibench.training.pack import Pack
from tests.support.equality import same
from tests.support.runs import specs_over

pytestmark = pytest.mark.usefixtures("one_thread")

RUNS, BATCH = 3, 16
BASELINE, CONSTANT = Extra("baseline", of="y", exact=0.0), Extra("level", of="constant", exact=0.0)


def random_scores(*shape: int, seed: int = 0) -> Scores:
    """Scores (..., N, M) in float64 with both extras."""
    g = torch.Generator().manual_seed(seed)

    def draw() -> Scores:
        return Scores(*(torch.randn(s, generator=g, dtype=torch.float64) for s in (shape[:-1], shape)))

    return draw().with_extras({"baseline": draw(), "dual": draw()})


# The contract


def test_an_extra_that_is_not_given_is_zero() -> None:
    scores = Scores(torch.ones(2, 3), torch.ones(2, 3, 4))
    assert scores.extra("baseline").pos.shape == (2, 3)
    assert not scores.extra("baseline").neg.any()
    with_one = scores.with_extras({"baseline": scores})
    assert with_one.extra("baseline") is scores
    assert not with_one.extra("dual").pos.any()


def test_extras_of_another_shape_are_refused() -> None:
    with pytest.raises(UsageError, match="extra 'dual' has shapes"):
        Scores(torch.ones(3), torch.ones(3, 4)).with_extras({"dual": Scores(torch.ones(3), torch.ones(3, 1))})


def test_map_visits_the_tensors_in_order() -> None:
    scores = random_scores(2, 3, 4)
    seen: list[Tensor] = []
    doubled = scores.map(lambda t: seen.append(t) or 2 * t)  # type: ignore[func-returns-value]
    assert [id(t) for t in seen] == [id(t) for t in scores.tensors()]
    assert all(torch.equal(a, 2 * b) for a, b in zip(doubled.tensors(), scores.tensors(), strict=True))
    assert len(seen) == 6


@pytest.mark.parametrize(("all_pairs", "shape"), [(True, (2, 3, 3)), (False, (2, 9))])
def test_extras_are_read_in_the_layout_of_the_scores(all_pairs: bool, shape: tuple[int, ...]) -> None:
    raw = torch.arange(18.0).view(shape)
    scores = as_scores(raw, 3, all_pairs=all_pairs, extras={"dual": -raw})
    assert torch.equal(scores.extra("dual").pos, -scores.pos)
    assert torch.equal(scores.extra("dual").neg, -scores.neg)


def test_runs_with_other_extras_are_packed_apart() -> None:
    keys = {name: pack_key(specs_of(estimator=name, critic="joint")[0]) for name in ("nwj", "js", "tuba", "flo")}
    assert keys["nwj"] == keys["js"]
    assert len(set(keys.values())) == 3


# The scorers


def shape_of(runs: int = RUNS, pool: int = BATCH) -> Shape:
    return Shape(runs, BATCH, pool, 5, 3, torch.device("cpu"))


def index_of(m: int, pool: int) -> Tensor:
    return torch.randint(pool, (RUNS, BATCH, m), generator=torch.Generator().manual_seed(5))


def baseline_module(scorer: BaselineScorer, run: int, activation: str) -> nn.Sequential:
    """The same perceptron as a plain module in float64."""
    layers: list[nn.Module] = []
    for linear in scorer._mlp.linears:
        rows, columns = linear.real
        weight = linear.weight[run, rows, columns]
        layer = nn.Linear(*weight.shape)
        layer.weight.data, layer.bias.data = weight.T.clone(), linear.bias[run, 0, columns].clone()
        layers += [layer, nn.ReLU() if activation == "relu" else nn.ELU()]
    return nn.Sequential(*layers[:-1]).double()


@pytest.mark.parametrize("side", ["x", "y"])
@pytest.mark.parametrize(("depth", "activation"), [(1, "relu"), (3, "elu")])
@pytest.mark.parametrize(("m", "pool"), [(None, BATCH), (1, BATCH), (3, BATCH), (3, 4 * BATCH)])
def test_baselines_and_their_gradients_equal_those_of_a_plain_module(
    depth: int, activation: Any, m: int | None, pool: int, side: Any
) -> None:
    scorer = BaselineScorer(shape_of(pool=pool), side=side, hidden=(depth, 20), activation=activation)
    for run in range(RUNS):
        scorer.initialise(run, torch.Generator().manual_seed(run))
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(RUNS, BATCH, 5, generator=g), torch.randn(RUNS, pool, 3, generator=g)
    index = None if m is None else index_of(m, pool)
    raw = scorer.forward(x, y, index, train=True)
    weights = torch.randn(raw.shape, generator=g)
    scorer.backward(weights)
    for run in range(RUNS):
        module = baseline_module(scorer, run, activation)
        values = module((x if side == "x" else y)[run].double())[:, 0]
        if index is None:
            rows = [[values[i if side == "x" else j] for j in range(BATCH)] for i in range(BATCH)]
            expected = torch.stack([torch.stack(row) for row in rows])
        else:
            pairs = [(i, j) for i, row in enumerate(index[run].tolist()) for j in row]
            expected = torch.stack([*values[:BATCH], *(values[i if side == "x" else j] for i, j in pairs)])
        torch.testing.assert_close(raw[run].double(), expected, rtol=1e-4, atol=1e-5)
        (expected * weights[run].double()).sum().backward()
        gradients = iter(parameter.grad for parameter in module.parameters())
        for linear in scorer._mlp.linears:
            rows, columns = linear.real
            weight, bias = linear.weight_gradient[run, rows, columns], linear.bias_gradient[run, 0, columns]
            torch.testing.assert_close(weight.T.double(), next(gradients), rtol=1e-3, atol=2e-5)
            torch.testing.assert_close(bias.double(), next(gradients), rtol=1e-3, atol=2e-5)
        # evaluation
        pool_x, pool_y = x[run], y[run, :BATCH]
        values = values[:BATCH]
        torch.testing.assert_close(scorer.pairs(run, pool_x, pool_y).double(), values, rtol=1e-4, atol=1e-5)
        block = scorer.block(scorer.prepare(run, pool_x, pool_y), 2, 5)
        expected = torch.stack([values] * 3) if side == "y" else values[2:5].unsqueeze(1).expand(3, BATCH)
        torch.testing.assert_close(block.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("m", [None, 3])
def test_a_constant_has_the_sum_of_all_gradients(m: int | None) -> None:
    scorer = ConstantScorer(shape_of())
    scorer.initialise(1, torch.Generator())
    assert scorer.parameters.count_nonzero() == 0
    for run in range(RUNS):
        scorer.parameters[scorer.places(run, run + 1)[0].start] = run + 1.0
    x, y = torch.zeros(RUNS, BATCH, 5), torch.zeros(RUNS, BATCH, 3)
    raw = scorer.forward(x, y, None if m is None else index_of(m, BATCH), train=True)
    assert raw.shape == ((RUNS, BATCH, BATCH) if m is None else (RUNS, BATCH * (1 + m)))
    weights = torch.randn(raw.shape, generator=torch.Generator().manual_seed(1))
    scorer.backward(weights)
    for run in range(RUNS):
        assert raw[run].eq(run + 1).all()
        (place,) = scorer.places(run, run + 1)
        expected = [float(weights[run].sum())] + [0.0] * 31
        assert scorer.gradients[place].tolist() == pytest.approx(expected, rel=1e-5)
        assert scorer.pairs(run, x[run], y[run]).tolist() == [run + 1.0] * BATCH
        assert scorer.block(scorer.prepare(run, x[run], y[run]), 0, 4).eq(run + 1).all()


@pytest.mark.parametrize(
    ("critic", "extra", "cls"),
    [
        (Separable(), BASELINE, BaselineScorer),
        (Joint(), CONSTANT, ConstantScorer),
        (Oracle(), BASELINE, OracleScorer),
        (Oracle(), CONSTANT, OracleScorer),
        (Oracle(), Extra("dual", of="pair", exact=-1.0), OracleScorer),
    ],
)
def test_what_is_built_beside_a_critic(critic: Critic, extra: Extra, cls: type[Scorer]) -> None:
    estimators = [Estimator()] * RUNS
    beside = critic.build(shape_of(), Architecture(), estimators)
    scorer = build_extra(critic, extra, shape_of(), Architecture(), estimators, beside)
    assert type(scorer) is cls


def test_a_baselines_layers_are_the_critics_or_one_of_64() -> None:
    widths = []
    for critic in (Separable(), Bilinear()):
        layers = Architecture(depth=3, width=96)
        beside = critic.build(shape_of(), layers, [])
        scorer = build_extra(critic, BASELINE, shape_of(), layers, [], beside)
        assert isinstance(scorer, BaselineScorer)
        widths.append([linear.n_out for linear in scorer._mlp.linears])
    assert widths == [[96, 96, 96, 32], [64, 32]]  # the last is padded


def test_the_exact_extra_is_a_multiple_of_the_log_ratio_and_zero_even_where_that_is_infinite() -> None:
    task = get_task("gaussian20d", mi=2.0, dim=3)
    x, y = (side.double() for side in task.sample(8, torch.Generator().manual_seed(0)))
    for multiple in (-1.0, 0.0):
        scorer = OracleScorer(shape_of(1), [0.0], multiple)
        scorer.set_tasks([task])
        assert torch.equal(scorer.pairs(0, x, y), multiple * task.log_ratio(x, y) + 0.0)
    assert scorer.pairs(0, x / 0, y).eq(0).all()


# The estimators


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def tuba(s: Scores) -> float:
    p, q = s.pos.tolist(), s.neg.tolist()
    a, b = s.extra("baseline").pos.tolist(), s.extra("baseline").neg.tolist()
    rows = range(len(p))
    ratios = [math.exp(q[i][j] - b[i][j]) for i in rows for j in range(len(q[i]))]
    return 1 + mean([p[i] - a[i] for i in rows]) - mean(ratios)


def flo(s: Scores) -> float:
    p, q, u = s.pos.tolist(), s.neg.tolist(), s.extra("dual").pos.tolist()
    sums = [mean([math.exp(v - p[i]) for v in q[i]]) for i in range(len(p))]
    return -(mean([u[i] + math.exp(-u[i]) * sums[i] for i in range(len(p))]) - 1)


@pytest.mark.parametrize(("name", "value"), [("tuba", tuba), ("flo", flo)])
@pytest.mark.parametrize(("n", "m"), [(2, 1), (5, 1), (5, 4), (64, 63)])
def test_estimate_and_loss_are_their_formulas(name: str, value: Any, n: int, m: int) -> None:
    estimator, scores = get_estimator(name), random_scores(n, m)
    assert float(estimator.estimate(scores)) == pytest.approx(value(scores), rel=1e-10)
    assert float(estimator.loss(scores)) == pytest.approx(-value(scores), rel=1e-10)


@pytest.mark.parametrize("name", ["tuba", "flo"])
def test_gradients_of_scores_and_extras_agree_with_finite_differences(name: str) -> None:
    scores = random_scores(4, 3)

    def loss(pos: Tensor, neg: Tensor, extra_pos: Tensor, extra_neg: Tensor) -> Tensor:
        extra = Scores(extra_pos, extra_neg)
        return get_estimator(name).loss(Scores(pos, neg, {"baseline": extra, "dual": extra}))

    leaves = [t.requires_grad_() for t in scores.tensors()[:4]]
    assert torch.autograd.gradcheck(loss, leaves, eps=1e-6, atol=1e-7)


def test_tuba_with_a_baseline_of_one_is_nwj() -> None:
    scores = random_scores(5, 4)
    ones = scores.map(torch.ones_like)
    one = Scores(ones.pos, ones.neg)
    tuba_value = get_estimator("tuba").estimate(scores.with_extras({"baseline": one}))
    assert float(tuba_value) == pytest.approx(float(get_estimator("nwj").estimate(scores)), rel=1e-12)


def test_flo_at_its_best_dual_is_the_mean_log_share_of_the_row() -> None:
    scores = random_scores(6, 4)
    best = torch.logsumexp(scores.neg, -1) - math.log(4) - scores.pos
    optimal = scores.with_extras({"dual": Scores(best, scores.neg)})
    estimator = get_estimator("flo")
    assert float(estimator.estimate(optimal)) == pytest.approx(-float(best.mean()), rel=1e-12)
    assert float(estimator.estimate(optimal)) > float(estimator.estimate(scores))


@pytest.mark.parametrize("name", ["tuba", "flo"])
@pytest.mark.parametrize("negatives", ["all-pairs", "derangement"])
def test_exact_critic_and_exact_extras_give_the_truth(name: str, negatives: str) -> None:
    (spec,) = resolve(
        {"task": "gaussian20d", "mi": 2.0, "critic": "oracle", "estimator": name, "negatives": negatives, "seeds": 1}
        | {"steps": 2000, "window": 2000, "every": 2000}
    )
    (row,) = train_pack([spec])[0].rows
    assert row["estimate_train"] == pytest.approx(2.0, abs=4 * row["estimate_train_sd"] / math.sqrt(2000))
    assert row["estimate_fresh_large"] == pytest.approx(2.0, abs=0.15)


class OtherSign(Estimator):
    """TUBA whose baseline has the wrong sign at the negatives: right at zero, no bound elsewhere."""

    kind = "lower"
    extras = (BASELINE,)

    def estimate(self, scores: Scores) -> Tensor:
        a = scores.extra("baseline")
        return 1 + (scores.pos - a.pos).mean(-1) - torch.exp(scores.neg + a.neg).mean((-2, -1))


class MixedRuns(Estimator):
    """TUBA whose baseline is centred over all runs."""

    kind = "lower"
    extras = (BASELINE,)

    def estimate(self, scores: Scores) -> Tensor:
        a = scores.extra("baseline").map(lambda t: t - t.mean())
        return 1 + (scores.pos - a.pos).mean(-1) - torch.exp(scores.neg - a.neg).mean((-2, -1))


@pytest.mark.parametrize(
    ("estimator", "check", "sentence"),
    [(OtherSign(), "any critic", "whose 'baseline' is shifted by"), (MixedRuns(), "runs are not mixed", "mixes runs")],
)
def test_conformance_looks_at_the_extras(estimator: Estimator, check: str, sentence: str) -> None:
    failed = {finding.check: finding.sentence for finding in check_estimator(estimator) if not finding.passed}
    assert sentence in failed[check]


# Runs


specs_of = specs_over({"task": "gaussian20d:dim=5", "mi": 2.0, "steps": 20, "seeds": 1, "hidden": "2x32", "window": 10})


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize("name", ["tuba", "flo"])
@pytest.mark.parametrize(
    "options",
    [
        {"critic": "separable", "negatives": "derangement"},
        {"critic": "separable", "negatives": "independent:m=1", "batch": 50, "activation": "elu"},
        {"critic": "joint", "negatives": "shuffle", "lr": [1e-3, 1e-4], "weight_decay": [0.0, 0.1]},
        {"critic": "joint", "negatives": "shuffle", "batch": 9, "hidden": "1x16"},
        {"critic": "joint", "negatives": "all-pairs", "batch": 10, "hidden": "1x16", "steps": 3, "window": 2},
        {"critic": "bilinear", "negatives": "derangement"},
        {"critic": "joint", "negatives": "shuffle", "dropout": 0.3},
    ],
    ids=lambda o: "-".join(str(v) for v in o.values()),
)
def test_a_run_is_the_same_alone_in_a_pack_and_in_another_order(name: str, options: dict[str, Any]) -> None:
    few = 2 if options["negatives"] == "all-pairs" else 4
    specs = specs_of(estimator=name, **{"seeds": few, **options})[:few]
    together = train_pack(specs)
    assert all(same(one, other) for one, other in zip(together, reversed(train_pack(specs[::-1])), strict=True))
    (alone,) = train_pack(specs[1:2])
    assert same(alone, together[1])


def test_one_step_moves_critic_and_extra_as_autograd_and_adam_do() -> None:
    (spec,) = specs_of(estimator="flo", critic="joint", negatives="derangement", batch=16)
    pack = Pack([Run.from_spec(spec)], torch.device("cpu"))
    batch = pack.feed(0, "data", "negatives", "marginal").block(1).step(0)
    # The extra starts elsewhere than the critic: it has a stream of its own.
    dual = pack.extras["dual"]
    assert not torch.equal(pack.scorer.parameters, dual.parameters)
    before = [scorer.parameters.clone() for scorer in pack.scorers]
    pack.step(batch)
    raws = [scorer.forward(batch.x, batch.y, batch.index, train=True) for scorer in pack.scorers]
    for scorer, start in zip(pack.scorers, before, strict=True):
        moved = scorer.gradients != 0
        # Adam's first step is the learning rate in the direction of the gradient's sign.
        step = scorer.parameters - start
        assert spec.lr is not None
        large = scorer.gradients.abs() > 1e-4
        torch.testing.assert_close(step[large], -spec.lr * scorer.gradients[large].sign(), rtol=1e-2, atol=1e-7)
        assert moved.sum() > 0.3 * (start != 0).sum()
    assert all(raw.isfinite().all() for raw in raws)
    assert [t.data_ptr() for t in pack.training_state()] == [s.parameters.data_ptr() for s in pack.scorers]


class Level(Estimator):
    """NWJ with its constant trained."""

    kind = "lower"
    extras = (CONSTANT,)

    def estimate(self, scores: Scores) -> Tensor:
        level = scores.extra("level")
        ratio = torch.exp(scores.neg - level.neg).mean((-2, -1))
        return 1 + (scores.pos - level.pos).mean(-1) - ratio


@pytest.mark.usefixtures("small_pools")
def test_a_constant_is_trained_by_each_run_for_itself() -> None:
    specs = specs_of(estimator="nwj", critic="separable", negatives="derangement", seeds=2, lr=[1e-2])
    runs = [dataclasses.replace(Run.from_spec(spec), estimator=Level()) for spec in specs]
    pack = Pack(runs, torch.device("cpu"))
    together = Loop(pack).train()
    levels = [float(pack.extras["level"].parameters[place]) for place in (0, 32)]
    assert levels[0] != levels[1]
    assert all(abs(level) > 0.01 for level in levels)
    alone = Loop(Pack(runs[1:], torch.device("cpu"))).train()
    assert same(alone[0], together[1])


@pytest.mark.parametrize("name", ["tuba", "flo"])
def test_pools_see_the_extras(name: str) -> None:
    (spec,) = specs_of(estimator=name, critic="separable", negatives="derangement")
    pack = Pack([Run.from_spec(spec)], torch.device("cpu"))
    estimator, extra = pack.runs[0].estimator, pack.runs[0].estimator.extras[0].name
    x, y = pack.runs[0].tasks[0].sample(70, torch.Generator().manual_seed(1))
    scorers = pack.scorers
    matrices = [s.block(s.prepare(0, x, y), 0, 70).double() for s in scorers]
    whole = Scores.from_matrix(matrices[0]).with_extras({extra: Scores.from_matrix(matrices[1])})
    expected = float(estimator.estimate(whole))
    for block in (None, 33):
        (value,) = evaluate_pool(pack.scorer, 0, [estimator], x, y, block=block, extras=pack.extras)
        assert value == pytest.approx(expected, rel=1e-5)
    assert evaluate_pool(pack.scorer, 0, [estimator], x, y) != pytest.approx([expected], rel=1e-3)
    partner = partial_derangements(1, 70, 0, torch.Generator().manual_seed(3))[0]
    pairs = [Scores(s.pairs(0, x, y).double(), s.pairs(0, x, y[partner]).double().unsqueeze(-1)) for s in scorers]
    expected = float(estimator.estimate(pairs[0].with_extras({extra: pairs[1]})))
    value = evaluate_pairs(pack.scorer, 0, estimator, x, y, torch.Generator().manual_seed(3), extras=pack.extras)
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["tuba", "flo"])
def test_estimators_with_extras_learn(name: str) -> None:
    options = {"steps": 500, "window": 200, "batch": 128, "hidden": "2x64", "lr": 3e-3, "every": 500}
    (result,) = train_pack(specs_of(estimator=name, critic="joint", negatives="derangement", **options))
    (row,) = result.rows
    noise = 4 * row["estimate_fresh_sd"] / math.sqrt(32)
    assert 1.3 < row["estimate_fresh_large"] < 2.1
    assert row["estimate_fresh"] < 2.0 + noise


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")
@pytest.mark.parametrize("options", [{"critic": "separable", "negatives": "all-pairs"}, {"critic": "joint"}])
@pytest.mark.parametrize("name", ["tuba", "flo"])
def test_a_captured_step_trains_extras_like_the_cpu(name: str, options: dict[str, Any]) -> None:
    specs = specs_of(estimator=name, steps=400, window=200, **options)
    (on_cpu,), (on_cuda,) = train_pack(specs), train_pack(specs, device="cuda")
    assert on_cuda.rows[0]["device"] == "cuda"
    error = 5 * on_cpu.rows[0]["estimate_train_sd"] / math.sqrt(20)  # other random numbers, the same distribution
    assert on_cuda.rows[0]["estimate_train"] == pytest.approx(on_cpu.rows[0]["estimate_train"], abs=error)
