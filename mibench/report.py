"""Reports: stored rows -> figures with captions and the tables that they drew, four files a figure.

Notable:

- ``NAME.png`` and ``NAME.svg`` hold the figure, ``NAME.csv`` everything that it drew, ``NAME.md`` its caption and a
  table to read. The same rows give the same bytes: no dates, no random ids.
- A figure that the rows do not suit is left out with one sentence that says why, and stops no other.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mibench import store, style
from mibench.cells import rows_of_grid
from mibench.claims import Claim, Judgement
from mibench.errors import UnknownNameError, UsageError, did_you_mean
from mibench.figures import FIGURES, Drawing, FigureEntry
from mibench.grid import natural_order
from mibench.labels import COMPONENTS, plural, with_labels

for _module in sorted(path.stem for path in Path(__file__).parent.glob("figure_*.py")):
    importlib.import_module(f"mibench.{_module}")  # which registers its figures

_COLLECTIONS = ("all", "claims")
_ALIASES = {"mi": "mi_true", "seeds": "seed"}
_MAX_TABLE_ROWS = 60
_DPI = 160


@dataclasses.dataclass(frozen=True)
class ReportResult:
    """What became of one report: its files, or the sentence that says why there are none."""

    name: str
    files: tuple[Path, ...] = ()
    reason: str = ""
    caption: str = ""
    missing: str = ""
    """What the claim's grid lacks, in a sentence; empty where nothing is missing."""
    judgement: Judgement | None = None


def report(
    names: Sequence[str] = ("all",),
    *,
    results: str | Path = "results",
    output: str | Path = "reports",
    where: Mapping[str, Sequence[object]] | None = None,
    grid: str | None = None,
) -> list[Path]:
    """Draw reports of a results folder and return the files written.

    Parameters
    ----------
    names, results, output, where, grid
        As in `draw_reports`.

    Raises
    ------
    UsageError
        As `draw_reports`, and where the rows suit none of the reports.
    """
    done = draw_reports(names, results=results, output=output, where=where, grid=grid)
    files = [file for result in done for file in result.files]
    if not files:
        raise UsageError("; ".join(dict.fromkeys(result.reason for result in done)))
    return files


def draw_reports(
    names: Sequence[str] = ("all",),
    *,
    results: str | Path = "results",
    output: str | Path = "reports",
    where: Mapping[str, Sequence[object]] | None = None,
    grid: str | None = None,
) -> list[ReportResult]:
    """Draw reports of a results folder.

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
        Rows to keep, as in `select`.
    grid
        Shipped grid or TOML file: only its rows are kept, as by `mibench.cells.rows_of_grid`.

    Raises
    ------
    UsageError
        For names that do not exist, where no run is stored or none is selected, and where the files cannot be
        written.
    StoreError
        For results that cannot be read.
    """
    wanted = resolve_names(names)
    runs = store.load_runs(results)
    if runs.empty:
        raise UsageError(f"'{results}' holds no runs; make some with 'mibench run' first")
    runs = select(runs, where or {})
    if grid is not None:
        runs = rows_of_grid(runs, grid).runs
        if runs.empty:
            raise UsageError(f"'{results}' holds no rows of grid '{grid}'; make them with 'mibench run {grid}'")
    curves = pd.DataFrame(columns=["run_id"])
    if any(FIGURES[name].needs_curves for name in wanted):
        curves = store.load_curves(results, list(runs["run_id"].unique()))
    return render(runs, curves, names, output)


def render(
    runs: pd.DataFrame, curves: pd.DataFrame, names: Sequence[str] = ("all",), output: str | Path = "reports"
) -> list[ReportResult]:
    """Draw reports of given rows.

    Parameters
    ----------
    runs, curves
        Rows of the two tables, in any order; `curves` may be empty where no figure needs it.
    names, output
        As in `draw_reports`.

    Raises
    ------
    UsageError
        For names that do not exist, and where the files cannot be written.
    """
    runs, curves = _ordered(runs), _ordered(curves)
    home = set(FIGURES) if "claims" in names else set()
    return [_render_one(FIGURES[n], runs, curves, Path(output), at_home=n in home) for n in resolve_names(names)]


def _render_one(
    entry: FigureEntry, runs: pd.DataFrame, curves: pd.DataFrame, folder: Path, *, at_home: bool
) -> ReportResult:
    missing, judgement = "", None
    try:
        if at_home or entry.claim is not None:
            drawing, missing, judgement = _draw_from_grid(entry, runs, curves)
        else:
            drawing = Drawing(*entry.draw(runs, curves))
    except UsageError as error:
        return ReportResult(entry.name, reason=str(error))
    files = _write(entry.name, drawing, folder)
    return ReportResult(entry.name, files, caption=drawing.caption, missing=missing, judgement=judgement)


def _draw_from_grid(
    entry: FigureEntry, runs: pd.DataFrame, curves: pd.DataFrame
) -> tuple[Drawing, str, Judgement | None]:
    """Draw a figure from the rows of its grid, and say what they lack; of a claim with the verdict."""
    rows = rows_of_grid(runs, entry.grid)
    if rows.found == 0:
        raise UsageError(f"there are no rows of grid '{entry.grid}'; make them with 'mibench run {entry.grid}'")
    theirs = curves[curves["run_id"].isin(rows.runs["run_id"])]
    drawing, judgement = Drawing(*entry.draw(rows.runs, theirs)), None
    if rows.missing:
        style.say_incomplete(drawing.figure, rows.found, rows.expected)
        drawing = drawing._replace(caption=f"{rows.note()}\n{drawing.caption}")
    if entry.claim is not None:
        judgement = entry.claim.judge(rows.runs, theirs)
        drawing = _with_claim(drawing, entry.claim, judgement)
    return drawing, rows.note(), judgement


def _with_claim(drawing: Drawing, claim: Claim, judgement: Judgement) -> Drawing:
    """Put the claim and its verdict above a drawing's caption."""
    said = f"Claim ({claim.source}): {claim.statement}"
    found = f"Verdict: {judgement.verdict}. {judgement.finding}"
    return drawing._replace(caption=f"{said}\n{found}\n{drawing.caption}")


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of their keys, so that nothing depends on the order they were stored in."""
    keys = [c for c in ("run_id", "stair", "step") if c in table]
    return table.sort_values(keys, kind="stable", ignore_index=True)


def resolve_names(names: Sequence[str]) -> list[str]:
    """Return registered figures for names that may hold ``"all"`` and ``"claims"``, each once, in the order given.

    Raises
    ------
    UnknownNameError
        For a name that no figure has.
    """
    found: dict[str, None] = {}
    for name in names:
        if name not in (*FIGURES, *_COLLECTIONS):
            raise UnknownNameError("report", name, [*FIGURES, *_COLLECTIONS])
        chosen = [n for n, entry in FIGURES.items() if name in (n, "all") or (name == "claims" and entry.grid)]
        found.update(dict.fromkeys(sorted(chosen, key=natural_order) if name in _COLLECTIONS else chosen))
    return list(found)


def select(runs: pd.DataFrame, where: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """Keep the rows whose columns have one of the given values.

    Parameters
    ----------
    runs
        Rows of the runs table.
    where
        Values by column (``mi`` stands for ``mi_true``). Numbers may be text. Tasks, estimators, critics and
        negatives may be given as name, versioned id or as they stand in panel titles (``smile:tau=5``).

    Raises
    ------
    UsageError
        For a column that does not exist, and where no row is left.
    """
    kept = runs
    for given, values in where.items():
        column = _ALIASES.get(given, given)
        if column not in runs:
            raise UsageError(f"runs have no column '{given}'{did_you_mean(given, runs.columns, 'see mibench.columns')}")
        kept = kept[_matches(runs, column, {_plain(v) for v in values}).loc[kept.index]]
    if kept.empty:
        chosen = ", ".join(f"{k} {' or '.join(map(str, v))}" for k, v in where.items())
        raise UsageError(f"none of {plural(len(runs), 'row')} has {chosen}; select others, see 'mibench results ls'")
    return kept


def _matches(runs: pd.DataFrame, column: str, values: set[object]) -> pd.Series:
    hit = runs[column].map(_plain).isin(values)
    if column in COMPONENTS:
        versioned = runs[column] + "-v" + runs[f"{column}_version"].astype("Int64").astype("string")
        hit |= versioned.isin(values) | with_labels(runs)[f"{column}_label"].isin(values)
    return hit.fillna(False).astype(bool)


def _plain(value: object) -> object:
    """Numbers and the text of numbers become equal; other text stays."""
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return value


def _write(name: str, drawing: Drawing, folder: Path) -> tuple[Path, ...]:
    """Write a figure's four files."""
    texts = {
        "png": _image(drawing.figure, "png"),
        "svg": _image(drawing.figure, "svg"),
        "csv": drawing.table.to_csv(index=False, float_format="%.9g", lineterminator="\n").encode(),
        "md": _markdown(name, drawing).encode(),
    }
    files = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, content in texts.items():
            files.append(folder / f"{name}.{suffix}")
            files[-1].write_bytes(content)
    except OSError as error:
        raise UsageError(f"reports cannot be written to '{folder}': {error.strerror}; choose another folder") from error
    return tuple(files)


def _image(figure: Figure, form: str) -> bytes:
    """Render a figure to bytes that depend on nothing but the figure."""
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": "mibench"} if form == "svg" else {"Software": "mibench"}
    with style.theme():
        figure.savefig(buffer, format=form, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


def _markdown(name: str, drawing: Drawing) -> str:
    """Caption and table as Markdown: the whole table where it is short, else the figure's summary of it."""
    table = drawing.table
    note = f"Everything drawn: `{name}.csv` ({plural(len(table), 'row')})."
    if len(table) > _MAX_TABLE_ROWS:
        table = table if drawing.summary is None else drawing.summary
        if len(table) > _MAX_TABLE_ROWS:
            note += f" Below: the first {_MAX_TABLE_ROWS} of {plural(len(table), 'row')} that sum it up."
    paragraphs = [f"# {name}", f"![{name}]({name}.png)", *drawing.caption.split("\n"), note]
    return "\n\n".join([*paragraphs, markdown_table(table.head(_MAX_TABLE_ROWS))]) + "\n"


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table in Markdown, numbers to four significant digits and right-aligned; empty cells for nulls."""
    numeric = [pd.api.types.is_numeric_dtype(table[c]) and table[c].dtype != bool for c in table]
    lines = [
        "| " + " | ".join(map(str, table.columns)) + " |",
        "|" + "|".join(" ---: " if right else " --- " for right in numeric) + "|",
    ]
    for row in table.itertuples(index=False, name=None):
        lines.append("| " + " | ".join(map(_cell, row)) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer() and abs(value) < 1e9
        return str(int(value)) if whole else f"{value:.4g}"
    return str(value).replace("|", "\\|")
