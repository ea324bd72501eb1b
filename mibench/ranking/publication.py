"""Publishing rows: those of a suite, with thinned curves, and without the names of machines and folders.

Notable: what a leaderboard needs are the runs, and they are published whole. Curves are there to be looked at; of a
thousand points between the first and the last nobody sees the difference.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from mibench.analysis.cells import exact_rows_of_suite, rows_of_suite
from mibench.core.errors import UsageError
from mibench.core.files import check_output
from mibench.experiments.specs import EXACT_CRITIC
from mibench.experiments.suite import get_suite
from mibench.store.folders import load_curves, load_runs, load_sessions, read_runs
from mibench.store.maintenance import content_stem
from mibench.store.parquet import as_table, encode, file_of, write_bytes, write_pack
from mibench.store.paths import existing_results

CURVE_POINTS = 21
"""Points of a curve that are published at most."""


@dataclasses.dataclass(frozen=True)
class Published:
    """What `publish` wrote.

    Parameters
    ----------
    runs, points
        Runs, and points of their curves.
    size
        Bytes of all files written.
    missing
        What the suite has and the rows lack, in a sentence; empty where nothing is missing.
    """

    runs: int
    points: int
    size: int
    missing: str


def publish(source: str | Path, target: str | Path, suite: str = "standard") -> Published:
    """Copy the rows of a suite, and those of the exact critic beside them, into a results folder to be published.

    Curves are thinned as by `thinned`. Of the sessions neither the name of the machine nor the command are kept, of
    plug-ins the file name and the hash, and of a traceback the last line: paths say nothing to a reader. Runs that the
    target holds already are not written again.

    Parameters
    ----------
    source
        The results folder that holds the rows, and others perhaps.
    target
        The folder to publish; made if it does not exist.
    suite
        A suite's name, or its file.

    Raises
    ------
    UsageError
        For an unknown suite, and where there are no rows of it that the target lacks.
    StoreError
        As `mibench.load_runs`.
    StoreWriteError
        Where a file cannot be written.
    """
    existing_results(source, " to publish from")
    check_output(target, "folder to publish to", "target")
    stored, grid = load_runs(source), get_suite(suite).grid
    found = rows_of_suite(stored, grid)
    chosen = pd.concat([found.runs, exact_rows_of_suite(stored, grid, EXACT_CRITIC)])
    runs = chosen[~chosen["run_id"].isin(read_runs(target)["run_id"])]
    if runs.empty:
        where = f"that '{target}' lacks " if len(chosen) else ""
        raise UsageError(f"'{source}' holds no rows of suite '{suite}' {where}to publish")
    curves = thinned(load_curves(source, runs["run_id"]))
    sessions = load_sessions(source)
    sessions = _anonymous(sessions[sessions["session_id"].isin(runs["session_id"])])
    rows = as_table("runs", runs.assign(error=runs["error"].map(_last_line, na_action="ignore")))
    stem = content_stem(encode(rows))
    write_bytes(file_of(target, "sessions", stem), encode(as_table("sessions", sessions)))
    write_pack(target, stem, rows, curves)
    files = [file_of(target, table, stem) for table in ("runs", "curves", "sessions")]
    size = sum(file.stat().st_size for file in files if file.exists())
    return Published(runs["run_id"].nunique(), len(curves), size, found.note())


def thinned(curves: pd.DataFrame, points: int = CURVE_POINTS) -> pd.DataFrame:
    """Keep of every curve at most some points: the first, the last, and between them evenly spaced ones.

    Of n points those at the places ``round(i (n - 1) / (points - 1))``, i from 0. Values are not averaged: a point that
    is kept is as it was stored.

    Parameters
    ----------
    curves
        Rows of the curves table, sorted by run and step.
    points
        How many, at least 2.
    """
    runs = curves.groupby("run_id", sort=False)["step"]
    place, count = runs.cumcount().to_numpy(), runs.transform("size").to_numpy()
    kept = np.zeros(len(curves), dtype=bool)
    for length in np.unique(count):
        places = np.round(np.linspace(0, length - 1, points))
        kept |= (count == length) & np.isin(place, places)
    return curves[kept]


def _anonymous(sessions: pd.DataFrame) -> pd.DataFrame:
    return sessions.assign(
        hostname=None, command=None, plugins=sessions["plugins"].map(_file_names, na_action="ignore")
    )


def _file_names(plugins: str) -> str:
    """Write plug-in files without their folders."""
    return json.dumps({PurePath(path).name: digest for path, digest in json.loads(plugins).items()}, sort_keys=True)


def _last_line(traceback: str) -> str:
    return traceback.strip().rpartition("\n")[2]
