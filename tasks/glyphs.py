"""Two views of a glyph: images whose factors are known without error, and with them the information of the views.

Notable: a view keeps each factor with a probability or draws it anew, so that the information is a sum over factors of
what a symmetric channel passes on, from 0 to 10.4 nats, whatever the 768 pixels look like.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from scipy.optimize import brentq
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task
from mibench.tasks.glyph_images import FACTORS, NOISE, PIXELS, draw, read

_SIZES = tuple(FACTORS.values())


class GlyphTask(Task):
    """Base of the tasks of glyphs; a subclass says how probable it is that each factor is kept."""

    @property
    def keeps(self) -> Sequence[float]:
        """Probability that a view keeps each of `FACTORS`, in their order."""
        raise NotImplementedError

    @property
    def dim_x(self) -> int:
        """3 channels of 16 x 16 pixels."""
        return PIXELS

    @property
    def dim_y(self) -> int:
        """3 channels of 16 x 16 pixels."""
        return PIXELS

    @property
    def mi_of_factors(self) -> dict[str, float]:
        """Mutual information of the two views by factor, nats; their sum is `mi`."""
        return {name: kept_information(k, q) for (name, k), q in zip(FACTORS.items(), self.keeps, strict=True)}

    @property
    def entropy_x(self) -> float:
        """``sum log k + 768 log w`` with w the width of a pixel's noise, nats; see `Task.entropy_x`."""
        return math.fsum(map(math.log, _SIZES)) + PIXELS * math.log(2 * NOISE)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs of views; see `Task.sample`."""
        device = generator.device
        first, second = (
            torch.stack([torch.randint(k, (n,), generator=generator, device=device) for k in _SIZES], 1)
            for _ in range(2)
        )
        uniform = torch.rand(n, len(_SIZES), generator=generator, device=device, dtype=torch.float64)
        kept = uniform < torch.tensor(self.keeps, dtype=torch.float64, device=device)
        return draw(first, generator), draw(torch.where(kept, first, second), generator)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """``sum log k p(factor of y | factor of x)``, float64, ``-inf`` for what is no such image.

        See `Task.log_ratio`.
        """
        one, other = read(x), read(y)
        ratio = self._ratio(one.factors, other.factors)
        return ratio.masked_fill(~(one.known & other.known), -math.inf)

    def log_ratio_of_all_pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """As `log_ratio`; every image is looked up once. See `Task.log_ratio_of_all_pairs`."""
        one, other = read(x), read(y)
        ratio = self._ratio(one.factors.unsqueeze(1), other.factors.unsqueeze(0))
        return ratio.masked_fill(~(one.known.unsqueeze(1) & other.known.unsqueeze(0)), -math.inf)

    def _ratio(self, one: Tensor, other: Tensor) -> Tensor:
        """Sum over factors, the last dimension, for shapes that broadcast."""
        same, differ = (
            torch.tensor(
                [ratio(k, q) for k, q in zip(_SIZES, self.keeps, strict=True)], dtype=torch.float64, device=one.device
            )
            for ratio in (_ratio_of_same, _ratio_of_others)
        )
        return torch.where(one == other, same, differ).sum(-1)


def kept_information(k: int, q: float) -> float:
    """Nats that pass where one of k equally likely values is kept with probability q, and else drawn anew.

    ``p log(k p) + (1 - p) log(k (1 - p) / (k - 1))`` with ``p = q + (1 - q) / k``.
    """
    p = q + (1 - q) / k
    rest = (1 - q) * (k - 1) / k  # 1 - p
    return p * _ratio_of_same(k, q) + (rest * _ratio_of_others(k, q) if rest > 0 else 0.0)


def _ratio_of_same(k: int, q: float) -> float:
    return math.log1p(q * (k - 1))  # log k p: no digits are lost near q = 0


def _ratio_of_others(k: int, q: float) -> float:
    return math.log1p(-q) if q < 1 else -math.inf  # log k (1 - p) / (k - 1)


@register_task("glyphs")
class Glyphs(GlyphTask):
    """Two views of a glyph that share some factors, each kept with one probability: 0 to 10.4 nats.

    A glyph has a shape (of 32), a place (of 16), a colour of ink and one of paper (of 8 each), all independent and
    equally likely; y keeps each shared factor of x with probability q, and draws it anew otherwise, and the factors
    that are not shared always. Pixels of both have independent uniform noise, which hides no factor.

    Parameters
    ----------
    mi
        Mutual information, nats, from 0 to the entropy of the shared factors; q is solved for.
    shared
        The shared factors, of shape, place, ink and paper, separated by ``_``.

    Source: information of views as in Tian et al. (2020), "What makes for good views", on images made for this; the
    information of a channel that keeps one of k values is elementary.
    """

    default_levels: ClassVar[tuple[float, ...]] = (2.0, 6.0, 10.0)

    mi: float = 2.0
    shared: str = "shape_place_ink_paper"

    def __post_init__(self) -> None:
        names = [part.strip() for part in self.shared.split("_")]
        if len(set(names)) != len(names) or not set(names) <= set(FACTORS):
            raise UsageError(
                f"task 'glyphs': shared must be some of {', '.join(FACTORS)}, separated by '_', like shape_ink, not "
                f"'{self.shared}'"
            )
        # frozen: the one spelling that ids are made of replaces the user's
        object.__setattr__(self, "shared", "_".join(name for name in FACTORS if name in names))
        largest = math.fsum(math.log(FACTORS[name]) for name in names)
        if not 0 <= self.mi <= largest * (1 + 1e-12):
            raise UsageError(
                f"task 'glyphs': mi must lie between 0 and the entropy of the shared factors, {largest:.6g}, not "
                f"{self.mi}"
            )

    @functools.cached_property
    def _keep(self) -> float:
        """The probability q."""
        sizes = [FACTORS[name] for name in self.shared.split("_")]

        def excess(q: float) -> float:
            return math.fsum(kept_information(k, q) for k in sizes) - self.mi

        return 1.0 if excess(1.0) <= 0 else float(brentq(excess, 0.0, 1.0, xtol=1e-16))

    @property
    def keeps(self) -> Sequence[float]:
        """See `GlyphTask.keeps`."""
        shared = self.shared.split("_")
        return [self._keep if name in shared else 0.0 for name in FACTORS]


@register_task("glyph-views")
class GlyphViews(GlyphTask):
    """Two views of a glyph that keep each factor with a probability of its own.

    Parameters
    ----------
    shape, place, ink, paper
        Probability that y keeps the factor of x, 0 to 1; otherwise it is drawn anew.

    Source: as task `glyphs`.
    """

    shape: float = 1.0
    place: float = 0.0
    ink: float = 0.0
    paper: float = 0.0

    def __post_init__(self) -> None:
        for name, keep in zip(FACTORS, self.keeps, strict=True):
            if not 0 <= keep <= 1:
                raise UsageError(f"task 'glyph-views': {name} is a probability and must lie in 0..1, not {keep}")

    @property
    def keeps(self) -> Sequence[float]:
        """See `GlyphTask.keeps`."""
        return self.shape, self.place, self.ink, self.paper

    @property
    def mi(self) -> float:
        """Mutual information, nats: the sum of `mi_of_factors`."""
        return math.fsum(self.mi_of_factors.values())
