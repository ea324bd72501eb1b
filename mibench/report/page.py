"""The page of a report: claims with their verdicts, figures, the board and all runs, in one file that needs no network.

Notable:

- One file that opens from a disk: figures are inline, scripts and styles too. A content security policy forbids the
  browser to load anything else, and to run any script but the three of the page, which it knows by their hashes.
- The same rows give the same bytes: no date, no random id.
- All text is escaped by the template engine; what the tables show is escaped in the browser, where it becomes markup.
- The tables are DataTables' (3.1, MIT): one file of 124 kB without dependencies that has been kept for over fifteen
  years, names the sorted column to screen readers, sorts and pages by keyboard, and puts only the page of rows that is
  seen into the document, so that 10,000 runs cost a fraction of a second. Its peers need a framework (Grid.js), are
  three times as heavy (Tabulator), under a copyleft license (simple-datatables) or no longer looked after (List.js).
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import io
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup
from PIL import Image

from mibench.analysis.labels import listing, plural
from mibench.claims.judgement import Claim
from mibench.experiments.grid import shipped_grids
from mibench.figures.registry import FIGURES
from mibench.report.files import DPI, ShortTable, cell_text, numeric_columns, pixels, write_file
from mibench.report.result import ReportResult
from mibench.report.tables import browser_tables

PAGE = "index.html"

_ASSETS = Path(__file__).parent / "assets"
_LARGEST_SVG, _ALL_SVG = 400_000, 7_000_000
"""Bytes of an SVG, beyond which a browser takes noticeably long to paint it, and of all SVGs together."""
_LEAST = 0.62
"""Share of its natural width that a figure is not shrunk below; narrower screens scroll it."""
_STATUSES = ("ok", "diverged", "timeout", "crashed")
_VERDICTS = {
    "holds": ("holds", "hold"),
    "holds in part": ("holds in part", "hold in part"),
    "does not hold": ("does not hold", "do not hold"),
    "open": ("is open", "are open"),
}
"""How one claim and how several with a verdict are counted."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a report's rows came from: what its commands repeat.

    Parameters
    ----------
    results
        The results folder as it was named.
    where, grid, suite, plugins
        As in `mibench.draw_reports`.
    look
        Words of the command line that ask for a look.
    """

    results: str | Path = "results"
    where: Mapping[str, Sequence[object]] = dataclasses.field(default_factory=dict)
    grid: str | None = None
    suite: str | None = None
    plugins: Sequence[str | Path] = ()
    look: Sequence[str] = ()

    def commands(self, result: ReportResult) -> list[str]:
        """Return the commands that make a figure's rows, where these are a grid's, and the figure."""
        results = ["--results", str(self.results)]
        conditions = [f"{column}={','.join(map(str, values))}" for column, values in self.where.items()]
        chosen = [word for condition in conditions for word in ("--where", condition)]
        grid = self.grid or ("" if _claim(result) else result.grid)
        plugins = [word for path in self.plugins for word in ("--plugin", str(path))]
        draw = ["mibench", "report", result.name, *(["--grid", grid] if grid else []), *results, *chosen, *plugins]
        draw += [*(["--suite", self.suite] if self.suite else []), *self.look]
        if not result.grid:
            return [shlex.join(draw)]
        budget = [] if result.budget == "standard" else ["--budget", result.budget]
        return [shlex.join(["mibench", "run", result.grid, *budget, *results]), shlex.join(draw)]


def write_page(
    results: Sequence[ReportResult], runs: pd.DataFrame, folder: Path, source: Source, *, lead: Sequence[str] = ()
) -> Path:
    """Write the page into the folder that holds the figures' files, and return its path.

    Parameters
    ----------
    results
        What `mibench.report.reports.render` returned.
    runs
        Rows of the runs table, in any order.
    folder
        Folder of the report.
    source
        Where the rows came from.
    lead
        Sentences to begin with.

    Raises
    ------
    UsageError
        Where it cannot be written.
    """
    return write_file(folder / PAGE, page(results, runs, source, lead).encode())


def page(results: Sequence[ReportResult], runs: pd.DataFrame, source: Source, lead: Sequence[str] = ()) -> str:
    """Return the page as HTML; arguments as in `write_page`."""
    assets = _assets()
    drawn = [result for result in results if result.files]
    images = _images(drawn)
    grids = {grid.name: grid.path for grid in shipped_grids()}
    cards = [_card(result, images[result.name], grids.get(result.grid), source) for result in drawn]
    claims = [card for card, result in zip(cards, drawn, strict=True) if _claim(result)]
    undrawn = [result for result in results if not result.files]
    return _template().render(
        assets=assets,
        policy=_policy(assets),
        lead=list(lead),
        counts=_counts(runs),
        versions=_versions(runs),
        tally=_tally(claims),
        claims=claims,
        figures=[card for card, result in zip(cards, drawn, strict=True) if not _claim(result)],
        untested=[_untested(claim, result.reason) for result in undrawn if (claim := _claim(result))],
        undrawn=[result for result in undrawn if not _claim(result)],
        tables=browser_tables(runs),
    )


# --- cards ----------------------------------------------------------------------------------------------------


def _claim(result: ReportResult) -> Claim | None:
    return FIGURES[result.name].claim if result.name in FIGURES else None


def _untested(claim: Claim, reason: str) -> dict[str, str]:
    """A claim without rows, as the list of verdicts shows it."""
    return {"statement": _capital(claim.statement), "source": claim.source, "reason": f"{_capital(reason)}."}


def _capital(text: str) -> str:
    """Begin a clause as a sentence."""
    return text[:1].upper() + text[1:]


def _card(result: ReportResult, image: dict[str, Any], grid: Path | None, source: Source) -> dict[str, Any]:
    """What the template needs to show one figure."""
    claim, judgement = _claim(result), result.judgement
    caption = result.explanation.split("\n")
    card: dict[str, Any] = {
        "name": result.name,
        "anchor": f"figure-{quote(result.name, safe='')}",
        "title": result.title or result.name,
        "missing": result.missing,
        "image": image,
        "alt": _first_sentence(caption[0]),
        "source": "",
        "verdict": "",
        "caption": caption,
        "table": _table(result.table or ShortTable(pd.DataFrame(), "")),
        "grid": result.grid,
        "grid_text": "" if grid is None else grid.read_text(encoding="utf-8"),
        "commands": source.commands(result),
    }
    if claim is not None and judgement is not None:
        alt = f"{judgement.verdict}: {judgement.finding}"
        card |= {"source": claim.source, "statement": _capital(claim.statement), "alt": alt}
        card |= {"verdict": judgement.verdict, "finding": judgement.finding}
    return card


def _first_sentence(text: str) -> str:
    match = re.match(r"(.+?[.!?])(\s|$)", text)
    return match[1] if match else text


def _table(table: ShortTable) -> dict[str, Any]:
    """Header and cells as text, with the side that they are aligned to."""
    rights = numeric_columns(table.rows)

    def aligned(values: Iterable[str]) -> list[dict[str, Any]]:
        return [{"text": text, "right": right} for text, right in zip(values, rights, strict=True)]

    rows = [aligned(map(cell_text, row)) for row in table.rows.itertuples(index=False, name=None)]
    return {"header": aligned(map(str, table.rows.columns)), "rows": rows, "note": table.note}


# --- images ---------------------------------------------------------------------------------------------------


def _images(results: Sequence[ReportResult]) -> dict[str, dict[str, Any]]:
    """The image of every figure by its name: SVG where that is small and the page stays light, else PNG.

    Of a figure that is written as neither it is a link to its file.
    """
    total, images = 0, {}
    files = {result.name: {file.suffix: file for file in result.files} for result in results}
    drawings = {name: suffixes[".svg"].stat().st_size for name, suffixes in files.items() if ".svg" in suffixes}
    for name in sorted(files, key=lambda name: drawings.get(name, 0)):
        found = files[name]
        svg, png = (found[form].read_bytes() if form in found else b"" for form in (".svg", ".png"))
        total += len(svg)
        small = len(svg) <= _LARGEST_SVG and total <= _ALL_SVG
        if svg and (small or not png):
            images[name] = _image(svg, "svg+xml", _png_size(png) if png else _svg_size(svg))
        elif png:
            images[name] = _image(png, "png", _png_size(png))
        else:
            images[name] = {"link": found[".pdf"].name}
    return images


def _image(content: bytes, kind: str, size: tuple[int, int]) -> dict[str, Any]:
    """An image as a data URI, with the size at which it was drawn, in CSS pixels."""
    width, height = size
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return {"link": "", "uri": uri, "width": width, "height": height, "least": round(_LEAST * width)}


def _png_size(png: bytes) -> tuple[int, int]:
    """Size of a PNG in CSS pixels, by the dots per inch that it names."""
    with Image.open(io.BytesIO(png)) as image:
        dpi = round(image.info.get("dpi", (DPI, DPI))[0])
    width, height = pixels(png)
    return round(width * 96 / dpi), round(height * 96 / dpi)


def _svg_size(svg: bytes) -> tuple[int, int]:
    """Size of a drawing of matplotlib's in CSS pixels, of which it holds points."""
    points = [re.search(rf'<svg [^>]*\b{side}="([\d.]+)pt"', svg.decode()) for side in ("width", "height")]
    width, height = (round(float(found[1]) * 96 / 72) if found else 0 for found in points)
    return width, height


# --- header ---------------------------------------------------------------------------------------------------


def _counts(runs: pd.DataFrame) -> str:
    """Say how many runs there are, by status; of a staircase the last stair's counts."""
    each = runs.sort_values(["run_id", "stair"], kind="stable").drop_duplicates("run_id", keep="last")
    counts = each["status"].value_counts()
    parts = [f"{counts[status]:,} {status}" for status in _STATUSES if status in counts]
    return f"{plural(len(each), 'run')}: {', '.join(parts)}."


def _versions(runs: pd.DataFrame) -> str:
    versions = sorted({str(v) for v in runs["mibench_version"].dropna()})
    return f"mibench {listing(versions)}" if versions else ""


def _tally(claims: Sequence[Mapping[str, Any]]) -> str:
    """Say how many claims have which verdict."""
    verdicts = [card["verdict"] for card in claims]
    counts = {verdict: verdicts.count(verdict) for verdict in _VERDICTS if verdict in verdicts}
    parts = [f"{count} {_VERDICTS[verdict][count > 1]}" for verdict, count in counts.items()]
    if not parts:
        return "No claim of the literature was tested by these rows."
    return f"{plural(len(claims), 'claim')} of the literature, tested by stored rows: {', '.join(parts)}."


# --- template -------------------------------------------------------------------------------------------------


@functools.cache
def _assets() -> dict[str, Markup]:
    """Scripts and styles, as they stand in the page."""
    names = {"css": "page.css", "theme": "theme.js", "tables": "datatables.min.js", "page": "page.js"}
    return {key: Markup((_ASSETS / name).read_text(encoding="utf-8")) for key, name in names.items()}


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("page.html.j2")


def _policy(assets: Mapping[str, str]) -> str:
    """Content security policy: nothing is loaded, images are inline, and only the page's own scripts run."""
    digests = [hashlib.sha256(assets[name].encode()).digest() for name in ("theme", "tables", "page")]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    parts = ["default-src 'none'", "img-src data:", "style-src 'unsafe-inline'", f"script-src {hashes}"]
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])
