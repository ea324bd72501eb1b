"""Codes of digits and their labels: information that is all there, and more or less easy to use.

Notable: no two images have one code, so that the label is a function of the code and their mutual information H(Y),
whatever the encoder. What differs is how much of it a family of predictors can use: the estimator ``v-information``
with ``family=softmax`` and ``mean=linear`` or ``mlp``, or a probe of `mibench.training.probes` on the codes of a half.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.estimator import Estimator
from mibench.core.parameters import Params
from mibench.core.registry import register_task
from mibench.core.task import Task, Truth
from mibench.tasks.autoencoder import Autoencoder, train_autoencoder
from mibench.tasks.digits import CLASSES, PIXELS, Digits, load_digits
from mibench.tasks.populations import PairedPopulation


@register_task("digits-v-information")
class DigitsVInformation(Task):
    """Codes of an autoencoder for digits, and the labels as one-hot rows: I = H(Y), near ln 10 nats.

    A random half of scikit-learn's 1797 images of 8 x 8 pixels trains the autoencoder, whose decoder is ``linear`` or
    an ``mlp`` (the principle of V-InfoMax: codes that this family can use), and a pair is the code of one of the other
    898 and its label. Training takes a few seconds, once a process, on the CPU. The log ratio is ``-log p(y)`` for a
    code and its label, and ``-inf`` elsewhere.

    Parameters
    ----------
    decoder
        Family of the decoder: ``linear``, or an ``mlp`` of two hidden layers.
    code
        Columns of a code, 1 to 64; over the training half each has mean 0 and variance 1.
    seed
        Of the halves, the initial weights and the batches, at least 0: another number, another task.

    Source: Gosch (2020), section 5.1 and figure 5, there on MNIST with codes of 100 columns.
    """

    mi_method: ClassVar[Truth] = "enumeration"
    probes = ("linear", "mlp")

    decoder: Literal["linear", "mlp"] = "linear"
    code: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.code <= PIXELS or self.seed < 0:
            raise UsageError(
                f"task 'digits-v-information': code must lie in 1..{PIXELS} and seed be at least 0, not {self.code} "
                f"and {self.seed}"
            )

    @property
    def dim_x(self) -> int:
        """Columns of a code."""
        return self.code

    @property
    def dim_y(self) -> int:
        """Ten labels."""
        return CLASSES

    @property
    def autoencoder(self) -> Autoencoder:
        """The trained autoencoder; its `Autoencoder.v_information` is that of codes about images."""
        return _train(self.params())

    def images(self, half: Literal["train", "test"]) -> Digits:
        """Return the images and labels that trained the autoencoder, 899, or those of the pairs, 898."""
        digits = load_digits()
        order = torch.randperm(len(digits.labels), generator=torch.Generator().manual_seed(self.seed))
        middle = (len(order) + 1) // 2
        chosen = order[:middle] if half == "train" else order[middle:]
        return Digits(digits.images[chosen], digits.labels[chosen])

    def codes(self, half: Literal["train", "test"]) -> tuple[Tensor, Tensor]:
        """Return the codes of a half, (m, code), float32, and their labels, (m,), int64: what a probe is given."""
        digits = self.images(half)
        return self.autoencoder.encode(digits.images), digits.labels

    @functools.cached_property
    def _members(self) -> tuple[Tensor, Tensor]:
        """All pairs, (898, code) and (898, 10), float32."""
        return self.codes("test")[0], self.images("test").one_hot

    @functools.cached_property
    def _population(self) -> PairedPopulation:
        return PairedPopulation(*self._members)

    @property
    def mi(self) -> float:
        """``H(Y)`` of the 898 labels, nats, less ``H(Y | X)`` where codes coincide."""
        return self._population.mi

    @property
    def normalised_mi(self) -> float:
        """``I / H(Y)``: 1 where no two codes coincide."""
        return self.mi / self._population.y.entropy

    def labelled(self, n: int, generator: torch.Generator, *, held_out: bool) -> tuple[Tensor, Tensor]:
        """Draw up to n codes of one half of the images, each at most once, and their labels; see `Task.labelled`."""
        codes, labels = self.codes("test" if held_out else "train")
        chosen = torch.randperm(len(codes), generator=generator, device=generator.device)[:n].cpu()
        return codes[chosen].to(generator.device), labels[chosen].to(generator.device)

    def outcomes(self, estimator: Estimator, batch: int) -> Mapping[str, float]:
        """V-information of held-out codes about their images for the decoder's family, nats: ``v_information``."""
        return {"v_information": self.autoencoder.v_information(self.images("test").images)}

    def support_y(self) -> tuple[Tensor, Tensor]:
        """One-hot rows of the labels that occur; see `Task.support_y`."""
        return self._population.y.values, self._population.y.log_p

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n codes and their labels; see `Task.sample`."""
        codes, labels = (side.to(generator.device) for side in self._members)
        chosen = torch.randint(len(codes), (n,), generator=generator, device=generator.device)
        return codes[chosen], labels[chosen]

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """``-log p(y)``, or ``-inf``, of each row, float64; see `Task.log_ratio`."""
        return self._population.log_ratio(x, y)


@functools.cache
def _train(params: Params) -> Autoencoder:
    """Train once a process."""
    task = DigitsVInformation(**dict(params))  # type: ignore[arg-type]  # a task's own parameters
    return train_autoencoder(task.images("train").images, decoder=task.decoder, code=task.code, seed=task.seed)
