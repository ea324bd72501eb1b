"""Where the parameters of stacked critics lie: blocks of one flat vector."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

ALIGNMENT = 32
"""Numbers to which widths and blocks are padded; see `mibench.critics.kernels`."""


def aligned(size: int) -> int:
    """Round a number of elements up to a whole number of vector blocks."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclasses.dataclass(frozen=True)
class Block:
    """One parameter of S stacked networks: where it lies in the flat vector, and its shape in one network."""

    start: int
    stacked: int
    shape: tuple[int, ...]

    @property
    def stride(self) -> int:
        """Numbers from one network to the next."""
        return aligned(math.prod(self.shape))

    def rows(self, first: int, last: int) -> slice:
        """Where networks first..last lie in the flat vector."""
        return slice(self.start + first * self.stride, self.start + last * self.stride)

    def view(self, flat: Tensor) -> Tensor:
        """View the block as (S, *shape)."""
        rows = flat[self.rows(0, self.stacked)].view(self.stacked, self.stride)
        shaped: Tensor = rows[:, : math.prod(self.shape)].view(self.stacked, *self.shape)  # the shape of a scalar is ()
        return shaped


class Layout:
    """Places parameter blocks one after another in a flat vector; built before the vector is allocated.

    A block holds one parameter of all stacked networks side by side: batched products want contiguous stacks.

    Parameters
    ----------
    products
        What the inputs of products with these parameters are rounded to; None leaves them as they are.
    hidden
        What the hidden layers with these parameters keep their activations in; None for float32.
    """

    def __init__(self, products: torch.dtype | None = None, hidden: torch.dtype | None = None) -> None:
        self.products, self.hidden = products, hidden
        self.blocks: list[Block] = []
        self.size = 0

    def add(self, stacked: int, *shape: int) -> Block:
        """Reserve a block for ``stacked`` networks."""
        block = Block(self.size, stacked, shape)
        self.blocks.append(block)
        self.size += stacked * block.stride
        return block
