"""divergence: kernel density estimates, evaluated where the sample is; one column a side."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "divergence==1.8.0",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "cubature==0.18.8",
    "formulaic==1.2.2",
    "interface-meta==2.0.1",
    "llvmlite==0.50.0",
    "narwhals==2.29.0",
    "numba==0.68.1",
    "packaging==26.4",
    "pandas==3.1.1",
    "patsy==1.0.3",
    "python-dateutil==4.0.0",
    "statsmodels==0.15.0",
    "typing-extensions==4.16.0",
    "tzdata==2026.6",
    "wrapt==2.5.2",
)
PYTHON = (3, 12)
UNIT = "nats"
COLUMNS = "one"
TREATMENT = "sides are vectors; bandwidths are its own"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, 1) and (n, 1)."""
    divergence = importlib.import_module("divergence")
    return float(divergence.mutual_information_from_samples(x[:, 0], y[:, 0]))
