"""``mibench compare``: a newcomer among published rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mibench.cli import completion
from mibench.cli.options import Jobs, Latex, Markdown, Results, Retrain, RetryFailed, given_command, refuse_several
from mibench.cli.plugins import try_plugins
from mibench.cli.registration import command
from mibench.core.registry import ESTIMATORS


@command("compare", place=40, purpose="Compare")
def compare_command(
    plugin: Annotated[Path | None, typer.Argument(help="The newcomer's file.")] = None,
    estimator: Annotated[
        str | None,
        typer.Option(help="Its name, with parameters perhaps.", autocompletion=completion.in_registry(ESTIMATORS)),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="Suite to rank on, or its file.", autocompletion=completion.of_suite)
    ] = "standard",
    published: Annotated[
        Path | None, typer.Option(help="Results folder of the others.  \\[default: the published one]")
    ] = None,
    results: Results = Path("results"),
    output: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("reports/compare"),
    jobs: Jobs = None,
    retry_failed: RetryFailed = False,
    retrain: Retrain = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_latex: Latex = False,
    as_markdown: Markdown = False,
) -> None:
    """Rank a newcomer by running only it: its rank with interval and group, where it wins and loses, and a page."""
    from mibench.core.files import check_output
    from mibench.experiments.suite import get_suite
    from mibench.store.paths import check_results, existing_results

    refuse_several({"--json": as_json, "--latex": as_latex, "--markdown": as_markdown})
    check_results(results)
    check_output(output, "folder of the page", "--output")
    if published is not None:
        existing_results(published)
    get_suite(suite)
    if plugin is not None:
        try_plugins([plugin])

    from mibench.cli.terminal.comparison import (
        comparison_json,
        comparison_latex,
        comparison_markdown,
        show_comparison,
    )
    from mibench.cli.terminal.progress import progress_bar, show_plan
    from mibench.ranking.newcomers import compare
    from mibench.report.comparison import write_comparison_page
    from mibench.store.sessions import available_cores

    with progress_bar() as progress:
        comparison = compare(
            plugin,
            estimator=estimator,
            suite=suite,
            published=published,
            results=results,
            jobs=available_cores() if jobs is None else jobs,
            retry_failed=retry_failed,
            retrain=retrain,
            on_plan=lambda plan: show_plan(plan, stderr=as_json or as_latex or as_markdown),
            on_progress=progress,
        )
    page = write_comparison_page(comparison, output, given_command())
    if as_json:
        print(comparison_json(comparison))
    elif as_latex:
        print(comparison_latex(comparison))
    elif as_markdown:
        print(comparison_markdown(comparison))
    else:
        show_comparison(comparison)
        print(page)
    if comparison.failed:
        raise typer.Exit(1)
