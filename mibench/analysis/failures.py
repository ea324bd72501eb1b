"""Why runs failed, in a line each: what their stored tracebacks come to."""

from __future__ import annotations

import itertools
import re

import pandas as pd

from mibench.store.columns import FAILURE_STATUSES

_HEADER = "Traceback (most recent call last):"
_OWN_ERROR = re.compile(r"mibench\.core\.errors\.\w+: ")
_UNKNOWN = "no reason is stored"


def reason_of(error: object) -> str:
    """Return the reason in what is stored of a failed run: the exception of a traceback, or what was said instead.

    Errors of mibench are sentences, and stand without the name of their class; what a process printed last is left out.

    Parameters
    ----------
    error
        Value of the column `error`; null where nothing is known.
    """
    lines = error.strip().split("\n") if isinstance(error, str) else [""]
    reason = _exception(lines) or lines[0].partition("; last output:")[0]
    return _OWN_ERROR.sub("", " ".join(reason.split()), count=1) or _UNKNOWN


def _exception(lines: list[str]) -> str:
    """The line that names the exception: the first after the last traceback's frames, which are indented."""
    starts = [place for place, line in enumerate(lines) if line == _HEADER]
    if starts:
        return next((line for line in lines[starts[-1] + 1 :] if line and line[0] != " "), "")
    # A long traceback is stored without its beginning; of what else is said nothing begins with spaces.
    ends = [later for line, later in itertools.pairwise(lines) if line[:1] == " " and later[:1] not in ("", " ")]
    return ends[-1] if ends else ""


def failed_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """List the runs that failed, once each, with the column ``reason``.

    Parameters
    ----------
    runs
        Rows of the runs table.
    """
    failed = runs[runs["status"].isin(FAILURE_STATUSES)].drop_duplicates("run_id")
    return failed.assign(reason=failed["error"].map(reason_of).astype(object))


def failure_reasons(runs: pd.DataFrame) -> pd.DataFrame:
    """Count the runs that failed by ``status`` and ``reason``, the most frequent first: ``count``."""
    counted = failed_runs(runs).groupby(["status", "reason"], sort=True).size().rename("count").reset_index()
    return counted.sort_values("count", ascending=False, kind="stable", ignore_index=True)
