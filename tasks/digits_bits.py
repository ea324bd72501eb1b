"""Bits shown as images of digits: as many pixels as one likes, and information that is known exactly.

Notable: an image tells its bit and nothing else of the other side, so that the information is that of the bits,
whatever the images. The bits of a pair are read off by looking the images up.
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import torch
from scipy.optimize import brentq
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task
from mibench.tasks.digits import CLASSES, PIXELS, load_digits
from mibench.tasks.populations import Population

_MOST_BITS = 16
_LABEL = "task 'digits-bits'"


@register_task("digits-bits")
class DigitsBits(Task):
    """Images of digits for bits, one side's bits through a binary symmetric channel: I = k (ln 2 - H(p)) nats.

    x shows k fair bits, y the same bits, each flipped with probability p. A bit is shown as a random image of the one
    digit or the other, from scikit-learn's 8 x 8 images with pixels in [0, 1]; all images are drawn independently.
    The log ratio is ``ln 2 (1 - p)`` for every bit on which both sides agree, ``ln 2 p`` for the others, and ``-inf``
    for what is no such image.

    Parameters
    ----------
    mi
        Mutual information, nats, from 0 to k ln 2; p is solved for.
    bits
        Number of bits k, 1 to 16; 64 columns each.
    classes
        The digits that show 0 and 1, separated by ``_`` (a comma would end the parameter).

    Source: Lee and Rhee (2024), a benchmark suite for MI estimators on unstructured data: pairs of the same class, and
    a binary symmetric channel that sets the information.
    """

    default_levels: ClassVar[tuple[float, ...]] = (1.0, 2.0, 3.0, 4.0, 5.0)

    mi: float = 0.5
    bits: int = 8
    classes: str = "0_1"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= _MOST_BITS:
            raise UsageError(f"{_LABEL}: bits must lie in 1..{_MOST_BITS}, not {self.bits}")
        largest = self.bits * math.log(2)
        if not 0 <= self.mi <= largest:
            raise UsageError(f"{_LABEL}: mi must lie between 0 and bits ln 2 = {largest:.6g}, not {self.mi}")
        # frozen: the one spelling that ids are made of replaces the user's
        object.__setattr__(self, "classes", "_".join(map(str, _read_classes(self.classes))))

    @property
    def dim_x(self) -> int:
        """64 pixels for every bit."""
        return PIXELS * self.bits

    @property
    def dim_y(self) -> int:
        """64 pixels for every bit."""
        return PIXELS * self.bits

    @functools.cached_property
    def flip(self) -> float:
        """Probability p that a bit is flipped, from 0 to 1/2: the root of ``ln 2 - H(p) = I / k``."""
        target = self.mi / self.bits
        if target >= math.log(2):
            return 0.0
        return (1 - float(brentq(lambda u: _capacity(u) - target, 0.0, 1.0, xtol=1e-16))) / 2

    @functools.cached_property
    def _images(self) -> tuple[Tensor, Tensor, int]:
        """Images of the two classes, (M, 64), those of bit 0 first; the bit of each, (M,); and how many show 0."""
        digits = load_digits()
        shown = [digits.images[digits.labels == label] for label in _read_classes(self.classes)]
        bit = torch.cat([torch.full((len(images),), value) for value, images in enumerate(shown)])
        return torch.cat(shown), bit, len(shown[0])

    @functools.cached_property
    def _population(self) -> tuple[Population, Tensor]:
        """The images to look up, and the bit of each distinct one, (k,)."""
        images, bit, _ = self._images
        population = Population(images)
        return population, torch.empty(len(population.values), dtype=torch.int64).scatter_(0, population.number, bit)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs of k images each; see `Task.sample`."""
        device = generator.device
        bit_x = torch.randint(2, (n, self.bits), generator=generator, device=device)
        uniform = torch.rand(n, self.bits, generator=generator, device=device, dtype=torch.float64)
        bit_y = bit_x ^ (uniform < self.flip)
        return self._show(bit_x, generator), self._show(bit_y, generator)

    def _show(self, bits: Tensor, generator: torch.Generator) -> Tensor:
        """Draw an image for every bit, (n, k) to (n, 64 k)."""
        images, _, zeros = self._images
        uniform = torch.rand(bits.shape, generator=generator, device=bits.device, dtype=torch.float64)
        # Of `zeros` images or of the others, which follow them; a product never rounds up to their number.
        rank = (uniform * torch.where(bits == 1, len(images) - zeros, zeros)).long() + zeros * bits
        return images.to(bits.device)[rank].flatten(1)

    def _read(self, images: Tensor) -> Tensor:
        """Return the bits that images show, (n, 64 k) to (n, k), int64; -1 for what is no image of the two classes."""
        population, bit = self._population
        number = population.find(images.reshape(-1, PIXELS)).view(-1, self.bits)
        return torch.where(number >= 0, bit.to(images.device)[number.clamp(min=0)], -1)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """``ln 2 (1 - p)`` or ``ln 2 p`` of each bit, summed over a row, float64; see `Task.log_ratio`."""
        return self._ratio_of_bits(self._read(x), self._read(y))

    def log_ratio_of_all_pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """As `log_ratio`; every image is looked up once. See `Task.log_ratio_of_all_pairs`."""
        bit_x, bit_y = self._read(x), self._read(y)
        n_x, n_y = len(bit_x), len(bit_y)
        return self._ratio_of_bits(bit_x.repeat_interleave(n_y, 0), bit_y.repeat(n_x, 1)).view(n_x, n_y)

    def _ratio_of_bits(self, bit_x: Tensor, bit_y: Tensor) -> Tensor:
        agree, differ = math.log(2 * (1 - self.flip)), math.log(2 * self.flip) if self.flip else -math.inf
        by_bit = torch.where(bit_x == bit_y, agree, differ).double()
        return by_bit.masked_fill((bit_x < 0) | (bit_y < 0), -math.inf).sum(1)


def _capacity(u: float) -> float:
    """``ln 2 - H(p)`` of a flip probability ``p = (1 - u) / 2``, nats; no digits are lost near u = 0."""
    rest = (1 - u) * math.log1p(-u) if u < 1 else 0.0
    return ((1 + u) * math.log1p(u) + rest) / 2


def _read_classes(text: str) -> tuple[int, int]:
    """Read ``"0_1"`` as two different digits, or raise `UsageError`."""
    names = [part.strip() for part in text.split("_")]
    known = [str(label) for label in range(CLASSES)]
    if len(names) != 2 or names[0] == names[1] or not set(names) <= set(known):
        raise UsageError(f"{_LABEL}: classes must be two different digits separated by '_', like 0_1, not '{text}'")
    return int(names[0]), int(names[1])
