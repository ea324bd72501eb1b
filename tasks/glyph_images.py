"""Procedural images of glyphs, 3 x 16 x 16, whose four factors every image tells without error.

Notable: a glyph touches all four sides of its box, so that no shape at one place is another shape at another; and the
colours of ink and paper differ by more than twice the noise in every channel, so that each pixel tells which it is.
Shapes follow from a written recurrence, not from a library's generator, which a new version of it might change.
"""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor

FACTORS = {"shape": 32, "place": 16, "ink": 8, "paper": 8}
"""The factors and how many values each has."""

CHANNELS, SIDE = 3, 16
PIXELS = CHANNELS * SIDE * SIDE

NOISE = 0.12
"""Half the width of the uniform noise of a pixel; colours are at least 0.3 apart."""

_BOX = 7
_OFFSETS = (0, 3, 6, 9)
_PAPER, _INK = (0.05, 0.35), (0.65, 0.95)  # levels of a channel; a colour is three of them
_APART = 12  # pixels of its box in which any two shapes differ, at least
_ROUNDING = 1e-5


@functools.cache
def shapes() -> Tensor:
    """The 32 glyphs, (32, 7, 7) bool: mirror images of themselves, of 18 to 30 pixels."""
    found: list[Tensor] = []
    state = 1
    while len(found) < FACTORS["shape"]:
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64  # Knuth's, The Art of Computer Programming
        half = torch.tensor([(state >> (63 - bit)) & 1 for bit in range(28)], dtype=torch.bool).view(_BOX, 4)
        glyph = torch.cat((half, half[:, :3].flip(1)), 1)
        touches = all(bool(side.any()) for side in (glyph[0], glyph[-1], glyph[:, 0]))
        differs = all(int((glyph ^ other).sum()) >= _APART for other in found)
        if 18 <= int(glyph.sum()) <= 30 and touches and differs:
            found.append(glyph)
    return torch.stack(found)


@functools.cache
def masks() -> Tensor:
    """Which pixels are ink, (512, 256) bool: of shape s at place p in row ``16 s + p``."""
    canvas = torch.zeros(FACTORS["shape"], FACTORS["place"], SIDE, SIDE, dtype=torch.bool)
    for place in range(FACTORS["place"]):
        top, left = _OFFSETS[place // 4], _OFFSETS[place % 4]
        canvas[:, place, top : top + _BOX, left : left + _BOX] = shapes()
    return canvas.view(-1, SIDE * SIDE)


def _colours(levels: tuple[float, float]) -> Tensor:
    """Eight colours of two levels a channel, (8, 3)."""
    numbers = torch.arange(8)
    bits = torch.stack([(numbers >> (2 - channel)) & 1 for channel in range(CHANNELS)], 1)
    return torch.tensor(levels)[bits]


@dataclasses.dataclass(frozen=True)
class Read:
    """What images tell.

    Parameters
    ----------
    factors
        Values of `FACTORS` in their order, (n, 4), int64.
    known
        Whether each is such an image, (n,).
    """

    factors: Tensor
    known: Tensor


def draw(factors: Tensor, generator: torch.Generator) -> Tensor:
    """Draw images with given factors, (n, 4) to (n, 768) float32: channel after channel, row after row of pixels."""
    clean = _clean(factors.to(generator.device))
    noise = torch.rand(clean.shape, generator=generator, device=generator.device)
    return clean.add_(noise.mul_(2 * NOISE).sub_(NOISE))


def _clean(factors: Tensor) -> Tensor:
    """Images without noise, (n, 768)."""
    device = factors.device
    shape, place, ink, paper = factors.unbind(1)
    mask = masks().to(device)[FACTORS["place"] * shape + place].unsqueeze(1)  # (n, 1, 256)
    inks, papers = (_colours(levels).to(device) for levels in (_INK, _PAPER))
    return torch.where(mask, inks[ink].unsqueeze(2), papers[paper].unsqueeze(2)).flatten(1)


def read(images: Tensor) -> Read:
    """Look up the factors of images, (n, 768)."""
    pixels = images.view(-1, CHANNELS, SIDE * SIDE)
    is_ink = pixels[:, 0] > 0.5  # (n, 256): ink is brighter than paper in every channel
    known_masks = masks().to(images.device)
    # Pixels in which a mask and an image agree: as many as there are for the right one alone.
    agree = (2 * is_ink.float() - 1) @ (2 * known_masks.float() - 1).T
    number = agree.argmax(1)
    ink = _colour_of(pixels, is_ink, _INK)
    paper = _colour_of(pixels, ~is_ink, _PAPER)
    places = FACTORS["place"]
    factors = torch.stack((number // places, number % places, ink, paper), 1)
    off = _clean(factors).to(images.dtype).sub_(images).abs_().amax(1)
    return Read(factors, off <= NOISE + _ROUNDING)


def _colour_of(pixels: Tensor, chosen: Tensor, levels: tuple[float, float]) -> Tensor:
    """Which of eight colours the chosen pixels have on average, (n,)."""
    weight = chosen.unsqueeze(1).to(pixels.dtype)
    mean = (pixels * weight).sum(2) / weight.sum(2).clamp(min=1)
    bits = (mean > sum(levels) / 2).long()
    return (bits * torch.tensor([4, 2, 1], device=pixels.device)).sum(1)
