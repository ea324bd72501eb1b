"""normi: nearest neighbours (Kraskov et al.); of its two values the one that is not normalised."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "normi==0.3.0",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "scikit-learn==1.9.1",
    "joblib==1.6.0",
    "threadpoolctl==3.8.0",
    "narwhals==2.29.0",
    "beartype==0.23.1",
    "click==8.5.1",
)
UNIT = "nats"
COLUMNS = "any"
TREATMENT = "its nats are taken and not its normalised value; it scales itself; one job; sides of equal width alone"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, d) and (n, d)."""
    numpy, normi = importlib.import_module("numpy"), importlib.import_module("normi")
    if x.shape != y.shape:
        raise ValueError("normi takes sides of equal width")
    fitted = normi.NormalizedMI(n_dims=x.shape[1], n_jobs=1, verbose=False).fit(numpy.hstack((x, y)))
    return float(fitted.mi_[0, 1])
