"""Counts of points in rectangles, against looking at every point."""

from __future__ import annotations

import pytest
import torch

from mibench.tasks.rectangle_counts import RectangleCounts


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100, 1023])
@pytest.mark.parametrize("values", [3, 10**6])
def test_counts_are_those_of_looking_at_every_point(size: int, values: int) -> None:
    generator = torch.Generator().manual_seed(size)
    points = torch.randint(values, (size, 2), generator=generator).double()  # of 3 values: many ties
    first, second = points.T.argsort(stable=True).argsort()
    bounds = torch.randint(size + 1, (4, 500), generator=generator)
    counts = RectangleCounts(points)((bounds[0], bounds[1]), (bounds[2], bounds[3]))
    inside = (first >= bounds[0].unsqueeze(1)) & (first < bounds[1].unsqueeze(1))
    inside &= (second >= bounds[2].unsqueeze(1)) & (second < bounds[3].unsqueeze(1))
    assert torch.equal(counts, inside.sum(1))
    assert counts.max() > 0


def test_the_whole_plane_holds_every_point() -> None:
    points = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    none, every = torch.tensor([0, 64]), torch.tensor([64, 64])
    assert RectangleCounts(points)((none, every), (none, every)).tolist() == [64, 0]
    assert RectangleCounts(points)((every, none), (none, every)).tolist() == [0, 0]
