"""Noisy images of digits and their labels, with the information that the noise leaves.

Notable: an image is one of 1797, and a noisy one has a known probability given each of them. So the posterior of the
label is exact, by Bayes' rule over all images, and with it the log ratio; only its mean is estimated. The probabilities
need no product over pixels: a noisy pixel is 0 or 1, so that a pixel strictly between was left alone, and the rest is
a count of agreeing pixels. One product of matrices of whole numbers gives both, without rounding.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.parameters import Params
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth
from mibench.tasks.digits import CLASSES, PIXELS, Digits, load_digits
from mibench.tasks.populations import PairedPopulation, Population

_TRUTH_DRAWS = 2**14
_TRUTH_SEED = 20200713
_BLOCK_ROWS = 2**9
_VETO = 2 * PIXELS
"""What a disagreement costs an image in the count of agreeing pixels: more than all of them."""


@register_task("digits-label")
class DigitsLabel(Task):
    """A digit's image under salt-and-pepper noise, and its label as a one-hot row: at most H(Y), near ln 10 nats.

    A pair is one of scikit-learn's 1797 images of 8 x 8 pixels in [0, 1], each pixel replaced with probability `noise`
    by 0 or 1 at even odds, and its label. ``I = H(Y) - E H(Y | X)``: H(Y), the entropy of the 1797 labels, without
    noise, and 0 where every pixel is replaced. The population is finite: one pixel in ten, left alone, can tell which
    grey image it was, and the truth counts what a reader knows who has seen all 1797. Black and white images lose
    their information sooner, more like images never seen before.

    Parameters
    ----------
    noise
        Probability that a pixel is replaced, from 0 to 1.
    grey
        Whether pixels have 17 levels; False makes them black or white.

    Source: appendix D.1 of Gosch (2020), figures 8 and 9, there with representations of MNIST; I / H(Y) is
    `normalised_mi`.
    """

    noise: float = 0.8
    grey: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise UsageError(f"task 'digits-label': noise must lie between 0 and 1, not {self.noise}")

    @property
    def dim_x(self) -> int:
        """64 pixels."""
        return PIXELS

    @property
    def dim_y(self) -> int:
        """Ten labels."""
        return CLASSES

    @property
    def mi_method(self) -> Truth:  # type: ignore[override]  # a class attribute of tasks with one way for all parameters
        """``monte-carlo``; ``enumeration`` without noise, and where nothing else is left."""
        return "monte-carlo" if 0 < self.noise < 1 else "enumeration"

    @property
    def mi(self) -> float:
        """``H(Y) - E H(Y | X)``, nats, over 2^14 noisy images."""
        return _truth(self.params())[0]

    @property
    def mi_se(self) -> float:
        """Standard error of the truth, nats; 0 where it is exact, else at least H(Y) over the number of images.

        Where noise hardly ever hides the label, no image of the sample may say so.
        """
        return _truth(self.params())[1]

    @property
    def entropy_y(self) -> float:
        """Entropy of the label, nats; 0.0001 below ln 10."""
        return Population(load_digits().one_hot).entropy

    @property
    def normalised_mi(self) -> float:
        """``I / H(Y)``, from 0 to 1."""
        return self.mi / self.entropy_y

    def support_y(self) -> tuple[Tensor, Tensor]:
        """One-hot rows of the ten labels; see `Task.support_y`."""
        return torch.eye(CLASSES), self._log_classes

    @functools.cached_property
    def _digits(self) -> Digits:
        """The images, those of a class one after another."""
        digits = load_digits(grey=self.grey)
        order = digits.labels.argsort(stable=True)
        return Digits(digits.images[order], digits.labels[order])

    @functools.cached_property
    def _counts(self) -> list[int]:
        return self._digits.labels.bincount(minlength=CLASSES).tolist()

    @functools.cached_property
    def _log_classes(self) -> Tensor:
        """``log p(y)``, (10,), float64."""
        return (torch.tensor(self._counts, dtype=torch.float64) / len(self._digits.labels)).log()

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n noisy images and their labels; see `Task.sample`."""
        device, digits = generator.device, self._digits
        chosen = torch.randint(len(digits.labels), (n,), generator=generator, device=device)
        images, labels = digits.images.to(device)[chosen], digits.one_hot.to(device)[chosen]
        # One number a pixel: below noise / 2 it is made 0, from there to noise 1.
        uniform = torch.rand(n, PIXELS, generator=generator, device=device, dtype=torch.float64)
        salt = (uniform >= self.noise / 2).float()
        return torch.where(uniform < self.noise, salt, images), labels

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """``log p(y | x) / p(y)`` of each row, float64; ``-inf`` where no image of the label, or of any, gives x."""
        own = y.argmax(-1, keepdim=True)
        posterior = torch.cat(list(self._log_posteriors(x)))
        ratio = (posterior - self._log_classes.to(x.device)).gather(1, own).squeeze(1)
        return ratio.nan_to_num(nan=-math.inf, neginf=-math.inf)

    def _log_posteriors(self, x: Tensor) -> Iterator[Tensor]:
        """Yield ``log p(y | x)`` of all labels, (rows, 10), float64, block by block; NaN where no image gives x."""
        members = self._members.to(x.device)
        # log of the probability that a pixel at 0 or 1 is seen as it is, less that of the opposite one
        odds = math.log(2 / self.noise - 1) if self.noise else 0.0
        for block in x.split(_BLOCK_ROWS):
            agreeing = self._seen(block.double()) @ members  # (rows, 1797)
            log_likelihood = torch.where(agreeing >= 0, agreeing * odds, -math.inf)
            by_class = torch.stack([part.logsumexp(1) for part in log_likelihood.split(self._counts, 1)], 1)
            yield by_class - by_class.logsumexp(1, keepdim=True)

    def _seen(self, x: Tensor) -> Tensor:
        """What a noisy image says, (rows, 320), against `_members`: agreements at 0 and 1, and squares elsewhere.

        The squared distance, in sixteenths, over pixels that cannot be noise is 0 or at least 1, and counts `_VETO`
        times. Whole numbers, in float64: products of float32 may be taken in less.
        """
        noisy = ((x == 0) | (x == 1)) & (self.noise > 0)
        black, white = noisy & (x == 0), noisy & (x == 1)
        left, level = (~noisy).double() * _VETO, 16 * x
        return torch.cat((black.double(), white.double(), -left * level.square(), 2 * left * level, -left), 1)

    @functools.cached_property
    def _members(self) -> Tensor:
        """The images, (320, 1797), float64, in the columns of `_seen`."""
        level = 16 * self._digits.images.double()
        return torch.cat(((level == 0).double(), (level == 16).double(), torch.ones_like(level), level, level**2), 1).T


@functools.cache
def _truth(params: Params) -> tuple[float, float]:
    """``H(Y)`` less the mean entropy of the label given noisy images, and the standard error, nats; once a process."""
    task = DigitsLabel(**dict(params))  # type: ignore[arg-type]  # a task's own parameters
    if task.noise == 0:
        digits = load_digits(grey=task.grey)
        return PairedPopulation(digits.images, digits.one_hot).mi, 0.0
    if task.noise == 1:
        return 0.0, 0.0
    x, _ = task.sample(_TRUTH_DRAWS, torch.Generator().manual_seed(_TRUTH_SEED))
    left = torch.cat([torch.special.entr(block.exp()).sum(1) for block in task._log_posteriors(x)])
    error = max(float(left.std()) / math.sqrt(_TRUTH_DRAWS), task.entropy_y / _TRUTH_DRAWS)
    return task.entropy_y - float(left.mean()), error
