"""nn-info: ratios of nearest neighbours among pairs and pairs that were shuffled (BannMI), in bits."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "nn-info==0.0.7",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "scikit-learn==1.9.1",  # which it needs and does not declare
    "joblib==1.6.0",
    "threadpoolctl==3.8.0",
    "narwhals==2.29.0",
)
UNIT = "bits"
COLUMNS = "any"
TREATMENT = "nothing is scaled; it shuffles y by numpy's global generator"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    theory = importlib.import_module("nn_info.theory")
    return float(theory.info("MI").estimator((x, y)))
