"""gmm-mi: a mixture of Gaussians whose mutual information is computed, one column a side."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "gmm-mi==0.8.2",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "scikit-learn==1.6.1",
)
UNIT = "nats"
COLUMNS = "one"
TREATMENT = "of its mean and standard deviation over bootstrapped fits the mean is taken"
BREAKS_WITH = "scikit-learn==1.9.1"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, 1) and (n, 1)."""
    numpy, gmm_mi = importlib.import_module("numpy"), importlib.import_module("gmm_mi.mi")
    mean, _ = gmm_mi.EstimateMI().fit_estimate(numpy.hstack((x, y)))
    return float(mean)
