"""Pictures of an estimate: what they show of made-up ones, and a sentence where there is nothing to show."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from mibench.core.errors import UsageError
from mibench.estimation.result import Estimate
from mibench.figures.estimates.band import COLOUR
from mibench.figures.estimates.registry import Picture, all_pictures
from tests.support.estimates import bare_estimate, make_estimate

PICTURES = {picture.name.removeprefix("estimate-"): picture for picture in all_pictures()}


def axes_of(name: str, estimate: Estimate) -> list[Axes]:
    return PICTURES[name].draw(estimate).figure.axes


def points(ax: Axes) -> list[list[tuple[float, float]]]:
    """The points of every line of a panel that has a marker."""
    lines = [line for line in ax.lines if line.get_marker() not in ("None", "", None)]
    return [[(float(x), float(y)) for x, y in np.asarray(line.get_xydata())] for line in lines]


def test_there_are_four_in_order() -> None:
    assert list(PICTURES) == ["members", "growth", "calibration", "permutations"]


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_an_estimate_without_the_part_is_refused_in_a_sentence(picture: Picture) -> None:
    with pytest.raises(UsageError, match=r"^[a-z][^.]{15,}$"):
        picture.draw(bare_estimate())


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_table_and_a_caption_come_with_the_picture_whatever_the_number_is(picture: Picture) -> None:
    estimate = make_estimate(value=math.nan, low=math.nan, high=math.inf, p_value=math.nan)
    figure, table, caption, _ = picture.draw(estimate)
    assert figure.get_label() == picture.title
    assert len(table) >= 4
    assert "nan" not in caption


def test_members_stand_in_their_order_and_a_bound_points_to_the_truth() -> None:
    (ax,) = axes_of("members", make_estimate())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["infonce", "js", "ksg", "club"]
    markers = [line.get_marker() for line in ax.lines if line.get_marker() in tuple("<>o")]
    assert markers == [">", "o", "o", "<"]
    assert [text.get_text() for text in ax.texts] == ["no value"]


def test_a_member_far_away_leaves_the_others_readable_and_is_told() -> None:
    members = make_estimate().members
    members.loc[3, ["low", "value", "high"]] = [1e30, -1e30, math.nan]  # an interval that does not hold its value
    figure, _, caption, _ = PICTURES["members"].draw(make_estimate(members=members))
    assert figure.axes[0].get_xlim()[1] < 3
    assert "Beyond the view: 1 of 4 values." in caption
    assert "Beyond the view: 2 of the ceilings." in caption


def test_growth_is_over_the_logarithm_of_the_size_and_ends_at_the_number() -> None:
    estimate = make_estimate()
    (ax,) = axes_of("growth", estimate.__class__(**{**vars(estimate), "growth": estimate.growth.iloc[::-1]}))
    assert ax.get_xscale() == "log"
    assert points(ax) == [[(625, 0.61), (1250, 0.82), (2500, 0.98), (5000, 1.226)]]
    (number,) = (line for line in ax.lines if line.get_color() == COLOUR)
    assert set(number.get_ydata()) == {1.226}
    (band,) = ax.patches
    assert band.get_extents().transformed(ax.transData.inverted()).intervaly == pytest.approx([1.128, 1.324])


def test_calibration_has_a_line_a_family_and_a_hollow_mark_where_an_interval_misses() -> None:
    (ax,) = axes_of("calibration", make_estimate())
    normal, hollow, student, none = points(ax)
    assert normal == [(0, 0), (1, 0.98), (2, 1.96)]
    assert student == [(0, 0), (1, 0.9), (2, 1.8)]
    assert (hollow, none) == ([(2, 1.96)], [])
    assert [tuple(line.get_xdata()) == tuple(line.get_ydata()) for line in ax.lines if len(line.get_xdata()) == 2][-1]


def test_permutations_have_a_panel_a_member_with_what_it_gives_on_the_sample() -> None:
    estimate = make_estimate()
    null = pd.concat([estimate.null, pd.DataFrame({"member": "other", "value": [0.0, 0.1, math.nan]})])
    figure, _, caption, summary = PICTURES["permutations"].draw(make_estimate(null=null))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["js", "ksg", "other"]
    assert [[float(line.get_xdata()[0]) for line in ax.lines] for ax in figure.axes] == [[1.226], [1.19], []]
    assert summary["permutations"].tolist() == [100, 100, 2]
    assert "p = 0.0099" in caption
