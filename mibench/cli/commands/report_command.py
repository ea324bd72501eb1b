"""``mibench report``: figures and their page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mibench.cli import completion
from mibench.cli.options import Many, Plugins, Results
from mibench.cli.plugins import try_plugins
from mibench.cli.registration import command
from mibench.core.errors import UsageError


@command("report", place=20, purpose="Measure")
def report_command(
    names: Annotated[Many, typer.Argument(help="Figures, all or claims.", autocompletion=completion.of_figure)] = None,
    results: Results = Path("results"),
    output: Annotated[Path, typer.Option(help="Where figures and tables go.")] = Path("reports"),
    where: Annotated[Many, typer.Option(metavar="COLUMN=VALUE,...", help="Only these rows, as batch=64,128.")] = None,
    grid: Annotated[
        str | None, typer.Option(help="Only the rows of this grid.", autocompletion=completion.of_grid)
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="Only the rows of this suite.", autocompletion=completion.of_suite)
    ] = None,
    plugin: Plugins = None,
    style_sheet: Annotated[
        Path | None, typer.Option("--style", metavar="FILE", help="Style sheet of matplotlib's, over mibench's own.")
    ] = None,
    formats: Annotated[
        Many, typer.Option("--format", metavar="FORMAT", help="png, svg or pdf.  \\[default: png and svg]")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Inches of a figure, which then bears no caption.")
    ] = None,
    called: Annotated[
        Many, typer.Option("--names", metavar="METHOD=NAME,...", help="What figures call methods, as nwj=NWJ.")
    ] = None,
) -> None:
    """Draw figures from stored rows, each with its table and caption, and a page that shows them all."""
    from mibench.cli.terminal.rows import say_crowded
    from mibench.core.files import check_output
    from mibench.experiments.grid import load_grid
    from mibench.experiments.suite import get_suite
    from mibench.report.conditions import read_conditions
    from mibench.store.paths import existing_results

    conditions = read_conditions(where or ())
    existing_results(results)
    check_output(output, "folder of reports", "--output")
    if grid is not None:
        load_grid(grid)
    if suite is not None:
        get_suite(suite)
    try_plugins(plugin or ())
    say_crowded(results)

    from mibench.report.files import USUAL_PICTURES
    from mibench.report.page import PAGE
    from mibench.report.reports import draw_reports

    # The figures of plug-ins come after mibench's own, which the import has registered.
    done = draw_reports(
        names or ["all"],
        results=results,
        output=output,
        where=conditions,
        grid=grid,
        suite=suite,
        plugins=plugin or (),
        style_sheet=style_sheet,
        formats=formats or USUAL_PICTURES,
        size=size,
        labels=called or (),
    )
    if not any(result.files for result in done):
        raise UsageError("; ".join(dict.fromkeys(result.reason for result in done)))
    for result in done:
        if result.reason:
            print(f"no {result.name}: {result.reason}")
        for file in result.files:
            print(file)
    print(output / PAGE)
