"""Double spirals: the curve, its views, their density ratio by counts, and the information by a mean over pairs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from mibench.core.errors import UsageError
from mibench.core.lookup import get_task
from mibench.tasks.spirals import DoubleSpirals
from mibench.testing import check_task

INFORMATION = {0.1: 5.12, 0.2: 4.40, 0.4: 3.69, 0.6: 2.88, 1.0: 1.91, 2.0: 0.87, 5.0: 0.16}
"""By eta, nats, for two arms, radius 2 and two turns; from another program, of standard error 0.02."""


def spirals(**params: Any) -> DoubleSpirals:
    task = get_task("double-spirals", **params)
    assert isinstance(task, DoubleSpirals)
    return task


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("eta", INFORMATION)
def test_the_information_is_that_of_an_independent_program(eta: float) -> None:
    task = spirals(eta=eta)
    assert task.mi == pytest.approx(INFORMATION[eta], abs=0.05)
    assert task.mi_method == "monte-carlo"
    assert 0 < task.mi_se < 0.005


def test_the_information_falls_with_the_noise() -> None:
    levels = [spirals(eta=eta).mi for eta in (0, *INFORMATION, 100)]
    assert levels == sorted(levels, reverse=True)
    assert 0 <= levels[-1] < 0.01


@pytest.mark.parametrize("params", [{"points": 500}, {"points": 501, "arms": 3}, {"turning": "opposed"}])
def test_without_noise_the_information_is_the_entropy_of_the_points(params: dict[str, Any]) -> None:
    task = spirals(eta=0, **params)
    assert task.mi == pytest.approx(math.log(task.points), abs=1e-12)
    assert (task.mi_method, task.mi_se) == ("enumeration", 0.0)
    x, y = task.sample(100, generator())
    assert torch.equal(x, y)
    assert (task.log_ratio(x[:99], y[1:]) == -math.inf).any()


def test_twice_the_points_have_the_same_information_under_visible_noise() -> None:
    coarse, fine = spirals(points=2**14), spirals(points=2**15)
    assert abs(coarse.mi - fine.mi) < 4 * math.hypot(coarse.mi_se, fine.mi_se)


@pytest.mark.parametrize(
    "params",
    [{"eta": 0.05, "turns": 3.5}, {"eta": 0.3, "arms": 5}, {"eta": 30, "radius": 20}, {"turning": "opposed"}, {}],
)
def test_the_mean_log_ratio_of_pairs_is_the_truth(params: dict[str, Any]) -> None:
    task = spirals(**params, points=2**13)
    ratio = task.log_ratio(*task.sample(50_000, generator()))
    assert abs(float(ratio.mean()) - task.mi) < 4 * math.hypot(float(ratio.std()) / math.sqrt(50_000), task.mi_se)


@pytest.mark.parametrize("eta", [0.4, 2.0])
def test_the_ratio_averages_to_one_over_independent_pairs(eta: float) -> None:
    task = spirals(eta=eta)
    (x, _), (_, y) = task.sample(100_000, generator(1)), task.sample(100_000, generator(2))
    ratio = task.log_ratio(x, y).exp()
    assert abs(float(ratio.mean()) - 1) < 4 * float(ratio.std()) / math.sqrt(100_000)


@pytest.mark.parametrize("params", [{"points": 50}, {"points": 64, "arms": 3, "eta": 1.5}, {"points": 40, "eta": 0}])
def test_the_ratio_is_one_of_counts(params: dict[str, Any]) -> None:
    task = spirals(**params)
    x, y = task.sample(40, generator())
    x, y = x.repeat_interleave(40, 0), y.repeat(40, 1)  # every pair of two views
    lower = task.curve
    upper = (lower.double() + task.eta).float()

    def gave(views: torch.Tensor) -> torch.Tensor:
        return ((lower <= views.unsqueeze(1)) & (views.unsqueeze(1) <= upper)).all(-1)  # (n, points)

    n_x, n_y, n_xy = (hits.sum(1).double() for hits in (gave(x), gave(y), gave(x) & gave(y)))
    expected = (n_xy * task.points / (n_x * n_y)).log()
    torch.testing.assert_close(task.log_ratio(x, y), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(task.log_ratio(x.double(), y.double()), expected, rtol=1e-12, atol=1e-12)
    assert (expected == -math.inf).any()
    assert (expected > 0).any()


def test_views_that_no_point_gives_have_the_ratio_of_impossible_pairs() -> None:
    task = spirals()
    x, y = task.sample(1, generator())
    far = torch.tensor([[9.0, 9.0]])
    assert torch.cat([task.log_ratio(*pair) for pair in ((far, y), (x, far), (far, far))]).tolist() == [-math.inf] * 3
    between = torch.cartesian_prod(torch.linspace(-1, 1, 30), torch.linspace(-1, 1, 30))  # mostly between the arms
    ratio = spirals(eta=0.05).log_ratio(between, between)
    assert not ratio.isnan().any()
    assert 0.5 < float((ratio == -math.inf).double().mean()) < 0.99


def test_a_view_lies_in_the_square_of_its_point() -> None:
    task = spirals(eta=0.7, arms=1, points=1)
    x, y = task.sample(1000, generator())
    noise = torch.cat((x, y)) - task.curve
    assert noise.min() >= 0
    assert noise.max() <= 0.7 + 1e-6
    means = noise.double().mean(0)
    assert (means - 0.35).abs().max() < 4 * 0.7 / math.sqrt(12 * 2000)
    assert not torch.equal(x, y)


@pytest.mark.parametrize("turning", ["alike", "opposed"])
@pytest.mark.parametrize(("arms", "turns", "radius"), [(2, 2.0, 2.0), (3, 0.5, 10.0), (1, 20.0, 1.0)])
def test_arms_are_archimedean_and_evenly_filled(arms: int, turns: float, radius: float, turning: str) -> None:
    task = spirals(arms=arms, turns=turns, radius=radius, turning=turning, points=6000)
    for arm in range(arms):
        points = task.curve[task.labels == arm].double()
        distance = points.norm(dim=1)
        assert float(distance[-1]) == pytest.approx(radius, rel=1e-3)
        # distance and angle grow in proportion, from the arm's own direction
        clockwise = -1 if turning == "opposed" and arm % 2 else 1
        angle = clockwise * 2 * math.pi * turns * distance / radius + 2 * math.pi * arm / arms
        expected = torch.stack((angle.cos(), angle.sin()), 1) * distance.unsqueeze(1)
        assert (points - expected).abs().max() < 1e-4 * radius
        steps = points.diff(dim=0).norm(dim=1)[10:]  # chords, shorter than the arc near the centre
        assert float(steps.max() / steps.min()) < 1.02


def test_labels_are_the_arms_and_cost_no_draws() -> None:
    task = spirals(eta=0, arms=3, points=300)
    x, y, label = task.sample_labelled(2000, generator(3))
    assert all(torch.equal(a, b) for a, b in zip((x, y), task.sample(2000, generator(3)), strict=True))
    which = (x.unsqueeze(1) == task.curve).all(-1).double().argmax(1)
    assert torch.equal(label, task.labels[which])
    assert label.bincount().min() > 2000 / 3 - 4 * math.sqrt(2000 * 2 / 9)


def test_the_same_stream_gives_the_same_pairs_and_every_call_fresh_ones() -> None:
    stream = generator(5)
    first, second = spirals().sample(8, stream), spirals().sample(8, stream)
    again = spirals().sample(8, generator(5))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])
    assert first[0].dtype == torch.float32


@pytest.mark.parametrize(
    "name", ["eta=0", "eta=5", "eta=0.1,points=12800", "arms=3,points=999", "eta=0,points=2", "eta=0.01,points=20"]
)
def test_other_parameters_conform_too(name: str) -> None:
    assert [f.sentence for f in check_task(get_task(f"double-spirals:{name}")) if not f.passed] == []


@pytest.mark.parametrize(("params", "part"), [
    ({"eta": -0.1}, "eta must be 0 or lie between 0.000488281 and 2048, not -0.1"),
    ({"eta": 1e-5}, "eta must be 0 or lie between"),
    ({"eta": math.inf}, "eta must be 0 or lie between"),
    ({"eta": math.nan}, "'nan' is not a number"),
    ({"arms": 0}, "arms must be at least 1, turns above 0 and up to 100 and radius from 1e-6 to 1e6, not 0"),
    ({"arms": 1.5}, "not a whole number"),
    ({"turns": 0}, "turns above 0"),
    ({"turns": 101}, "turns above 0 and up to 100"),
    ({"radius": 0}, "radius from 1e-6 to 1e6"),
    ({"radius": math.inf}, "radius from 1e-6 to 1e6"),
    ({"points": 1}, "points must lie in 2..1048576, not 1"),
    ({"points": 2**21}, "points must lie in 2..1048576"),
    ({"turning": "left"}, "'left' is none of alike, opposed"),
])  # fmt: skip
def test_bad_geometry_is_refused_in_one_sentence(params: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_task("double-spirals", **params)
    assert part in str(caught.value)
    assert "task 'double-spirals'" in str(caught.value)
    assert "\n" not in str(caught.value)
