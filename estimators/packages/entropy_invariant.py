"""entropy-invariant: nearest neighbours in units of their median distance, one column a side."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = ("entropy-invariant==2.3.0", "numpy==2.4.6", "scipy==1.17.1")
UNIT = "nats"
COLUMNS = "one"
TREATMENT = "sides are vectors; it scales them itself"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, 1) and (n, 1)."""
    entropy_invariant = importlib.import_module("entropy_invariant")
    return float(entropy_invariant.mutual_information(x[:, 0], y[:, 0]))
