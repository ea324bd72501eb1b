"""npeet-plus: nearest neighbours (Kraskov et al.), in bits, columns as they are."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "npeet-plus==0.2.0",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "scikit-learn==1.9.1",
    "joblib==1.6.0",
    "threadpoolctl==3.8.0",
    "narwhals==2.29.0",
)
UNIT = "bits"
COLUMNS = "any"
TREATMENT = "nothing is scaled; it adds noise of size 1e-10 itself"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    npeet_plus = importlib.import_module("npeet_plus")
    return float(npeet_plus.mi(x, y))
