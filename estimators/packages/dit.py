"""dit: total correlation of the two sides by nearest neighbours (Kraskov et al.), in bits, columns as they are."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "dit==2.3",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "boltons==26.2.0",
    "debtcollector==3.1.0",
    "lattices==0.5.1",
    "loguru==0.7.3",
    "networkx==3.6.1",
    "packaging==26.4",
    "pandas==3.1.1",
    "pltable==1.1.0",
    "python-dateutil==4.0.0",
    "tzdata==2026.6",
    "wrapt==2.5.2",
    "xarray==2026.9.0",
)
UNIT = "bits"
COLUMNS = "any"
TREATMENT = "sides are groups of columns of one array; nothing is scaled; it adds noise of size 1e-10 itself"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    numpy, inference = importlib.import_module("numpy"), importlib.import_module("dit.inference")
    columns = list(range(x.shape[1] + y.shape[1]))
    groups = [columns[: x.shape[1]], columns[x.shape[1] :]]
    return float(inference.total_correlation_ksg(numpy.hstack((x, y)), groups))
