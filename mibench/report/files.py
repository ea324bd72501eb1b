"""A figure's files: pictures (``NAME.png`` and ``NAME.svg``, or as asked), ``NAME.csv``, ``NAME.md`` with a table.

Notable:

- Files depend on nothing but the drawing: no dates, no random ids.
- They are fit to be kept in git. A PNG has a palette of 256 colours, which is a third of the size and looks the same; a
  table over 200 kB is ``NAME.csv.gz``, which pandas reads like the other.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from mibench.analysis.labels import plural
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.registry import Drawing

DPI = 160
"""Dots per inch of the PNG files."""

COLOURS = 256
"""Colours of the PNG files."""

PRINT_DPI = 320
"""Dots per inch of PNG files of a size that was asked for, which are to be printed."""

PICTURES = ("png", "svg", "pdf")
"""Formats of pictures."""

USUAL_PICTURES = ("png", "svg")
"""Those that are written where nothing is said."""

LARGEST_CSV = 200_000
"""Bytes of a table, beyond which it is compressed."""

_WHOLE, _MAX_TABLE_ROWS = 80, 60
"""Rows up to which a table is shown whole, as the published board is, and how many are shown of a longer one."""


class ShortTable(NamedTuple):
    """A table to read."""

    rows: pd.DataFrame
    note: str
    """What it is a part of; empty where it is everything that was drawn."""


def short_table(drawing: Drawing) -> ShortTable:
    """Return the whole table of a drawing where it is short, else the first rows of what sums it up."""
    table = drawing.table
    if len(table) <= _WHOLE:
        return ShortTable(table, "")
    if drawing.summary is None:
        return ShortTable(table.head(_MAX_TABLE_ROWS), f"The first {_MAX_TABLE_ROWS} of {plural(len(table), 'row')}.")
    summary = drawing.summary
    if len(summary) <= _WHOLE:
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
    return write_contents(contents_of(name, drawing), folder)


def contents_of(name: str, drawing: Drawing, formats: Sequence[str] = USUAL_PICTURES) -> dict[str, bytes]:
    """Return a figure's files by name, which is where a figure is rendered.

    Parameters
    ----------
    formats
        Of its pictures, some of `PICTURES`.
    """
    table_name, table = _table_file(name, drawing.table)
    return {
        **{f"{name}.{form}": _image(drawing.figure, form) for form in formats},
        table_name: table,
        f"{name}.md": _markdown(name, drawing, table_name, formats).encode(),
    }


def write_contents(contents: Mapping[str, bytes], folder: Path) -> tuple[Path, ...]:
    """Write the files of `contents_of`, in place of those of an earlier report; raises as `write_files`."""
    written = tuple(write_file(folder / file, content) for file, content in contents.items())
    for path in written:
        if path.suffix in (".csv", ".gz"):  # a table that has become large or small since
            path.with_name(f"{path.name}.gz" if path.suffix == ".csv" else path.stem).unlink(missing_ok=True)
    return written


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


_METADATA: Mapping[str, dict[str, Any]] = {
    "png": {"Software": "mibench"},
    "svg": {"Date": None, "Creator": "mibench"},
    "pdf": {"CreationDate": None, "Creator": "mibench"},
}


def _image(figure: Figure, form: str) -> bytes:
    """Render a figure to bytes that depend on nothing but the figure."""
    buffer = io.BytesIO()
    dpi = DPI if style.current_look().size is None else PRINT_DPI
    with style.theme():
        figure.savefig(buffer, format=form, dpi=dpi, metadata=_METADATA[form])
    return with_palette(buffer.getvalue()) if form == "png" else buffer.getvalue()


def with_palette(png: bytes) -> bytes:
    """Reduce a PNG to `COLOURS` colours: what a figure of lines and text has, but for shades at edges.

    The palette covers the colours instead of averaging them, so that a rare one (a star, a legend) keeps its look: on
    the published figures no channel of a pixel differs by more than 18 of 255, and white stays white.
    """
    if math.prod(pixels(png)) > (Image.MAX_IMAGE_PIXELS or math.inf):  # which Pillow takes for an attack
        return png
    with Image.open(io.BytesIO(png)) as image:
        dpi = image.info.get("dpi", (DPI, DPI))
        reduced = image.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", "mibench")
    buffer = io.BytesIO()
    reduced.save(buffer, "png", dpi=dpi, pnginfo=about)
    return buffer.getvalue()


def pixels(png: bytes) -> tuple[int, int]:
    """Read width and height of a PNG from its first chunk."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _table_file(name: str, table: pd.DataFrame) -> tuple[str, bytes]:
    """Name and content of the file of a table, compressed where it is large."""
    content = csv_text(table).encode()
    if len(content) <= LARGEST_CSV:
        return f"{name}.csv", content
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=buffer, mtime=0) as file:  # neither name nor date in it
        file.write(content)
    return f"{name}.csv.gz", buffer.getvalue()


def _markdown(name: str, drawing: Drawing, table_name: str, formats: Sequence[str]) -> str:
    """Caption and short table as Markdown, below the picture or, where it cannot be shown, a link to it."""
    picture = f"![{name}]({name}.{formats[0]})" if formats[0] != "pdf" else f"[{name}.pdf]({name}.pdf)"
    table = short_table(drawing)
    note = f"Everything drawn: `{table_name}` ({plural(len(drawing.table), 'row')})."
    note += f" Below: {table.note[0].lower()}{table.note[1:]}" if table.note else ""
    paragraphs = [f"# {name}", picture, *drawing.caption.split("\n"), note]
    return "\n\n".join([*paragraphs, markdown_table(table.rows)]) + "\n"


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table in Markdown, numbers to four significant digits and right-aligned; empty cells for nulls."""
    rows = ([cell_text(value).replace("|", "\\|") for value in row] for row in table.itertuples(index=False, name=None))
    return "\n".join(markdown_lines([str(name) for name in table.columns], numeric_columns(table), rows))


def markdown_lines(columns: Sequence[str], right: Sequence[bool], rows: Iterable[Sequence[str]]) -> list[str]:
    """Write the lines of a table in Markdown.

    Parameters
    ----------
    columns
        Headers.
    right
        Which columns are aligned to the right.
    rows
        Cells as Markdown.
    """
    rule = "|" + "|".join(" ---: " if one else " --- " for one in right) + "|"
    header, *lines = (f"| {' | '.join(cells)} |" for cells in (columns, *rows))
    return [header, rule, *lines]


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
