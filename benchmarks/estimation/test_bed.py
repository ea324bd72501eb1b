"""The test bed: a grid of laws and sizes, and series of draws for what is rare or cannot be seen on one sample."""

from __future__ import annotations

import functools

from benchmarks.estimation.laws import copied_laws, dependent_laws, independent_laws, serial_law
from benchmarks.estimation.records import DataSet

SIZES = (300, 1000, 5000)
SERIES = ("grid", "null", "copies", "serial", "blocks", "time")
"""Every law at each size once; independent draws; rows copied; serial rows as they are, in stated blocks, and in blocks
that are found."""

_NULL_DRAWS = 200  # of each size, the laws in turn
_COPY_DRAWS = 10  # of each law and size
_SERIAL_DRAWS = 200
_SERIAL_ROWS, _BLOCK = 500, 50


@functools.cache
def data_sets() -> tuple[DataSet, ...]:
    """Return all data sets, those of few rows first."""
    independent = independent_laws()
    found = [DataSet(law, n) for law in (*dependent_laws(), *independent) for n in SIZES]
    found += [
        DataSet(independent[draw % len(independent)], n, "null", draw) for draw in range(_NULL_DRAWS) for n in SIZES
    ]
    found += [
        DataSet(law, n, "copies", draw) for law in copied_laws() for n in SIZES[:2] for draw in range(_COPY_DRAWS)
    ]
    series = serial_law()
    for name, options in (("serial", {}), ("blocks", {"blocks": _BLOCK}), ("time", {"time": True})):
        found += [DataSet(series, _SERIAL_ROWS, name, draw, options) for draw in range(_SERIAL_DRAWS)]
    return tuple(sorted(found, key=lambda data: data.n))
