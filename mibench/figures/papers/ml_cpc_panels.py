"""What the figures of multi-label CPC share: names of its two families, and exact moments beside drawn ones."""

from __future__ import annotations

import pandas as pd

from mibench.claims.ml_cpc import exact_moments
from mibench.core.errors import UsageError

ESTIMATORS = {"CPC": "alpha-cpc", "ML-CPC": "alpha-ml-cpc"}
"""Estimator that each family is named after."""

REACH = 1.96
"""Standard errors that a 95 % interval over drawn batches reaches to either side."""

LINEAR = 1e-3
"""Nats around the truth that figure 1 shows linearly."""

ESTIMATE = "values of a batch with the exact critic; nothing is trained."


def exact_cells(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the exact moments of a figure's runs beside the drawn ones.

    Raises
    ------
    UsageError
        Where no run has them.
    """
    cells = exact_moments(runs)
    if cells.empty:
        raise UsageError(f"{name} needs finished runs of CPC or ML-CPC on task 'binary-exact' with their exact moments")
    return cells
