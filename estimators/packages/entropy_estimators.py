"""entropy-estimators: nearest neighbours (Kraskov et al.) with k = 1, columns as they are."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = ("entropy-estimators==0.0.2", "numpy==2.4.6", "scipy==1.17.1")
UNIT = "nats"
COLUMNS = "any"
TREATMENT = "nothing is scaled; k is its default, 1"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    continuous = importlib.import_module("entropy_estimators.continuous")
    return float(continuous.get_mi(x, y))
