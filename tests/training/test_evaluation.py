"""Large pools: streamed blocks against the whole matrix, and which pool a run gets."""

from __future__ import annotations

import pytest
import torch

from mibench.core.critic import Architecture, Critic
from mibench.core.estimator import Estimator, SampleEstimator
from mibench.core.lookup import get_estimator, get_task, list_estimators
from mibench.core.scorer import Scorer, Shape
from mibench.core.scores import Scores
from mibench.critics.joint import Joint
from mibench.critics.oracle import Oracle
from mibench.critics.separable import Separable
from mibench.negatives.permutations import partial_derangements
from mibench.training.evaluation import Pool, choose_pool, evaluate_pairs, evaluate_pool


class WholeMatrix(Estimator):
    """An estimator without a per-row form."""

    kind = "plug-in"

    def estimate(self, scores: Scores) -> torch.Tensor:
        return scores.neg.flatten(-2).max(-1).values - scores.pos.mean(-1)


def trained(critic: Critic, runs: int = 2) -> Scorer:
    shape = Shape(runs, 16, 16, 20, 20, torch.device("cpu"))
    scorer = critic.build(shape, Architecture(depth=2, width=32), [get_estimator("nwj")] * runs)
    for run in range(runs):
        scorer.initialise(run, torch.Generator().manual_seed(run))
    scorer.set_tasks([get_task("gaussian20d", mi=2.0)] * runs)
    return scorer


def pool(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return get_task("gaussian20d", mi=2.0).sample(n, torch.Generator().manual_seed(7))


@pytest.mark.parametrize("critic", [Separable(), Joint(), Oracle()])
def test_streamed_blocks_equal_the_whole_matrix(critic: Critic) -> None:
    scorer, (x, y) = trained(critic), pool(131)
    built_in = [get_estimator(name) for name in list_estimators()]
    estimators = [*(e for e in built_in if not isinstance(e, SampleEstimator)), WholeMatrix()]
    matrix = scorer.block(scorer.prepare(1, x, y), 0, 131).double()
    expected = [float(e.estimate(Scores.from_matrix(matrix))) for e in estimators]
    for block in (None, 50, 131):
        assert evaluate_pool(scorer, 1, estimators, x, y, block=block) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_pool_with_one_negative_per_row_uses_a_derangement() -> None:
    scorer, (x, y) = trained(Oracle()), pool(500)
    estimator = get_estimator("nwj")
    partner = partial_derangements(1, 500, 0, torch.Generator().manual_seed(3))[0]
    assert not (partner == torch.arange(500)).any()
    scores = Scores.from_pairs(scorer.pairs(0, x, y), scorer.pairs(0, x, y[partner]).unsqueeze(-1))
    value = evaluate_pairs(scorer, 0, estimator, x, y, torch.Generator().manual_seed(3))
    assert value == pytest.approx(float(estimator.estimate(scores)), rel=1e-6)


@pytest.mark.parametrize(
    ("estimator", "per_row", "cheap", "expected"),
    [
        (get_estimator("nwj"), 1, True, Pool(2**15, 1)),
        (get_estimator("nwj"), 63, True, Pool(2**13, 2**13 - 1)),
        (get_estimator("nwj"), 63, False, Pool(2**11, 2**11 - 1)),
        (WholeMatrix(), 63, True, Pool(2**11, 2**11 - 1)),
        (WholeMatrix(), 1, False, Pool(2**15, 1)),
    ],
)
def test_which_pool_a_run_gets(estimator: Estimator, per_row: int, cheap: bool, expected: Pool) -> None:
    assert choose_pool(estimator, per_row=per_row, cheap=cheap) == expected
