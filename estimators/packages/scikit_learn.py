"""scikit-learn's `mutual_info_regression`: nearest neighbours (Kraskov et al.), one column a side."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "scikit-learn==1.9.1",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "joblib==1.6.0",
    "threadpoolctl==3.8.0",
    "narwhals==2.29.0",
)
UNIT = "nats"
COLUMNS = "one"
TREATMENT = "it scales both columns and adds noise itself; y is a vector"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, 1) and (n, 1)."""
    selection = importlib.import_module("sklearn.feature_selection")
    return float(selection.mutual_info_regression(x, y[:, 0])[0])
