"""Conditions on rows, as they are written on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from mibench.core.errors import UsageError


def read_conditions(texts: Sequence[str]) -> dict[str, list[str]]:
    """Read ``["batch=64,128"]`` as values by column, or raise `UsageError`; a column named twice has both values."""
    wanted: dict[str, list[str]] = {}
    for text in texts:
        column, equals, values = text.partition("=")
        if not (equals and column and values):
            raise UsageError(f"condition '{text}' does not parse; write COLUMN=VALUE, for example batch=64,128")
        wanted.setdefault(column, []).extend(values.split(","))
    return wanted
