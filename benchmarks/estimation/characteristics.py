"""Operating characteristics: how often wrong answers are flagged, right ones too, and how often intervals cover.

An answer is wrong where it is off by more than the larger of 0.2 nats and a fifth of the truth. It is flagged where it
is not believable; what was refused or broke is neither right nor wrong, and counted by itself. Every share comes with
the 95 % interval of Clopper and Pearson, which is exact for independent data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.stats import binomtest

OFF_NATS, OFF_SHARE = 0.2, 0.2
_LEVEL = 0.05  # of the test of independence
_INDEPENDENT = ("independent", "undetected")
_WITHOUT = ("refused", "failed")


def off(table: pd.DataFrame) -> pd.Series[bool]:
    """Whether each value is wrong."""
    return (table["value"] - table["truth"]).abs() > np.maximum(OFF_NATS, OFF_SHARE * table["truth"])


Count = Callable[[pd.DataFrame], tuple[int, int]]


def _share(of: Callable[[pd.DataFrame], pd.Series[bool]], among: Callable[[pd.DataFrame], pd.Series[bool]]) -> Count:
    """Count the rows that are one thing among those that are another."""

    def count(table: pd.DataFrame) -> tuple[int, int]:
        chosen = table[among(table)]
        return (int(of(chosen).sum()), len(chosen)) if len(chosen) else (0, 0)

    return count


def _all(table: pd.DataFrame) -> pd.Series[bool]:
    return pd.Series(True, index=table.index)


def _flagged(table: pd.DataFrame) -> pd.Series[bool]:
    return ~table["believable"]


def _believed(table: pd.DataFrame) -> pd.Series[bool]:
    return table["believable"]


def _covered(table: pd.DataFrame) -> pd.Series[bool]:
    return (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])


def _null(table: pd.DataFrame) -> pd.Series[bool]:
    return table["truth"] == 0


COLUMNS: dict[str, Count] = {
    "right": _share(lambda table: ~off(table), _all),
    "wrong flagged": _share(_flagged, off),
    "right flagged": _share(_flagged, lambda table: ~off(table)),
    "believable covered": _share(_covered, _believed),
    "interval covered": _share(_covered, _all),
    "limit holds": _share(lambda table: table["limit"] <= table["truth"], _all),
    "independent, p <= 0.05": _share(lambda table: table["p_value"] <= _LEVEL, _null),
    "independent, limit > 0": _share(lambda table: table["limit"] > 0, _null),
    "independent, said dependent": _share(lambda table: ~table["word"].isin(_INDEPENDENT), _null),
    "dependent, said independent": _share(lambda table: table["word"] == "independent", lambda table: ~_null(table)),
}
"""Of each column, how many rows and of how many."""


def interval(count: int, total: int) -> tuple[float, float]:
    """Interval of a share, 95 %, by Clopper and Pearson; 0 to 1 where there is no row."""
    if not total:
        return 0.0, 1.0
    found = binomtest(count, total).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def characteristics(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each group and characteristic: a count, of how many, their share and its interval.

    Groups are each series as a whole, by n, by half and by family.
    """
    rows = []
    for group, own in _groups(estimates[~estimates["word"].isin(_WITHOUT)]):
        for name, counted in COLUMNS.items():
            count, total = counted(own)
            low, high = interval(count, total)
            share = count / total if total else np.nan
            rows.append((group, name, count, total, share, low, high))
    return pd.DataFrame(rows, columns=["group", "characteristic", "count", "of", "share", "low", "high"])


def _groups(estimates: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for series, own in estimates.groupby("series", sort=False):
        yield str(series), own
        for column in ("n", "half", "family"):
            if own[column].nunique() > 1:
                for value, part in own.groupby(column):
                    yield f"{series}, {'n = ' if column == 'n' else ''}{value}", part


def as_text(estimates: pd.DataFrame) -> str:
    """Write the table for reading: shares with their intervals in per cent, then seconds, words and what broke."""
    found = characteristics(estimates)
    lines = []
    for name in COLUMNS:
        rows = found[(found["characteristic"] == name) & (found["of"] > 0)]
        if len(rows):
            lines += ["", f"{name}"]
            lines += [
                f"  {row.group:38}  {row.count:5} of {row.of:5}  {row.share:6.1%}  ({row.low:.1%} to {row.high:.1%})"
                for row in rows.itertuples(index=False)
            ]
    seconds = estimates.groupby("n")["wall"].quantile([0.5, 0.9]).unstack()
    lines += ["", "seconds, median and 90 %"]
    lines += [f"  n = {n:<6} {row[0.5]:8.1f} {row[0.9]:8.1f}" for n, row in seconds.iterrows()]
    words = estimates.groupby(["series", "word"]).size()
    lines += ["", "verdicts", *(f"  {series:8} {word:14} {count:5}" for (series, word), count in words.items())]
    broken = estimates[estimates["word"].isin(_WITHOUT)]
    if len(broken):
        lines += ["", "refused or failed", *(f"  {row.name}: {row.error}" for row in broken.itertuples(index=False))]
    return "\n".join(lines).lstrip()
