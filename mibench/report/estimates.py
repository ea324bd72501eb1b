"""The page of an estimate: the verdict in words, the number, what was found, the panel, the checks and four pictures.

Notable: nothing of the sample is stored but what sums it up, unless its user wants the rows kept beside the page; the
names of its columns stand on the page, as text.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import UsageError
from mibench.core.version import __version__
from mibench.estimation.pairs import Pair
from mibench.estimation.report import Report
from mibench.estimation.result import WORDS, Estimate
from mibench.estimation.sides import Side
from mibench.estimation.wording import (
    CHECK_COLUMNS,
    MEMBER_COLUMNS,
    NUMBERS,
    bits,
    check_rows,
    interval,
    limit_text,
    member_rows,
    number,
)
from mibench.figures.estimates.registry import Picture, all_pictures
from mibench.report.files import short_table, write_file, write_files
from mibench.report.frame import figure_card, render_page
from mibench.report.images import images_of
from mibench.report.page import PAGE
from mibench.report.result import ReportResult

ROWS = "rows.npz"
"""Name of the file of kept rows."""

_TEMPLATE = "estimate.html.j2"
_SUFFIXES = (".png", ".svg", ".csv", ".csv.gz", ".md")
"""Of a picture's files."""

_PROSE = ("protocol", "finding")
"""Columns of sentences, which are broken into lines."""


def write_estimate_page(estimate: Estimate, folder: Path, command: str, rows: Path | None = None) -> Path:
    """Draw the pictures, write the page that shows them, and return its path.

    Parameters
    ----------
    folder
        Where the page and the pictures' files go; those of an earlier estimate are replaced.
    command
        What makes the same estimate again.
    rows
        Where the rows that were used are stored; None where they are not.

    Raises
    ------
    UsageError
        Where the files cannot be written.
    """
    done = [_drawn(picture, estimate, folder) for picture in all_pictures()]
    page = write_file(folder / PAGE, estimate_page(estimate, done, command, rows).encode())
    for picture in done:
        if not picture.files:
            for suffix in _SUFFIXES:
                (folder / f"{picture.name}{suffix}").unlink(missing_ok=True)
    return page


def write_rows(pair: Pair, folder: Path) -> Path:
    """Store the rows of a sample as they were used, and return the path of the file.

    It holds the arrays ``x`` and ``y``, numbers or labels, and ``row``, where each row stood in what was given, so that
    ``mibench estimate FOLDER/rows.npz`` reads the same sample.

    Raises
    ------
    UsageError
        Where it cannot be written.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=_values(pair.x), y=_values(pair.y), row=pair.rows)
    return write_file(folder / ROWS, buffer.getvalue())


def _values(side: Side) -> NDArray[Any]:
    return np.array(side.labels)[side.values] if side.is_label else side.values


def _drawn(picture: Picture, estimate: Estimate, folder: Path) -> ReportResult:
    """Draw a picture and write its files; the reason where there is nothing to draw."""
    try:
        drawing = picture.draw(estimate)
    except UsageError as error:
        return ReportResult(picture.name, title=picture.title, reason=str(error))
    return ReportResult(
        picture.name,
        write_files(picture.name, drawing, folder),
        caption=drawing.caption,
        title=picture.title,
        explanation=drawing.caption,
        table=short_table(drawing),
    )


def estimate_page(estimate: Estimate, pictures: Sequence[ReportResult], command: str, rows: Path | None) -> str:
    """Return the page as HTML; arguments as in `write_estimate_page`, with the pictures as they were drawn."""
    images = images_of([picture for picture in pictures if picture.files])
    cards = [
        figure_card(picture, images.get(picture.name, {"link": ""})) | {"reason": picture.reason}
        for picture in pictures
    ]
    return render_page(
        _TEMPLATE,
        estimate=estimate,
        value=number(estimate.value),
        bits=bits(estimate.value),
        interval=interval(estimate.low, estimate.high),
        limit=limit_text(estimate.limit),
        meaning=WORDS[estimate.word],
        found=list(_found(estimate.report)),
        members=_table(MEMBER_COLUMNS, member_rows(estimate.members)),
        checks=_table(CHECK_COLUMNS, check_rows(estimate.checks)),
        words=_words(estimate),
        pictures=cards,
        made=list(_made(estimate)),
        command=command,
        rows="" if rows is None else rows.name,
    )


def _found(report: Report) -> Iterator[tuple[str, str]]:
    """What was counted while the sample was read."""
    yield "pairs", f"{report.rows_kept:,} of {report.rows_given:,}"
    yield "left out", f"{report.rows_missing:,} with a missing value, {report.rows_infinite:,} with an infinite one"
    for side, names in (("x", report.constant_x), ("y", report.constant_y)):
        if names:
            yield f"constant in {side}", ", ".join(names)
    yield "repeated rows", f"{report.repeats:,}"
    yield "order of rows", f"correlation {report.serial.correlation:.2f} at most, p = {report.serial.p_value:.2g}"


def _made(estimate: Estimate) -> Iterator[tuple[str, str]]:
    """How the number was made."""
    yield "rule", estimate.rule
    if not math.isnan(estimate.p_value):
        yield "independence", f"p = {estimate.p_value:.2g}, by permutations"
    yield "seed", f"{estimate.seed}"
    yield "made", "in less time (--quick)" if estimate.quick else "in full"
    yield "seconds", f"{estimate.seconds:,.1f}"
    yield "version", f"mibench {__version__}"


def _words(estimate: Estimate) -> list[tuple[str, str]]:
    """The words of the checks and what failing means, in order."""
    return [(word, WORDS[word]) for word in dict.fromkeys(estimate.checks["check"]) if word in WORDS]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Header and cells, each with its class in the style sheet, as the template takes them."""

    def cells(texts: Sequence[str]) -> list[dict[str, str]]:
        return [{"text": text, "look": _look(name, text)} for name, text in zip(columns, texts, strict=True)]

    return {"header": cells(columns), "rows": [cells(row) for row in rows]}


def _look(column: str, text: str) -> str:
    if column in NUMBERS:
        return "right"
    return "prose" if column in _PROSE else "failed" if text == "failed" else ""
