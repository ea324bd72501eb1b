"""infopy-estimators: nearest neighbours (Kraskov et al.) for continuous sides, columns as they are."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "infopy-estimators==0.1.3",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "scikit-learn==1.9.1",
    "joblib==1.6.0",
    "threadpoolctl==3.8.0",
    "narwhals==2.29.0",
)
UNIT = "nats"
COLUMNS = "any"
TREATMENT = "both sides are given as continuous; nothing is scaled; it adds noise of size 1e-8 itself"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    estimators = importlib.import_module("infopy.estimators")
    return float(estimators.get_mi_estimator("continuous", "continuous").estimate(x, y))
