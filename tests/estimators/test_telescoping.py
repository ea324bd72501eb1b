"""Telescoping ratios: the waypoints, the bridges on a Gaussian whose ratios are known, and runs."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.lookup import get_estimator, get_task
from mibench.core.registry import NEGATIVES
from mibench.core.sampler import Proposal
from mibench.core.scores import Scores
from mibench.training.evaluation import Pool, choose_pool
from mibench.training.loop import train_pack
from tests.support.runs import specs_over

pytestmark = pytest.mark.usefixtures("one_thread")

TASK = get_task("gaussian20d", mi=2.0, dim=10)


# The sampler


def propose(name: str, y: Tensor) -> Proposal:
    return NEGATIVES.create(name).propose(TASK, y, y.shape[1], torch.Generator().manual_seed(1))


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("m", [1, 2, 5])
def test_waypoints_are_the_combinations_of_a_row_with_another_row(m: int, power: float) -> None:
    y = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))
    drawn = propose(f"waypoints:m={m},power={power}", y)
    assert torch.equal(drawn.y[:, :8], y)
    assert drawn.log_weights is None
    assert drawn.y.shape == (3, NEGATIVES.create(f"waypoints:m={m}").pool(8, TASK), 2)
    for step in range(3):
        partners = []
        for i in range(8):
            points = drawn.y[step, drawn.index[step, i]]  # (m, 2)
            (partner,) = [j for j in range(8) if torch.equal(points[-1], y[step, j])]
            partners.append(partner)
            for k in range(1, m + 1):
                a = (k / m) ** power
                expected = math.sqrt(1 - a * a) * y[step, i] + a * y[step, partner]
                torch.testing.assert_close(points[k - 1], expected)
        assert sorted(partners) == list(range(8))
        assert all(i != partner for i, partner in enumerate(partners))


def test_waypoints_of_standardised_y_keep_mean_and_variance() -> None:
    y = torch.randn(50, 256, 1, generator=torch.Generator().manual_seed(0))
    drawn = propose("waypoints:m=3", y)
    for k in range(3):
        points = torch.stack([drawn.y[s, drawn.index[s, :, k]] for s in range(50)])
        assert abs(float(points.mean())) < 4 / math.sqrt(points.numel())
        assert abs(float(points.var()) - 1) < 4 * math.sqrt(2 / points.numel())


@pytest.mark.parametrize("name", ["waypoints:m=0", "waypoints:power=0", "waypoints:power=inf"])
def test_parameters_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="negative sampler 'waypoints'"):
        NEGATIVES.create(name)


def test_fewer_than_one_bridge_is_refused() -> None:
    with pytest.raises(UsageError, match="bridges must be at least 1"):
        get_estimator("tre", bridges=0)


# The estimator


def waypoint_batch(bridges: int, power: float, n: int, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of the Gaussian task with the waypoints of each, (steps, N, dim) and (steps, N, B, dim), in float64."""
    x, y = (s.double().view(steps, n, -1) for s in TASK.sample(steps * n, torch.Generator().manual_seed(4)))
    drawn = propose(f"waypoints:m={bridges},power={power}", y)
    points = torch.stack([drawn.y[s][drawn.index[s]] for s in range(steps)])
    return x, y, points


def exact_bridges(bridges: int, power: float, n: int = 64, steps: int = 500) -> Scores:
    """Scores of the exact bridges: waypoints have the correlation ``rho sqrt(1 - a_k^2)`` with x."""
    x, y, points = waypoint_batch(bridges, power, n, steps)
    rho2 = -math.expm1(-2 * 2.0 / 10)
    levels = [-5.0 * math.log1p(-rho2 * (1 - (k / bridges) ** (2 * power))) for k in range(bridges)]
    tasks = [get_task("gaussian20d", mi=mi, dim=10) for mi in levels]

    def ratio(k: int) -> Scores:
        if k == bridges:
            return Scores(torch.zeros(steps, n).double(), torch.zeros(steps, n, bridges).double())
        pos = tasks[k].log_ratio(x.flatten(0, 1), y.flatten(0, 1)).view(steps, n)
        spread = x.unsqueeze(2).expand_as(points)
        return Scores(pos, tasks[k].log_ratio(spread.flatten(0, 2), points.flatten(0, 2)).view(steps, n, bridges))

    ratios = [ratio(k) for k in range(bridges + 1)]
    steps_down = [Scores(a.pos - b.pos, a.neg - b.neg) for a, b in itertools.pairwise(ratios)]
    return steps_down[0].with_extras({f"bridge-{k}": steps_down[k] for k in range(1, bridges)})


@pytest.mark.parametrize(("bridges", "power"), [(1, 1.0), (3, 1.0), (4, 2.0)])
def test_exact_bridges_sum_to_the_log_ratio_and_leave_the_loss_without_a_gradient(bridges: int, power: float) -> None:
    estimator, scores = get_estimator("tre", bridges=bridges, power=power), exact_bridges(bridges, power)
    values = estimator.estimate(scores)
    x, y, _ = waypoint_batch(bridges, power, 64, 500)
    log_ratio = TASK.log_ratio(x.flatten(0, 1), y.flatten(0, 1)).view(500, 64)
    torch.testing.assert_close(values, log_ratio.mean(1), rtol=1e-9, atol=1e-9)
    assert float(values.mean()) == pytest.approx(2.0, abs=4 * float(values.std()) / math.sqrt(500))
    # Along any direction of a bridge the mean gradient vanishes: here along itself, and along a constant.
    names = [None, *scores.extras]
    for name in names:
        for direction in ("itself", "a constant"):
            slopes = [_slope(estimator, scores, name, direction, step) for step in range(500)]
            slope = torch.tensor(slopes).double()
            assert abs(float(slope.mean())) < 4 * float(slope.std()) / math.sqrt(500), (name, direction)


def _slope(estimator: Any, scores: Scores, name: str | None, direction: str, step: int) -> float:
    """Derivative of one batch's loss along a direction of one bridge."""
    by = torch.zeros((), dtype=torch.float64, requires_grad=True)

    def moved(bridge: Scores) -> Scores:
        return Scores(
            *(t[step] * (1 + by) if direction == "itself" else t[step] + by for t in (bridge.pos, bridge.neg))
        )

    def plain(bridge: Scores) -> Scores:
        return Scores(bridge.pos[step], bridge.neg[step])

    extras = {key: (moved if key == name else plain)(values) for key, values in scores.extras.items()}
    loss = estimator.loss((moved if name is None else plain)(scores).with_extras(extras))
    return float(torch.autograd.grad(loss, by)[0])


def test_estimate_and_loss_are_their_formulas() -> None:
    g = torch.Generator().manual_seed(0)

    def draw() -> Scores:
        return Scores(*(torch.randn(s, generator=g, dtype=torch.float64) for s in ((5,), (5, 3))))

    bridges = [draw() for _ in range(3)]
    scores = bridges[0].with_extras({"bridge-1": bridges[1], "bridge-2": bridges[2]})

    def softplus(v: float) -> float:
        return math.log1p(math.exp(v))

    total, loss = 0.0, 0.0
    for i in range(5):
        for k, bridge in enumerate(bridges):
            waypoints = [float(bridge.pos[i]), *bridge.neg[i].tolist()]
            total += waypoints[0]
            loss += softplus(-waypoints[k]) + softplus(waypoints[k + 1])
    estimator = get_estimator("tre", bridges=3)
    assert float(estimator.estimate(scores)) == pytest.approx(total / 5, rel=1e-12)
    assert float(estimator.loss(scores)) == pytest.approx(loss / 15, rel=1e-12)


def test_gradients_of_all_bridges_agree_with_finite_differences() -> None:
    estimator, scores = get_estimator("tre", bridges=3), exact_bridges(3, 1.0, n=4, steps=1)

    def loss(*tensors: Tensor) -> Tensor:
        bridges = [Scores(tensors[i], tensors[i + 1]) for i in (0, 2, 4)]
        return estimator.loss(bridges[0].with_extras({"bridge-1": bridges[1], "bridge-2": bridges[2]}))

    leaves = [t.clone().requires_grad_() for t in scores.tensors()]
    assert torch.autograd.gradcheck(loss, leaves, eps=1e-6, atol=1e-7)


# Runs


specs_of = specs_over(
    {
        "task": "gaussian20d:dim=5",
        "mi": 2.0,
        "estimator": "tre",
        "critic": "joint",
        "seeds": 1,
        "hidden": "2x64",
        "steps": 20,
        "window": 10,
        "every": 10,
    }
)


def test_tre_brings_its_waypoints_in_place_of_any_other_sampler() -> None:
    specs = specs_of(estimator=["tre", "tre:bridges=2,power=3"], negatives=["derangement", "waypoints:m=7"])
    found = {(spec.estimator_params, spec.negatives, spec.negatives_params) for spec in specs}
    assert found == {
        ((("bridges", 4), ("power", 1.0)), "waypoints-v1", (("m", 4), ("power", 1.0))),
        ((("bridges", 2), ("power", 3.0)), "waypoints-v1", (("m", 2), ("power", 3.0))),
    }


def test_other_estimators_are_refused_waypoints_before_any_work() -> None:
    with pytest.raises(UsageError, match="which 'nwj-v1' needs; use another negative sampler"):
        specs_of(estimator="nwj", negatives="waypoints")


def test_its_large_pool_is_one_of_pairs() -> None:
    assert choose_pool(get_estimator("tre"), per_row=4, cheap=True, paired=True) == Pool(2**15, 1)
    assert choose_pool(get_estimator("tre"), per_row=4, cheap=True) == Pool(2**13, 2**13 - 1)


def test_the_exact_critic_gives_the_truth() -> None:
    (result,) = train_pack(specs_of(task="gaussian20d:dim=10", critic="oracle", steps=500, window=500, every=500))
    (row,) = result.rows
    assert row["estimate_train"] == pytest.approx(2.0, abs=4 * row["estimate_train_sd"] / math.sqrt(500))
    assert row["estimate_fresh_large"] == pytest.approx(2.0, abs=0.05)
    assert (row["negatives"], row["n_negatives"], row["fixed_points"]) == ("waypoints", 4, 0.0)
    assert (row["fresh_pool"], row["fresh_pool_negatives"]) == (2**15, 1)
    assert (row["kind"], row["ceiling"], row["predicted_ceiling"]) == ("plug-in", math.inf, math.inf)


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize("critic", ["separable", "joint"])
def test_a_run_has_the_same_bits_alone_and_in_a_pack(critic: str) -> None:
    specs = specs_of(critic=critic, seeds=3, hidden="2x32")
    together, (alone,) = train_pack(specs), train_pack(specs[1:2])
    for key in ("estimate_train", "estimate_fresh", "estimate_fresh_large"):
        assert alone.rows[0][key] == together[1].rows[0][key]
    assert alone.curve["loss"].tolist() == together[1].curve["loss"].tolist()


def test_it_learns() -> None:
    options = {"estimator": "tre:bridges=2", "batch": 64, "hidden": "2x32", "lr": 1e-3}
    (result,) = train_pack(specs_of(steps=1500, window=200, every=1500, **options))
    assert result.rows[0]["estimate_train"] == pytest.approx(2.0, abs=0.2)
    assert result.rows[0]["estimate_fresh_large"] == pytest.approx(2.0, abs=0.4)  # one step's critic
