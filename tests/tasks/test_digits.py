"""The digits tasks: noisy images and labels, bits shown as images, images and their top rows; finite populations."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import Tensor

import mibench
from mibench.core.errors import UsageError
from mibench.core.lookup import get_task
from mibench.core.task import Task
from mibench.tasks.digits import load_digits
from mibench.tasks.digits_bits import DigitsBits
from mibench.tasks.digits_label import DigitsLabel
from mibench.tasks.populations import PairedPopulation, Population
from mibench.testing import check_task


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def label(**params: Any) -> DigitsLabel:
    task = get_task("digits-label", **params)
    assert isinstance(task, DigitsLabel)
    return task


def bits(**params: Any) -> DigitsBits:
    task = get_task("digits-bits", **params)
    assert isinstance(task, DigitsBits)
    return task


def standard_errors(task: Task, n: int = 40_000) -> float:
    """How far the mean log ratio of fresh pairs lies from the truth, in standard errors."""
    ratio = task.log_ratio(*task.sample(n, generator(17))).double()
    return abs(float(ratio.mean()) - task.mi) / math.hypot(float(ratio.std()) / math.sqrt(n), task.mi_se, 1e-9)


def entropy(rows: np.ndarray) -> float:
    _, counts = np.unique(rows, axis=0, return_counts=True)
    p = counts / len(rows)
    return float(-(p * np.log(p)).sum())


class TestImages:
    def test_they_are_1797_distinct_images_of_17_levels(self) -> None:
        digits = load_digits()
        assert digits.images.shape == (1797, 64)
        assert torch.equal(digits.images.unique() * 16, torch.arange(17.0))
        assert len(digits.images.unique(dim=0)) == 1797
        assert digits.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        assert torch.equal(digits.one_hot.argmax(1), digits.labels)

    def test_black_and_white_ones_are_the_same_images_at_a_threshold(self) -> None:
        grey, plain = load_digits().images, load_digits(grey=False).images
        assert torch.equal(plain, (grey * 16 >= 8).float())
        assert len(plain.unique(dim=0)) == 1750


class TestPopulations:
    ROWS = torch.tensor([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0], [1.0, 0.0]])

    def test_members_are_found_again_and_others_are_not(self) -> None:
        population = Population(self.ROWS)
        others = torch.tensor([[0.0, 1.0000001], [3.0, 2.0], [-0.0, 1.0], [1e30, math.nan]])
        assert torch.equal(population.values[population.find(self.ROWS)], self.ROWS)
        found = population.find(others)
        assert found.tolist()[:2] == [-1, -1]
        assert found[2] == population.find(self.ROWS)[0]  # the two zeros are one number
        assert found[3] == -1
        assert population.log_probability(self.ROWS).exp().tolist() == pytest.approx([0.5, 0.25, 0.5, 0.25])
        assert population.log_probability(others)[0] == -math.inf

    def test_entropy_and_information_are_those_of_counts(self) -> None:
        y = torch.tensor([[0.0], [1.0], [1.0], [1.0]])
        pairs = PairedPopulation(self.ROWS, y)
        assert pairs.x.entropy == pytest.approx(entropy(self.ROWS.numpy()), abs=1e-12)
        assert pairs.mi == pytest.approx(pairs.x.entropy + pairs.y.entropy - math.log(4), abs=1e-12)
        assert pairs.log_ratio(self.ROWS, y).exp().tolist() == pytest.approx([2, 4 / 3, 1 / (0.5 * 0.75 * 4), 4 / 3])
        wrong = pairs.log_ratio(torch.tensor([[2.0, 3.0], [7.0, 7.0]]), torch.tensor([[0.0], [1.0]]))
        assert wrong.tolist() == [-math.inf, -math.inf]

    def test_a_large_number_of_rows_is_looked_up_in_blocks(self) -> None:
        images = load_digits().images
        population = Population(images)
        chosen = torch.randint(1797, (40_000,), generator=generator())
        assert torch.equal(population.values[population.find(images[chosen])], images[chosen])


class TestLabel:
    @pytest.mark.parametrize("grey", [True, False])
    @pytest.mark.parametrize("noise", [0.0, 1e-6, 0.3, 0.9, 1.0])
    def test_the_ratio_is_that_of_bayes_rule_pixel_by_pixel(self, noise: float, grey: bool) -> None:
        task, digits = label(noise=noise, grey=grey), load_digits(grey=grey)
        x, _ = task.sample(20, generator(3))
        images, labels = digits.images.double().numpy(), digits.labels.numpy()
        seen = x.double().numpy()[:, None]  # (20, 1, 64) against (1797, 64)
        p = (1 - noise) * (seen == images) + noise / 2 * ((seen == 0) | (seen == 1))
        with np.errstate(divide="ignore"):
            log_p = np.log(p).sum(-1)  # (20, 1797)
            by_class = np.stack([logsumexp(log_p[:, labels == k], axis=1) for k in range(10)], 1)
        log_class = np.log(np.bincount(labels) / len(labels))
        expected = by_class - logsumexp(log_p, axis=1, keepdims=True) - log_class  # (20, 10)
        for k, y in enumerate(torch.eye(10)):
            torch.testing.assert_close(
                task.log_ratio(x, y.expand(20, -1)), torch.from_numpy(expected[:, k]), rtol=1e-9, atol=1e-9
            )

    @pytest.mark.parametrize(("noise", "grey"), [(0.0, True), (0.7, True), (0.95, True), (0.4, False)])
    def test_the_mean_log_ratio_of_pairs_is_the_truth(self, noise: float, grey: bool) -> None:
        assert standard_errors(label(noise=noise, grey=grey), 20_000) < 4

    def test_without_noise_it_is_the_entropy_of_labels_and_with_noise_alone_nothing(self) -> None:
        expected = entropy(load_digits().labels.numpy()[:, None])
        for grey in (True, False):
            task = label(noise=0, grey=grey)
            assert task.mi == pytest.approx(expected, abs=1e-12)
            assert task.normalised_mi == pytest.approx(1, abs=1e-12)
            assert task.mi == pytest.approx(math.log(10), abs=2e-4)
            assert (task.mi_method, task.mi_se) == ("enumeration", 0.0)
            drowned = label(noise=1, grey=grey)
            assert (drowned.mi, drowned.mi_se) == (0.0, 0.0)
            assert drowned.log_ratio(*drowned.sample(100, generator())).abs().max() < 1e-12

    @pytest.mark.parametrize(("grey", "levels"), [(True, (0, 0.7, 0.95, 0.999, 1)), (False, (0, 0.4, 0.6, 0.97, 1))])
    def test_it_falls_with_the_noise(self, grey: bool, levels: tuple[float, ...]) -> None:
        tasks = [label(noise=noise, grey=grey) for noise in levels]
        for more, less in itertools.pairwise(tasks):
            assert less.mi < more.mi + 4 * math.hypot(more.mi_se, less.mi_se)
            assert 0 <= less.normalised_mi <= 1
        assert tasks[2].mi < tasks[0].mi - 0.5
        assert tasks[3].mi < 0.05

    def test_a_ratio_is_defined_where_almost_nothing_is_noise(self) -> None:
        task = label(noise=1e-12, grey=False)
        x, y = task.sample(50, generator())
        ratio = task.log_ratio(x, y.roll(1, dims=1))  # another label: far less probable than float64 can hold
        assert ratio.isfinite().all()
        assert ratio.max() < -20

    def test_images_that_no_digit_gives_have_the_ratio_of_impossible_pairs(self) -> None:
        x = torch.full((2, 64), 0.3)
        assert label(noise=0.5).log_ratio(x, torch.eye(10)[:2]).tolist() == [-math.inf] * 2

    def test_half_the_noisy_pixels_are_salt(self) -> None:
        n = 20_000
        x, y = label(noise=0.4).sample(n, generator())
        assert x.min() == 0
        assert x.max() == 1
        assert torch.equal(y.sum(1), torch.ones(n))
        assert set(y.unique().tolist()) == {0.0, 1.0}
        images = load_digits().images
        expected = 0.6 * images.mean(0) + 0.4 / 2
        assert ((x.mean(0) - expected).abs() * math.sqrt(n) / x.std(0)).max() < 5
        grey_share = ((images > 0) & (images < 1)).float().mean() * 0.6
        assert ((x > 0) & (x < 1)).float().mean() == pytest.approx(float(grey_share), abs=0.003)

    def test_labels_have_the_support_that_is_stated(self) -> None:
        values, log_p = label().support_y()
        assert torch.equal(values, torch.eye(10))
        assert log_p.exp().tolist() == pytest.approx((load_digits().labels.bincount() / 1797).tolist())

    def test_a_short_training_learns_some_of_it_and_stays_below_the_entropy(self, tmp_path: Path) -> None:
        runs = mibench.run(
            task="digits-label:noise=0.5", estimator="infonce", critic="separable", hidden="1x64", batch=64, steps=300,
            lr=1e-3, seeds=1, results=tmp_path,
        )  # fmt: skip
        assert runs["status"].tolist() == ["ok"]
        estimate = float(runs["estimate_train_median"].iloc[0])
        assert 0.5 < estimate < label().entropy_y
        assert runs["mi_true"].iloc[0] == label(noise=0.5).mi


class TestBits:
    @pytest.mark.parametrize(("k", "mi"), [(1, 0.1), (3, 2.0), (8, 5.0), (16, 11.0), (8, 1e-9)])
    def test_the_flip_probability_gives_the_information_of_the_channel(self, k: int, mi: float) -> None:
        p = bits(bits=k, mi=mi).flip
        table = f"{(1 - p) / 2!r}_{p / 2!r}/{p / 2!r}_{(1 - p) / 2!r}"
        assert get_task("finite", table=table).mi * k == pytest.approx(mi, abs=1e-9)

    @pytest.mark.parametrize(("k", "mi"), [(1, 0.5), (4, 1.0), (8, 5.0), (16, 8.0), (2, 2 * math.log(2)), (2, 0.0)])
    def test_the_mean_log_ratio_of_pairs_is_the_truth(self, k: int, mi: float) -> None:
        assert standard_errors(bits(bits=k, mi=mi), 10_000) < 4

    def test_the_ratio_counts_the_bits_on_which_the_sides_agree(self) -> None:
        task = bits(bits=5, mi=1.0, classes="3_8")
        x, y = task.sample(200, generator())
        digits = load_digits()

        def shown(images: Tensor) -> Tensor:
            nearest = torch.cdist(images.view(-1, 64).double(), digits.images.double()).argmin(1)
            return digits.labels[nearest].view(-1, 5)

        assert set(shown(x).unique().tolist()) == {3, 8}
        agree = (shown(x) == shown(y)).sum(1).double()
        expected = agree * math.log(2 * (1 - task.flip)) + (5 - agree) * math.log(2 * task.flip)
        torch.testing.assert_close(task.log_ratio(x, y), expected)
        assert 0 < agree.min() + 1 < 6

    def test_bits_are_fair_and_flipped_as_often_as_stated_and_images_are_all_used(self) -> None:
        task, n = bits(bits=2, mi=0.3), 20_000
        x, y = task.sample(n, generator())
        bit_x, bit_y = task._read(x), task._read(y)
        assert bit_x.double().mean() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(2 * n))
        spread = math.sqrt(task.flip * (1 - task.flip) / (2 * n))
        assert (bit_x != bit_y).double().mean() == pytest.approx(task.flip, abs=4 * spread)
        _, counts = x.view(-1, 64).unique(dim=0, return_counts=True)
        assert len(counts) == 178 + 182
        assert ((counts - 2 * n / 360).abs() < 6 * math.sqrt(2 * n / 360)).all()

    def test_at_the_entropy_of_the_bits_no_bit_is_flipped_and_other_pairs_are_impossible(self) -> None:
        task = bits(bits=3, mi=3 * math.log(2))
        x, y = task.sample(50, generator())
        assert task.flip == 0
        assert task.log_ratio(x, y).tolist() == pytest.approx([task.mi] * 50)
        other = task.log_ratio(x[1:], y[:-1])
        assert (other == -math.inf).any()
        assert not other.isnan().any()

    def test_what_is_no_image_is_impossible(self) -> None:
        task = bits(bits=2)
        x, y = task.sample(1, generator())
        assert task.log_ratio(x, y * 0.5).tolist() == [-math.inf]
        assert task.log_ratio(x * 0.5, y * 0.5).tolist() == [-math.inf]

    def test_one_spelling_of_the_classes_is_kept(self) -> None:
        assert bits(classes=" 3 _8").params() == bits(classes="3_8").params()


class TestRows:
    @pytest.mark.parametrize("grey", [True, False])
    @pytest.mark.parametrize("rows", [0, 1, 2, 4, 8])
    def test_the_information_is_the_entropy_of_the_rows(self, rows: int, grey: bool) -> None:
        images = load_digits(grey=grey).images.numpy()
        expected = entropy(images[:, : 8 * rows]) if rows else 0.0
        params: dict[str, Any] = {"rows": rows, "grey": grey}
        one = get_task("digits-rows", **params).mi
        assert one == pytest.approx(expected, abs=1e-12)
        assert one <= math.log(1797) + 1e-12
        assert get_task("digits-rows", **params, setting="processing").mi == pytest.approx(one, abs=1e-12)
        assert get_task("digits-rows", **params, setting="additivity").mi == pytest.approx(2 * one, abs=1e-12)

    @pytest.mark.parametrize("setting", ["baseline", "processing", "additivity"])
    @pytest.mark.parametrize("rows", [1, 4])
    def test_the_mean_log_ratio_of_pairs_is_the_truth(self, setting: str, rows: int) -> None:
        task = get_task("digits-rows", rows=rows, setting=setting, grey=False)
        assert standard_errors(task, 10_000) < 4
        x, y = task.sample(4000, generator(1))
        impossible = task.log_ratio(x[:-1], y[1:])
        assert 0 < (impossible == -math.inf).double().mean() <= 1
        assert not impossible.isnan().any()

    def test_the_ratio_averages_to_one_over_independent_pairs(self) -> None:
        task = get_task("digits-rows", rows=1, grey=False)
        (x, _), (_, y) = task.sample(40_000, generator(1)), task.sample(40_000, generator(2))
        ratio = task.log_ratio(x, y).exp()
        assert abs(float(ratio.mean()) - 1) < 4 * float(ratio.std()) / math.sqrt(40_000)

    def test_sides_are_what_the_settings_say(self) -> None:
        x, y = (side.view(-1, 8, 8) for side in get_task("digits-rows", rows=5).sample(10, generator()))
        assert torch.equal(y[:, :5], x[:, :5])
        assert not y[:, 5:].any()
        x, y = get_task("digits-rows", rows=5, setting="processing").sample(10, generator())
        assert torch.equal(x[:, :64], x[:, 64:])
        assert torch.equal(y[:, :40], x[:, :40])
        assert torch.equal(y[:, 64:80], x[:, :16])
        assert not torch.cat((y[:, 40:64], y[:, 80:]), 1).any()
        x, y = get_task("digits-rows", rows=5, setting="additivity").sample(10, generator())
        assert not torch.equal(x[:, :64], x[:, 64:])
        assert torch.equal(y[:, 64:104], x[:, 64:104])

    def test_two_different_images_are_no_image_twice(self) -> None:
        task = get_task("digits-rows", rows=5, setting="processing")
        x, y = task.sample(2, generator())
        mixed = torch.cat((x[:1, :64], x[1:, :64]), 1)
        assert task.log_ratio(mixed, y[:1]).tolist() == [-math.inf]


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("digits-label", {"noise": 0}),
    ("digits-label", {"noise": 0.4, "grey": False}),
    ("digits-rows", {"setting": "processing"}),
    ("digits-rows", {"setting": "additivity", "rows": 1, "grey": False}),
]


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_variants_conform(name: str, params: dict[str, Any]) -> None:
    assert [finding for finding in check_task(get_task(name, **params)) if not finding.passed] == []


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("digits-label", {"noise": -0.1}),
        ("digits-label", {"noise": 1.1}),
        ("digits-label", {"noise": math.nan}),
        ("digits-label", {"grey": "perhaps"}),
        ("digits-bits", {"bits": 0}),
        ("digits-bits", {"bits": 17}),
        ("digits-bits", {"mi": -1}),
        ("digits-bits", {"bits": 2, "mi": 1.5}),
        ("digits-bits", {"classes": "0"}),
        ("digits-bits", {"classes": "1_1"}),
        ("digits-bits", {"classes": "1_10"}),
        ("digits-bits", {"classes": "a_b"}),
        ("digits-rows", {"rows": 9}),
        ("digits-rows", {"rows": -1}),
        ("digits-rows", {"setting": "subtraction"}),
    ],
)
def test_parameters_out_of_range_are_refused_in_one_sentence(name: str, params: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        get_task(name, **params)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
