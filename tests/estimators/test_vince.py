"""Negatives from proposals and from a memory, VINCE in its three forms, and VINCE+ with its learned acceptance."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor

from mibench.core.critic import Architecture
from mibench.core.errors import UsageError
from mibench.core.estimator import Extra
from mibench.core.lookup import get_estimator, get_task
from mibench.core.registry import NEGATIVES
from mibench.core.sampler import NegativeSampler
from mibench.core.scorer import Shape
from mibench.core.scores import Scores
from mibench.core.task import Task
from mibench.critics.beside import build_extra
from mibench.critics.extras import UniformScorer
from mibench.critics.separable import Separable
from mibench.negatives.permutations import partial_derangements
from mibench.training.components import Run
from mibench.training.evaluation import evaluate_pairs, evaluate_pool, predicted_optimum
from mibench.training.facts import facts_of
from mibench.training.loop import Loop, train_pack
from mibench.training.pack import Pack
from mibench.training.sources import Feed, StreamSource
from tests.support.equality import same
from tests.support.runs import specs_over

pytestmark = pytest.mark.usefixtures("one_thread", "small_pools")


class Table(Task):
    """One-hot symbols x and y of a joint table that depends on ``k`` and ``skew``."""

    mi_method = "enumeration"

    k: int = 4
    skew: float = 0.0  # 0: X = Y, equally likely

    @property
    def joint(self) -> Tensor:
        """(k, k) in float64: X = Y, or all pairs with unequal marginals."""
        if self.skew == 0:
            return torch.eye(self.k, dtype=torch.float64) / self.k
        p_y = torch.softmax(self.skew * torch.arange(self.k, dtype=torch.float64), 0)
        given_y = torch.softmax(2 * torch.eye(self.k, dtype=torch.float64), 0)
        return given_y * p_y

    @property
    def mi(self) -> float:  # type: ignore[override]  # a property here
        """By enumeration."""
        ratio = self.ratios
        return float((self.joint * torch.where(self.joint > 0, ratio, 0)).sum())

    @property
    def ratios(self) -> Tensor:
        """Log density ratios (k, k)."""
        joint = self.joint
        return (joint / (joint.sum(1, keepdim=True) * joint.sum(0))).log()

    @property
    def dim_x(self) -> int:
        return self.k

    @property
    def dim_y(self) -> int:
        return self.k

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        cells = torch.multinomial(self.joint.flatten(), n, replacement=True, generator=generator)
        one_hot = torch.eye(self.k)
        return one_hot[cells // self.k], one_hot[cells % self.k]

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        return self.ratios[x.argmax(-1), y.argmax(-1)]

    def support_y(self) -> tuple[Tensor, Tensor]:
        return torch.eye(self.k), self.joint.sum(0).log()


SYMBOLS, SKEWED = Table(), Table(k=3, skew=1.0)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def feed(task: Task, sampler: NegativeSampler, batch: int, seed: int = 0) -> Feed:
    sources = [StreamSource(task, stream(3 * seed + i)) for i in range(2)]
    return Feed([task], sources[:1], sources[1:], sampler, [stream(3 * seed + 2)], batch, torch.float64)


def exact_scores(task: Task, negatives: str, *, batch: int, steps: int, seed: int = 0) -> Scores:
    """The exact critic on batches, each step a run: (steps, N) and (steps, N, M)."""
    drawn = feed(task, NEGATIVES.create(negatives), batch, seed).block(steps)
    x, y = drawn.x[0], drawn.y[0]
    assert drawn.index is not None
    others = y[torch.arange(steps).view(-1, 1, 1), drawn.index[0]]  # (steps, N, M, dim)
    pos = task.log_ratio(x.flatten(0, 1), y[:, :batch].flatten(0, 1)).view(steps, batch)
    neg = task.log_ratio(x.unsqueeze(2).expand_as(others).flatten(0, 2), others.flatten(0, 2)).view(others.shape[:-1])
    return Scores(pos.double(), neg.double(), {}, None if drawn.log_weights is None else drawn.log_weights[0])


def mean_and_error(values: Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std()) / math.sqrt(len(values))


# The samplers


def similarity(name: str, a: list[float], b: list[float]) -> float:
    if name == "rbf":
        return math.exp(-sum((u - v) ** 2 for u, v in zip(a, b, strict=True)) / (2 * len(a)))
    norms = math.sqrt(sum(u * u for u in a) * sum(v * v for v in b))
    return (1 + sum(u * v for u, v in zip(a, b, strict=True)) / norms) / 2


@pytest.mark.parametrize(("name", "t"), [("rbf", 0.4), ("cosine", 0.6)])
@pytest.mark.parametrize("m", [3, 20])
def test_threshold_draws_among_the_accepted_and_weighs_by_their_share(name: str, t: float, m: int) -> None:
    sampler = NEGATIVES.create(f"threshold:m={m},t={t},candidates=24,similarity={name}")
    n, task = 5, get_task("gaussian20d", mi=1.0, dim=3)
    y = task.sample(2 * (n + 24), stream())[1].view(2, n + 24, 3)
    drawn = sampler.propose(task, y, n, stream(1))
    assert drawn.log_weights is not None
    for pool, index, weights in zip(y.tolist(), drawn.index.tolist(), drawn.log_weights.tolist(), strict=True):
        for i in range(n):
            accepted = {j for j in range(n, n + 24) if similarity(name, pool[i], pool[j]) <= t}
            assert 0 < len(accepted) < 24
            assert set(index[i]) <= accepted
            assert weights[i] == pytest.approx([math.log(len(accepted) / 24)] * m)
            if m <= len(accepted):
                assert len(set(index[i])) == m


@pytest.mark.parametrize("m", [2, 5])
def test_threshold_draws_each_accepted_candidate_equally_often(m: int) -> None:
    sampler = NEGATIVES.create(f"threshold:m={m},t=0.5,candidates=6")
    y = torch.tensor([1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0]).view(1, 7, 1).expand(3000, -1, -1)  # 3 of 6 are opposite
    index = sampler.propose(SYMBOLS, y, 1, stream()).index
    counts = torch.bincount(index.flatten(), minlength=7)
    assert counts[[0, 1, 3, 6]].eq(0).all()
    assert stats.chisquare(counts[[2, 4, 5]].numpy()).pvalue > 1e-4
    distinct = torch.tensor([len(set(row)) for row in index[:, 0].tolist()])
    assert distinct.eq(2).all() if m == 2 else 1 < distinct.double().mean() < 3  # 5 of 3: with replacement


def test_a_row_that_accepts_nothing_says_what_to_change() -> None:
    sampler = NEGATIVES.create("threshold:m=2,t=0.5,candidates=6,similarity=rbf")
    with pytest.raises(UsageError, match=r"none of 6 candidates has a similarity of at most t = 0.5 .* raise t"):
        sampler.propose(SYMBOLS, torch.zeros(1, 8, 2), 2, stream())


@pytest.mark.parametrize(("name", "first"), [("ball:m=4,candidates=20", 0), ("annulus:m=4,skip=3,candidates=20", 3)])
def test_ball_and_annulus_keep_ranks_of_nearness(name: str, first: int) -> None:
    task = get_task("gaussian20d", mi=1.0, dim=3)
    y = task.sample(2 * 25, stream())[1].view(2, 25, 3)
    drawn = NEGATIVES.create(name).propose(task, y, 5, stream(1))
    assert drawn.log_weights is not None
    assert torch.equal(drawn.log_weights, torch.full((2, 5, 4), 0.2, dtype=torch.float64).log())
    for pool, index in zip(y.tolist(), drawn.index.tolist(), strict=True):
        for i in range(5):
            order = sorted(range(5, 25), key=lambda j: math.dist(pool[i], pool[j]))
            assert index[i] == order[first : first + 4]


def test_uniform_draws_from_the_support_with_the_ratio_of_probabilities() -> None:
    sampler = NEGATIVES.create("uniform:m=2")
    assert sampler.pool(8, SKEWED) == 11
    y = SKEWED.sample(3000 * 8, stream())[1].view(3000, 8, 3)
    drawn = sampler.propose(SKEWED, y, 8, stream(1))
    assert torch.equal(drawn.y[:, :8], y)
    symbols = drawn.y[0, 8:].argmax(-1)[drawn.index - 8]
    assert stats.chisquare(torch.bincount(symbols.flatten()).numpy()).pvalue > 1e-4
    probability = SKEWED.joint.sum(0)[symbols]
    torch.testing.assert_close(drawn.log_weights, (3 * probability).log())


class Counter:
    """Pairs that are numbered in the order of time, from a start."""

    def __init__(self, start: int) -> None:
        self.next = start

    def block(self, steps: int, batch: int) -> tuple[Tensor, Tensor]:
        numbers = torch.arange(self.next, self.next + steps * batch, dtype=torch.float64).view(steps, batch, 1)
        self.next += steps * batch
        return numbers, numbers


@pytest.mark.parametrize("m", [3, 4, 6, 10])
@pytest.mark.parametrize("blocks", [(6,), (1, 2, 3), (4, 1, 1)])
def test_a_queue_holds_the_latest_y_in_order(m: int, blocks: tuple[int, ...]) -> None:
    queue = NEGATIVES.create(f"queue:m={m}")
    source = Feed([SYMBOLS], [Counter(0)], [Counter(-m)], queue, [stream()], 4, torch.float64)
    steps = [drawn.step(s) for count in blocks for drawn in [source.block(count)] for s in range(count)]
    for t, batch in enumerate(steps):
        assert batch.index is not None
        assert batch.y.shape == (1, 4 + m, 1)
        negatives = batch.y[0, :, 0][batch.index[0]]
        assert negatives.tolist() == [list(range(4 * t - m, 4 * t))] * 4  # all that came before, the latest last


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("queue:m=0", "m must be at least 1"),
        ("uniform:m=0", "m must be at least 1"),
        ("ball:m=9,candidates=8", "'ball': m must be at least 1 and at most the 8 candidates"),
        ("threshold:m=0", "'threshold': m must be at least 1"),
        ("threshold:t=0", "t must be above 0 and at most 1"),
        ("threshold:t=1.1", "t must be above 0 and at most 1"),
        ("annulus:m=4,candidates=8,skip=5", "skip must be between 0 and 4, not 5"),
        ("annulus:skip=-1", "skip must be between 0"),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        NEGATIVES.create(name)


# What the paper's simplified objective says (exact critic)


@pytest.mark.parametrize(
    ("negatives", "expected"),
    [
        ("threshold:m=63,candidates=256", math.log(64)),  # the own symbol is always rejected
        ("annulus:m=63,skip=960,candidates=1024", math.log(64)),
        ("ball:m=63,candidates=126", 0.69),  # the own symbol, and as many of the others
        ("ball:m=63,candidates=1024", 0.0),  # the own symbol alone
    ],
)
def test_vince_on_four_symbols_says_what_the_proposal_makes_it_say(negatives: str, expected: float) -> None:
    values = get_estimator("vince").estimate(exact_scores(SYMBOLS, negatives, batch=16, steps=200))
    mean, error = mean_and_error(values)
    assert mean == pytest.approx(expected, abs=4 * error + 0.005)
    assert SYMBOLS.mi == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("negatives", "expected"),
    [
        ("independent:m=127", 1.91),
        ("annulus:m=127,skip=127,candidates=254", 2.49),  # the nearest half is rejected
        ("ball:m=127,candidates=1270", 1.07),  # the nearest tenth is kept
    ],
)
def test_vince_on_a_gaussian_of_two_nats_passes_or_misses_the_truth(negatives: str, expected: float) -> None:
    scores = exact_scores(get_task("gaussian20d", mi=2.0), negatives, batch=32, steps=60)
    excess = get_estimator("vince").estimate(scores) - scores.pos.mean(-1)  # without the noise of the positives
    mean, error = mean_and_error(excess)
    assert 2 + mean == pytest.approx(expected, abs=4 * error + 0.01)
    assert error < 0.05


def test_weights_give_back_infonce_where_the_proposal_has_full_support() -> None:
    size = {"batch": 16, "steps": 1500}
    proposed = exact_scores(SKEWED, "uniform:m=2", **size)
    weighted, simplified = (get_estimator(f"vince:form={form}") for form in ("weighted", "simplified"))
    mean, error = mean_and_error(weighted.estimate(proposed))
    plain, plain_error = mean_and_error(
        get_estimator("infonce").estimate(exact_scores(SKEWED, "independent:m=2", **size, seed=1))
    )
    noise = 4 * math.hypot(error, plain_error)
    assert mean == pytest.approx(plain, abs=noise)
    assert mean < SKEWED.mi - 4 * error
    assert abs(float(simplified.estimate(proposed).mean()) - plain) > 3 * noise  # what the weights correct
    stated, stated_error = mean_and_error(get_estimator("vince:form=stated").estimate(proposed))
    assert stated == pytest.approx(mean - 2, abs=1e-9)
    assert stated < math.log(3) - 2 + 4 * stated_error


# VINCE


def log_share(p: float, q: list[float]) -> float:
    return math.log((len(q) + 1) * math.exp(p) / (math.exp(p) + math.fsum(map(math.exp, q))))


def vince(s: Scores, form: str) -> float:
    assert s.log_weights is not None
    rows = []
    for p, q, w in zip(s.pos.tolist(), s.neg.tolist(), s.log_weights.tolist(), strict=True):
        product = 1.0 if form == "simplified" else math.prod(map(math.exp, w))
        rows.append(product * log_share(p, q) - (len(q) if form == "stated" else 0))
    return math.fsum(rows) / len(rows)


def random_scores(*shape: int, seed: int = 0) -> Scores:
    """Scores (N, M) in float64 with random weights, logits and uniform numbers."""
    g = stream(seed)
    pos, neg, logits = (torch.randn(s, generator=g, dtype=torch.float64) for s in (shape[:-1], shape, shape))
    uniform, weights = (torch.rand(shape, generator=g, dtype=torch.float64) for _ in range(2))
    extras = {"acceptance": Scores(pos, logits), "uniform": Scores(pos, uniform)}
    return Scores(pos, neg, extras, weights.log())


@pytest.mark.parametrize("form", ["simplified", "weighted", "stated"])
@pytest.mark.parametrize(("n", "m"), [(2, 1), (5, 4), (64, 3)])
def test_vince_is_its_formula(form: str, n: int, m: int) -> None:
    estimator, scores = get_estimator(f"vince:form={form}"), random_scores(n, m)
    assert float(estimator.estimate(scores)) == pytest.approx(vince(scores, form), rel=1e-10)
    assert float(estimator.loss(scores)) == pytest.approx(-vince(scores, form), rel=1e-10)
    leaves = [t.clone().requires_grad_() for t in (scores.pos, scores.neg)]
    assert n > 5 or torch.autograd.gradcheck(
        lambda p, q: estimator.loss(dataclasses.replace(scores, pos=p, neg=q)), leaves
    )


def test_vince_without_weights_is_infonce() -> None:
    scores = dataclasses.replace(random_scores(8, 7), log_weights=None)
    expected = get_estimator("infonce").estimate(scores)
    assert torch.equal(get_estimator("vince").estimate(scores), expected)
    assert torch.equal(get_estimator("vince:form=weighted").estimate(scores), expected)
    assert torch.equal(get_estimator("vince:form=stated").estimate(scores), expected - 7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_product_of_weights_that_overflows_is_held(dtype: torch.dtype) -> None:
    weights = torch.full((2, 50), 20.0, dtype=torch.float64)
    scores = Scores(torch.zeros(2, dtype=dtype), torch.zeros(2, 50, dtype=dtype), {}, weights)
    value = get_estimator("vince:form=weighted").estimate(scores)
    assert value.dtype == dtype
    assert not value.isnan()
    with_loss = dataclasses.replace(scores, neg=scores.neg.clone().requires_grad_())
    assert not get_estimator("vince:form=weighted").loss(with_loss).isnan()


@pytest.mark.parametrize(
    ("estimator", "negatives", "kind"),
    [
        ("infonce", "ball", "plug-in"),
        ("infonce", "queue", "lower"),
        ("nwj", "threshold", "plug-in"),
        ("nwj", "independent", "lower"),
        ("vince", "independent", "plug-in"),
        ("vince:form=weighted", "independent", "lower"),
        ("vince:form=weighted", "annulus", "plug-in"),
        ("vince:form=stated", "threshold", "plug-in"),
        ("vince-plus:form=weighted", "independent", "plug-in"),
    ],
)
def test_no_bound_is_recorded_where_a_proposal_breaks_it(estimator: str, negatives: str, kind: str) -> None:
    (spec,) = specs_of(estimator=estimator, negatives=negatives)
    assert facts_of(Run.from_spec(spec), 0).columns["kind"] == kind


def test_weights_keep_the_bound_of_a_proposal_with_full_support() -> None:
    for name, kind in (("infonce", "plug-in"), ("vince", "plug-in"), ("vince:form=weighted", "lower")):
        (spec,) = specs_of(estimator=name)
        run = dataclasses.replace(Run.from_spec(spec), sampler=NEGATIVES.create("uniform"))
        assert facts_of(run, 0).columns["kind"] == kind


def test_the_predicted_optimum_is_not_known_under_a_proposal() -> None:
    assert predicted_optimum(SYMBOLS, NEGATIVES.create("ball"), 64, "any run", 0) is None
    assert predicted_optimum(SYMBOLS, NEGATIVES.create("queue"), 64, "any run", 0) == SYMBOLS.mi


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"estimator": "vince-plus", "negatives": "ball"}, "needs negatives from p\\(y\\), but .*'ball-v1' proposes"),
        ({"estimator": "infonce", "negatives": "uniform"}, "has no finite support of y"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        specs_of(**options)


# VINCE+


def accepted_of(s: Scores) -> list[list[int]]:
    u, a = s.extra("uniform").neg.tolist(), s.extra("acceptance").neg.tolist()
    return [[j for j in range(len(u[i])) if u[i][j] < 1 / (1 + math.exp(-a[i][j]))] for i in range(len(u))]


def vince_plus(s: Scores, weight: Callable[[float, float], float]) -> float:
    """Mean of the rows' log shares times the product of ``weight(z, r)`` over the accepted."""
    rows = []
    for i, kept in enumerate(accepted_of(s)):
        r = [1 / (1 + math.exp(-a)) for a in s.extra("acceptance").neg[i].tolist()]
        z = math.fsum(r) / len(r)
        q = s.neg[i].tolist()
        rows.append(log_share(float(s.pos[i]), [q[j] for j in kept]) * math.prod(weight(z, r[j]) for j in kept))
    return math.fsum(rows) / len(rows)


@pytest.mark.parametrize(("n", "m"), [(2, 1), (5, 4), (64, 6)])
def test_vince_plus_is_its_formula(n: int, m: int) -> None:
    s = random_scores(n, m)
    plain = vince_plus(s, lambda z, r: 1.0)
    weighted, printed = vince_plus(s, lambda z, r: z / r), vince_plus(s, lambda z, r: 1 / r)
    assert float(get_estimator("vince-plus").estimate(s)) == pytest.approx(plain, rel=1e-10)
    assert float(get_estimator("vince-plus").loss(s)) == pytest.approx(-plain, rel=1e-10)
    assert float(get_estimator("vince-plus:form=weighted").estimate(s)) == pytest.approx(weighted, rel=1e-10)
    assert float(get_estimator("vince-plus:objective=printed").loss(s)) == pytest.approx(-printed, rel=1e-10)


def test_a_row_without_accepted_negatives_counts_as_zero() -> None:
    s = random_scores(3, 4)
    none = s.with_extras({**s.extras, "acceptance": Scores(s.pos, torch.full((3, 4), -50.0, dtype=torch.float64))})
    for name in ("vince-plus", "vince-plus:form=weighted"):
        assert float(get_estimator(name).estimate(none)) == 0.0
    leaf = s.neg.clone().requires_grad_()
    get_estimator("vince-plus").loss(dataclasses.replace(none, neg=leaf)).backward()
    assert leaf.grad is not None
    assert leaf.grad.eq(0).all()


@pytest.mark.parametrize(("objective", "power"), [("simplified", 0), ("printed", 1)])
def test_the_gradient_is_right_in_expectation_over_what_is_accepted(objective: str, power: int) -> None:
    n, m = 2, 3
    estimator, s = get_estimator(f"vince-plus:objective={objective}"), random_scores(n, m)
    pos, neg, logits = (t.clone().requires_grad_() for t in (s.pos, s.neg, s.extra("acceptance").neg))
    found = [torch.zeros_like(t) for t in (pos, neg, logits)]
    expected = torch.zeros((), dtype=torch.float64)
    for pattern in itertools.product((True, False), repeat=n * m):
        accepted = torch.tensor(pattern).view(n, m)
        r = torch.sigmoid(logits)
        probability = torch.where(accepted, r, 1 - r).prod()
        uniform = torch.where(accepted, 0.0, 1.0).double()
        extras = {"acceptance": Scores(pos, logits), "uniform": Scores(pos, uniform)}
        gradients = torch.autograd.grad(estimator.loss(Scores(pos, neg, extras)), (pos, neg, logits))
        found = [total + probability.detach() * g for total, g in zip(found, gradients, strict=True)]
        sums = pos.exp() + (neg.exp() * accepted).sum(1)
        shares = pos + torch.log(accepted.sum(1) + torch.ones_like(pos)) - sums.log()
        products = torch.where(accepted, 1 / r, 1.0).prod(1) ** power
        expected = expected - probability * (shares * products).mean()
    for one, other in zip(found, torch.autograd.grad(expected, (pos, neg, logits)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_vince_plus_is_no_bound_even_with_its_weights() -> None:
    """X and Y are independent, the critic is c(y), and rows with a low c(y) accept nothing."""
    n, m = 4096, 32
    y = torch.randint(2, (n, m + 1), generator=stream()).double()
    critic = 4 * y - 2  # c = 2 or -2
    uniform = torch.rand(n, m, generator=stream(1), dtype=torch.float64)
    for acceptance, sign in ((40 * critic[:, :1].sign(), 1), (torch.full((n, 1), 40.0, dtype=torch.float64), -1)):
        extras = {
            "acceptance": Scores(critic[:, 0], acceptance.expand(n, m)),
            "uniform": Scores(critic[:, 0], uniform),
        }
        scores = Scores(critic[:, 0], critic[:, 1:], extras)
        for form in ("simplified", "weighted"):
            mean, error = mean_and_error(get_estimator(f"vince-plus:form={form}").rows(scores)[:, 0])
            assert sign * mean > 4 * error  # the truth is 0


# Scorers


def test_random_numbers_of_training_and_evaluation_do_not_move_each_other() -> None:
    def scorer() -> UniformScorer:
        made = UniformScorer(Shape(2, 8, 8, 3, 3, torch.device("cpu")))
        for run in range(2):
            made.initialise(run, stream(run))
        return made

    x = y = torch.zeros(2, 8, 3)
    one, other = scorer(), scorer()
    first = [one.forward(x, y, None, train=True) for _ in range(2)]
    for index, size in ((None, (2, 8, 8)), (torch.zeros(2, 8, 3, dtype=torch.int64), (2, 32))):
        drawn = other.forward(x, y, index, train=False)
        assert drawn.shape == size
        assert ((drawn >= 0) & (drawn < 1)).all()
    assert all(torch.equal(a, other.forward(x, y, None, train=True)) for a in first)
    assert torch.cat([*first, one.forward(x, y, None, train=False)]).unique().numel() == 3 * 2 * 64
    # pools: the same numbers in any blocks, others in another run
    pool = torch.zeros(40, 3)
    whole = one.block(one.prepare(0, pool, pool), 0, 40)
    parts = [other.block(other.prepare(0, pool, pool), *ends) for ends in ((0, 7), (7, 40))]
    assert torch.equal(whole, torch.cat(parts))
    assert not torch.equal(whole, one.block(one.prepare(1, pool, pool), 0, 40))
    assert stats.kstest(whole.flatten().numpy(), "uniform").pvalue > 1e-4
    assert torch.equal(one.pairs(0, pool, pool), other.pairs(0, pool, pool))


class Wide(Task):
    """Three columns of x beside two of y, which they determine up to noise."""

    mi = 1.0
    dim_x, dim_y = 3, 2

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, e = torch.randn(n, 3, generator=generator), torch.randn(n, 2, generator=generator)
        return x, x[:, :2] + e


@pytest.mark.parametrize("negatives", ["all-pairs", "independent:m=3"])
@pytest.mark.parametrize("critic", ["separable", "joint"])
def test_the_acceptance_sees_the_rows_own_y_and_the_negative(critic: str, negatives: str) -> None:
    pack = pack_of(Wide(), estimator="vince-plus", critic=critic, negatives=negatives)
    acceptance = pack.extras["acceptance"]
    batch = pack.feed(0, "data", "negatives", "marginal").block(1).step(0)
    raw, extras = pack._forward(batch, train=True)
    own = batch.y[:, : pack.batch].contiguous()
    assert torch.equal(extras["acceptance"], acceptance.forward(own, batch.y, batch.index, train=True))
    assert extras["acceptance"].shape == raw.shape
    pairs = acceptance.pairs(0, own[0], own[0])
    positives = extras["acceptance"][0]
    positives = positives.diagonal() if batch.index is None else positives[: pack.batch]
    torch.testing.assert_close(pairs, positives, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["simplified", "weighted"])
def test_pools_accept_by_the_same_rule(form: str) -> None:
    pack = pack_of(Wide(), estimator=f"vince-plus:form={form}", critic="separable", negatives="all-pairs")
    estimator = pack.runs[0].estimator
    x, y = Wide().sample(70, stream(1))
    critic, acceptance, uniform = pack.scorers
    matrices = [s.block(s.prepare(0, left, y), 0, 70).double() for s, left in zip(pack.scorers, (x, y, y), strict=True)]
    extras = {"acceptance": Scores.from_matrix(matrices[1]), "uniform": Scores.from_matrix(matrices[2])}
    expected = float(estimator.estimate(Scores.from_matrix(matrices[0]).with_extras(extras)))
    for block in (None, 33):
        (value,) = evaluate_pool(critic, 0, [estimator], x, y, block=block, extras=pack.extras)
        assert value == pytest.approx(expected, rel=1e-4)
    partner = partial_derangements(1, 70, 0, stream(3))[0]

    def pairs(scorer: Any, left: Tensor) -> Scores:
        return Scores(scorer.pairs(0, left, y).double(), scorer.pairs(0, left, y[partner]).double().unsqueeze(-1))

    extras = {"acceptance": pairs(acceptance, y), "uniform": pairs(uniform, y)}
    expected = float(estimator.estimate(pairs(critic, x).with_extras(extras)))
    value = evaluate_pairs(critic, 0, estimator, x, y, stream(3), extras=pack.extras)
    assert value == pytest.approx(expected, rel=1e-4)


def test_beside_the_exact_critic_half_of_the_candidates_are_accepted() -> None:
    pack = pack_of(SYMBOLS, estimator="vince-plus", critic="oracle", negatives="all-pairs")
    assert type(pack.extras["uniform"]) is UniformScorer
    pack.scorer.set_tasks([SYMBOLS])
    batch = pack.feed(0, "data", "negatives", "marginal").block(1).step(0)
    extras = pack._forward(batch, train=False)[1]
    assert extras["acceptance"].eq(0).all()
    assert 0.4 < float((extras["uniform"] < 0.5).double().mean()) < 0.6


@pytest.mark.parametrize(
    ("options", "capturable"),
    [({"estimator": "vince"}, True), ({"estimator": "vince-plus"}, False), ({"dropout": 0.3}, False)],
)
def test_only_steps_without_random_numbers_are_captured(options: dict[str, Any], capturable: bool) -> None:
    pack = Pack([Run.from_spec(specs_of(**{"negatives": "all-pairs", **options})[0])], torch.device("cpu"))
    assert all(scorer.capturable for scorer in pack.scorers) == capturable


def test_a_y_pair_is_a_critic_on_two_y() -> None:
    shape = Shape(1, 8, 8, 5, 3, torch.device("cpu"))
    critic = Separable()
    beside = critic.build(shape, Architecture(), [])
    scorer = build_extra(critic, Extra("acceptance", of="y pair", exact=0.0), shape, Architecture(), [], beside)
    assert (scorer.left, scorer.shape.dim_x, scorer.shape.dim_y) == ("y", 3, 3)


# Runs


specs_of = specs_over(
    {
        "task": "gaussian20d:dim=3",
        "mi": 2.0,
        "steps": 12,
        "seeds": 1,
        "hidden": "1x16",
        "window": 10,
        "every": 5,
        "estimator": "infonce",
        "critic": "separable",
        "batch": 16,
    }
)


def pack_of(task: Task, *, seeds: int = 1, negatives: str = "all-pairs", first: int = 0, **options: Any) -> Pack:
    """A pack of runs on a task that has no name."""
    runs = [Run.from_spec(spec) for spec in specs_of(seeds=seeds, negatives="all-pairs", **options)[first:]]
    sampler = NEGATIVES.create(negatives)
    return Pack([dataclasses.replace(run, tasks=(task,), sampler=sampler) for run in runs], torch.device("cpu"))


@pytest.mark.parametrize(
    ("negatives", "estimator"),
    [
        ("threshold:m=3,candidates=64", "infonce"),
        ("ball:m=3,candidates=9", "infonce"),
        ("annulus:m=1,skip=2,candidates=9", "vince:form=weighted"),
        ("queue:m=5", "infonce"),
        ("queue:m=20", "vince"),
        ("all-pairs", "vince-plus"),
        ("independent:m=2", "vince-plus:form=weighted"),
        ("shuffle", "vince-plus:objective=printed"),
    ],
)
@pytest.mark.parametrize("critic", ["separable", "joint"])
def test_a_run_is_the_same_alone_and_in_a_pack(negatives: str, estimator: str, critic: str) -> None:
    batch = {"separable": 9, "joint": 32}[critic]
    specs = specs_of(estimator=estimator, critic=critic, negatives=negatives, seeds=3, batch=batch)
    together = train_pack(specs)
    (alone,) = train_pack(specs[1:2])
    assert same(alone, together[1])
    assert all(math.isfinite(row["estimate_train"]) for result in together for row in result.rows)
    assert together[0].rows[0]["estimate_train"] != together[1].rows[0]["estimate_train"]


@pytest.mark.parametrize("critic", ["separable", "joint"])
@pytest.mark.parametrize("estimator", ["infonce", "vince:form=weighted"])
def test_uniform_negatives_train_too(critic: str, estimator: str) -> None:
    options = {"critic": critic, "estimator": estimator, "negatives": "uniform:m=2"}
    together = Loop(pack_of(SKEWED, seeds=3, **options)).train()
    (alone, _) = Loop(pack_of(SKEWED, seeds=3, first=1, **options)).train()
    assert same(alone, together[1])
    assert all(math.isfinite(row["estimate_train"]) for result in together for row in result.rows)


def test_the_acceptance_learns_to_reject_what_is_hard() -> None:
    options = {"estimator": "vince-plus", "critic": "joint", "batch": 64, "hidden": "1x64", "lr": 1e-3, "every": 400}
    pack = pack_of(SYMBOLS, seeds=2, steps=400, window=50, **options)
    symbols, acceptance = torch.eye(4), pack.extras["acceptance"]
    for run, result in enumerate(Loop(pack).train()):
        rates = torch.sigmoid(acceptance.block(acceptance.prepare(run, symbols, symbols), 0, 4))
        own, others = rates.diagonal().mean(), rates[~torch.eye(4, dtype=torch.bool)].mean()
        assert float(own) < 0.75 * float(others)
        assert result.rows[0]["estimate_train"] > SYMBOLS.mi + 0.3  # a plug-in, above the truth
