"""Finite populations of rows: drawn with equal probabilities, and recognised again by equality to the last bit.

Notable: where a pair is a member of a finite population, its density ratio is one of counts: ``n_xy M / (n_x n_y)`` of
the M members. Rows are looked up by a key, a sum of the bits of their numbers times odd constants modulo 2^64, which no
order of summation changes, and then compared: what is no member is never taken for one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_KEY_SEED = 1797
_BLOCK_ROWS = 2**14


class Population:
    """Rows that are drawn with equal probabilities; equal ones are one value.

    Parameters
    ----------
    rows
        Shape (M, d), float32.
    """

    def __init__(self, rows: Tensor) -> None:
        found = torch.unique(rows, dim=0, return_inverse=True, return_counts=True)
        self.values: Tensor = found[0]  # (k, d)
        self.number: Tensor = found[1]  # (M,): which value each row has
        self.log_p: Tensor = (found[2].double() / len(rows)).log()  # (k,)
        keys = _keys(self.values)
        self._keys, self._order = keys.sort()

    @property
    def entropy(self) -> float:
        """Entropy of a row, nats; at most ln M."""
        return float(torch.special.entr(self.log_p.exp()).sum())

    def find(self, rows: Tensor) -> Tensor:
        """Return the number of the value that each row has, shape (n,), int64; -1 where no member has it.

        Parameters
        ----------
        rows
            Shape (n, d), float32, or of a type that holds the members' numbers exactly.
        """
        return torch.cat([self._find(block) for block in rows.float().split(_BLOCK_ROWS)])

    def _find(self, rows: Tensor) -> Tensor:
        keys, order, values = (part.to(rows.device) for part in (self._keys, self._order, self.values))
        number = order[torch.searchsorted(keys, _keys(rows)).clamp_(max=len(keys) - 1)]
        return torch.where((values[number] == rows).all(-1), number, -1)

    def log_probability(self, rows: Tensor) -> Tensor:
        """``log p`` of each row, shape (n,), float64, nats; ``-inf`` where no member has its value."""
        number = self.find(rows)
        return torch.where(number >= 0, self.log_p.to(rows.device)[number.clamp(min=0)], -math.inf)


class PairedPopulation:
    """Pairs (x, y) of rows with equal numbers, drawn with equal probabilities.

    Parameters
    ----------
    x, y
        Shapes (M, d) and (M, e), float32.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y, self._pairs = Population(x), Population(y), Population(torch.cat((x, y), 1))

    @property
    def mi(self) -> float:
        """``H(X) + H(Y) - H(X, Y)``, nats."""
        return max(self.x.entropy + self.y.entropy - self._pairs.entropy, 0.0)  # rounding

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """``log n_xy M / (n_x n_y)`` of each row, shape (n,), float64, nats; ``-inf`` for pairs that are no member."""
        log_pair = self._pairs.log_probability(torch.cat((x, y), 1))
        # What is no member alone is none together: the difference, not a number then, is not taken.
        return torch.where(
            log_pair > -math.inf, log_pair - self.x.log_probability(x) - self.y.log_probability(y), -math.inf
        )


def _keys(rows: Tensor) -> Tensor:
    """Return a whole number for each row, (n, d) to (n,), int64: equal rows have equal ones, others hardly ever."""
    generator = torch.Generator().manual_seed(_KEY_SEED)
    factors = torch.randint(2**62, (rows.shape[1],), generator=generator).to(rows.device) * 2 + 1
    bits = (rows + 0.0).contiguous().view(torch.int32)  # + 0.0: one zero
    return (bits * factors).sum(-1)
