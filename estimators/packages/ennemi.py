"""ennemi: nearest neighbours (Kraskov et al.), one column a side."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = ("ennemi==1.6.0", "numpy==2.4.6", "scipy==1.17.1")
PYTHON = (3, 12)
UNIT = "nats"
COLUMNS = "one"
TREATMENT = "y comes before x; it scales both columns and adds noise of a fixed seed itself"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, 1) and (n, 1)."""
    ennemi = importlib.import_module("ennemi")
    return float(ennemi.estimate_mi(y[:, 0], x[:, 0]).item())
