"""What probing found, as a file of comma-separated values a package: written, and read again."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

from mibench.core.errors import StoreError
from mibench.packages.checks import Found
from mibench.packages.probing import Probe

_OF_PROBE = ("name", "version", "unit", "probed_at")
_OF_FOUND = tuple(field.name for field in dataclasses.fields(Found))
_HEADER = (*_OF_PROBE, *_OF_FOUND)


def write_probe(probe: Probe, folder: Path) -> Path:
    """Write a row a check to ``NAME.csv``, in place of what an earlier probe left there; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{probe.name}.csv"
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        for found in probe.found:
            writer.writerow([*(getattr(probe, name) for name in _OF_PROBE), *map(_as_text, dataclasses.astuple(found))])
    unfinished.replace(path)
    return path


def read_probes(folder: Path) -> list[Probe]:
    """Read what was written, sorted by name.

    Raises
    ------
    StoreError
        For a file with other columns.
    """
    return [_read(path) for path in sorted(folder.glob("*.csv"))]


def _read(path: Path) -> Probe:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or tuple(rows[0]) != _HEADER:
        raise StoreError(f"'{path}' holds no probe of a package; give 'mibench packages probe' again")
    found = tuple(
        Found(row["check"], _as_number(row["value"]), _as_number(row["reference"]), row["holds"], row["said"])
        for row in rows
    )
    first = rows[0]
    return Probe(first["name"], first["version"], first["unit"], first["probed_at"], found)


def _as_text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else repr(float(value))


def _as_number(text: str) -> float:
    return float(text) if text else math.nan
