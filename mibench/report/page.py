"""The page of a report: claims with their verdicts, figures, the board and all runs, in one file that needs no network.

Notable:

- One file that opens from a disk, as `mibench.report.frame` makes all pages: figures, scripts and styles are inline.
- The same rows give the same bytes: no date, no random id.
- What the tables show is escaped in the browser, where it becomes markup.
- The tables are DataTables' (3.1, MIT): one file of 124 kB without dependencies that has been kept for over fifteen
  years, names the sorted column to screen readers, sorts and pages by keyboard, and puts only the page of rows that is
  seen into the document, so that 10,000 runs cost a fraction of a second. Its peers need a framework (Grid.js), are
  three times as heavy (Tabulator), under a copyleft license (simple-datatables) or no longer looked after (List.js).
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mibench.analysis.labels import listing, plural
from mibench.claims.judgement import Claim
from mibench.experiments.grid import shipped_grids
from mibench.figures.registry import FIGURES
from mibench.report.files import write_file
from mibench.report.frame import figure_card, render_page
from mibench.report.images import images_of
from mibench.report.result import ReportResult
from mibench.report.tables import browser_tables

PAGE = "index.html"

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
    drawn = [result for result in results if result.files]
    images = images_of(drawn)
    grids = {grid.name: grid.path for grid in shipped_grids()}
    cards = [_card(result, images[result.name], grids.get(result.grid), source) for result in drawn]
    claims = [card for card, result in zip(cards, drawn, strict=True) if _claim(result)]
    undrawn = [result for result in results if not result.files]
    return render_page(
        "page.html.j2",
        ("datatables.min.js", "tables.js"),
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
    card = figure_card(result, image) | {
        "grid": result.grid,
        "grid_text": "" if grid is None else grid.read_text(encoding="utf-8"),
        "commands": source.commands(result),
    }
    if claim is not None and judgement is not None:
        alt = f"{judgement.verdict}: {judgement.finding}"
        card |= {"source": claim.source, "statement": _capital(claim.statement), "alt": alt}
        card |= {"verdict": judgement.verdict, "finding": judgement.finding}
    return card


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
