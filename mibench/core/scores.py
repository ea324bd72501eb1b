"""Critic scores of positive and negative pairs, and the log-space helpers that estimators are written with.

Shapes: ``R`` stands for any leading axes (stacked runs), ``N`` for the batch size, ``M`` for the negatives of a row.
Everything stays in log space: an exponential is taken only of something that was shifted first.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mibench.core.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of one batch.

    Parameters
    ----------
    pos
        ``p_i = T(x_i, y_i)``, shape (..., N).
    neg
        ``q_ij = T(x_i, y'_ij)``, shape (..., N, M).
    extras
        Values of what is trained beside the critic, by name, on the same pairs: an estimator's `Estimator.extras`.
    log_weights
        ``log p(y'_ij) / q(y'_ij | y_i)`` of each negative, shape (..., N, M), nats, where the negatives come from a
        proposal q in place of p(y); None where q is p.
    """

    pos: Tensor
    neg: Tensor
    extras: Mapping[str, Scores] = dataclasses.field(default_factory=dict)
    log_weights: Tensor | None = None

    @classmethod
    def from_pairs(cls, pos: Tensor, neg: Tensor) -> Scores:
        """Scores with explicit negatives.

        Parameters
        ----------
        pos
            Shape (..., N).
        neg
            Shape (..., N, M).

        Raises
        ------
        UsageError
            Where the shapes do not fit, a row has no negative, or there is no row.
        """
        _check_tensors(pos, neg)
        if neg.ndim != pos.ndim + 1 or neg.shape[:-1] != pos.shape:
            raise UsageError(f"pos {tuple(pos.shape)} and neg {tuple(neg.shape)} must be (..., N) and (..., N, M)")
        if 0 in neg.shape[-2:]:
            raise UsageError(f"scores {tuple(neg.shape)} have no rows or no negatives; give at least one of each")
        return cls(pos, neg)

    @classmethod
    def from_matrix(cls, matrix: Tensor, *, offset: int = 0) -> Scores:
        """All pairs of a batch: positives on the diagonal, every other entry of row i a negative of row i.

        Parameters
        ----------
        matrix
            ``T(x_i, y_j)``, shape (..., N, N); or, with an offset, a block of B rows (..., B, N).
        offset
            Index of the block's first row: the positive of row b stands in column ``offset + b``.

        Raises
        ------
        UsageError
            Where the positives would lie outside the matrix, a row has no negative, or there is no row.
        """
        _check_tensors(matrix)
        if matrix.ndim < 2 or not isinstance(offset, int):
            raise UsageError(f"scores {tuple(matrix.shape)} from row {offset} must be (..., B, N) from a whole number")
        rows, columns = matrix.shape[-2:]
        if rows < 1 or columns < 2 or offset < 0 or offset + rows > columns:
            raise UsageError(f"rows {offset}..{offset + rows} of a matrix with {columns} columns have no positives")
        pos = torch.diagonal(matrix, offset=offset, dim1=-2, dim2=-1)  # (..., B)
        # Row after row, the entries between two positives are exactly N consecutive ones.
        flat = matrix.reshape(*matrix.shape[:-2], rows * columns)
        first, last = offset, offset + (rows - 1) * (columns + 1)
        between = flat[..., first + 1 : last + 1].unflatten(-1, (rows - 1, columns + 1))[..., :-1] if rows > 1 else None
        if between is not None and rows == columns:
            return cls(pos, between.reshape(*matrix.shape[:-2], rows, columns - 1))
        neg = matrix.new_empty(*matrix.shape[:-2], rows * (columns - 1))  # filled in place: one copy, not two
        end = first + (rows - 1) * columns
        neg[..., :first] = flat[..., :first]
        if between is not None:
            neg[..., first:end].unflatten(-1, (rows - 1, columns)).copy_(between)
        neg[..., end:] = flat[..., last + 1 :]
        return cls(pos, neg.unflatten(-1, (rows, columns - 1)))

    def with_extras(self, extras: Mapping[str, Scores]) -> Scores:
        """Return the same scores beside the values of extras.

        Parameters
        ----------
        extras
            By name, each with ``pos`` (..., N) and ``neg`` (..., N, M).

        Raises
        ------
        UsageError
            Where the shapes are not those of the scores.
        """
        for name, values in extras.items():
            if not isinstance(values, Scores):
                raise UsageError(f"extra '{name}' must be mibench.Scores, not {type(values).__name__}")
            if values.pos.shape != self.pos.shape or values.neg.shape != self.neg.shape:
                raise UsageError(
                    f"extra '{name}' has shapes {tuple(values.pos.shape)} and {tuple(values.neg.shape)}; they must be "
                    f"those of the scores, {tuple(self.pos.shape)} and {tuple(self.neg.shape)}"
                )
        return dataclasses.replace(self, extras=dict(extras))

    def extra(self, name: str) -> Scores:
        """Values of an extra on the same pairs; zeros where it is not given.

        Parameters
        ----------
        name
            `Extra.name`.
        """
        if name in self.extras:
            return self.extras[name]
        return Scores(torch.zeros_like(self.pos), torch.zeros_like(self.neg))

    def map(self, function: Callable[[Tensor], Tensor]) -> Scores:
        """Apply a function to every tensor of scores and extras, in the order of `tensors`; the weights stay."""
        pos, neg = function(self.pos), function(self.neg)
        extras = {name: values.map(function) for name, values in self.extras.items()}
        return Scores(pos, neg, extras, self.log_weights)

    def tensors(self) -> list[Tensor]:
        """Return every tensor: positives and negatives, of the scores and then of the extras."""
        return [self.pos, self.neg, *(t for values in self.extras.values() for t in values.tensors())]

    @property
    def n(self) -> int:
        """Rows of the batch, N."""
        return self.pos.shape[-1]

    @property
    def m(self) -> int:
        """Classes of the contrastive problem: the positive and its M negatives, ``m = M + 1``."""
        return self.neg.shape[-1] + 1


def _check_tensors(*values: object) -> None:
    for value in values:
        if not isinstance(value, Tensor):
            raise UsageError(f"scores are torch tensors, not {type(value).__name__}; see torch.from_numpy")


def log_mean_exp(values: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """``log mean exp`` over one or more axes, without overflow.

    Parameters
    ----------
    values
        Any shape; finite values of any size, or ``-inf``.
    dim
        The axes that are averaged over.
    """
    dims = (dim,) if isinstance(dim, int) else dim
    count = math.prod(values.shape[d] for d in dims)
    return torch.logsumexp(values, dims) - math.log(count)


def log_mean_negatives(scores: Scores) -> Tensor:
    """``log mean_ij exp q_ij`` over all negatives of a batch, shape (...)."""
    return log_mean_exp(scores.neg, (-2, -1))


def log_sum_leaving_one_out(values: Tensor, kept: Tensor) -> Tensor:
    """``log( sum_c exp kept_c + sum_{k != j} exp values_k )`` for every j, without overflow or cancellation.

    Where the j-th term is at most half of the whole, the logarithm of the whole is corrected by ``log(1 - share)``;
    only the largest term can be more, and the sum without it is taken anew.

    Parameters
    ----------
    values
        Shape (..., M); each is left out in turn.
    kept
        Shape (..., C), in every sum; of any size, at least one finite where M = 1.

    Returns
    -------
    Tensor
        Shape (..., M).
    """
    whole = torch.cat((kept, values), -1)
    top = whole.detach().amax(-1, keepdim=True)  # taken off, so that the shares keep their digits
    total = torch.logsumexp(whole - top, -1, keepdim=True)
    largest = values.argmax(-1, keepdim=True)
    without_largest = torch.logsumexp(whole.scatter(-1, largest + kept.shape[-1], -math.inf), -1, keepdim=True)
    share = torch.exp(values - top - total).scatter(-1, largest, 0.0)
    return (top + total + torch.log1p(-share)).scatter(-1, largest, without_largest)


def effective_sample_size(scores: Scores) -> Tensor:
    """Effective share of a row's negatives, averaged over the rows, shape (...), in [1/M, 1].

    ``ESS_i = 1 / (M sum_j w_ij^2)`` with ``w_i = softmax_j(q_ij - p_i)``; M counts the negatives alone, and the
    positive's score cancels. A row whose scores are all ``-inf`` counts as one of equal scores.

    Source: FlatNCE (Chen et al., 2021), section 4, with K the number of negatives.
    """
    count = scores.neg.shape[-1]
    largest = scores.neg.amax(-1, keepdim=True)
    shifted = scores.neg - largest  # so that the difference below keeps its digits
    shifted = shifted.masked_fill(largest == -math.inf, 0.0)  # a row of impossible pairs
    log_sum = torch.logsumexp(shifted, -1)  # (..., N)
    log_sum_squares = torch.logsumexp(2 * shifted, -1)
    return torch.exp(2 * log_sum - log_sum_squares - math.log(count)).mean(-1)
