"""InfoNCE-anchor on a table whose batches are enumerated, and in training."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mibench.core.lookup import get_estimator, get_task
from mibench.core.scores import Scores
from mibench.experiments.grid import resolve
from mibench.training.loop import train_pack

pytestmark = pytest.mark.usefixtures("one_thread")

COUNTS = torch.tensor([[3, 1, 1], [1, 2, 1]])
JOINT = COUNTS.double() / COUNTS.sum()
LOG_RATIO = (JOINT / (JOINT.sum(1, keepdim=True) * JOINT.sum(0, keepdim=True))).log()


def population(critic: Tensor, m: int) -> Scores:
    """A critic's scores (2, 3) of all pairs with all rows of m negatives, each as often as it occurs."""
    cells = torch.arange(6).repeat_interleave(COUNTS.flatten())
    ys = torch.arange(3).repeat_interleave(COUNTS.sum(0)).tolist()
    rows = torch.tensor(list(itertools.product(ys, repeat=m)))  # (9^m, m)
    x, y = (cells // 3).repeat_interleave(len(rows)), (cells % 3).repeat_interleave(len(rows))
    return Scores.from_pairs(critic[x, y], critic[x.unsqueeze(1), rows.repeat(len(cells), 1)])


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("nu", [0.3, 1.0, 4.0])
def test_the_optimum_is_the_log_ratio_for_any_number_of_candidates(m: int, nu: float) -> None:
    estimator = get_estimator("infonce-anchor", nu=nu)
    critic = torch.randn(2, 3, generator=torch.Generator().manual_seed(m), dtype=torch.float64).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [critic], max_iter=200, tolerance_grad=1e-12, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = estimator.loss(population(critic, m))
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        return loss

    optimiser.step(closure)
    assert float((critic.detach() - LOG_RATIO).abs().max()) < 1e-6


def test_infonce_leaves_the_critic_free_up_to_a_function_of_x_and_the_anchor_does_not() -> None:
    exact = LOG_RATIO
    moved = exact + torch.tensor([[0.7], [-0.4]], dtype=torch.float64)
    infonce, anchor = get_estimator("infonce"), get_estimator("infonce-anchor")
    values = [float(infonce.loss(population(critic, 2))) for critic in (exact, moved)]
    assert values[0] == pytest.approx(values[1], abs=1e-12)
    assert float(anchor.loss(population(moved, 2))) > float(anchor.loss(population(exact, 2))) + 0.01


def test_one_candidate_gives_half_the_jensen_shannon_loss() -> None:
    scores = population(0.3 * LOG_RATIO, 1)
    js = float(get_estimator("js").loss(scores))
    assert float(get_estimator("infonce-anchor").loss(scores)) == pytest.approx(js / 2, rel=1e-12)


def test_a_small_prior_of_the_anchor_gives_infonce_with_as_many_candidates() -> None:
    scores = population(0.5 * LOG_RATIO, 3)
    kept = [[k for k in range(3) if k != left_out] for left_out in range(3)]
    infonce = get_estimator("infonce")
    values = [float(infonce.estimate(Scores(scores.pos, scores.neg[:, columns]))) for columns in kept]
    loss = float(get_estimator("infonce-anchor", nu=1e-9).loss(scores))
    assert loss == pytest.approx(math.log(3) - math.fsum(values) / 3, abs=1e-6)


def test_the_exact_critic_gives_the_truth_and_the_cross_entropy_of_the_exact_posterior() -> None:
    estimator = get_estimator("infonce-anchor")
    task, n, batches = get_task("gaussian20d", mi=2.0, dim=10), 64, 500
    x, y = (s.double().view(batches, n, 10) for s in task.sample(batches * n, torch.Generator().manual_seed(3)))
    pairs = (x.unsqueeze(2).expand(-1, -1, n, -1), y.unsqueeze(1).expand(-1, n, -1, -1))
    matrix = task.log_ratio(*(s.reshape(-1, 10) for s in pairs)).view(batches, n, n)
    scores = Scores.from_matrix(matrix)
    values = estimator.estimate(scores)
    assert float(values.mean()) == pytest.approx(2.0, abs=4 * float(values.std()) / math.sqrt(batches))
    losses = [float(estimator.loss(scores.map(lambda t, by=by: t + by)).mean()) for by in (-0.2, 0.0, 0.2)]
    assert losses[1] < min(losses[0], losses[2])


def specs_of(**options: Any) -> Any:
    base = {"task": "gaussian20d:dim=5", "mi": 2.0, "estimator": "infonce-anchor", "critic": "separable"}
    return resolve({**base, "hidden": "2x64", "every": options["steps"], **options})


@pytest.mark.usefixtures("small_pools")
def test_a_run_has_the_same_bits_alone_and_in_a_pack() -> None:
    specs = specs_of(steps=40, window=20, seeds=3, hidden="2x32")
    together, (alone,) = train_pack(specs), train_pack(specs[1:2])
    for key in ("estimate_train", "estimate_fresh", "estimate_fresh_large"):
        assert alone.rows[0][key] == together[1].rows[0][key]
    assert alone.curve["loss"].tolist() == together[1].curve["loss"].tolist()


def test_it_learns() -> None:
    (result,) = train_pack(specs_of(steps=1500, window=200, seeds=1, batch=64, lr=1e-3))
    (row,) = result.rows
    assert (row["n_negatives"], row["kind"], row["ceiling"]) == (63, "plug-in", math.inf)
    assert row["estimate_train"] == pytest.approx(2.0, abs=0.2)
    assert row["estimate_fresh_large"] == pytest.approx(2.0, abs=0.4)  # one step's critic; 1.8 to 2.2 over seeds
