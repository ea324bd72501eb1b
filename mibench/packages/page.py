"""The tables of docs/packages.md, made from the rows of probes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from mibench.packages.checks import CHECKS, TIME, Found
from mibench.packages.probing import Probe

_VALUES = {
    "correlation 0": "independent (0)",
    "correlation 0.6": "0.6 (0.223)",
    "correlation 0.95": "0.95 (1.164)",
    "10 columns a side": "10 + 10 columns (8.304)",
    "copy of ten labels": "ten labels (2.303)",
    "labels and numbers": "labels, numbers (2.303)",
    "rows given twice": "rows twice (0)",
    "constant y": "constant y (0)",
    TIME: "seconds, n = 10,000",
}
"""Checks whose value is shown, with their columns' headers."""

_JUDGED = tuple(check for check in CHECKS if check not in _VALUES)


def tables(probes: Iterable[Probe]) -> str:
    """Return two tables in Markdown: the values of samples of known information, and what leaves a value as it is."""
    probes = list(probes)
    values = [("package", "version", "unit", *_VALUES.values())]
    judged = [("package", *_JUDGED)]
    for probe in probes:
        found = {one.check: one for one in probe.found}
        values.append((probe.name, probe.version, probe.unit, *(_value(found, check) for check in _VALUES)))
        judged.append((probe.name, *(_verdict(found.get(check)) for check in _JUDGED)))
    return "\n\n".join(map(_table, (values, judged)))


def _value(found: Mapping[str, Found], check: str) -> str:
    """The value, in bold where it is not what it should be."""
    one = found.get(check)
    if one is None:
        return "-"
    if math.isnan(one.value):
        return "error"
    text = f"{one.value:.1f}" if check == TIME else _number(one.value)
    return f"**{text}**" if one.holds == "no" else text


def _verdict(one: Found | None) -> str:
    if one is None:
        return "-"
    if one.holds == "no" and not math.isnan(one.value):
        return f"**no**, {_number(one.value)}"
    return {"no": "**no**", "refuses": "error"}.get(one.holds, one.holds)


def _number(value: float) -> str:
    text = f"{value:.3f}"
    return "0.000" if text == "-0.000" else text


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
