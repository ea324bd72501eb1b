"""Reports: stored rows -> figures with captions and the tables that they drew, four files a figure, and a page.

Notable:

- ``NAME.png`` and ``NAME.svg`` hold the figure, ``NAME.csv`` everything that it drew (``NAME.csv.gz`` where that
  is large), ``NAME.md`` its caption and a table to read. The same rows give the same bytes: no dates, no random ids.
- ``index.html`` shows all of them, with the board and the runs (`mibench.report.page`).
- A figure that the rows do not suit is left out with one sentence that says why, and stops no other; likewise one whose
  code raises an error, or ends the process that draws it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import multiprocessing
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mibench.analysis.cells import GridRows, rows_of_grid
from mibench.claims.judgement import Claim, Judgement
from mibench.core.errors import MibenchError, UnknownNameError, UsageError, shown
from mibench.core.faults import describe_error, fault_of, place_error
from mibench.core.files import check_output
from mibench.core.plugins import load_plugins
from mibench.experiments.grid import natural_order
from mibench.figures import style
from mibench.figures.registry import FIGURES, UNDRAWN, Drawing, FigureEntry, load_figures
from mibench.figures.shared import shared
from mibench.ranking.rows import rows_of
from mibench.report.files import USUAL_PICTURES, contents_of, short_table, write_contents
from mibench.report.looks import look_options, read_formats, read_labels, read_look
from mibench.report.page import PAGE, Source, write_page
from mibench.report.result import ReportResult
from mibench.report.selection import select
from mibench.store import folders as store
from mibench.store.codes import of_current_code
from mibench.store.columns import RUNS
from mibench.store.paths import existing_results
from mibench.store.sessions import available_cores

load_figures()

_COLLECTIONS = ("all", "claims")
_FEW = 4
"""Figures that a process has at least: fewer are drawn before it has started."""


def report(
    names: Sequence[str] = ("all",),
    *,
    results: str | Path = "results",
    output: str | Path = "reports",
    where: Mapping[str, Sequence[object]] | None = None,
    grid: str | None = None,
    suite: str | None = None,
    plugins: str | Path | Sequence[str | Path] = (),
    style_sheet: str | Path | None = None,
    formats: str | Sequence[str] = USUAL_PICTURES,
    size: str | tuple[float, float] | None = None,
    labels: str | Mapping[str, str] | Sequence[str] = (),
) -> list[Path]:
    """Draw reports of a results folder and return the files written, the page last.

    Parameters
    ----------
    names, results, output, where, grid, suite, plugins, style_sheet, formats, size, labels
        As in `draw_reports`.

    Raises
    ------
    UsageError
        As `draw_reports`, and where the rows suit none of the reports.
    """
    done = draw_reports(
        names,
        results=results,
        output=output,
        where=where,
        grid=grid,
        suite=suite,
        plugins=plugins,
        style_sheet=style_sheet,
        formats=formats,
        size=size,
        labels=labels,
    )
    files = [file for result in done for file in result.files]
    if not files:
        raise UsageError("; ".join(dict.fromkeys(result.reason for result in done)))
    return [*files, Path(output) / PAGE]


def draw_reports(
    names: Sequence[str] = ("all",),
    *,
    results: str | Path = "results",
    output: str | Path = "reports",
    where: Mapping[str, Sequence[object]] | None = None,
    grid: str | None = None,
    suite: str | None = None,
    plugins: str | Path | Sequence[str | Path] = (),
    style_sheet: str | Path | None = None,
    formats: str | Sequence[str] = USUAL_PICTURES,
    size: str | tuple[float, float] | None = None,
    labels: str | Mapping[str, str] | Sequence[str] = (),
) -> list[ReportResult]:
    """Draw reports of a results folder, and write the page that shows them where there is one to show.

    Parameters
    ----------
    names
        Registered figures; ``"all"``, each on all rows (claims on those of their grids); or ``"claims"``, the figures
        that have a grid, each on its grid's rows.
    results
        Folder of stored runs.
    output
        Folder that the files are written to; made where it does not exist.
    where
        Rows to keep, by column: the values that they may have, as in ``{"batch": [64, 128]}``, written as on the
        command line or as figures and tables print them.
    grid
        Shipped grid or TOML file: only its rows are kept.
    suite
        Suite or its file: only its rows are kept, and those of the suite beside it, as boards take them.
    plugins
        File or folder with further figures, or several.
    style_sheet
        Style sheet of matplotlib's (``.mplstyle``), whose settings stand in place of mibench's own.
    formats
        Of the pictures: ``"png"``, ``"svg"`` or ``"pdf"``, or several.
    size
        Width and height of every figure, inches, as ``"3.25x2.4"`` or ``(3.25, 2.4)``; it is laid out at that size,
        without title and caption, and left out where its text has no room. By default what the panels need.
    labels
        What legends and axes call methods, by estimator or label: ``{"nwj": "NWJ", "smile:tau=5": "SMILE"}``.
        Mathematics stands between dollar signs. Tables keep the names.

    Returns
    -------
    list of ReportResult
        One a figure, in order: ``name`` and ``files``, or the ``reason`` why there are none.

    Raises
    ------
    UsageError
        For names that do not exist, where no run is stored or none is selected, where the files cannot be written,
        where a plug-in cannot be imported, and for a style sheet, format or size that cannot be read.
    StoreError
        For results that cannot be read.
    """
    pictures = read_formats(formats)
    look = read_look(style_sheet, size)
    files = [plugins] if isinstance(plugins, str | Path) else plugins
    load_plugins(files, strict=True)
    look = dataclasses.replace(look, names=read_labels(labels))
    wanted = resolve_names(names)
    check_output(output, "folder of reports", "output")
    runs = store.read_runs(existing_results(results), _columns(wanted, where))
    if runs.empty:
        raise UsageError(f"'{results}' holds no runs; make some with 'mibench run' first")
    runs = select(runs, where or {})
    if grid is not None:
        runs = rows_of_grid(runs, grid).runs
        if runs.empty:
            raise UsageError(f"'{results}' holds no rows of grid '{grid}'; make them with 'mibench run {grid}'")
    if suite is not None:
        runs = rows_of(suite, runs, Path(results)).runs
    curves = pd.DataFrame(columns=["run_id"])
    if any(FIGURES[name].needs_curves for name in wanted):
        curves = store.load_curves(results, list(runs["run_id"].unique()))
    done = render(runs, curves, names, output, look=look, formats=pictures)
    if any(result.files for result in done):
        asked = look_options(style_sheet, pictures, look)
        write_page(done, runs, Path(output), Source(results, where or {}, grid, suite, files, asked))
    return done


def _columns(names: Sequence[str], where: Mapping[str, Sequence[object]] | None) -> set[str] | None:
    """The columns of runs that some figures are drawn from; None for all: conditions may be on any."""
    if where or not all(FIGURES[name].own for name in names):
        return None
    return {column.name for column in RUNS} - UNDRAWN


def render(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    names: Sequence[str] = ("all",),
    output: str | Path = "reports",
    *,
    look: style.Look | None = None,
    formats: Sequence[str] = USUAL_PICTURES,
) -> list[ReportResult]:
    """Draw reports of given rows.

    Parameters
    ----------
    runs, curves
        Rows of the two tables, in any order; `curves` may be empty where no figure needs it.
    names, output, formats
        As in `draw_reports`.
    look
        How the figures are to look; by default as they are.

    Raises
    ------
    UsageError
        For names that do not exist, and where the files cannot be written.
    """
    runs, older = of_current_code(_ordered(runs))
    curves = _ordered(curves[curves["run_id"].isin(runs["run_id"])])
    home = set(FIGURES) if "claims" in names else set()
    jobs = [(name, Path(output), name in home, older, tuple(formats)) for name in resolve_names(names)]
    workers = min(len(jobs) // _FEW, available_cores())
    # Of workers each has a copy of both blocks, as of everything else that a fork shares.
    with shared(), style.looking(look or style.Look()):
        if workers < 2 or sys.platform != "linux":  # elsewhere a fork is not safe, and a new process as slow as figures
            return [_render_one(runs, curves, *job) for job in jobs]
        return _render_in_processes(runs, curves, jobs, workers)


_Job = tuple[str, Path, bool, str, tuple[str, ...]]
"""A figure's name, its folder, whether it is drawn from its grid's rows, a note for its caption, and formats."""


def _render_in_processes(
    runs: pd.DataFrame, curves: pd.DataFrame, jobs: Sequence[_Job], workers: int
) -> list[ReportResult]:
    """Draw figures in forked processes; those that were under way when one of these ended are drawn one by one."""
    fork = multiprocessing.get_context("fork")  # which shares the rows and what plug-ins have registered
    with warnings.catch_warnings(), ProcessPoolExecutor(workers, fork, _share, (runs, curves)) as pool:
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, none of which the figures use
        futures = [pool.submit(_render_shared, job) for job in jobs]
    done = []
    for job, future in zip(jobs, futures, strict=True):
        error = future.exception()
        if error is None or isinstance(error, MibenchError):
            done.append(future.result())
        elif not isinstance(error, BrokenProcessPool):  # what was drawn cannot be sent here
            done.append(ReportResult(job[0], reason=describe_error(error)))
        elif len(jobs) == 1:
            done.append(ReportResult(job[0], reason="the process that drew it ended before it was done"))
        else:
            done += _render_in_processes(runs, curves, [job], 1)
    return done


_shared: tuple[pd.DataFrame, ...] = ()


def _share(runs: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Keep the rows in a process that renders."""
    global _shared
    _shared = (runs, curves)


def _render_shared(job: _Job) -> ReportResult:
    return _render_one(_shared[0], _shared[1], *job)


def _render_one(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    name: str,
    folder: Path,
    at_home: bool,
    note: str,
    formats: tuple[str, ...],
) -> ReportResult:
    """Draw a figure and write its files; whatever its code raises is the reason why there are none."""
    entry, drawn = FIGURES[name], []
    fault = fault_of(lambda: drawn.append(_draw(runs, curves, entry, at_home, note, formats)))
    if isinstance(fault, MibenchError):
        return ReportResult(entry.name, reason=str(fault))
    if fault is not None:
        return ReportResult(entry.name, reason=place_error(fault, _file_of(entry.draw)))
    ((result, contents),) = drawn
    return dataclasses.replace(result, files=write_contents(contents, folder))


def _file_of(function: Callable[..., object]) -> Path | None:
    """The file that a figure's function is written in, where there is one."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else Path(code.co_filename)


def _draw(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    entry: FigureEntry,
    at_home: bool,
    note: str,
    formats: tuple[str, ...],
) -> tuple[ReportResult, dict[str, bytes]]:
    """Draw a figure, where it is at home or has a claim from the rows of its grid, and render its files."""
    rows, judgement, missing = None, None, ""
    if at_home or entry.claim is not None:
        rows = _rows_of_grid(entry.grid, runs)
        runs, curves, missing = rows.runs, curves[curves["run_id"].isin(rows.runs["run_id"])], rows.note()
    drawing = _checked(entry.draw(runs, curves))
    if entry.claim is not None:
        judgement = entry.claim.judge(runs, curves)
    if rows is not None and missing:
        style.say_incomplete(drawing.figure, rows.found, rows.expected)
    with style.theme() if entry.own else contextlib.nullcontext():
        style.finish(drawing.figure)
    caption = "\n".join(filter(None, [*_verdict(entry.claim, judgement), missing, note, drawing.caption]))
    result = ReportResult(
        entry.name,
        caption=caption,
        missing=missing,
        judgement=judgement,
        title=str(drawing.figure.get_label()),
        explanation=drawing.caption,
        grid="" if rows is None else entry.grid,
        budget="" if rows is None else rows.budget,
        table=short_table(drawing),
    )
    return result, contents_of(entry.name, drawing._replace(caption=caption), formats)


def _checked(made: Any) -> Drawing:
    """What a figure's function returned, as a drawing."""
    match made:
        case (Figure(), pd.DataFrame(), str(), *_) if len(made) <= len(Drawing._fields):
            return Drawing(*made)
    found = made if isinstance(made, tuple) else (made,)
    kinds = ", ".join(type(part).__name__ for part in found[: len(Drawing._fields)])
    raise UsageError(f"its function must return a figure, a table and a caption, not {kinds}")


def _rows_of_grid(grid: str, runs: pd.DataFrame) -> GridRows:
    rows = rows_of_grid(runs, grid)
    if rows.found == 0:
        raise UsageError(f"there are no rows of grid '{grid}'; make them with 'mibench run {grid}'")
    return rows


def _verdict(claim: Claim | None, judgement: Judgement | None) -> list[str]:
    """Say above a caption what is claimed and what was found."""
    if claim is None or judgement is None:
        return []
    said = f"Claim ({claim.source}): {claim.statement}"
    return [said, f"Verdict: {judgement.verdict}. {judgement.finding}"]


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of their keys, so that nothing depends on the order they were stored in."""
    keys = [c for c in ("run_id", "stair", "step") if c in table]
    return table.sort_values(keys, kind="stable", ignore_index=True)


def resolve_names(names: Sequence[str]) -> list[str]:
    """Return registered figures for names that may hold ``"all"`` and ``"claims"``, each once, in the order given.

    Raises
    ------
    UsageError
        For a name that no figure has, and for what is no list of names.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise UsageError(f"reports must be a list of names, not {shown(names, repr)}; write ['all']")
    found: dict[str, None] = {}
    for name in names:
        if name not in (*FIGURES, *_COLLECTIONS):
            raise UnknownNameError("report", name, [*FIGURES, *_COLLECTIONS])
        chosen = [n for n, entry in FIGURES.items() if name in (n, "all") or (name == "claims" and entry.grid)]
        found.update(dict.fromkeys(sorted(chosen, key=natural_order) if name in _COLLECTIONS else chosen))
    return list(found)
