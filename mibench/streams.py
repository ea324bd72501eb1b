"""Random streams: every run owns its randomness, derived from its id and from nothing else.

A stream is named by the run, the purpose and the stair, so that an evaluation never shifts the training data and a
run's numbers do not depend on the runs beside it. (torch's CPU generator uses 32 bits of a seed: two given streams
coincide with probability 2^-32.)
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
]


def stream_seed(run_id: str, purpose: Purpose, stair: int = 0) -> int:
    """Return the seed of a stream, in [0, 2^63)."""
    digest = hashlib.sha256(f"{run_id}/{purpose}/{stair}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stream(run_id: str, purpose: Purpose, stair: int = 0, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a fresh generator at the start of a stream."""
    return torch.Generator(device=device).manual_seed(stream_seed(run_id, purpose, stair))
