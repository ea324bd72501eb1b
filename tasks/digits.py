"""The 1797 images of handwritten digits that scikit-learn brings along: 8 x 8 pixels in 17 grey levels.

Notable: a finite population. An image drawn from it is one of 1797, which is why the information about it is known.
scikit-learn is imported with the images, not before.
"""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor

PIXELS = 64
SIDE = 8
CLASSES = 10
_WHITE = 16.0


@dataclasses.dataclass(frozen=True, eq=False)
class Digits:
    """Images and their labels.

    Parameters
    ----------
    images
        Shape (1797, 64), float32, from 0 to 1 in steps of 1/16, row after row of pixels.
    labels
        Shape (1797,), int64, 0 to 9.
    """

    images: Tensor
    labels: Tensor

    @property
    def one_hot(self) -> Tensor:
        """Labels as rows of zeros with a one, (1797, 10), float32."""
        return torch.nn.functional.one_hot(self.labels, CLASSES).float()


@functools.cache
def load_digits(*, grey: bool = True) -> Digits:
    """Return the bundled images, read once a process.

    Parameters
    ----------
    grey
        False makes pixels black or white: 1 from half of the largest level on. 1750 distinct images are left.

    Source: the test set of Alpaydin and Kaynak (1998), optical recognition of handwritten digits, UCI repository.
    """
    from sklearn import datasets

    bunch = datasets.load_digits()
    images = torch.from_numpy(bunch.data).float() / _WHITE
    return Digits(images if grey else (images >= 0.5).float(), torch.from_numpy(bunch.target).long())
