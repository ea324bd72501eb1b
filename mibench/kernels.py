"""Stacked multi-layer perceptrons with a hand-written backward pass into preallocated buffers.

Notable:

- A leading axis S stacks independent networks of one shape; products are batched over it and never mix it.
- Parameters are views into one flat tensor (S, P), gradients into another, so that one fused optimiser step serves
  all. Every block starts at a multiple of 16 numbers: kernels then treat a run alike wherever it lies in its pack.
- Activations are overwritten in place; both derivatives can be read off the activation's output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Activation = Literal["relu", "elu"]

_ALIGNMENT = 16
_aten = torch.ops.aten


def aligned(size: int) -> int:
    """Round a number of elements up to a whole number of vector blocks."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def activate_(z: Tensor, activation: Activation) -> Tensor:
    """Apply the activation in place."""
    return torch.relu_(z) if activation == "relu" else torch.nn.functional.elu_(z)


def activation_backward_(gradient: Tensor, output: Tensor, activation: Activation) -> Tensor:
    """Multiply a gradient in place by the activation's derivative, read off its output."""
    if activation == "relu":
        _aten.threshold_backward.grad_input(gradient, output, 0, grad_input=gradient)
    else:
        _aten.elu_backward.grad_input(gradient, 1, 1, 1, True, output, grad_input=gradient)
    return gradient


class Layout:
    """Places parameter blocks one after another in a flat vector; built before the vector is allocated."""

    def __init__(self) -> None:
        self.size = 0

    def add(self, *shape: int) -> tuple[slice, tuple[int, ...]]:
        """Reserve a block and return where it lies."""
        start, count = self.size, math.prod(shape)
        self.size += aligned(count)
        return slice(start, start + count), shape


Block = tuple[slice, tuple[int, ...]]


def view(flat: Tensor, block: Block) -> Tensor:
    """View a block of every row of a flat tensor (S, P): shape (S, *shape)."""
    where, shape = block
    rows: Tensor = flat[:, where].unflatten(1, shape)
    return rows


class Linear:
    """Affine map of S stacked networks: ``a W + b`` with W (S, n_in, n_out) and b (S, 1, n_out)."""

    def __init__(self, layout: Layout, n_in: int, n_out: int, *, fan_in: int | None = None, bias: bool = True) -> None:
        self._weight_block = layout.add(n_in, n_out)
        self._bias_block = layout.add(1, n_out) if bias else None
        self._bound = 1 / math.sqrt(fan_in or n_in)
        self.n_out = n_out

    def attach(self, parameters: Tensor, gradients: Tensor) -> None:
        """Point the weights into the flat vectors (S, P)."""
        self.weight, self.weight_gradient = view(parameters, self._weight_block), view(gradients, self._weight_block)
        if self._bias_block is not None:
            self.bias, self.bias_gradient = view(parameters, self._bias_block), view(gradients, self._bias_block)

    def initialise(self, s: int, generator: torch.Generator) -> None:
        """Draw network s's weights and bias uniformly within ``1 / sqrt(fan_in)``, torch's default for layers.

        The draws are made where the generator is, so that they do not depend on the device of the weights.
        """
        for block in (self.weight[s], *((self.bias[s],) if self._bias_block is not None else ())):
            drawn = torch.empty(block.shape, device=generator.device)
            block.copy_(drawn.uniform_(-self._bound, self._bound, generator=generator))

    def forward(self, a: Tensor, out: Tensor, which: slice) -> Tensor:
        """Map (S, n, n_in) to ``out`` (S, n, n_out) with the networks ``which``."""
        if self._bias_block is None:
            return torch.bmm(a, self.weight[which], out=out)
        return torch.baddbmm(self.bias[which], a, self.weight[which], out=out)

    def backward(self, a: Tensor, gradient: Tensor, which: slice) -> None:
        """Add the parameters' gradients, given the input and the gradient of the output."""
        self.weight_gradient[which].baddbmm_(a.transpose(1, 2), gradient)
        if self._bias_block is not None:
            self.bias_gradient[which].add_(gradient.sum(1, keepdim=True))


class HiddenLayers:
    """The hidden layers after the first: ``width -> width``, activated, ``depth - 1`` of them."""

    def __init__(self, layout: Layout, depth: int, width: int, activation: Activation) -> None:
        self.layers = [Linear(layout, width, width) for _ in range(depth - 1)]
        self.activation = activation

    def forward(self, activations: Sequence[Tensor], which: slice) -> None:
        """Fill ``activations[1:]``, each (S, n, width), from ``activations[0]``, all activated."""
        for layer, a, out in zip(self.layers, activations[:-1], activations[1:], strict=True):
            activate_(layer.forward(a, out, which), self.activation)

    def backward(self, activations: Sequence[Tensor], gradient: Tensor, spare: Tensor, which: slice) -> Tensor:
        """Carry the gradient of the last activation back to the first layer's pre-activation.

        ``gradient`` and ``spare`` are both overwritten; the returned tensor is one of them.
        """
        for layer, a, output in zip(
            reversed(self.layers), reversed(activations[:-1]), reversed(activations[1:]), strict=True
        ):
            activation_backward_(gradient, output, self.activation)
            layer.backward(a, gradient, which)
            torch.bmm(gradient, layer.weight[which].transpose(1, 2), out=spare)
            gradient, spare = spare, gradient
        return activation_backward_(gradient, activations[0], self.activation)


class MLP:
    """S stacked perceptrons ``n_in -> depth x width -> n_out`` on S batches of n rows each."""

    def __init__(self, layout: Layout, n_in: int, hidden: tuple[int, int], n_out: int, activation: Activation) -> None:
        depth, width = hidden
        self.first = Linear(layout, n_in, width)
        self.inner = HiddenLayers(layout, depth, width, activation)
        self.last = Linear(layout, width, n_out)
        self._buffers: dict[int, list[Tensor]] = {}

    @property
    def linears(self) -> list[Linear]:
        """All affine maps, in order."""
        return [self.first, *self.inner.layers, self.last]

    def _buffers_for(self, n: int) -> list[Tensor]:
        """Activations, output and two gradient buffers for batches of n rows."""
        if n not in self._buffers:
            like = self.first.weight
            stacked, width = like.shape[0], self.first.n_out
            widths = [width] * (len(self.inner.layers) + 1) + [self.last.n_out, width, width]
            self._buffers[n] = [like.new_empty(stacked, n, w) for w in widths]
        return self._buffers[n]

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (S, n, n_in) to (S, n, n_out); the result is a buffer that the next call overwrites."""
        every = slice(None)
        *activations, output, _, _ = self._buffers_for(inputs.shape[1])
        activate_(self.first.forward(inputs, activations[0], every), self.inner.activation)
        self.inner.forward(activations, every)
        return self.last.forward(activations[-1], output, every)

    def backward(self, inputs: Tensor, gradient: Tensor) -> None:
        """Add the gradients of all parameters, given the inputs of the last forward and its output's gradient."""
        every = slice(None)
        *activations, _, first, second = self._buffers_for(inputs.shape[1])
        self.last.backward(activations[-1], gradient, every)
        torch.bmm(gradient, self.last.weight.transpose(1, 2), out=first)
        self.first.backward(inputs, self.inner.backward(activations, first, second, every), every)

    def apply(self, inputs: Tensor, s: int) -> Tensor:
        """Map (n, n_in) with network s alone, into fresh memory: for evaluation."""
        a = inputs
        for linear in self.linears[:-1]:
            a = activate_(torch.addmm(linear.bias[s], a, linear.weight[s]), self.inner.activation)
        return torch.addmm(self.last.bias[s], a, self.last.weight[s])
