"""Stacked multi-layer perceptrons with a hand-written backward pass into preallocated buffers.

Notable:

- A leading axis S stacks independent networks of one shape; products are batched over it and never mix it.
- Parameters are views into one flat tensor (S, P), gradients into another, so that one fused optimiser step serves
  all.
- Hidden and output widths are padded with zeros to a multiple of 32, and every block of parameters starts at one.
  Vector kernels treat a tensor's last few numbers apart, and narrow products depend on how many are stacked; so
  padded, a run's numbers are the same wherever it lies in its pack. Zero weights stay zero under training.
- Activations are overwritten in place; both derivatives can be read off the activation's output.
- Products in half precision round their inputs and leave the rest: a product of two bfloat16 numbers is a float32
  number, so that rounding and a float32 product give what a unit for bfloat16 gives, whose sums are in float32. That
  costs time here and saves none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from mibench.core.critic import Activation
from mibench.core.layout import ALIGNMENT, Layout, aligned

_SMALL_PRODUCT = 16**3  # multiplications up to which torch chooses kernels by the size of the stack
_aten = torch.ops.aten


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


def _stackable(a: Tensor, b: Tensor) -> bool:
    """Whether a batched product gives each matrix the bits that it would have alone.

    Narrow results and small products are computed by other kernels, chosen by the size of the whole stack.
    """
    (_, n, k), m = a.shape, b.shape[2]
    return m % ALIGNMENT == 0 and n * k * m > _SMALL_PRODUCT


def rounded(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Round to a precision, in the tensor's own type; None leaves it as it is."""
    return tensor if dtype is None else tensor.to(dtype).to(tensor.dtype)


def product(a: Tensor, b: Tensor, out: Tensor | None = None, *, dtype: torch.dtype | None = None) -> Tensor:
    """``a b`` for stacked matrices (S, n, k) and (S, k, m), rounded to ``dtype``; the bits do not depend on S."""
    a, b = rounded(a, dtype), rounded(b, dtype)
    if len(a) == 1 or _stackable(a, b):
        return torch.bmm(a, b, out=out)
    out = a.new_empty(len(a), a.shape[1], b.shape[2]) if out is None else out
    for s in range(len(a)):
        torch.bmm(a[s : s + 1], b[s : s + 1], out=out[s : s + 1])
    return out


def add_product_(total: Tensor, a: Tensor, b: Tensor, *, dtype: torch.dtype | None = None) -> None:
    """``total += a b`` for stacked matrices, rounded to ``dtype``; the bits do not depend on S."""
    a, b = rounded(a, dtype), rounded(b, dtype)
    if len(a) == 1 or _stackable(a, b):
        total.baddbmm_(a, b)
        return
    for s in range(len(a)):
        total[s : s + 1].baddbmm_(a[s : s + 1], b[s : s + 1])


def affine(bias: Tensor, a: Tensor, b: Tensor, out: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """``bias + a b`` for stacked matrices, which are rounded to ``dtype``; the bits do not depend on S."""
    a, b = rounded(a, dtype), rounded(b, dtype)
    if len(a) == 1 or _stackable(a, b):
        return torch.baddbmm(bias, a, b, out=out)
    for s in range(len(a)):
        torch.baddbmm(bias[s : s + 1], a[s : s + 1], b[s : s + 1], out=out[s : s + 1])
    return out


class Linear:
    """Affine map of S stacked networks: ``a W + b`` with W (S, n_in, n_out) and b (S, 1, n_out).

    Parameters
    ----------
    layout
        Where the blocks are reserved.
    stacked
        Number of networks S.
    n_in, n_out
        Sizes before padding.
    fan_in
        What the initial weights' bound is made of; n_in by default.
    bias
        Whether there is one.
    pad_in, pad_out
        Whether input and output are padded to a multiple of 32.
    """

    def __init__(
        self,
        layout: Layout,
        stacked: int,
        n_in: int,
        n_out: int,
        *,
        fan_in: int | None = None,
        bias: bool = True,
        pad_in: bool = True,
        pad_out: bool = True,
    ) -> None:
        rows, columns = aligned(n_in) if pad_in else n_in, aligned(n_out) if pad_out else n_out
        self._weight_block = layout.add(stacked, rows, columns)
        self._bias_block = layout.add(stacked, 1, columns) if bias else None
        self._bound = 1 / math.sqrt(fan_in or n_in)
        self.real = slice(n_in), slice(n_out)
        self.n_out = columns
        self.products = layout.products

    @property
    def has_bias(self) -> bool:
        """Whether there is a bias."""
        return self._bias_block is not None

    def attach(self, parameters: Tensor, gradients: Tensor) -> None:
        """Point the weights and their gradients into the flat vectors."""
        self.weight, self.weight_gradient = self._weight_block.view(parameters), self._weight_block.view(gradients)
        if self._bias_block is not None:
            self.bias, self.bias_gradient = self._bias_block.view(parameters), self._bias_block.view(gradients)

    def initialise(self, s: int, generator: torch.Generator) -> None:
        """Draw network s's weights and bias uniformly within ``1 / sqrt(fan_in)``, torch's default for layers.

        The draws are made where the generator is, so that they do not depend on the device of the weights.
        """
        rows, columns = self.real
        blocks = [self.weight[s, rows, columns]]
        if self.has_bias:
            blocks.append(self.bias[s, 0, columns])
        for block in blocks:
            drawn = torch.empty(block.shape, device=generator.device)
            block.copy_(drawn.uniform_(-self._bound, self._bound, generator=generator))

    def forward(self, a: Tensor, out: Tensor, which: slice) -> Tensor:
        """Map (S, n, n_in) to ``out`` (S, n, n_out) with the networks ``which``."""
        if not self.has_bias:
            return product(a, self.weight[which], out, dtype=self.products)
        return affine(self.bias[which], a, self.weight[which], out, dtype=self.products)

    def apply(self, a: Tensor, s: int) -> Tensor:
        """Map (n, n_in) with network s alone, into fresh memory: for evaluation."""
        a, weight = rounded(a, self.products), rounded(self.weight[s], self.products)
        return torch.addmm(self.bias[s], a, weight) if self.has_bias else a @ weight

    def backward(self, a: Tensor, gradient: Tensor, which: slice, *, add: bool) -> None:
        """Set the parameters' gradients, given the input and the gradient of the output; or add to them."""
        if add:
            add_product_(self.weight_gradient[which], a.transpose(1, 2), gradient, dtype=self.products)
        else:
            product(a.transpose(1, 2), gradient, self.weight_gradient[which], dtype=self.products)
        if self.has_bias and add:
            self.bias_gradient[which].add_(gradient.sum(1, keepdim=True))
        elif self.has_bias:
            torch.sum(gradient, 1, keepdim=True, out=self.bias_gradient[which])

    def input_gradient(self, gradient: Tensor, out: Tensor, which: slice) -> Tensor:
        """Carry the gradient of the output back to the input."""
        return product(gradient, self.weight[which].transpose(1, 2), out, dtype=self.products)


class HiddenLayers:
    """The hidden layers after the first: ``width -> width``, activated, ``depth - 1`` of them."""

    def __init__(self, layout: Layout, stacked: int, depth: int, width: int, activation: Activation) -> None:
        self.layers = [Linear(layout, stacked, width, width) for _ in range(depth - 1)]
        self.activation = activation

    def read_weights(self) -> None:
        """Take the weights as they are now, before the passes of a step; float32 needs no copy of them."""

    def forward(self, activations: Sequence[Tensor], which: slice) -> None:
        """Fill ``activations[1:]``, each (S, n, width), from ``activations[0]``, all activated."""
        for layer, a, out in zip(self.layers, activations[:-1], activations[1:], strict=True):
            activate_(layer.forward(a, out, which), self.activation)

    def backward(
        self, activations: Sequence[Tensor], gradient: Tensor, spare: Tensor, which: slice, *, add: bool
    ) -> Tensor:
        """Carry the gradient of the last activation back to the first layer's pre-activation.

        ``gradient`` and ``spare`` are both overwritten; the returned tensor is one of them.
        """
        for layer, a, output in zip(
            reversed(self.layers), reversed(activations[:-1]), reversed(activations[1:]), strict=True
        ):
            activation_backward_(gradient, output, self.activation)
            layer.backward(a, gradient, which, add=add)
            layer.input_gradient(gradient, spare, which)
            gradient, spare = spare, gradient
        return activation_backward_(gradient, activations[0], self.activation)

    def apply(self, a: Tensor, s: int) -> Tensor:
        """Map activations (n, width) through network s's layers alone, into fresh memory: for evaluation."""
        for layer in self.layers:
            a = activate_(layer.apply(a, s), self.activation)
        return a


class MLP:
    """S stacked perceptrons ``n_in -> depth x width -> n_out`` on S batches of n rows each."""

    layers: ClassVar[type[HiddenLayers]] = HiddenLayers
    """What computes the hidden layers after the first."""

    def __init__(
        self, layout: Layout, stacked: int, n_in: int, hidden: tuple[int, int], n_out: int, activation: Activation
    ) -> None:
        depth, width = hidden
        self.first = Linear(layout, stacked, n_in, width, pad_in=False)
        self.inner = self.layers(layout, stacked, depth, width, activation)
        self.last = Linear(layout, stacked, width, n_out)
        self._buffers: dict[int, list[Tensor]] = {}

    @property
    def linears(self) -> list[Linear]:
        """All affine maps, in order."""
        return [self.first, *self.inner.layers, self.last]

    def _buffers_for(self, n: int) -> list[Tensor]:
        """Activations, output and two gradient buffers for batches of n rows."""
        if n not in self._buffers:
            like = self.first.weight
            stacked, width = like.shape[0], self.first.n_out  # padded
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
        """Set the gradients of all parameters, given the inputs of the last forward and its output's gradient."""
        every = slice(None)
        *activations, _, first, second = self._buffers_for(inputs.shape[1])
        self.last.backward(activations[-1], gradient, every, add=False)
        self.last.input_gradient(gradient, first, every)
        inner = self.inner.backward(activations, first, second, every, add=False)
        self.first.backward(inputs, inner, every, add=False)

    def apply(self, inputs: Tensor, s: int) -> Tensor:
        """Map (n, n_in) with network s alone, into fresh memory: for evaluation."""
        a = activate_(self.first.apply(inputs, s), self.inner.activation)
        return self.last.apply(self.inner.apply(a, s), s)


class Affine:
    """S stacked affine maps ``n_in -> n_out`` on S batches of n rows each: an `MLP` without hidden layers."""

    def __init__(self, layout: Layout, stacked: int, n_in: int, n_out: int) -> None:
        self._linear = Linear(layout, stacked, n_in, n_out, pad_in=False)

    @property
    def linears(self) -> list[Linear]:
        """The one map."""
        return [self._linear]

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (S, n, n_in) to (S, n, n_out), padded."""
        stacked, n, _ = inputs.shape
        return self._linear.forward(inputs, inputs.new_empty(stacked, n, self._linear.n_out), slice(None))

    def backward(self, inputs: Tensor, gradient: Tensor) -> None:
        """Set the gradients of all parameters, given the inputs of the last forward and its output's gradient."""
        self._linear.backward(inputs, gradient, slice(None), add=False)

    def apply(self, inputs: Tensor, s: int) -> Tensor:
        """Map (n, n_in) with map s alone."""
        return self._linear.apply(inputs, s)
