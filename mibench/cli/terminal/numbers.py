"""Numbers as the tables write them."""

from __future__ import annotations

from typing import Any


def number_text(value: Any, form: str = ".2f") -> str:
    """Write a number; nothing for a null and for infinity, powers of ten for what is large."""
    import pandas as pd

    if value is None or pd.isna(value) or value in (float("inf"), float("-inf")):
        return "" if value != float("-inf") else "-inf"
    return format(value, form) if abs(value) < 1e4 else format(value, ".1e")


def span_text(low: int, high: int) -> str:
    """Write a range of whole numbers: ``16 to 64``, or one of them where they are equal."""
    return str(low) if low == high else f"{low} to {high}"
