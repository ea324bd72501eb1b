"""Hidden layers in bfloat16: what `mibench.critics.kernels` does, with half the bits between the layers.

Notable:

- The arithmetic is one, wherever it is done. Hidden activations, and the gradients that flow back through them, are
  bfloat16 numbers: each elementwise step rounds once. A product between hidden layers takes such numbers, has its sums
  in float32, the bias among them, and is rounded once. First and last layers take rounded inputs and give float32, and
  so do sums over rows. Weights, their gradients' sums over chunks, scores, loss and optimiser are float32.
- It is done in two ways, which differ in the order of the sums within a product alone: by units for bfloat16 where
  there are any, else by float32 products of the rounded numbers, which other processors do several times faster than
  anything in bfloat16. Which is chosen follows from what the processor has.
- Activations are kept in bfloat16, in half the memory; copies in float32 are scratch that stays in the cache. On a CPU
  networks are passed through one by one for the same reason, so that the bits of one cannot depend on its company.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from mibench.core.critic import Activation
from mibench.core.layout import Layout
from mibench.core.processor import has_bfloat16_units
from mibench.critics.kernels import MLP, HiddenLayers, activate_, activation_backward_, affine, product, rounded

_HALF = torch.bfloat16


class Scratch:
    """Memory by purpose and shape, allocated once."""

    def __init__(self) -> None:
        self._tensors: dict[tuple[str, torch.Size], Tensor] = {}

    def like(self, tensor: Tensor, purpose: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return memory of a tensor's shape."""
        key = purpose, tensor.shape
        if key not in self._tensors:
            self._tensors[key] = torch.empty(tensor.shape, dtype=dtype, device=tensor.device)
        return self._tensors[key]

    def widened(self, tensor: Tensor, purpose: str) -> Tensor:
        """Return a copy in float32."""
        return self.like(tensor, purpose).copy_(tensor)

    def round_(self, tensor: Tensor) -> Tensor:
        """Round float32 numbers to bfloat16 ones in place."""
        return tensor.copy_(self.like(tensor, "rounded", _HALF).copy_(tensor))


class Products(ABC):
    """Products of bfloat16 numbers with sums in float32, each rounded once.

    Parameters
    ----------
    scratch
        Memory to use.
    """

    operands: torch.dtype
    """What `operand` gives, and weights are kept in."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    @abstractmethod
    def operand(self, tensor: Tensor, purpose: str) -> Tensor:
        """Return bfloat16 numbers as the products take them; one tensor of a purpose at a time."""

    @abstractmethod
    def layer(self, bias: Tensor, a: Tensor, b: Tensor, out: Tensor, activation: Activation) -> None:
        """``bias + a b`` into a bfloat16 tensor, which is rounded and then activated."""

    @abstractmethod
    def product(self, a: Tensor, b: Tensor, out: Tensor) -> Tensor:
        """``a b`` into a bfloat16 tensor."""

    @abstractmethod
    def set_product(self, a: Tensor, b: Tensor, out: Tensor) -> Tensor:
        """``a b`` into a float32 tensor, which holds bfloat16 numbers then."""


class UnitProducts(Products):
    """By units for bfloat16, which sum in float32."""

    operands = _HALF

    def operand(self, tensor: Tensor, purpose: str) -> Tensor:
        """Return it as it is."""
        return tensor

    def layer(self, bias: Tensor, a: Tensor, b: Tensor, out: Tensor, activation: Activation) -> None:
        """See `Products.layer`."""
        activate_(torch.baddbmm(bias, a, b, out=out), activation)

    def product(self, a: Tensor, b: Tensor, out: Tensor) -> Tensor:
        """See `Products.product`."""
        return torch.bmm(a, b, out=out)

    def set_product(self, a: Tensor, b: Tensor, out: Tensor) -> Tensor:
        """See `Products.set_product`."""
        return out.copy_(torch.bmm(a, b, out=self._scratch.like(out, "product", _HALF)))


class WideProducts(Products):
    """By float32 products: those of two bfloat16 numbers are float32 numbers, so that only sums round, as in units.

    Takes networks one by one, (1, n, k), whose products cost less than a stack's.
    """

    operands = torch.float32

    def operand(self, tensor: Tensor, purpose: str) -> Tensor:
        """Return a copy in float32."""
        return self._scratch.widened(tensor, purpose)

    def layer(self, bias: Tensor, a: Tensor, b: Tensor, out: Tensor, activation: Activation) -> None:
        """See `Products.layer`."""
        found = self._scratch.like(out, "result")
        torch.addmm(bias[0], a[0], b[0], out=found[0])
        if activation == "relu":
            out.copy_(torch.relu_(found))  # the same in either order, and faster in this
        else:
            activate_(out.copy_(found), activation)

    def product(self, a: Tensor, b: Tensor, out: Tensor) -> Tensor:
        """See `Products.product`."""
        found = self._scratch.like(out, "result")
        torch.mm(a[0], b[0], out=found[0])
        return out.copy_(found)

    def set_product(self, a: Tensor, b: Tensor, out: Tensor) -> Tensor:
        """See `Products.set_product`."""
        torch.mm(a[0], b[0], out=out[0])
        return self._scratch.round_(out)


class HalfLayers(HiddenLayers):
    """The hidden layers after the first, in bfloat16; see the module's notes."""

    def __init__(self, layout: Layout, stacked: int, depth: int, width: int, activation: Activation) -> None:
        super().__init__(layout, stacked, depth, width, activation)
        self.scratch = Scratch()
        self._by: Products = WideProducts(self.scratch)
        self._weights: list[tuple[Tensor, Tensor]] = []  # of each layer with its bias, rounded

    def activate_(self, z: Tensor) -> Tensor:
        """Apply the activation in place to (S, n, width)."""
        for which in _one_by_one(z):
            activate_(z[which], self.activation)
        return z

    def read_weights(self) -> None:
        """Round the weights as they are now, once for the passes of a step."""
        if not self.layers:
            return
        if not self._weights:
            if has_bfloat16_units(self.layers[0].weight.device.type):
                self._by = UnitProducts(self.scratch)
            tensors = [(layer.weight, layer.bias) for layer in self.layers]
            self._weights = [(self._memory(weight), self._memory(bias)) for weight, bias in tensors]
        for layer, (weight, bias) in zip(self.layers, self._weights, strict=True):
            for which in _one_by_one(weight):
                weight[which].copy_(self.scratch.like(weight[which], "read", _HALF).copy_(layer.weight[which]))
            bias.copy_(layer.bias.to(_HALF))

    def _memory(self, parameters: Tensor) -> Tensor:
        return torch.empty_like(parameters, dtype=self._by.operands, memory_format=torch.contiguous_format)

    def forward(self, activations: Sequence[Tensor], which: slice) -> None:
        """Fill ``activations[1:]`` from ``activations[0]``; see `HiddenLayers.forward`."""
        for (weights, biases), below, above in zip(self._weights, activations[:-1], activations[1:], strict=True):
            weight, bias = weights[which], biases[which]
            for one in _one_by_one(below):
                inputs = self._by.operand(below[one], "input")
                self._by.layer(bias[one], inputs, weight[one], above[one], self.activation)

    def backward(
        self, activations: Sequence[Tensor], gradient: Tensor, spare: Tensor, which: slice, *, add: bool
    ) -> Tensor:
        """Carry a gradient back to the first layer's pre-activation; see `HiddenLayers.backward`."""
        for k in reversed(range(len(self.layers))):
            for one in _one_by_one(gradient):
                a, d = (
                    activations[k][one],
                    activation_backward_(gradient[one], activations[k + 1][one], self.activation),
                )
                self._layer_backward(k, a, d, spare[one], which, one, add=add)
            gradient, spare = spare, gradient
        for one in _one_by_one(gradient):
            activation_backward_(gradient[one], activations[0][one], self.activation)
        return gradient

    def _layer_backward(
        self, k: int, a: Tensor, d: Tensor, out: Tensor, which: slice, one: slice, *, add: bool
    ) -> None:
        """Gradients of layer k's parameters, of its networks ``which[one]``, and of its input."""
        layer, by = self.layers[k], self._by
        of_weight, of_bias = layer.weight_gradient[which][one], layer.bias_gradient[which][one]
        wide, inputs = self.scratch.widened(d, "gradient"), by.operand(a, "input").transpose(1, 2)
        g = wide if by.operands == torch.float32 else d
        if add:
            of_weight.add_(by.set_product(inputs, g, self.scratch.like(of_weight, "of weight")))
            of_bias.add_(wide.sum(1, keepdim=True))
        else:
            by.set_product(inputs, g, of_weight)
            torch.sum(wide, 1, keepdim=True, out=of_bias)
        by.product(g, self._weights[k][0][which][one].transpose(1, 2), out)

    def apply(self, a: Tensor, s: int) -> Tensor:
        """Map activations (n, width) through network s's layers as they are now; see `HiddenLayers.apply`."""
        self.read_weights()
        activations = [a.unsqueeze(0), *(torch.empty_like(a.unsqueeze(0)) for _ in self.layers)]
        self.forward(activations, slice(s, s + 1))
        return activations[-1][0]


def _one_by_one(stacked: Tensor) -> list[slice]:
    """The networks of a stack one by one, or all at once on a GPU."""
    return [slice(None)] if stacked.is_cuda else [slice(s, s + 1) for s in range(len(stacked))]


class HalfMLP(MLP):
    """Stacked perceptrons whose hidden activations are bfloat16; inputs and outputs are float32."""

    layers = HalfLayers
    inner: HalfLayers

    def _buffers_for(self, n: int) -> list[Tensor]:
        """Activations, output, two gradient buffers, and float32 memory of a hidden layer's size, for n rows."""
        if n not in self._buffers:
            like = self.first.weight
            size = like.shape[0], n, self.first.n_out
            *halves, first, second = [like.new_empty(size, dtype=_HALF) for _ in range(len(self.inner.layers) + 3)]
            self._buffers[n] = [
                *halves,
                like.new_empty(*size[:2], self.last.n_out),
                first,
                second,
                like.new_empty(size),
            ]
        return self._buffers[n]

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (S, n, n_in) to (S, n, n_out); see `MLP.forward`."""
        every = slice(None)
        *activations, output, _, _, wide = self._buffers_for(inputs.shape[1])
        self.inner.read_weights()
        self.inner.activate_(activations[0].copy_(self.first.forward(inputs, wide, every)))
        self.inner.forward(activations, every)
        return affine(self.last.bias, wide.copy_(activations[-1]), rounded(self.last.weight, _HALF), output)

    def backward(self, inputs: Tensor, gradient: Tensor) -> None:
        """Set the gradients of all parameters; see `MLP.backward`."""
        *activations, _, first, second, wide = self._buffers_for(inputs.shape[1])
        g = rounded(gradient, _HALF)
        product(wide.copy_(activations[-1]).transpose(1, 2), g, self.last.weight_gradient)
        torch.sum(gradient, 1, keepdim=True, out=self.last.bias_gradient)
        first.copy_(product(g, rounded(self.last.weight, _HALF).transpose(1, 2), wide))
        wide.copy_(self.inner.backward(activations, first, second, slice(None), add=False))
        product(rounded(inputs, _HALF).transpose(1, 2), wide, self.first.weight_gradient)
        torch.sum(wide, 1, keepdim=True, out=self.first.bias_gradient)

    def apply(self, inputs: Tensor, s: int) -> Tensor:
        """Map (n, n_in) with network s alone, into fresh memory: for evaluation."""
        a = self.inner.activate_(self.first.apply(inputs, s).to(_HALF).unsqueeze(0))[0]
        return self.last.apply(self.inner.apply(a, s).float(), s)


def perceptrons(
    layout: Layout, stacked: int, n_in: int, hidden: tuple[int, int], n_out: int, activation: Activation
) -> MLP:
    """Build stacked perceptrons that keep hidden activations in what the layout says; see `MLP`."""
    kind = MLP if layout.hidden is None else HalfMLP
    return kind(layout, stacked, n_in, hidden, n_out, activation)
