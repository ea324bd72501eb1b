"""What estimators that take a sample say of it, read from stored rows."""

from __future__ import annotations

import json

import pandas as pd


def warnings_of(runs: pd.DataFrame) -> list[list[str]]:
    """Return the sentences of each run that has any, in the order of the rows.

    Parameters
    ----------
    runs
        Rows of the runs table; those of an earlier schema say nothing.
    """
    told = runs.loc[runs["warnings"].notna(), ["run_id", "warnings"]].drop_duplicates("run_id")
    return [sentences for sentences in map(json.loads, told["warnings"]) if sentences]
