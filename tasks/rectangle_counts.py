"""How many of a fixed set of points in the plane lie in each of many rectangles, exactly.

Notable: a wavelet matrix. The points stand in the order of their first coordinate; their ranks by the second are sorted
bit by bit from the highest, each pass keeping the order of equal bits. A rectangle is then a range of columns and of
ranks, and its count takes a few look-ups in a table of running totals for each bit: log2(points) steps, whatever the
rectangle holds. (Search trees count in squares of one size; the intersections of two squares have every shape.)
"""

from __future__ import annotations

import torch
from torch import Tensor


class RectangleCounts:
    """Counts of points by ranges of ranks.

    Parameters
    ----------
    points
        Shape (M, 2), M from 1 to 2^31 - 1. The columns' ranks are those of a stable sort, from 0 to M - 1.
    """

    def __init__(self, points: Tensor) -> None:
        first, second = (column.argsort(stable=True) for column in points.unbind(-1))
        ranks = second.argsort()[first]  # rank by the second coordinate, in the order of the first
        self._count = len(points)
        tables = []
        for bit in reversed(range(self._count.bit_length())):
            is_zero = (ranks >> bit) & 1 == 0
            tables.append(torch.nn.functional.pad(is_zero.cumsum(0), (1, 0)))
            ranks = torch.cat((ranks[is_zero], ranks[~is_zero]))
        self._zeros = torch.stack(tables).to(torch.int32)  # (bits, M + 1): zeros before each place

    def __call__(self, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
        """Count the points whose ranks lie in two half-open ranges.

        Parameters
        ----------
        first, second
            ``(start, stop)`` of the ranks by each coordinate, int64, from 0 to M, of one shape. A range whose stop is
            not above its start is empty.

        Returns
        -------
        Tensor
            Of that shape, int64.
        """
        (start, stop), (lower, upper) = first, second
        counts = self._below(start, stop, upper) - self._below(start, stop, lower)
        return counts.masked_fill((stop <= start) | (upper <= lower), 0)

    def _below(self, start: Tensor, stop: Tensor, bound: Tensor) -> Tensor:
        """Points of a range by the first coordinate whose rank by the second is below a bound."""
        total = torch.zeros_like(bound)
        bits = self._zeros.shape[0]
        for bit, zeros in zip(reversed(range(bits)), self._zeros.to(bound.device), strict=True):
            start_zero, stop_zero = zeros[start].long(), zeros[stop].long()
            is_one = (bound >> bit) & 1 == 1
            total += torch.where(is_one, stop_zero - start_zero, 0)  # a zero where the bound has a one: below it
            start = torch.where(is_one, zeros[-1] + start - start_zero, start_zero)
            stop = torch.where(is_one, zeros[-1] + stop - stop_zero, stop_zero)
        return total
