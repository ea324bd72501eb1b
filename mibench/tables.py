"""Tables as text."""

from __future__ import annotations

import pandas as pd


def csv_text(table: pd.DataFrame) -> str:
    """Write a table as CSV, numbers to nine significant digits, the same on every system."""
    return table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
