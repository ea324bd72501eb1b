"""What a task is: the base class that tasks derive from.

A task is one class in one file. Its annotated fields are its parameters, its docstring's first line is what
``mibench list`` shows, and the decorator gives it its versioned name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.parameters import Parametrised

Truth = Literal["closed-form", "quadrature", "enumeration", "monte-carlo"]


def of_all_pairs(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Values of every x with every y, (n_x, n_y), from a function of pairs, (n, dim_x) and (n, dim_y) to (n,)."""
    n_x, n_y = len(x), len(y)
    pairs_x = x.unsqueeze(1).expand(-1, n_y, -1).reshape(n_x * n_y, -1)
    pairs_y = y.unsqueeze(0).expand(n_x, -1, -1).reshape(n_x * n_y, -1)
    return function(pairs_x, pairs_y).view(n_x, n_y)


class Task(Parametrised):
    """A joint distribution whose mutual information is known.

    A subclass has a field or property ``mi`` (nats), the dimensions ``dim_x`` and ``dim_y``, and `sample`; it
    overrides `log_ratio` wherever the density ratio is known. A field named ``mi`` makes MI a knob: grids and
    staircases set it.
    """

    mi_method: ClassVar[Truth] = "closed-form"
    """How the truth is known."""

    probes: ClassVar[tuple[Literal["linear", "mlp"], ...]] = ("linear",)
    """Probes that read labels off representations, where there are labels; see `mibench.training.probes`."""

    default_levels: ClassVar[tuple[float, ...]] = ()
    """MI levels (nats) that a grid takes where the user names none; empty without a knob."""

    if TYPE_CHECKING:  # a field in some subclasses, a property in others

        @property
        def mi(self) -> float:
            """Mutual information, nats."""

    @property
    def mi_se(self) -> float:
        """Standard error of the truth in nats; 0.0 where it is exact."""
        return 0.0

    @property
    def dim_x(self) -> int:
        """Number of columns of x."""
        raise NotImplementedError

    @property
    def dim_y(self) -> int:
        """Number of columns of y."""
        raise NotImplementedError

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n fresh pairs.

        Parameters
        ----------
        n
            Number of pairs.
        generator
            The only source of randomness; its device is where the pairs are made. The same state gives the same
            pairs.

        Returns
        -------
        x, y
            Floating-point tensors (n, dim_x) and (n, dim_y).
        """
        raise NotImplementedError

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """Exact ``log p(x, y) / (p(x) p(y))`` of each row, shape (n,), nats.

        Raises
        ------
        NotImplementedError
            Where the density ratio is not known.
        """
        raise NotImplementedError(f"{type(self).__name__} has no known density ratio")

    def log_ratio_of_all_pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """`log_ratio` of every x with every y, shape (n_x, n_y), nats.

        Overridden where most of the work is on a side alone, and need not be done again for every partner.
        """
        return of_all_pairs(self.log_ratio, x, y)

    @property
    def entropy_x(self) -> float:
        """Entropy of X, differential where X is continuous, nats.

        Raises
        ------
        NotImplementedError
            Where it is not known.
        """
        raise NotImplementedError(f"{type(self).__name__} has no known entropy of x")

    def support_y(self) -> tuple[Tensor, Tensor]:
        """Return the k distinct values of y, (k, dim_y), and ``log p(y)`` of each, (k,) in float64, nats.

        Raises
        ------
        NotImplementedError
            Where y has no known finite support.
        """
        raise NotImplementedError(f"{type(self).__name__} has no known finite support of y")

    def labelled(self, n: int, generator: torch.Generator, *, held_out: bool) -> tuple[Tensor, Tensor]:
        """Draw x with labels, which a probe of a representation is trained or tested on.

        Parameters
        ----------
        n
            Number of points wanted; a task with a finite set gives at most what it has.
        generator
            The only source of randomness.
        held_out
            Whether the points are to test on: where the set is finite, they are others than those to train on.

        Returns
        -------
        x, label
            Shapes (n, dim_x) and (n,), the labels int64.

        Raises
        ------
        NotImplementedError
            Where the task has no labels.
        """
        raise NotImplementedError(f"{type(self).__name__} has no labels")

    def outcomes(self, estimator: Estimator, batch: int) -> Mapping[str, float]:
        """What the task has to report beside information, by name; kept with every run.

        Parameters
        ----------
        estimator, batch
            Of the run: a task may know what to expect of it.
        """
        return {}

    @property
    def has_labels(self) -> bool:
        """Whether a representation of x can be probed."""
        return type(self).labelled is not Task.labelled

    @property
    def has_log_ratio(self) -> bool:
        """Whether the exact critic exists."""
        return type(self).log_ratio is not Task.log_ratio

    @property
    def has_entropy_x(self) -> bool:
        """Whether the entropy of X is known."""
        return type(self).entropy_x is not Task.entropy_x

    @property
    def has_support_y(self) -> bool:
        """Whether y takes finitely many known values."""
        return type(self).support_y is not Task.support_y

    @classmethod
    def has_knob(cls) -> bool:
        """Whether MI is a parameter that the user sets."""
        return "mi" in cls.parameter_names()
