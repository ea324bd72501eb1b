"""divergence: kernel density estimates, evaluated where the sample is; one column a side."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "divergence==1.8.0",
    "numpy==2.4.6",
    "scipy==1.17.1",
)
UNIT = "nats"
COLUMNS = "one"
TREATMENT = "sides are vectors; bandwidths are its own"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, 1) and (n, 1)."""
    divergence = importlib.import_module("divergence")
    return float(divergence.mutual_information_from_samples(x[:, 0], y[:, 0]))
