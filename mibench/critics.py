"""Critics by name: what the user chooses; `mibench.scorers` does their work.

Notable: the options ``hidden``, ``activation``, ``dropout``, ``lr`` and ``weight_decay`` belong to the run, since most
critics share them; a critic says which of them it uses, and the others are left out of the run's id. The precision of
``products`` is such an option too. What is a critic's own (an embedding's size, a scale) is its parameter:
``cosine:scale=10``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from mibench.density_scorer import density_scorer
from mibench.dot_scorer import DotScorer
from mibench.errors import UsageError
from mibench.extra_scorers import BaselineScorer, ConstantScorer, EntropyScorer, UniformScorer
from mibench.interfaces import Density
from mibench.joint_scorer import JointScorer
from mibench.kernels import Activation
from mibench.parameters import Parametrised
from mibench.registry import register_critic
from mibench.scorers import ModuleScorer, NoScorer, OracleScorer, Scorer, Shape

if TYPE_CHECKING:
    from mibench.interfaces import Estimator, Extra

_EVERY_OPTION = frozenset({"hidden", "activation", "dropout", "lr", "weight_decay", "products"})


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


_BASELINE = Architecture(depth=1, width=64)
"""Of a baseline beside critics without hidden layers."""


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
        return _EVERY_OPTION

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

    def build_extra(
        self, extra: Extra, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator], scorer: Scorer
    ) -> Scorer:
        """Build what stands beside this critic for the estimators of a pack.

        A second critic, also one on pairs of y, is built like the first. A baseline, and what gives a conditional
        density its parameters, is an MLP of the critic's hidden layers and activation, 1x64 relu beside critics that
        have none, and has no dropout.

        Parameters
        ----------
        extra
            What it is a function of.
        shape, architecture, estimators
            As in `build`.
        scorer
            What `build` gave for the pack.
        """
        own = architecture if "hidden" in self.uses else _BASELINE
        hidden = (own.depth, own.width)
        match extra.of:
            case Density():
                return density_scorer(extra.of, shape, hidden=hidden, activation=own.activation)
            case "pair":
                return self.build(shape, architecture, estimators)
            case "y pair":
                scorer = self.build(dataclasses.replace(shape, dim_x=shape.dim_y), architecture, estimators)
                scorer.left = "y"
                return scorer
            case "constant":
                return ConstantScorer(shape)
            case "uniform":
                return UniformScorer(shape)
            case "entropy of x":
                return EntropyScorer(shape)
            case "similarity of codes":
                return scorer.similarity()
            case "x" | "y":
                return BaselineScorer(shape, side=extra.of, hidden=hidden, activation=own.activation)


class ModuleCritic(Critic):
    """A critic given as a torch module, trained by autograd: the base for plug-ins."""

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build a module whose ``forward(x, y)`` maps (n, dim_x) and (n, dim_y) to scores (n,)."""
        raise NotImplementedError

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build one module per run."""
        return ModuleScorer(shape, lambda: self.module(shape.dim_x, shape.dim_y, architecture))


class _DotModule(nn.Module):
    """``scale * g(x)^T h(y)`` as a plain module; unit vectors where there is a scale."""

    def __init__(self, g: nn.Module, h: nn.Module, scale: float | None) -> None:
        super().__init__()
        self.g, self.h, self.scale = g, h, scale

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        g, h = self.g(x), self.h(y)
        if self.scale is not None:
            g, h = self.scale * nn.functional.normalize(g, dim=-1), nn.functional.normalize(h, dim=-1)
        scores: Tensor = (g * h).sum(-1)
        return scores


class _JointModule(nn.Module):
    """``f([x; y])`` as a plain module."""

    def __init__(self, f: nn.Module) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        scores: Tensor = self.f(torch.cat((x, y), -1)).squeeze(-1)
        return scores


@register_critic("separable")
class Separable(ModuleCritic):
    """g(x)^T h(y): two MLPs into a common space; all pairs cost N rows.

    Parameters
    ----------
    embed
        Dimension of the common space, at least 1.
    """

    cheap_pool = True

    embed: int = 32

    def __post_init__(self) -> None:
        if self.embed < 1:
            raise UsageError(f"critic 'separable': embed must be at least 1, not {self.embed}")

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        return _DotModule(architecture.mlp(dim_x, self.embed), architecture.mlp(dim_y, self.embed), None)

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked towers; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        hidden = (architecture.depth, architecture.width)
        return DotScorer(shape, hidden=hidden, activation=architecture.activation, embed=self.embed)


@register_critic("siamese")
class Siamese(ModuleCritic):
    """g(x)^T g(y): one encoder for both sides, as for two views of one thing; x and y have the same columns.

    Parameters
    ----------
    embed
        Dimension of the code, at least 1.

    Source: the encoder of Wu, Zhuang, Yamins and Goodman (2020, views), section 4, with codes of two numbers.
    """

    cheap_pool = True
    needs_equal_sides = True

    embed: int = 32

    def __post_init__(self) -> None:
        if self.embed < 1:
            raise UsageError(f"critic 'siamese': embed must be at least 1, not {self.embed}")

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        encoder = architecture.mlp(dim_x, self.embed)
        return _DotModule(encoder, encoder, None)

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked encoders; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        hidden = (architecture.depth, architecture.width)
        return DotScorer(shape, hidden=hidden, activation=architecture.activation, embed=self.embed, shared=True)


@register_critic("cosine")
class Cosine(ModuleCritic):
    """scale * cos(g(x), h(y)): separable with unit vectors, so that scores are bounded by the scale.

    Parameters
    ----------
    scale
        Inverse temperature, above 0; scores lie in [-scale, scale].
    embed
        Dimension of the common space, at least 1.
    """

    cheap_pool = True

    scale: float = 20.0
    embed: int = 32

    def __post_init__(self) -> None:
        if not (0 < self.scale < float("inf") and self.embed >= 1):
            raise UsageError(
                f"critic 'cosine': scale must be above 0 and embed at least 1, not {self.scale} and {self.embed}"
            )

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        return _DotModule(architecture.mlp(dim_x, self.embed), architecture.mlp(dim_y, self.embed), self.scale)

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked towers; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        hidden = (architecture.depth, architecture.width)
        return DotScorer(shape, hidden=hidden, activation=architecture.activation, embed=self.embed, scale=self.scale)


@register_critic("bilinear")
class Bilinear(Critic):
    """x^T W y: one matrix, no hidden layer."""

    uses = frozenset({"lr", "weight_decay", "products"})
    cheap_pool = True

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked matrices."""
        return DotScorer(shape, hidden=None)


@register_critic("joint")
class Joint(ModuleCritic):
    """f([x; y]): one MLP on the concatenated pair; all pairs cost N^2 rows."""

    def module(self, dim_x: int, dim_y: int, architecture: Architecture) -> nn.Module:
        """Build the critic as a plain module."""
        return _JointModule(architecture.mlp(dim_x + dim_y, 1))

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the stacked MLPs; with dropout, plain modules."""
        if architecture.has_dropout:
            return super().build(shape, architecture, estimators)
        return JointScorer(shape, hidden=(architecture.depth, architecture.width), activation=architecture.activation)


@register_critic("oracle", aliases=("exact",))
class Oracle(Critic):
    """The task's exact log density ratio, no training: what the estimator alone does on a finite batch.

    Each estimator's own constant is added (`Estimator.oracle_offset`: NWJ's optimum is ``1 + log r``), so that every
    estimator sees its optimal critic. Estimators whose optimal critic at finite batch size is another function than
    the log ratio say so.
    """

    uses = frozenset()
    default_negatives = "all-pairs"
    needs_log_ratio = True

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build the exact critics; the trainer names the tasks, stair by stair."""
        return OracleScorer(shape, [estimator.oracle_offset for estimator in estimators])

    def build_extra(
        self, extra: Extra, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator], scorer: Scorer
    ) -> Scorer:
        """Build the exact extras: a multiple of the log density ratio, or random numbers; nothing is trained."""
        if extra.of == "uniform":
            return UniformScorer(shape)
        return OracleScorer(shape, [0.0] * shape.runs, extra.exact)


@register_critic("none")
class NoCritic(Critic):
    """No critic: what estimators that take a sample of pairs have, and no other."""

    uses = frozenset()
    scores_pairs = False

    def build(self, shape: Shape, architecture: Architecture, estimators: Sequence[Estimator]) -> Scorer:
        """Build what gives no scores."""
        return NoScorer(shape)
