"""Parametric densities at work: ``log q`` of one side given the other, or given nothing, for R stacked runs.

Notable: being inner products (`mibench.critics.density_families`), the log densities of all pairs cost one product, and
a row of the network per row of the given side.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibench.core.critic import Activation
from mibench.core.estimator import Density
from mibench.core.layout import Layout, aligned
from mibench.core.scorer import CHUNK_ROWS, Scorer, Shape
from mibench.critics.density_families import Family, family_of
from mibench.critics.dot_products import gradient_of_pool, gradient_of_rows, inner_products
from mibench.critics.extras import SideScorer
from mibench.critics.half import perceptrons
from mibench.critics.kernels import MLP, Affine


class Parameters:
    """Where a family's vectors of parameters come from: the first ones from a network, the others free numbers.

    Parameters
    ----------
    layout, runs
        Where the blocks are reserved, and for how many runs.
    density
        A marginal has free numbers only.
    family
        Its family.
    dim_given
        Columns of what it is given.
    hidden
        (depth, width) of the network.
    activation
        Its activation.
    """

    def __init__(
        self,
        layout: Layout,
        runs: int,
        density: Density,
        family: Family,
        *,
        dim_given: int,
        hidden: tuple[int, int],
        activation: Activation,
    ) -> None:
        self._family = family
        self.network: MLP | Affine | None = None
        learned = int(family.vectors == 2 and density.variance == "learned")
        count = 0 if density.given is None else family.vectors - learned
        if count and density.mean == "linear":
            self.network = Affine(layout, runs, dim_given, count * family.dim)
        elif count:
            self.network = perceptrons(layout, runs, dim_given, hidden, count * family.dim, activation)
        self._networked = count
        self._blocks = [layout.add(runs, 1, family.dim) for _ in range(family.vectors - count)]

    def attach(self, parameters: Tensor, gradients: Tensor) -> None:
        """Point everything into the flat vectors."""
        for linear in self.network.linears if self.network else ():
            linear.attach(parameters, gradients)
        self.free = [block.view(parameters) for block in self._blocks]  # (R, 1, dim) each
        self.free_gradients = [block.view(gradients) for block in self._blocks]

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the network's layers in order; free numbers start at 0."""
        for linear in self.network.linears if self.network else ():
            linear.initialise(run, generator)
        for numbers in self.free:
            numbers[run] = 0

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """All vectors for the rows (R, n, dim_given)."""
        networked = self._columns(self.network.forward(inputs)) if self.network else []
        return networked + [self._padded(numbers) for numbers in self.free]

    def backward(self, inputs: Tensor, gradients: Sequence[Tensor]) -> None:
        """Set the gradients, given those of all vectors."""
        dim = self._family.dim
        if self.network:
            output = gradients[0].new_zeros(*gradients[0].shape[:2], aligned(self._networked * dim))
            for k, gradient in enumerate(gradients[: self._networked]):
                output[..., k * dim : (k + 1) * dim] = gradient[..., :dim]
            self.network.backward(inputs, output)
        for place, gradient in zip(self.free_gradients, gradients[self._networked :], strict=True):
            place.copy_(gradient.sum(1, keepdim=True)[..., :dim])

    def of_run(self, run: int, inputs: Tensor) -> list[Tensor]:
        """All vectors of one run, (1, n, D), given rows (n, dim_given): for evaluation."""
        networked = self._columns(self.network.apply(inputs, run).unsqueeze(0)) if self.network else []
        return networked + [self._padded(numbers[run : run + 1]) for numbers in self.free]

    def _columns(self, output: Tensor) -> list[Tensor]:
        dim = self._family.dim
        return [self._padded(output[..., k * dim : (k + 1) * dim]) for k in range(self._networked)]

    def _padded(self, vectors: Tensor) -> Tensor:
        """Fresh vectors of whole blocks: elementwise kernels then give a run the bits that it has alone."""
        padded = vectors.new_zeros(*vectors.shape[:-1], self._family.width)
        padded[..., : self._family.dim] = vectors
        return padded


class DensityScorer(Scorer):
    """Conditional densities: ``log q(y|x)`` or ``log q(x|y)`` of every pair.

    Parameters
    ----------
    shape
        Sizes of the pack.
    density
        Which side given which, and its family.
    hidden
        (depth, width) of the network, where there is one.
    activation
        Its activation.
    """

    def __init__(
        self, shape: Shape, density: Density, *, hidden: tuple[int, int], activation: Activation = "relu"
    ) -> None:
        layout = Layout(shape.products, shape.hidden)
        self._given_x = density.given == "x"
        dims = (shape.dim_x, shape.dim_y) if self._given_x else (shape.dim_y, shape.dim_x)
        self._family = family_of(density, dims[1])
        self._source = Parameters(
            layout, shape.runs, density, self._family, dim_given=dims[0], hidden=hidden, activation=activation
        )
        super().__init__(shape, layout)
        self._source.attach(self.parameters, self.gradients)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Draw the network; see `Scorer.initialise`."""
        self._source.initialise(run, generator)

    def _sides(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """What is given, and what it is a density of."""
        given, target = (x, y) if self._given_x else (y, x)
        return given.to(self.dtype).contiguous(), target.to(self.dtype)

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None, *, train: bool) -> Tensor:
        """Log densities of a batch; see `Scorer.forward`."""
        self._inputs, target = self._sides(x, y)
        features = self._family.features(self._source.forward(self._inputs))
        self._targets, self._index = self._family.targets(target), index
        if self._given_x:
            return inner_products(features, self._targets, index)
        return inner_products(self._targets, features, index)

    def backward(self, gradient: Tensor) -> None:
        """Chain rule through the product, the family and the network; see `Scorer.backward`."""
        if self._given_x:
            of_features = gradient_of_rows(gradient, self._targets, self._index)
        else:
            of_features = gradient_of_pool(gradient, self._targets, self._inputs.shape[1], self._index)
        self._source.backward(self._inputs, self._family.backward(of_features))

    def prepare(self, run: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Features and targets of one run's pool, those of x first, (n, E) each."""
        given, target = self._sides(x, y)
        parts = [self._family.features(self._source.of_run(run, part))[0] for part in given.split(CHUNK_ROWS)]
        features, targets = torch.cat(parts), self._family.targets(target)
        return (features, targets) if self._given_x else (targets, features)

    def block(self, prepared: tuple[Tensor, Tensor], start: int, stop: int) -> Tensor:
        """Rows of the matrix of log densities; see `Scorer.block`."""
        of_x, of_y = prepared
        return of_x[start:stop] @ of_y.T

    def pairs(self, run: int, x: Tensor, y: Tensor) -> Tensor:
        """Log densities of n pairs; see `Scorer.pairs`."""
        of_x, of_y = self.prepare(run, x, y)
        return (of_x * of_y).sum(-1)


class MarginalScorer(SideScorer):
    """Densities ``log q(x)`` or ``log q(y)`` given nothing, whose parameters are free numbers.

    Parameters
    ----------
    shape
        Sizes of the pack.
    density
        Of which side, and its family.
    """

    def __init__(self, shape: Shape, density: Density) -> None:
        layout = Layout()
        self._family = family_of(density, shape.dim_x if density.of == "x" else shape.dim_y)
        self._source = Parameters(
            layout, shape.runs, density, self._family, dim_given=0, hidden=(0, 0), activation="relu"
        )
        super().__init__(shape, layout, density.of)
        self._source.attach(self.parameters, self.gradients)

    def initialise(self, run: int, generator: torch.Generator) -> None:
        """Start at 0, a standard normal or a uniform density; nothing is drawn."""
        self._source.initialise(run, generator)

    def _values(self, inputs: Tensor) -> Tensor:
        self._targets = self._family.targets(inputs)
        return (self._family.features(self._source.forward(inputs)) * self._targets).sum(-1)

    def _values_backward(self, gradient: Tensor) -> None:
        of_features = (gradient.unsqueeze(-1) * self._targets).sum(1, keepdim=True)
        self._source.backward(self._targets, self._family.backward(of_features))

    def _values_of(self, run: int, inputs: Tensor) -> Tensor:
        features = self._family.features(self._source.of_run(run, inputs))[0]
        return (features * self._family.targets(inputs)).sum(-1)


def density_scorer(density: Density, shape: Shape, *, hidden: tuple[int, int], activation: Activation) -> Scorer:
    """Build the stacked densities of a pack; see `DensityScorer` and `MarginalScorer`."""
    if density.given is None:
        return MarginalScorer(shape, density)
    return DensityScorer(shape, density, hidden=hidden, activation=activation)
