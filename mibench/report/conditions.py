"""Conditions on rows, as they are written on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from mibench.core.errors import UsageError


def read_conditions(texts: Sequence[str]) -> dict[str, list[str]]:
    """Read ``["batch=64,128"]`` as values by column, or raise `UsageError`; a column named twice has both values.

    Values that are joined by commas stay so: what is one value and what are several depends on the rows.
    """
    wanted: dict[str, list[str]] = {}
    for text in texts:
        column, equals, values = text.partition("=")
        if not (equals and column and values):
            raise UsageError(f"condition '{text}' does not parse; write COLUMN=VALUE, for example batch=64,128")
        wanted.setdefault(column, []).append(values)
    return wanted
