"""A figure's four files, and the table under it: ``NAME.png``, ``NAME.svg``, ``NAME.csv``, ``NAME.md``.

Notable: files depend on nothing but the drawing: no dates, no random ids.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from mibench.analysis.labels import plural
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.registry import Drawing

DPI = 160
"""Dots per inch of the PNG files."""

_MAX_TABLE_ROWS = 60


class ShortTable(NamedTuple):
    """A table to read."""

    rows: pd.DataFrame
    note: str
    """What it is a part of; empty where it is everything that was drawn."""


def short_table(drawing: Drawing) -> ShortTable:
    """Return the whole table of a drawing where it is short, else the first rows of what sums it up."""
    table = drawing.table
    if len(table) <= _MAX_TABLE_ROWS:
        return ShortTable(table, "")
    if drawing.summary is None:
        return ShortTable(table.head(_MAX_TABLE_ROWS), f"The first {_MAX_TABLE_ROWS} of {plural(len(table), 'row')}.")
    summary = drawing.summary
    if len(summary) <= _MAX_TABLE_ROWS:
        return ShortTable(summary, f"Summary of {plural(len(table), 'row')}.")
    first = f"The first {_MAX_TABLE_ROWS} of {plural(len(summary), 'row')}"
    return ShortTable(summary.head(_MAX_TABLE_ROWS), f"{first} that sum up {plural(len(table), 'row')}.")


def write_files(name: str, drawing: Drawing, folder: Path) -> tuple[Path, ...]:
    """Write a figure's four files.

    Raises
    ------
    UsageError
        Where they cannot be written.
    """
    contents = {
        "png": _image(drawing.figure, "png"),
        "svg": _image(drawing.figure, "svg"),
        "csv": csv_text(drawing.table).encode(),
        "md": _markdown(name, drawing).encode(),
    }
    return tuple(write_file(folder / f"{name}.{suffix}", content) for suffix, content in contents.items())


def write_file(path: Path, content: bytes) -> Path:
    """Write a file of a report, and its folder where there is none.

    Raises
    ------
    UsageError
        Where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(
            f"reports cannot be written to '{path.parent}': {error.strerror}; choose another folder"
        ) from error
    return path


def _image(figure: Figure, form: str) -> bytes:
    """Render a figure to bytes that depend on nothing but the figure."""
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": "mibench"} if form == "svg" else {"Software": "mibench"}
    with style.theme():
        figure.savefig(buffer, format=form, dpi=DPI, metadata=metadata)
    return buffer.getvalue()


def _markdown(name: str, drawing: Drawing) -> str:
    """Caption and short table as Markdown."""
    table = short_table(drawing)
    note = f"Everything drawn: `{name}.csv` ({plural(len(drawing.table), 'row')})."
    note += f" Below: {table.note[0].lower()}{table.note[1:]}" if table.note else ""
    paragraphs = [f"# {name}", f"![{name}]({name}.png)", *drawing.caption.split("\n"), note]
    return "\n\n".join([*paragraphs, markdown_table(table.rows)]) + "\n"


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table in Markdown, numbers to four significant digits and right-aligned; empty cells for nulls."""
    lines = [
        "| " + " | ".join(map(str, table.columns)) + " |",
        "|" + "|".join(" ---: " if right else " --- " for right in numeric_columns(table)) + "|",
    ]
    for row in table.itertuples(index=False, name=None):
        lines.append("| " + " | ".join(cell_text(value).replace("|", "\\|") for value in row) + " |")
    return "\n".join(lines)


def numeric_columns(table: pd.DataFrame) -> list[bool]:
    """Tell of every column whether its cells are aligned to the right."""
    return [pd.api.types.is_numeric_dtype(table[c]) and table[c].dtype != bool for c in table]


def cell_text(value: Any) -> str:
    """Write a cell: floats to four significant digits, nothing for nulls."""
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer() and abs(value) < 1e9
        return str(int(value)) if whole else f"{value:.4g}"
    return str(value)


def csv_text(table: pd.DataFrame) -> str:
    """Write a table as CSV, numbers to nine significant digits, the same on every system."""
    return table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
