"""Glyphs: images that tell their factors, and views whose information is a sum over factors."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from mibench.core.errors import UsageError
from mibench.core.lookup import get_task
from mibench.tasks.glyph_images import FACTORS, NOISE, draw, masks, read, shapes
from mibench.tasks.glyphs import GlyphTask, kept_information

EVERYTHING = math.fsum(math.log(k) for k in FACTORS.values())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def glyphs(name: str = "glyphs", **params: Any) -> GlyphTask:
    task = get_task(name, **params)
    assert isinstance(task, GlyphTask)
    return task


def channel(k: int, q: float) -> np.ndarray:
    """Joint probabilities of a value and what is left of it, (k, k), from the definition."""
    joint = np.full((k, k), (1 - q) / k)
    joint[np.diag_indices(k)] += q
    return joint / k


def information(joint: np.ndarray) -> float:
    product = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / product[seen])).sum())


class TestImages:
    def test_every_glyph_at_every_place_is_a_picture_of_its_own(self) -> None:
        assert shapes().shape == (32, 7, 7)
        assert len(masks().unique(dim=0)) == 512
        for first, other in itertools.combinations(shapes(), 2):
            assert int((first ^ other).sum()) >= 12

    def test_every_factor_of_100_000_images_is_read_without_an_error(self) -> None:
        random = generator(1)
        for _ in range(20):
            factors = torch.stack([torch.randint(k, (5000,), generator=random) for k in FACTORS.values()], 1)
            found = read(draw(factors, random))
            assert torch.equal(found.factors, factors)
            assert found.known.all()

    def test_noise_is_less_than_half_of_what_two_colours_are_apart(self) -> None:
        random = generator(2)
        every_colour = torch.cartesian_prod(torch.tensor([0]), torch.tensor([0]), torch.arange(8), torch.arange(8))
        clean = torch.stack([draw(every_colour, random) for _ in range(400)]).mean(0)  # noise averaged out
        levels = (clean / 0.05).round().unique() * 0.05
        assert levels.tolist() == pytest.approx([0.05, 0.35, 0.65, 0.95])
        assert float(levels.diff().min()) / 2 > NOISE
        spread = draw(every_colour, random) - clean
        assert 0.9 * NOISE < float(spread.abs().max()) <= NOISE * 1.2  # 1.2: what is left of the noise in the mean

    def test_other_images_are_none(self) -> None:
        random = generator(3)
        image = draw(torch.tensor([[3, 5, 1, 6]]), random)
        changed = image.clone()
        changed[0, 40] += 2 * NOISE + 0.05
        strange = torch.cat((image, changed, torch.rand(1, 768), torch.zeros(1, 768)))
        assert read(strange).known.tolist() == [True, False, False, False]


class TestInformation:
    @pytest.mark.parametrize("k", [2, 3, 8, 32])
    @pytest.mark.parametrize("q", [0.0, 1e-6, 0.3, 0.97, 1.0])
    def test_of_a_factor_is_that_of_its_table(self, k: int, q: float) -> None:
        assert kept_information(k, q) == pytest.approx(information(channel(k, q)), rel=1e-9, abs=1e-15)

    def test_is_a_sum_over_factors(self) -> None:
        """By enumeration of a small version: all 12 x 12 pairs of two factors of 4 and 3 values."""
        both = np.kron(channel(4, 0.6), channel(3, 0.2))
        assert information(both) == pytest.approx(kept_information(4, 0.6) + kept_information(3, 0.2))

    @pytest.mark.parametrize("mi", [0.0, 0.01, 2.0, 10.0, EVERYTHING])
    def test_the_knob_is_met(self, mi: float) -> None:
        task = glyphs(mi=mi)
        assert math.fsum(task.mi_of_factors.values()) == pytest.approx(mi, abs=1e-9)

    def test_factors_that_are_not_shared_have_none(self) -> None:
        task = glyphs(mi=3.0, shared="ink_shape")
        assert (task.mi_of_factors["place"], task.mi_of_factors["paper"]) == (0.0, 0.0)
        assert task == glyphs(mi=3.0, shared="shape_ink")  # one spelling
        views = glyphs("glyph-views", shape=0.5, place=1.0)
        assert views.mi == pytest.approx(kept_information(32, 0.5) + math.log(16))

    @pytest.mark.parametrize(
        ("name", "params"),
        [("glyphs", {"mi": 2.0}), ("glyphs", {"mi": 9.5}), ("glyph-views", {"shape": 0.4, "paper": 0.9})],
    )
    def test_the_log_ratio_has_it_for_a_mean(self, name: str, params: dict[str, Any]) -> None:
        task = glyphs(name, **params)
        ratio = task.log_ratio(*task.sample(20_000, generator(4)))
        error = float(ratio.std()) / math.sqrt(len(ratio))
        assert abs(float(ratio.mean()) - task.mi) < 4 * error

    def test_the_log_ratio_of_unlike_pairs_has_a_mean_of_one(self) -> None:
        task = glyphs(mi=1.0)
        x, y = task.sample(4000, generator(5))
        weights = task.log_ratio(x, y.roll(1, 0)).exp()
        assert abs(float(weights.mean()) - 1) < 4 * float(weights.std()) / math.sqrt(4000)

    def test_all_pairs_are_pairs(self) -> None:
        task = glyphs("glyph-views", shape=1.0, ink=0.5)
        x, y = task.sample(12, generator(6))
        x[3] = 0.5
        matrix = task.log_ratio_of_all_pairs(x, y)
        assert torch.equal(matrix.diagonal(), task.log_ratio(x, y))
        assert torch.isneginf(matrix[3]).all()
        assert torch.equal(matrix[:, 0], task.log_ratio(x, y[:1].expand(12, -1)))

    def test_the_entropy_is_that_of_factors_and_noise(self) -> None:
        assert glyphs().entropy_x == pytest.approx(EVERYTHING + 768 * math.log(2 * NOISE))


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("glyphs", {"mi": -1}, "between 0 and"),
        ("glyphs", {"mi": 4.0, "shared": "shape"}, "between 0 and the entropy"),
        ("glyphs", {"shared": "shape_colour"}, "separated by '_'"),
        ("glyphs", {"shared": "ink_ink"}, "separated by '_'"),
        ("glyphs", {"shared": ""}, "separated by '_'"),
        ("glyph-views", {"ink": 1.5}, "ink is a probability"),
    ],
)
def test_bad_parameters_are_one_sentence(name: str, params: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        get_task(name, **params)
