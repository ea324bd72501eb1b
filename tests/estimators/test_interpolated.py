"""The interpolated bound: its formula, both of its ends, its ceiling, and sums that leave one term out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.lookup import get_estimator, get_task
from mibench.core.scores import Scores, log_sum_leaving_one_out
from mibench.training.components import Run
from mibench.training.evaluation import evaluate_pool
from mibench.training.loop import train_pack
from mibench.training.pack import Pack
from tests.support.runs import specs_over

pytestmark = pytest.mark.usefixtures("one_thread")


def scores_of(n: int, m: int, *, scale: float = 1.5, seed: int = 0) -> Scores:
    """Scores (N,) and (N, M) in float64 with a baseline of x."""
    g = torch.Generator().manual_seed(seed)
    pos, neg, baseline = (scale * torch.randn(s, generator=g, dtype=torch.float64) for s in ((n,), (n, m), (n,)))
    return Scores(pos, neg).with_extras({"baseline": Scores(baseline, baseline.unsqueeze(-1).expand(n, m))})


def formula(scores: Scores, alpha: float) -> float:
    """The estimate as Poole et al. write it, term by term."""
    joint, marginal = [], []
    for p, q, a in zip(scores.pos.tolist(), scores.neg.tolist(), scores.extra("baseline").pos.tolist(), strict=True):
        m = len(q)
        for left_out in range(m):
            candidates = [math.exp(p), *(math.exp(v) for k, v in enumerate(q) if k != left_out)]
            joint.append(p - math.log(alpha * math.fsum(candidates) / m + (1 - alpha) * math.exp(a)))
        denominator = alpha * math.fsum(math.exp(v) for v in q) / m + (1 - alpha) * math.exp(a)
        marginal += [math.exp(v) / denominator for v in q]
    return 1 + math.fsum(joint) / len(joint) - math.fsum(marginal) / len(marginal)


@pytest.mark.parametrize("alpha", [0.001, 0.5, 1.0])
@pytest.mark.parametrize(("n", "m"), [(2, 1), (5, 1), (5, 4), (64, 63)])
def test_the_estimate_is_the_formula(n: int, m: int, alpha: float) -> None:
    estimator, scores = get_estimator("interpolated", alpha=alpha), scores_of(n, m)
    assert float(estimator.estimate(scores)) == pytest.approx(formula(scores, alpha), rel=1e-10)
    assert float(estimator.loss(scores)) == pytest.approx(-formula(scores, alpha), rel=1e-10)


@pytest.mark.parametrize("alpha", [0.001, 0.5, 1.0])
@pytest.mark.parametrize("m", [1, 2, 3])
def test_gradients_of_scores_and_baseline_agree_with_finite_differences(m: int, alpha: float) -> None:
    estimator, scores = get_estimator("interpolated", alpha=alpha), scores_of(4, m)

    def loss(pos: Tensor, neg: Tensor, baseline: Tensor) -> Tensor:
        return estimator.loss(Scores(pos, neg, {"baseline": Scores(baseline, neg)}))

    leaves = [t.clone().requires_grad_() for t in (scores.pos, scores.neg, scores.extra("baseline").pos)]
    assert torch.autograd.gradcheck(loss, leaves, eps=1e-6, atol=1e-7)


def test_alpha_one_is_infonce_with_as_many_candidates_whatever_the_baseline() -> None:
    scores, infonce = scores_of(6, 5), get_estimator("infonce")
    kept = [[k for k in range(5) if k != left_out] for left_out in range(5)]
    values = [float(infonce.estimate(Scores(scores.pos, scores.neg[:, columns]))) for columns in kept]
    assert float(get_estimator("interpolated", alpha=1.0).estimate(scores)) == pytest.approx(math.fsum(values) / 5)


def test_a_small_alpha_is_tuba_with_a_baseline_of_x() -> None:
    scores = scores_of(6, 5)
    value = float(get_estimator("interpolated", alpha=1e-9).estimate(scores))
    assert value == pytest.approx(float(get_estimator("tuba").estimate(scores)), rel=1e-7)


@pytest.mark.parametrize("alpha", [0.01, 0.5, 0.99])
def test_the_ceiling_is_approached_and_lies_above_the_papers(alpha: float) -> None:
    estimator, n, m = get_estimator("interpolated", alpha=alpha), 4, 7
    scores = Scores(torch.full((n,), 50.0), torch.full((n, m), -50.0)).map(torch.Tensor.double)
    ceiling = estimator.ceiling(n=n, m=m + 1)
    assert ceiling == pytest.approx(1 + math.log(m / alpha))
    assert float(estimator.estimate(scores)) == pytest.approx(ceiling, rel=1e-12)
    assert float(estimator.estimate(scores)) > math.log((m + 1) / alpha)


def test_the_ceiling_of_alpha_one_is_that_of_infonce_with_as_many_candidates() -> None:
    estimator = get_estimator("interpolated", alpha=1.0)
    scores = Scores(torch.full((4,), 50.0), torch.full((4, 7), -50.0))
    assert estimator.ceiling(n=4, m=8) == math.log(7)
    assert float(estimator.estimate(scores)) == pytest.approx(math.log(7), rel=1e-6)


def test_the_value_with_the_exact_critic_is_that_of_another_simulation() -> None:
    mi, dim, n, batches, alphas = 2.0, 10, 64, 500, (0.05, 0.5)
    task = get_task("gaussian20d", mi=mi, dim=dim)
    x, y = (s.double().view(batches, n, dim) for s in task.sample(batches * n, torch.Generator().manual_seed(3)))
    pairs = (x.unsqueeze(2).expand(-1, -1, n, -1), y.unsqueeze(1).expand(-1, n, -1, -1))
    scores = Scores.from_matrix(task.log_ratio(*(s.reshape(-1, dim) for s in pairs)).view(batches, n, n))
    values = np.stack([get_estimator("interpolated", alpha=alpha).estimate(scores).numpy() for alpha in alphas])
    # Ratios themselves, fresh negatives for every row, another generator
    rho2 = -np.expm1(-2 * mi / dim)
    rng = np.random.default_rng(1)

    def ratio(s: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
        exponent = (rho2 * (s**2 + t**2) - 2 * math.sqrt(rho2) * s * t) / (2 * (1 - rho2))
        return np.asarray(np.exp(mi - exponent.sum(-1)))

    others = np.empty((2, batches))
    for b in range(batches):
        u = rng.standard_normal((n, dim))
        v = math.sqrt(rho2) * u + math.sqrt(1 - rho2) * rng.standard_normal((n, dim))
        p, q = ratio(u, v)[:, None], ratio(u[:, None], rng.standard_normal((n, n - 1, dim)))
        for a, alpha in enumerate(alphas):
            joint = alpha * (p + q.sum(1, keepdims=True) - q) / (n - 1) + 1 - alpha
            marginal = q / (alpha * q.mean(1, keepdims=True) + 1 - alpha)
            others[a, b] = 1 + (np.log(p) - np.log(joint)).mean() - marginal.mean()
    errors = np.hypot(values.std(1), others.std(1)) / math.sqrt(batches)
    assert (abs(values.mean(1) - others.mean(1)) < 4 * errors).all()
    assert (values.mean(1) < mi + 4 * errors).all()


@pytest.mark.parametrize("alpha", [0.0, -0.5, 1.5])
def test_weights_out_of_range_are_refused(alpha: float) -> None:
    with pytest.raises(UsageError, match="alpha must be above 0 and at most 1"):
        get_estimator("interpolated", alpha=alpha)


# Runs


specs_of = specs_over(
    {
        "task": "gaussian20d:dim=5",
        "mi": 2.0,
        "estimator": "interpolated",
        "critic": "separable",
        "seeds": 1,
        "hidden": "2x32",
        "steps": 20,
        "window": 10,
        "every": 10,
    }
)


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize(
    "options", [{"negatives": "derangement"}, {"critic": "joint", "batch": 9, "hidden": "1x16"}], ids=str
)
def test_a_run_has_the_same_bits_alone_and_in_a_pack(options: dict[str, Any]) -> None:
    specs = specs_of(seeds=3, **options)
    together, (alone,) = train_pack(specs), train_pack(specs[1:2])
    for key in ("estimate_train", "estimate_fresh", "estimate_fresh_large"):
        assert alone.rows[0][key] == together[1].rows[0][key]
    assert alone.curve["loss"].tolist() == together[1].curve["loss"].tolist()


def test_pools_are_streamed_with_the_baselines_of_their_rows() -> None:
    pack = Pack([Run.from_spec(specs_of()[0])], torch.device("cpu"))
    estimator, (x, y) = pack.runs[0].estimator, pack.runs[0].tasks[0].sample(70, torch.Generator().manual_seed(1))
    matrices = [s.block(s.prepare(0, x, y), 0, 70).double() for s in pack.scorers]
    scores, baseline = (Scores.from_matrix(matrix) for matrix in matrices)
    expected = float(estimator.estimate(scores.with_extras({"baseline": baseline})))
    for block in (None, 33):
        found = evaluate_pool(pack.scorer, 0, [estimator], x, y, block=block, extras=pack.extras)
        assert found == pytest.approx([expected], abs=1e-6)  # sums of order 1 in float32
    assert float(estimator.estimate(scores)) != pytest.approx(expected, abs=1e-4)


def test_it_learns() -> None:
    options = {"steps": 500, "window": 200, "every": 500, "batch": 64, "hidden": "2x64", "lr": 3e-3}
    (row,) = train_pack(specs_of(**options))[0].rows
    assert (row["kind"], row["n_negatives"], row["ceiling"]) == ("lower", 63, 1 + math.log(126))
    assert 1.5 < row["estimate_fresh_large"] < 2.05
    assert row["estimate_fresh"] < 2.0 + 4 * row["estimate_fresh_sd"] / math.sqrt(32)


# Sums that leave one term out


HARD = {
    "ordinary": [0.3, -1.2, 2.0, 0.1],
    "tied": [0.0, 0.0, 0.0],
    "one dominates": [1e4, -1e4, 3.0],
    "two dominate": [1e4, 1e4, -1e4],
    "all far below": [-1e4, -9e3],
    "a share of nearly one": [40.0, 0.0, 1.0],
    "alone": [1e4],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kept", [[0.0], [0.0, -math.inf], [-1e4, 5.0]])
@pytest.mark.parametrize("values", HARD.values(), ids=HARD)
def test_sums_without_one_term_are_those_of_the_others(
    values: list[float], kept: list[float], dtype: torch.dtype
) -> None:
    given = torch.tensor(values, dtype=dtype, requires_grad=True)
    found = log_sum_leaving_one_out(given, torch.tensor(kept, dtype=dtype))
    for j in range(len(values)):
        others = torch.tensor(kept + values[:j] + values[j + 1 :], dtype=torch.float64)
        expected = float(torch.logsumexp(others, 0))
        assert found[j].item() == pytest.approx(expected, rel=4 * torch.finfo(dtype).eps, abs=1e-6)
        # The gradient is the softmax of the others
        (gradient,) = torch.autograd.grad(found[j], given, retain_graph=True)
        shares = [0.0 if k == j else math.exp(v - expected) for k, v in enumerate(values)]
        assert gradient.tolist() == pytest.approx(shares, rel=1e-5, abs=1e-6)


def test_sums_without_one_term_keep_their_leading_axes() -> None:
    g = torch.Generator().manual_seed(0)
    values, kept = torch.randn(2, 3, 5, generator=g), torch.randn(2, 3, 2, generator=g)
    found = log_sum_leaving_one_out(values, kept)
    assert found.shape == (2, 3, 5)
    torch.testing.assert_close(found[1, 2], log_sum_leaving_one_out(values[1, 2], kept[1, 2]))
