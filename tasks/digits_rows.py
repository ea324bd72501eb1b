"""Images and their top rows: what the self-consistency of estimators is tested on.

Notable: the tests of Song and Ermon need no truth, only what information does under processing and for independent
pairs. Here the truth is known all the same, since an image is one of 1797: ``H(Y)``, by counting equal top rows. It is
high, and nearly all there from the first rows on, unless pixels are made black or white.
"""

from __future__ import annotations

import functools
from typing import ClassVar, Literal

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth
from mibench.tasks.digits import PIXELS, SIDE, load_digits
from mibench.tasks.populations import PairedPopulation

_FEWER = 3
"""Rows that processing hides beyond those of the first half."""


@register_task("digits-rows")
class DigitsRows(Task):
    """Images of digits and their top rows, for tests of self-consistency: at most ln 1797 nats an image.

    x is one of scikit-learn's 1797 images of 8 x 8 pixels in [0, 1] and y the same image with the rows from `rows` on
    black: ``I = H(Y)``. Beside this ``baseline``, two settings whose information follows from it:

    - ``processing``: x twice the image, y its top `rows` rows and its top `rows` - 3 rows: the same information;
    - ``additivity``: x two independent images, y the top rows of both: twice the information.

    The log ratio is ``-log p(y)`` where y is what x shows, and ``-inf`` elsewhere. `mibench.analysis.consistency` makes
    the ratios of stored runs.

    Parameters
    ----------
    rows
        Rows that y shows, 0 to 8.
    setting
        ``baseline``, ``processing`` or ``additivity``.
    grey
        Whether pixels have 17 levels: 1626 of 1797 first rows are then different, and ``H(Y)`` is 7.35 nats at one row
        and 7.49 at eight. False makes pixels black or white: 2.21, 4.33, 6.00, 6.90, 7.26, 7.38, 7.43, 7.44 nats.

    Source: Song and Ermon (2020, understanding), section 6.2, there on MNIST and CIFAR-10.
    """

    mi_method: ClassVar[Truth] = "enumeration"

    rows: int = 4
    setting: Literal["baseline", "processing", "additivity"] = "baseline"
    grey: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.rows <= SIDE:
            raise UsageError(f"task 'digits-rows': rows must lie in 0..{SIDE}, not {self.rows}")

    @property
    def dim_x(self) -> int:
        """64 pixels an image."""
        return PIXELS if self.setting == "baseline" else 2 * PIXELS

    @property
    def dim_y(self) -> int:
        """64 pixels an image, hidden ones included."""
        return self.dim_x

    @property
    def _independent(self) -> int:
        """Independent pairs that a pair consists of."""
        return 2 if self.setting == "additivity" else 1

    @functools.cached_property
    def _members(self) -> tuple[Tensor, Tensor]:
        """All pairs of which a pair consists, (1797, d) on each side, float32."""
        images = load_digits(grey=self.grey).images
        if self.setting == "processing":
            shown = torch.cat((_top(images, self.rows), _top(images, max(self.rows - _FEWER, 0))), 1)
            return images.repeat(1, 2), shown
        return images, _top(images, self.rows)

    @functools.cached_property
    def _population(self) -> PairedPopulation:
        return PairedPopulation(*self._members)

    @property
    def mi(self) -> float:
        """``H(Y)``, nats, from the counts of equal rows among the images."""
        return self._independent * self._population.mi

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs; see `Task.sample`."""
        device = generator.device
        images, shown = (side.to(device) for side in self._members)
        chosen = torch.randint(len(images), (n, self._independent), generator=generator, device=device)
        return images[chosen].flatten(1), shown[chosen].flatten(1)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """``-log p(y)``, or ``-inf``, of each row, float64; see `Task.log_ratio`."""
        rows = len(x) * self._independent
        return self._population.log_ratio(x.reshape(rows, -1), y.reshape(rows, -1)).view(len(x), -1).sum(1)


def _top(images: Tensor, rows: int) -> Tensor:
    """Make all but the top rows black."""
    return images * (torch.arange(PIXELS) < SIDE * rows)
