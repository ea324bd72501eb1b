"""V-InfoMax: an autoencoder whose decoder is the family of predictors that its codes are meant for.

Notable: the V-information that a code has about its image, for Gaussians whose mean a decoder gives and whose variance
is 1/2, is the variance of the image less the squared error of its reconstruction, in nats. So the encoder and the
decoder that maximise it are those of an autoencoder. Trained in float64 from generators of its own, in a few seconds:
the same seed gives the same codes, to rounding on other machines.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Literal

import torch
from torch import Tensor, nn

Decoder = Literal["linear", "mlp"]

_WIDTH = 128
_STEPS = 1000
_BATCH = 128
_RATE = 5e-3


@dataclasses.dataclass(frozen=True, eq=False)
class Autoencoder:
    """A trained encoder and its decoder.

    Parameters
    ----------
    encoder, decoder
        Modules in float64, (n, d) to (n, code) and back.
    mean, scale
        Of the code's columns over the training images, (code,).
    """

    encoder: nn.Module
    decoder: nn.Module
    mean: Tensor
    scale: Tensor

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Return codes, (n, d) to (n, code), float32; over the training images columns have mean 0 and variance 1."""
        codes: Tensor = (self.encoder(images.double()) - self.mean) / self.scale
        return codes.float()

    @torch.no_grad()
    def reconstruction_error(self, images: Tensor) -> float:
        """Return the mean of the squared distance between images, (n, d), and their reconstructions."""
        images = images.double()
        return float((images - self.decoder(self.encoder(images))).square().sum(1).mean())

    def v_information(self, images: Tensor) -> float:
        """Return the V-information that codes have about images, (n, d), for the decoder's family, nats.

        ``E |x - E x|^2 - E |x - decoder(code)|^2`` over the images given; on new ones a lower bound, since the decoder
        is not fitted to them.
        """
        centred = images.double() - images.double().mean(0)
        return float(centred.square().sum(1).mean()) - self.reconstruction_error(images)


def train_autoencoder(images: Tensor, *, decoder: Decoder, code: int, seed: int) -> Autoencoder:
    """Minimise the squared error of reconstruction over encoder and decoder jointly.

    The encoder is an MLP of two hidden layers of 128 ReLU units and a linear output, the decoder linear or of the
    encoder's shape; 1000 steps of Adam at 0.005, batches of 128 drawn with replacement.

    Parameters
    ----------
    images
        Shape (M, d).
    decoder
        The family that the codes are meant for.
    code
        Columns of a code.
    seed
        Of initial weights and batches.

    Source: Gosch (2020), equation 15; its figure 14 takes joint gradients too, and figure 5 ten steps of the decoder
    for one of the encoder.
    """
    generator = torch.Generator().manual_seed(seed)
    images = images.double()
    encoder = _mlp(images.shape[1], code, generator)
    back = _mlp(code, images.shape[1], generator) if decoder == "mlp" else _linear(code, images.shape[1], generator)
    # fused: one kernel for all parameters, which are many and small
    optimiser = torch.optim.Adam([*encoder.parameters(), *back.parameters()], lr=_RATE, fused=True)
    with torch.enable_grad():
        for _ in range(_STEPS):
            batch = images[torch.randint(len(images), (_BATCH,), generator=generator)]
            loss = (batch - back(encoder(batch))).square().sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        codes = encoder(images)
    return Autoencoder(encoder, back, codes.mean(0), codes.std(0, correction=0))


def _mlp(n_in: int, n_out: int, generator: torch.Generator) -> nn.Module:
    sizes = (n_in, _WIDTH, _WIDTH, n_out)
    first, second, last = (_linear(*pair, generator) for pair in itertools.pairwise(sizes))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


def _linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Module:
    """Build a linear layer with torch's own initial distribution, from a given generator, in float64."""
    layer: nn.Module = nn.utils.skip_init(nn.Linear, n_in, n_out, dtype=torch.float64)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -(n_in**-0.5), n_in**-0.5, generator=generator)
    return layer
