"""Finite alphabets: any table of joint probabilities, and three whose information has a closed form.

Notable: pairs that cannot occur have the log ratio ``-inf``, which is their exact value: the exact critic passes it on,
and log-space estimators count such negatives as nothing. Both sides are one-hot rows, whatever the table: x has a
column for each of its rows, y for each of its columns.
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import torch
from scipy import optimize, special
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.parameters import from_rows, to_rows
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth

_MOST_SYMBOLS = 1024
"""The one-hot rows of a large pool of pairs take 128 MB a side at that many symbols."""

_TOTAL_TOLERANCE = 1e-9  # room for a table written with ten digits


class FiniteTask(Task):
    """Base of the tasks with a table of joint probabilities; a subclass implements `table_of_pairs`."""

    mi_method: ClassVar[Truth] = "enumeration"

    def table_of_pairs(self) -> Tensor:
        """``p(x, y)``, shape (dim_x, dim_y), float64; scaled to a sum of 1 by `joint`."""
        raise NotImplementedError

    @functools.cached_property
    def joint(self) -> Tensor:
        """``p(x, y)``, shape (dim_x, dim_y), float64, of sum 1."""
        table = self.table_of_pairs()
        return table / table.sum()

    @functools.cached_property
    def log_ratios(self) -> Tensor:
        """``log p(x, y) / (p(x) p(y))``, shape (dim_x, dim_y), float64, nats; ``-inf`` where p(x, y) is 0."""
        log_x, log_y = self.joint.sum(1, keepdim=True).log(), self.joint.sum(0, keepdim=True).log()
        # A symbol that never occurs gives NaN here, only in cells that are filled.
        return (self.joint.log() - log_x - log_y).masked_fill(self.joint == 0, -math.inf)

    @property
    def dim_x(self) -> int:
        """Symbols of x, one column each."""
        return self.joint.shape[0]

    @property
    def dim_y(self) -> int:
        """Symbols of y, one column each."""
        return self.joint.shape[1]

    @property
    def mi(self) -> float:
        """``sum p(x, y) log p(x, y) / (p(x) p(y))`` over the pairs that occur, nats."""
        occurs = self.joint > 0
        total = float((self.joint[occurs] * self.log_ratios[occurs]).sum())
        return max(total, 0.0)  # rounding

    @property
    def entropy_x(self) -> float:
        """Discrete entropy ``H(X)``, nats; see `Task.entropy_x`."""
        return float(torch.special.entr(self.joint.sum(1)).sum())

    def support_y(self) -> tuple[Tensor, Tensor]:
        """One-hot rows of the symbols of y that occur; see `Task.support_y`."""
        probability = self.joint.sum(0)
        occurs = probability > 0
        return torch.eye(self.dim_y)[occurs], probability[occurs].log()

    @functools.cached_property
    def _drawn(self) -> tuple[Tensor, Tensor]:
        """Cells that can be drawn, (c,), and the cumulative probabilities between them, (c - 1,)."""
        probability = self.joint.flatten()
        (cells,) = probability.nonzero(as_tuple=True)
        return cells, probability[cells].cumsum(0)[:-1]

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs, one uniform number each, as one-hot float32 rows; see `Task.sample`."""
        device = generator.device
        cells, bounds = (part.to(device) for part in self._drawn)
        uniform = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        cell = cells[torch.searchsorted(bounds, uniform, right=True)]
        return _one_hot(cell // self.dim_y, self.dim_x), _one_hot(cell % self.dim_y, self.dim_y)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact log density ratio of each row, float64; ``-inf`` for pairs that cannot occur; see `Task.log_ratio`."""
        return self.log_ratios.to(x.device)[x.argmax(-1), y.argmax(-1)]


def _one_hot(symbols: Tensor, count: int) -> Tensor:
    """Rows of zeros with a one at each symbol, (n,) to (n, count), float32."""
    rows = torch.zeros(len(symbols), count, device=symbols.device)
    return rows.scatter_(1, symbols.unsqueeze(1), 1.0)


@register_task("symbols")
class Symbols(FiniteTask):
    """X = Y, uniform on k symbols: I = ln k nats.

    One-hot rows of k columns. The log ratio is ``ln k`` where the symbols are equal and ``-inf`` where they are not.

    Parameters
    ----------
    k
        Number of symbols, from 2 to 1024.
    """

    mi_method = "closed-form"

    k: int = 4

    def __post_init__(self) -> None:
        if not 2 <= self.k <= _MOST_SYMBOLS:
            raise UsageError(f"task 'symbols': k must lie in 2..{_MOST_SYMBOLS}, not {self.k}")

    def table_of_pairs(self) -> Tensor:
        """1/k on the diagonal; see `FiniteTask.table_of_pairs`."""
        return torch.eye(self.k, dtype=torch.float64) / self.k

    @property
    def mi(self) -> float:
        """``ln k`` nats."""
        return math.log(self.k)


@register_task("binary")
class Binary(FiniteTask):
    """X = Y, Bernoulli(p): I = H(p) = -p ln p - (1 - p) ln(1 - p) nats.

    One-hot rows of two columns, 0 and 1, like the other finite tasks. The log ratio is ``-ln p`` where both are 1,
    ``-ln(1 - p)`` where both are 0, and ``-inf`` where they differ.

    Parameters
    ----------
    p
        Probability of X = 1, above 0 and below 1.

    Source: Song and Ermon (2020, multi-label CPC), the binary example of alpha-CPC.
    """

    mi_method = "closed-form"

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.p < 1:
            raise UsageError(f"task 'binary': p must lie between 0 and 1, both excluded, not {self.p}")

    def table_of_pairs(self) -> Tensor:
        """1 - p and p on the diagonal; see `FiniteTask.table_of_pairs`."""
        return torch.tensor([1 - self.p, self.p], dtype=torch.float64).diag()

    @property
    def mi(self) -> float:
        """``-p ln p - (1 - p) ln(1 - p)`` nats."""
        return -self.p * math.log(self.p) - (1 - self.p) * math.log1p(-self.p)


@register_task("symmetric-channel")
class SymmetricChannel(FiniteTask):
    """A uniform symbol of k through a channel that changes it with one probability: at most ln k nats.

    With probability e, y is one of the other symbols, all equally likely, else y = x: ``I = ln k - H(e) - e ln(k - 1)``
    nats, solved for e. One-hot rows of k columns. Log ratio: ``ln k (1 - e)`` where the symbols are equal, and
    ``ln k e / (k - 1)`` where they are not.

    Parameters
    ----------
    mi
        Mutual information, nats, from 0 to ln k.
    k
        Number of symbols, from 2 to 1024.
    """

    mi_method = "closed-form"

    mi: float = 1.0
    k: int = 4

    default_levels = (0.1, 0.2, 0.3, 0.4, 0.6)  # any k has them

    def __post_init__(self) -> None:
        if not 2 <= self.k <= _MOST_SYMBOLS:
            raise UsageError(f"task 'symmetric-channel': k must lie in 2..{_MOST_SYMBOLS}, not {self.k}")
        if not 0 <= self.mi <= math.log(self.k):
            largest = math.log(self.k)
            raise UsageError(f"task 'symmetric-channel': mi must lie between 0 and ln k = {largest:.6g}, not {self.mi}")

    @functools.cached_property
    def kept(self) -> float:
        """``u = 1 - e k / (k - 1)``: x came through, rather than a symbol of any kind, with this probability."""
        if self.mi >= math.log(self.k):
            return 1.0
        return float(optimize.brentq(lambda u: _through(u, self.k) - self.mi, 0.0, 1.0, xtol=1e-16))

    def table_of_pairs(self) -> Tensor:
        """``u / k`` on the diagonal and ``(1 - u) / k^2`` everywhere; see `FiniteTask.table_of_pairs`."""
        return torch.eye(self.k, dtype=torch.float64) * (self.kept / self.k) + (1 - self.kept) / self.k**2


def _through(kept: float, k: int) -> float:
    """Mutual information of `SymmetricChannel`, nats, whose digits are kept near 0."""
    equal, other = (k - 1) * kept, -kept  # ratios less 1
    return float(special.xlog1py(1 + equal, equal) + (k - 1) * special.xlog1py(1 + other, other)) / k


@register_task("finite")
class Finite(FiniteTask):
    """Any table of joint probabilities of two finite variables; a symmetric channel with flips 0.2 unless told.

    ``I = sum p(x, y) log p(x, y) / (p(x) p(y))``, with ``0 log 0 = 0``, by enumeration in float64.

    Parameters
    ----------
    table
        ``p(x, y)`` with a row for each x: rows separated by ``/``, entries by ``_`` (a comma would end the parameter),
        for example ``0.4_0.1/0.1_0.4``. At least two rows and two columns; entries of at least 0 whose sum is 1 up to
        1e-9, which is then made exact. Kept in one spelling, so that ``.40`` and ``0.4`` are the same task.
    """

    table: str = "0.4_0.1/0.1_0.4"

    def __post_init__(self) -> None:
        rows = _parse(self.table)
        # frozen: the one spelling that ids are made of replaces the user's
        object.__setattr__(self, "table", from_rows(rows))

    def table_of_pairs(self) -> Tensor:
        """Read the table; see `FiniteTask.table_of_pairs`."""
        return torch.tensor(_parse(self.table), dtype=torch.float64)


def _parse(text: str) -> list[list[float]]:
    """Read ``"0.4_0.1/0.1_0.4"`` as rows of numbers, or raise `UsageError`."""
    label = "task 'finite', table (rows separated by '/', entries by '_')"
    rows = to_rows(text, label)
    if len(rows) < 2 or len(rows[0]) < 2:
        raise UsageError(f"{label} has {len(rows)} x {len(rows[0])} entries; give at least 2 x 2")
    entries = [entry for row in rows for entry in row]
    if min(entries) < 0:
        raise UsageError(f"{label} holds {min(entries)}; probabilities must be at least 0")
    total = math.fsum(entries)
    if not abs(total - 1) <= _TOTAL_TOLERANCE:
        raise UsageError(f"{label} sums to {total:.12g}; divide its entries by that, so that they sum to 1")
    return rows
