"""Random streams: every run owns its randomness, derived from its id and from nothing else.

A stream is named by the run, the purpose and the stair, so that an evaluation never shifts the training data and a
run's numbers do not depend on the runs beside it. The one exception is a fixed sample: its stream is named by what it
is a sample of, so that all estimators and critics are compared on the same pairs. (torch's CPU generator uses 32 bits
of a seed: two given streams coincide with probability 2^-32.)
"""

from __future__ import annotations

import hashlib
from typing import Literal

import torch

Purpose = Literal[
    "init",  # initial weights, and dropout masks after them
    "init-extras",  # the same of what is trained beside the critic
    "data",
    "negatives",
    "marginal",  # fresh y of samplers that contrast with them
    "fresh",
    "fresh-negatives",
    "fresh-marginal",
    "final",
    "final-negatives",
    "final-marginal",
    "pool",
    "truth",
    "labelled",  # points that probes of the code are trained and tested on
    "validation-negatives",
    "validation-marginal",
    "test-negatives",
    "test-marginal",
]


def stream_seed(run_id: str, purpose: Purpose, stair: int = 0) -> int:
    """Return the seed of a stream, in [0, 2^63)."""
    return _seed(f"{run_id}/{purpose}/{stair}")


def stream(run_id: str, purpose: Purpose, stair: int = 0, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a fresh generator at the start of a stream."""
    return torch.Generator(device=device).manual_seed(stream_seed(run_id, purpose, stair))


def sample_stream(name: str) -> torch.Generator:
    """Return the stream of a fixed sample, named by what it is a sample of: task, parameters, size and seed.

    Runs that differ in anything else (estimator, critic, batch size) have the same pairs. It is a stream of the CPU,
    so that the pairs are the same on every device; samples of different sizes are independent.
    """
    return torch.Generator().manual_seed(_seed(f"{name}/sample"))


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") >> 1
