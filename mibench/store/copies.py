"""Which copy of a run is kept, where several files hold one: pure functions of rows.

Notable: two invocations may have trained a run at once, or it failed before it succeeded. Readers keep one copy: of the
code from outside that was used last (`code`) results win over failures, then the later one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mibench.store.columns import RESULT_STATUSES
from mibench.store.parquet import schema

CHOICE = ("run_id", "status", "finished_at", "code")
"""Columns of runs that say which of several copies is kept."""


class Stacked(NamedTuple):
    """Rows of several files of the runs table, one file below the other.

    Parameters
    ----------
    stems
        The files, sorted.
    place
        Of every row the place of its file among them, (rows,).
    rows
        At least the columns `CHOICE`.
    """

    stems: Sequence[str]
    place: npt.NDArray[np.int64]
    rows: pa.Table

    def of_runs(self, run_ids: Collection[str]) -> Stacked:
        """Keep the rows of some runs."""
        among = pc.is_in(self.rows["run_id"], value_set=pa.array(list(run_ids), pa.string()))
        return self.where(among.to_numpy())

    def where(self, marks: npt.NDArray[np.bool_]) -> Stacked:
        """Keep the rows that are marked."""
        return Stacked(self.stems, self.place[marks], self.rows.filter(pa.array(marks)))


def stack(tables: Mapping[str, pa.Table]) -> Stacked:
    """Put tables of runs, which have the same columns, below each other, sorted by stem."""
    stems = sorted(tables)
    parts = [tables[stem] for stem in stems]
    rows = pa.concat_tables(parts).combine_chunks() if parts else schema("runs").empty_table()
    return Stacked(stems, np.repeat(np.arange(len(parts)), [len(part) for part in parts]), rows)


def select(stacked: Stacked) -> dict[str, str]:
    """Choose for every run the file to take it from: the code used last, results before failures, then the later one.

    Returns
    -------
    dict
        run id -> stem; ties go to the stem that sorts last, so that the choice does not depend on the reader.
    """
    best = _best(stacked)
    return {str(run): stacked.stems[place] for run, place in zip(best.index, best, strict=True)}


def kept(stacked: Stacked) -> Stacked:
    """Keep of every run the rows of the copy that is chosen by `select`."""
    owners = stacked.rows["run_id"].to_pandas().map(_best(stacked))
    return stacked.where((owners == stacked.place).to_numpy(bool))


def _best(stacked: Stacked) -> pd.Series:
    """Return by run id the place of the file to take it from."""
    rows: pd.DataFrame = stacked.rows.select(list(CHOICE)).to_pandas()
    rows["place"] = stacked.place
    rows["result"] = rows["status"].isin(RESULT_STATUSES)
    rows["code"] = rows["code"].fillna("")
    copies = rows.groupby(["run_id", "place"], as_index=False).agg(
        {"result": "all", "finished_at": "max", "code": "first"}
    )
    copies = copies.sort_values(["finished_at", "place"], na_position="first")
    copies["current"] = copies["code"] == copies.groupby("run_id")["code"].transform("last")
    copies = copies.sort_values(["current", "result"], kind="stable")
    best: pd.Series = copies.drop_duplicates("run_id", keep="last").set_index("run_id")["place"]
    return best


def sorted_unique(table: pa.Table, second: str) -> pa.Table:
    """Sort by (run_id, second) and drop rows that repeat both."""
    keys: pd.DataFrame = table.select(["run_id", second]).to_pandas()
    order = keys.drop_duplicates().sort_values(["run_id", second], kind="stable").index
    return table.take(pa.array(order.to_numpy(), pa.int64()))
