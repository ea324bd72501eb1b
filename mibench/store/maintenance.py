"""Looking after results folders: merging several, compacting many small files into one, verifying all of it.

Notable: everything is safe beside running invocations. New files are written before old ones are removed, only files
that were read are removed, and what a killed process left behind goes only once it is an hour old.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from mibench.core.errors import MibenchError, StoreError, UsageError
from mibench.experiments.specs import RunSpec
from mibench.store.codes import mixed_codes
from mibench.store.columns import FAILURE_STATUSES, RESULT_STATUSES, TABLES
from mibench.store.copies import CHOICE, select, stack
from mibench.store.folders import COMPACTED, kept_runs, read_results, stable
from mibench.store.index import remove_indices
from mibench.store.parquet import TEMPORARY_PREFIX, encode, file_of, read_table, schema, write_bytes
from mibench.store.paths import check_results, existing_results, stems
from mibench.store.reading import read_all

_LEFTOVER_AGE = 3600.0
"""Seconds after which a temporary file, or curves without their runs, belong to nobody."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong in a results folder."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


@dataclasses.dataclass(frozen=True)
class Merged:
    """What `merge` copied."""

    runs: int
    packs: int
    sessions: int


@dataclasses.dataclass(frozen=True)
class Compacted:
    """What `compact` did: Parquet files before and after, and copies of runs that were dropped."""

    files_before: int
    files_after: int
    duplicates: int


def merge(folder: str | Path, sources: Iterable[str | Path]) -> Merged:
    """Copy the packs of other results folders that hold a run this one lacks, has only as a failure, or by former code.

    Packs are copied as they are; a run that then lies in two files is read once (results win over failures).

    Raises
    ------
    UsageError
        Where a source is the folder itself.
    StoreError
        Where a source does not exist or one of its files cannot be read; what was copied before stays.
    """
    check_results(folder)
    runs = packs = sessions = 0
    for source in [existing_results(source, " to merge") for source in sources]:
        if source.resolve() == Path(folder).resolve():
            raise UsageError(f"results folder '{source}' cannot be merged into itself; name another one")
        copied = stable(source, lambda source=source: _merge_one(Path(folder), source))  # type: ignore[misc]
        runs, packs, sessions = runs + copied.runs, packs + copied.packs, sessions + copied.sessions
    return Merged(runs, packs, sessions)


def _merge_one(folder: Path, source: Path) -> Merged:
    theirs = read_all(source, "runs", CHOICE)
    ours = stable(folder, lambda: read_all(folder, "runs", CHOICE))
    have = _kept(ours)
    gained: dict[str, list[str]] = {}
    for run, copy in _kept(theirs).items():
        if run not in have or copy.replaces(have[run]):
            gained.setdefault(copy.stem, []).append(run)
    for stem in gained:
        _copy_pack(folder, source, stem)
    sessions = [stem for stem in stems(source, "sessions") if stem not in stems(folder, "sessions")]
    for stem in sessions:
        _copy(folder, source, "sessions", stem)
    return Merged(sum(map(len, gained.values())), len(gained), len(sessions))


@dataclasses.dataclass(frozen=True)
class _Copy:
    """A stored copy of a run: where it lies, and what decides between it and another folder's."""

    stem: str
    is_result: bool
    code: str | None
    finished_at: datetime.datetime | None

    def replaces(self, other: _Copy) -> bool:
        """Whether it is to be read in place of the other: a result in place of a failure, later code of former."""
        if self.code != other.code:
            return other.finished_at is None or (self.finished_at is not None and self.finished_at > other.finished_at)
        return self.is_result and not other.is_result


def _kept(tables: Mapping[str, pa.Table]) -> dict[str, _Copy]:
    """Return the copy of every run that readers keep."""
    best = select(stack(tables))
    found = {}
    for stem, table in tables.items():
        for run, status, finished_at, code in zip(*(table[name].to_pylist() for name in CHOICE), strict=True):
            if best[run] == stem:
                found[run] = _Copy(stem, status in RESULT_STATUSES, code, finished_at)
    return found


def _copy_pack(folder: Path, source: Path, stem: str) -> None:
    if stem in stems(source, "curves"):
        _copy(folder, source, "curves", stem)
    _copy(folder, source, "runs", stem)


def _copy(folder: Path, source: Path, table: str, stem: str) -> None:
    origin = file_of(source, table, stem)
    read_table(origin, table)  # raises for what must not spread
    write_bytes(file_of(folder, table, stem), origin.read_bytes())


def compact(folder: str | Path) -> Compacted:
    """Replace the files of a results folder by one per table, without copies of runs; a second time changes nothing.

    A process killed at any point leaves a folder that reads the same.

    Raises
    ------
    StoreError
        Where the folder does not exist or a file cannot be read; nothing is removed then.
    StoreWriteError
        Where the new files cannot be written; nothing is removed then.
    """
    folder = existing_results(folder, " to compact")
    before = sum(len(stems(folder, table)) for table in TABLES)
    tables, curves = read_results(folder)
    runs = kept_runs(stack(tables))
    if tables:
        _replace(folder, runs, curves, list(tables))
    _compact_sessions(folder)
    remove_indices(folder)  # of one file there are none
    _sweep(folder)
    after = sum(len(stems(folder, table)) for table in TABLES)
    copies = sum(len(set(table["run_id"].to_pylist())) for table in tables.values())
    return Compacted(before, after, copies - len(set(runs["run_id"].to_pylist())))


def _replace(folder: Path, runs: pa.Table, curves: pa.Table, old: Sequence[str]) -> None:
    data = encode(runs)
    stem = content_stem(data)
    if curves.num_rows:
        write_bytes(file_of(folder, "curves", stem), encode(curves))
    write_bytes(file_of(folder, "runs", stem), data)
    for table in ("runs", "curves"):  # a reader that finds the runs gone starts over
        for name in old:
            if name != stem:
                file_of(folder, table, name).unlink(missing_ok=True)


def _compact_sessions(folder: Path) -> None:
    tables = stable(folder, lambda: read_all(folder, "sessions"))
    if not tables:
        return
    rows = {row["session_id"]: row for table in tables.values() for row in table.to_pylist()}
    data = encode(pa.Table.from_pylist([rows[key] for key in sorted(rows)], schema=schema("sessions")))
    write_bytes(file_of(folder, "sessions", content_stem(data)), data)
    for name in tables:
        if name != content_stem(data):
            file_of(folder, "sessions", name).unlink(missing_ok=True)


def content_stem(data: bytes) -> str:
    """Name a file that holds many packs by its content."""
    return COMPACTED + hashlib.sha256(data).hexdigest()[:24]


def _sweep(folder: Path) -> None:
    """Remove what killed processes left behind: temporary files, and curves whose runs were never written."""
    places = [folder, *(folder / table for table in TABLES)]
    leftovers = [path for place in places for path in place.glob(f"{TEMPORARY_PREFIX}*")]
    complete = set(stems(folder, "runs"))
    leftovers += [file_of(folder, "curves", stem) for stem in stems(folder, "curves") if stem not in complete]
    for path in leftovers:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFTOVER_AGE:
                path.unlink()


def verify(folder: str | Path) -> list[Finding]:
    """Check every file and row of a results folder.

    Every table is a folder; every file is readable and of this schema; every run id is the hash of its specification;
    every run has all its stairs; every result has its curve; all runs of a component are by one state of its code.

    Returns
    -------
    list
        What is wrong, sorted by file; empty where all is well.

    Raises
    ------
    StoreError
        Where the folder does not exist.
    """
    folder = existing_results(folder, " to verify")
    findings = _no_folders(folder) + _stray_files(folder)
    contents: dict[str, pa.Table] = {}
    for table in TABLES:
        for stem in stems(folder, table):
            path = file_of(folder, table, stem)
            try:
                content = read_table(path, table)
            except FileNotFoundError:  # compacted away meanwhile, unless it is still listed
                if stem in stems(folder, table):
                    findings.append(Finding(str(path), "is a link to a file that does not exist"))
                continue
            except StoreError as error:
                findings.append(Finding(str(path), _problem(error, path)))
                continue
            if table == "runs":
                contents[stem] = content
                findings += [Finding(str(path), problem) for problem in _row_problems(content)]
                findings += _missing_curves(folder, stem, content)
    findings += [
        Finding(
            str(folder / "runs"),
            f"{mixed.component} has runs by {mixed.codes} states of its code; boards take those by the last, and "
            "'mibench run' with --retrain trains the others again",
        )
        for mixed in mixed_codes(kept_runs(stack(contents)).to_pandas())
    ]
    return sorted(findings, key=lambda finding: (finding.path, finding.problem))


def _problem(error: StoreError, path: Path) -> str:
    """Shorten a reader's sentence: the finding names the file, and `verify` has been run."""
    return str(error).removeprefix(f"'{path}' ").partition("; ")[0]


def _no_folders(folder: Path) -> list[Finding]:
    """Find tables that are something else than a folder; one that does not exist is empty."""
    paths = [folder / table for table in TABLES]
    wrong = [path for path in paths if (path.exists() or path.is_symlink()) and not path.is_dir()]
    return [Finding(str(path), "is not a folder, so nothing can be read from it or stored in it") for path in wrong]


def _stray_files(folder: Path) -> list[Finding]:
    strays = [
        path
        for table in TABLES
        for path in (folder / table).glob("*")
        if path.suffix != ".parquet" and not path.name.startswith((".", "_"))
    ]
    return [Finding(str(path), "is no results file; readers of Parquet folders stumble over it") for path in strays]


def _row_problems(runs: pa.Table) -> list[str]:
    stairs: dict[str, set[int]] = {}
    texts: dict[str, str] = {}
    problems = []
    columns = ("run_id", "stair", "spec", "status")
    for run, stair, text, status in zip(*(runs[name].to_pylist() for name in columns), strict=True):
        stairs.setdefault(run, set()).add(stair)
        texts.setdefault(run, text)
        if status not in RESULT_STATUSES + FAILURE_STATUSES:
            problems.append(f"run {run} has the unknown status '{status}'")
        if text != texts[run]:
            problems.append(f"run {run} has rows with different specifications")
    for run, text in texts.items():
        problems += _spec_problems(run, text, stairs[run])
    return problems


def _spec_problems(run: str, text: str | None, stairs: set[int]) -> list[str]:
    try:
        spec = RunSpec.from_json(text or "")
    except MibenchError as error:
        return [f"run {run}: {error}"]
    problems = []
    if spec.run_id != run:
        problems.append(f"run {run} has a specification whose id is {spec.run_id}")
    if missing := set(range(spec.stairs)) - stairs:
        problems.append(f"run {run} lacks stair {', '.join(map(str, sorted(missing)))}")
    return problems


def _missing_curves(folder: Path, stem: str, runs: pa.Table) -> list[Finding]:
    status = zip(runs["run_id"].to_pylist(), runs["status"].to_pylist(), strict=True)
    results = {run for run, status in status if status in RESULT_STATUSES}
    path = file_of(folder, "curves", stem)
    try:
        present = set(read_table(path, "curves", ["run_id"])["run_id"].to_pylist()) if results else set()
    except FileNotFoundError:
        if stem not in stems(folder, "runs"):
            return []  # compacted away meanwhile
        present = set()
    except StoreError:
        return []  # the file is a finding of its own
    return [Finding(str(path), f"lacks the curve of run {run}") for run in sorted(results - present)]
