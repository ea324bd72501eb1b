"""frites: the Gaussian copula, corrected for its bias, in bits."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "frites==0.4.6",
    "numpy==2.4.6",
    "scipy==1.17.1",
)
UNIT = "bits"
COLUMNS = "any"
TREATMENT = "sides are transposed, variables before pairs; ranks are its own"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    core = importlib.import_module("frites.core")
    return float(core.gcmi_1d_cc(x.T, y.T))
