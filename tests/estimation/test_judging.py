"""From values to a number: which member is followed, and what speaks against a Gaussian copula. Values are made up."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from mibench.estimation.calibrating import corrected, missed
from mibench.estimation.crossfitting import Reading
from mibench.estimation.judging import explained, judged, may_be_gaussian, reached, tolerance
from mibench.estimation.neighbours import Neighbours
from mibench.estimation.outcome import Calibrated
from mibench.estimation.panel import Critics
from mibench.estimation.seen import Seen


def reading(lower: float, **changes: Any) -> Reading:
    made = Reading(
        lower=lower, left_out=lower + 0.05, se=0.03, base=lower, gain_z=0.0, positives=lower, positives_se=0.03,
        train=lower + 0.1, ceiling=5.0, rho=np.array([0.8]), influence=np.array([lower]), scores=[], trained=500.0,
        steps=100.0,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def seen(
    lower: float = 0.95,
    half: float = 0.9,
    *,
    near: float = 0.9,
    level: float = 1.0,
    slope: float = 0.3,
    copula: float = 1.0,
    rows: int = 1000,
    columns: int = 10,
    **changes: Any,
) -> Seen:
    """A Gaussian of a nat in some columns, where nothing else is said."""
    critics = Critics(reading(lower, **changes), reading(half))
    return Seen(critics, Neighbours(near, 0.02, level, slope), copula, 0.03, rows, columns, 0.03)


class TestGaussian:
    def test_what_speaks_for_one(self) -> None:
        assert may_be_gaussian(seen())
        assert may_be_gaussian(seen(level=math.inf))  # neighbours that do not answer say nothing

    @pytest.mark.parametrize(
        "other",
        [
            {"gain_z": 4.0},  # the network finds more
            {"level": 2.0},  # neighbours see more
            {"copula": math.nan},
            {"rows": 25},  # too few for the columns
        ],
    )
    def test_what_speaks_against_one(self, other: dict[str, Any]) -> None:
        assert not may_be_gaussian(seen(**other))

    def test_critics_that_do_as_they_do_on_gaussian_data_speak_for_one(self) -> None:
        short = seen(lower=0.3, half=0.25, copula=1.0)
        assert not reached(short)
        assert explained(short, seen(lower=0.35))
        assert not explained(short, seen(lower=0.95))  # they would find more in Gaussian data
        assert not explained(seen(lower=1.5), seen(lower=0.95))  # and less

    def test_critics_that_come_near_need_no_such_comparison(self) -> None:
        assert reached(seen())
        assert reached(seen(lower=0.8, half=0.7))  # and 2.4 times a tenth is still to come


class TestValue:
    def test_neighbours_that_answer_well_come_first(self) -> None:
        found = judged(seen(slope=0.8, level=1.1, copula=0.2), gaussian=False)
        assert (found.source, found.value) == ("neighbours", 1.1)

    def test_their_own_value_is_taken_where_it_is_higher_and_there_is_more_than_a_gaussian(self) -> None:
        more = seen(slope=0.8, level=1.0, near=1.2, gain_z=9.0)
        assert judged(more, gaussian=False).value == 1.2
        assert judged(seen(slope=0.8, level=1.0, near=1.2), gaussian=False).value == 1.0

    def test_then_a_gaussian_copula(self) -> None:
        found = judged(seen(copula=1.02), gaussian=True)
        assert (found.source, found.value, found.gaussian) == ("copula", 1.02, True)
        assert judged(seen(copula=-0.1, lower=0.0, half=0.0, level=0.0), gaussian=True).value == 0.0

    def test_then_the_level_and_last_the_bound(self) -> None:
        assert judged(seen(level=1.4, slope=0.3), gaussian=False).value == 1.4
        found = judged(seen(lower=0.95, half=0.9, level=math.inf), gaussian=False)
        assert found.source == "critics"
        assert found.value == pytest.approx(1.0)

    def test_a_level_below_the_bound_meets_it_in_the_middle(self) -> None:
        assert judged(seen(lower=0.95, half=0.9, level=0.6), gaussian=False).value == pytest.approx(0.8)

    @pytest.mark.parametrize("gaussian", [True, False])
    @pytest.mark.parametrize("lower", [-0.5, 0.0, 0.9, 4.0])
    def test_the_interval_holds_the_value_and_lies_above_the_bounds_lower_end(
        self, gaussian: bool, lower: float
    ) -> None:
        found = judged(seen(lower=lower, half=lower - 0.1), gaussian=gaussian)
        assert 0 <= found.low <= found.value <= found.high
        assert found.low >= min(found.floor, found.value)


class TestKnown:
    FOUND = dataclasses.replace(judged(seen(copula=1.0), gaussian=True), low=0.9, high=1.1)

    def test_what_the_panel_misses_on_gaussian_data_widens_the_interval(self) -> None:
        short = Calibrated("gaussian", 1.0, 0.7, 0.6, 0.8)
        low, high = corrected(self.FOUND, [short])
        assert low == 0.9
        assert high == pytest.approx(1.3)
        assert corrected(dataclasses.replace(self.FOUND, gaussian=False), [short]) == (0.9, 1.1)

    def test_falling_short_of_more_is_missed_as_well(self) -> None:
        """A panel that reads the same whether there is a nat or one and a half does not tell which it is."""
        level = Calibrated("gaussian", 1.0, 1.05, 0.9, 1.2)
        flat = Calibrated("gaussian", 1.5, 1.05, 0.9, 1.2)
        above = Calibrated("gaussian", 1.5, 1.9, 1.7, 2.1)
        other = Calibrated("heavy tails", 1.0, 0.1, 0.0, 0.2)
        assert missed(self.FOUND, [level, other]) == pytest.approx(0.05)
        assert missed(self.FOUND, [level, flat]) == pytest.approx(0.45)
        assert missed(self.FOUND, [level, above]) == pytest.approx(0.05)
        assert missed(self.FOUND, []) == 0.0


def test_a_useful_answer_is_within_a_fifth() -> None:
    assert (tolerance(0.5), tolerance(4.0)) == (0.2, 0.8)
