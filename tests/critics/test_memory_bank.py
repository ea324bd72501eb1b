"""Instance discrimination: the bank and its gradient against plain loops, the neighbour sets, and whole runs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mibench.core.critic import Architecture
from mibench.core.errors import UsageError
from mibench.core.lookup import get_estimator, get_task
from mibench.core.scorer import Shape
from mibench.core.scores import Scores
from mibench.critics.kernels import MLP
from mibench.critics.memory_bank import MemoryBank, MemoryBankScorer
from mibench.experiments.grid import resolve
from mibench.negatives.pairs import Others
from mibench.tasks.views import InstanceViews
from mibench.training.loop import train_pack

RUNS, BATCH, INSTANCES = 3, 6, 40
LAYERS = Architecture(depth=1, width=20)


def scorer_of(runs: int = RUNS, first: int = 0, **critic: Any) -> MemoryBankScorer:
    shape = Shape(runs=runs, batch=BATCH, pool=BATCH, dim_x=2, dim_y=1, device=torch.device("cpu"))
    scorer = MemoryBank(embed=5, **critic).build(shape, LAYERS, [])
    assert isinstance(scorer, MemoryBankScorer)
    for run in range(runs):
        scorer.initialise(run, torch.Generator().manual_seed(first + run))
    scorer.set_tasks([InstanceViews(instances=INSTANCES)] * runs)
    return scorer


def batch_of(runs: int = RUNS) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(runs, BATCH, 2, generator=g)
    y = torch.randint(INSTANCES, (runs, BATCH, 1), generator=g).float()
    y[:, 1] = y[:, 0]  # an instance that stands twice in the batch
    return x, y


def code(mlp: MLP, run: int, x: Tensor) -> Tensor:
    """The unit code of views, in float64, by plain products."""
    first, last = mlp.linears
    hidden = (x.double() @ first.weight[run].double() + first.bias[run].double()).relu()
    out = hidden @ last.weight[run].double() + last.bias[run].double()
    unit: Tensor = out / out.norm(dim=-1, keepdim=True)
    return unit


@pytest.mark.parametrize("m", [None, 7])
def test_scores_gradient_and_bank_follow_their_formulas(m: int | None) -> None:
    scorer = scorer_of(rate=0.25, temperature=0.5)
    x, y = batch_of()
    index = None
    pool = y
    if m is not None:
        pool = torch.cat((y, torch.arange(INSTANCES).float().view(1, -1, 1).expand(RUNS, -1, -1)), 1)
        index = torch.randint(pool.shape[1], (RUNS, BATCH, m), generator=torch.Generator().manual_seed(3))
    before = scorer.bank.clone().double()
    raw = scorer.forward(x, pool, index, train=True)
    weights = torch.randn(raw.shape, generator=torch.Generator().manual_seed(4))
    scorer.backward(weights)
    for run in range(RUNS):
        mlp = scorer._encoder
        parameters = [t[run].double().requires_grad_() for linear in mlp.linears for t in (linear.weight, linear.bias)]
        w1, b1, w2, b2 = parameters
        out = (x[run].double() @ w1 + b1).relu() @ w2 + b2
        unit = out / out.norm(dim=-1, keepdim=True)
        kept = before[run, pool[run, :, 0].long()]
        matrix = unit @ kept.T / 0.5
        expected = matrix if index is None else torch.cat((matrix.diagonal(), matrix.gather(1, index[run]).flatten()))
        torch.testing.assert_close(raw[run].double(), expected, rtol=1e-4, atol=1e-5)
        gradients = torch.autograd.grad((expected * weights[run]).sum(), parameters)
        found = [t[run] for linear in mlp.linears for t in (linear.weight_gradient, linear.bias_gradient)]
        for a, b in zip(found, gradients, strict=True):
            torch.testing.assert_close(a.double(), b, rtol=1e-3, atol=1e-5)
        for instance in range(INSTANCES):
            views = [unit[i] for i in range(BATCH) if int(y[run, i, 0]) == instance]
            entry = before[run, instance]
            if views:
                entry = 0.25 * entry + 0.75 * torch.stack(views).mean(0)
                entry = entry / entry.norm()
            torch.testing.assert_close(scorer.bank[run, instance].double(), entry.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("small_pools")
def test_a_bank_in_a_pack_has_the_bits_of_the_bank_alone() -> None:
    x, y = batch_of()
    pack = scorer_of()
    values = pack.forward(x, y, None, train=True).clone()
    pack.backward(torch.ones_like(values))
    for run in range(RUNS):
        alone = scorer_of(1, first=run)
        value = alone.forward(x[run : run + 1], y[run : run + 1], None, train=True)
        alone.backward(torch.ones_like(value))
        assert torch.equal(values[run], value[0])
        assert torch.equal(pack.bank[run], alone.bank[0])


def test_evaluation_moves_no_bank_and_gives_the_scores_of_training() -> None:
    scorer = scorer_of()
    x, y = batch_of()
    before = scorer.bank.clone()
    raw = scorer.forward(x, y, None, train=False)
    prepared = scorer.prepare(1, x[1], y[1])
    torch.testing.assert_close(scorer.block(prepared, 1, 4), raw[1, 1:4], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(scorer.pairs(1, x[1], y[1]), raw[1].diagonal(), rtol=1e-5, atol=1e-5)
    assert torch.equal(scorer.bank, before)


def test_similarities_are_those_of_the_banks_entries() -> None:
    scorer = scorer_of()
    x, y = batch_of()
    values = scorer.similarity().forward(x, y, None, train=False)
    kept = scorer.bank[0, y[0, :, 0].long()]
    torch.testing.assert_close(values[0], kept @ kept.T)
    assert values[0, 0, 1] == pytest.approx(1.0)  # the same instance twice


def neighbour_scores() -> tuple[Scores, list[list[int]]]:
    """Random scores of 5 rows with 9 others, and for each row the others by falling similarity."""
    g = torch.Generator().manual_seed(5)
    scores = Scores(torch.randn(5, generator=g).double(), torch.randn(5, 9, generator=g).double())
    similarity = Scores(torch.ones(5).double(), torch.rand(5, 9, generator=g).double())
    order = [sorted(range(9), key=lambda j, i=i: -float(similarity.neg[i, j])) for i in range(5)]  # type: ignore[misc]
    return scores.with_extras({"similarity": similarity}), order


def test_the_variants_are_their_formulas() -> None:
    scores, order = neighbour_scores()
    p, q = scores.pos.exp().tolist(), scores.neg.exp().tolist()

    def mean(values: list[float]) -> float:
        return math.fsum(values) / len(values)

    rows = range(5)
    ball = mean([math.log(4 * p[i] / (p[i] + sum(q[i][j] for j in order[i][:3]))) for i in rows])
    assert float(get_estimator("ball:nearest=4").estimate(scores)) == pytest.approx(ball)
    annulus = mean([math.log(p[i] / mean([q[i][j] for j in order[i][1:5]])) for i in rows])
    assert float(get_estimator("annulus:nearest=6,close=2").estimate(scores)) == pytest.approx(annulus)
    close = [p[i] + sum(q[i][j] for j in order[i][:1]) for i in rows]
    wide = [p[i] + sum(q[i][j] for j in order[i][:5]) for i in rows]
    local = mean([math.log(6 / 2 * c / w) for c, w in zip(close, wide, strict=True)])
    assert float(get_estimator("local-aggregation:nearest=6,close=2").estimate(scores)) == pytest.approx(local)
    assert float(get_estimator("ir").estimate(scores)) == pytest.approx(
        float(get_estimator("infonce").estimate(scores))
    )
    one = get_estimator("local-aggregation:nearest=4,close=1").estimate(scores)
    assert float(one) == pytest.approx(ball)


def test_others_are_the_support_without_the_rows_own() -> None:
    task = InstanceViews(instances=5)
    sampler = Others().bound_to(task)
    assert (sampler.count, sampler.per_row(8), sampler.pool(8, task)) == (5, 4, 13)
    _, y = task.sample(2 * 8, torch.Generator().manual_seed(0))
    drawn = sampler.propose(task, y.view(2, 8, 1), 8, torch.Generator())
    for step in range(2):
        for row in range(8):
            found = drawn.y[step, drawn.index[step, row], 0].tolist()
            assert found == [k for k in range(5) if k != int(y.view(2, 8)[step, row])]


def test_the_truth_of_the_views_against_a_plain_integral() -> None:
    task = InstanceViews(instances=2, noise=0.7, dim=1, layout=3)
    a, b = task.centres[:, 0].tolist()
    grid = torch.linspace(min(a, b) - 8, max(a, b) + 8, 40001, dtype=torch.float64)

    def density(centre: float) -> Tensor:
        return torch.exp(-(((grid - centre) / 0.7) ** 2) / 2) / (0.7 * math.sqrt(2 * math.pi))

    mixture = (density(a) + density(b)) / 2
    parts = [density(c) * (density(c) / mixture).log() for c in (a, b)]
    truth = float(torch.trapezoid(torch.nan_to_num(parts[0] + parts[1]) / 2, grid))
    assert abs(task.mi - truth) < 4 * task.mi_se
    assert 0 < task.mi_se < 0.01


def run(**options: Any) -> dict[str, Any]:
    base = {"task": "instance-views:instances=64,noise=0.05", "batch": 64, "hidden": "1x64", "lr": 2e-3, "seeds": 1}
    (spec,) = resolve({**base, **options})
    (result,) = train_pack([spec])
    return result.rows[-1]


def test_instance_discrimination_learns_and_stays_below_the_truth() -> None:
    row = run(estimator="ir", steps=1500)
    assert (row["critic"], row["negatives"], row["n_negatives"]) == ("memory-bank", "others", 63)
    assert (row["fresh_pool"], row["fresh_pool_negatives"]) == (32 * 64, 63)
    assert row["kind"] == "lower"
    truth = row["mi_true"]
    error = row["estimate_fresh_sd"] / math.sqrt(32)
    assert 0.6 * truth < row["estimate_fresh_large"] < truth + 4 * math.hypot(error, row["mi_se"])


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize("name", ["ball:nearest=8", "annulus:nearest=8,close=2", "local-aggregation:nearest=8,close=2"])
def test_the_variants_train(name: str) -> None:
    row = run(estimator=name, steps=60, window=10)
    assert row["status"] == "ok"
    assert row["kind"] == "plug-in"
    assert math.isfinite(row["estimate_fresh_large"])


def test_with_the_exact_critic_instance_discrimination_is_the_truth() -> None:
    row = run(estimator="ir", critic="oracle", steps=300, window=300)
    assert abs(row["estimate_train"] - row["mi_true"]) < 4 * math.hypot(
        row["estimate_train_sd"] / math.sqrt(300), row["mi_se"]
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"task": "gaussian20d", "estimator": "ir"}, "number instances"),
        ({"task": "symbols", "estimator": "ir"}, "number instances"),
        ({"task": "gaussian20d", "estimator": "infonce", "negatives": "others"}, "no finite support"),
        ({"estimator": "infonce", "negatives": "others:count=7"}, "y takes 64 values"),
    ],
)
def test_what_has_no_meaning_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        run(**{"steps": 2, **options})


@pytest.mark.parametrize(
    "name",
    ["ir:rate=1", "ir:temperature=0", "ball:nearest=1", "annulus:nearest=4,close=4", "local-aggregation:close=0"],
)
def test_parameters_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        get_estimator(name)


def test_the_task_refuses_what_it_cannot_be() -> None:
    with pytest.raises(UsageError):
        get_task("instance-views", instances=1)
    with pytest.raises(UsageError):
        get_task("instance-views", noise=0.0)
