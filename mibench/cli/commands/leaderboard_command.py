"""``mibench leaderboard``: estimators by their error."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mibench.cli import completion
from mibench.cli.options import Latex, Markdown, refuse_several
from mibench.cli.registration import command
from mibench.core.errors import UsageError
from mibench.ranking.columns import REFERENCE


@command("leaderboard", place=30, purpose="Compare")
def leaderboard_command(
    results: Annotated[Path | None, typer.Option(help="A results folder.  \\[default: the published one]")] = None,
    suite: Annotated[
        str | None, typer.Option(help="Only the rows of a suite.", autocompletion=completion.of_suite)
    ] = None,
    track: Annotated[str | None, typer.Option(help="lower, plug-in, upper or dataset.  \\[default: all]")] = None,
    by: Annotated[
        str | None, typer.Option(help="A board for each family, regime (MI below and above log N) or sampler.")
    ] = None,
    reference: Annotated[str, typer.Option(help="Estimator whose cost is 1.")] = REFERENCE,
    wins: Annotated[bool, typer.Option("--wins", help="Print who wins against whom as well.")] = False,
    second_opinion: Annotated[
        bool, typer.Option("--second-opinion", help="Print Friedman's and Nemenyi's tests of the same errors as well.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print what errors are made of and what stops each method as well.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, every cell included.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the boards as CSV.")] = False,
    as_latex: Latex = False,
    as_markdown: Markdown = False,
) -> None:
    """Rank estimators by their error, with intervals, and with groups that cannot be told apart."""
    from mibench.experiments.suite import get_suite
    from mibench.store.paths import existing_results

    refuse_several({"--json": as_json, "--csv": as_csv, "--latex": as_latex, "--markdown": as_markdown})
    tables = {"--csv": as_csv, "--latex": as_latex, "--markdown": as_markdown}
    if explain:
        _check_addition("--explain", by, tables)
    if second_opinion:
        _check_opinion(by, tables)
    if results is not None:
        existing_results(results)
    if suite is not None:
        get_suite(suite)

    from mibench.cli.terminal.boards import ranking_csv, ranking_json, show_ranking
    from mibench.cli.terminal.explained import show_explained
    from mibench.cli.terminal.opinions import show_opinions
    from mibench.cli.terminal.paper_tables import latex_tables, markdown_tables
    from mibench.ranking.boards import Options, rank_methods
    from mibench.ranking.rows import read_ranking_rows
    from mibench.ranking.second_opinion import second_opinions

    options = Options(track=track, by=by, reference=reference)
    rows = read_ranking_rows(results, suite)
    ranking = rank_methods(rows.runs, dataclasses.replace(options, seeds=rows.seeds))
    opinions = second_opinions(ranking) if second_opinion else []
    if as_json:
        given = opinions if second_opinion else None
        print(ranking_json(ranking, note=rows.note, opinions=given, explain=explain))
    elif as_csv:
        print(ranking_csv(ranking), end="")
    elif as_latex:
        print(latex_tables(ranking, notes=[rows.note]))
    elif as_markdown:
        print(markdown_tables(ranking, notes=[rows.note]))
    else:
        show_ranking(ranking, wins=wins, note=rows.note)
        if explain:
            show_explained(ranking)
        if second_opinion:
            show_opinions(opinions, ranking)


def _check_opinion(by: str | None, tables: Mapping[str, bool]) -> None:
    """Refuse, by `UsageError`, a second opinion where there is no place for it, or no library to ask."""
    from mibench.ranking.second_opinion import check_library

    _check_addition("--second-opinion", by, tables)
    check_library()


def _check_addition(option: str, by: str | None, tables: Mapping[str, bool]) -> None:
    """Refuse, by `UsageError`, what is printed beside whole boards where there is no place for it."""
    for name in [name for name, chosen in tables.items() if chosen]:
        raise UsageError(f"{option} goes with the plain tables or --json, not with {name}; leave one out")
    if by is not None:
        raise UsageError(f"{option} is on whole boards; leave --by out")
