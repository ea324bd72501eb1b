"""What a critic is: what the user chooses by name; its scorer (`mibench.core.scorer`) does the work.

Notable: the options ``hidden``, ``activation``, ``dropout``, ``lr`` and ``weight_decay`` belong to the run, since most
critics share them; a critic says which of them it uses, and the others are left out of the run's id. The precision of
``products`` is such an option too. What is a critic's own (an embedding's size, a scale) is its parameter:
``cosine:scale=10``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import nn

from mibench.core.estimator import Estimator, Extra
from mibench.core.parameters import Parametrised
from mibench.core.scorer import Scorer, Shape

Activation = Literal["relu", "elu"]

EVERY_OPTION = frozenset({"hidden", "activation", "dropout", "lr", "weight_decay", "products"})
"""What a critic can use: see `Critic.uses`."""


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The run's options that shape a critic.

    Parameters
    ----------
    depth, width
        Hidden layers and their width.
    activation
        ``relu`` or ``elu``.
    dropout
        Dropout probability after each hidden layer, ``depth`` numbers.
    """

    depth: int = 2
    width: int = 256
    activation: Activation = "relu"
    dropout: tuple[float, ...] = ()

    @property
    def has_dropout(self) -> bool:
        """Whether any layer drops units."""
        return any(p > 0 for p in self.dropout)

    def mlp(self, n_in: int, n_out: int) -> nn.Sequential:
        """Build the perceptron ``n_in -> depth x width -> n_out`` as a plain torch module."""
        layers: list[nn.Module] = []
        for i in range(self.depth):
            layers.append(nn.Linear(n_in if i == 0 else self.width, self.width))
            layers.append(nn.ReLU() if self.activation == "relu" else nn.ELU())
            if self.has_dropout:
                layers.append(nn.Dropout(self.dropout[i]))
        return nn.Sequential(*layers, nn.Linear(self.width, n_out))


class Critic(Parametrised):
    """Base of the critics; a subclass builds the scorer of a pack. Plug-ins derive from `ModuleCritic`."""

    default_negatives: ClassVar[str | None] = None
    """Negative sampler where the user names none; None leaves it to the estimator."""

    cheap_pool: ClassVar[bool] = False
    """Whether all pairs of a large pool are cheap: 2^13 rows instead of 2^11."""

    needs_log_ratio: ClassVar[bool] = False
    """Whether the task must know its density ratio."""

    needs_equal_sides: ClassVar[bool] = False
    """Whether x and y must have the same columns."""

    needs_support: ClassVar[bool] = False
    """Whether y must number the elements of a known finite set, from 0 on."""

    scores_pairs: ClassVar[bool] = True
    """Whether there are scores at all; False for `none` alone."""

    @property
    def uses(self) -> frozenset[str]:
        """The run's options that change this critic; a subclass overrides it by a class attribute or a property."""
        return EVERY_OPTION

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked critics of a pack.

        Parameters
        ----------
        shape
            Sizes of the pack.
        architecture
            Hidden layers; ignored where ``uses`` leaves them out.
        estimators
            The estimator of each run, for critics that depend on it.
        """
        raise NotImplementedError

    def own_extra(self, extra: Extra, shape: Shape) -> Scorer | None:
        """Build what takes the place of an extra that is else trained beside the critic; None leaves it as it is.

        Parameters
        ----------
        extra
            What it is a function of.
        shape
            Sizes of the pack.
        """
        return None
