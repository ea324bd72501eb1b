"""``mibench results ls``: what a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mibench.cli.options import Results
from mibench.cli.registration import command


@command("ls", place=10)
def ls_command(
    results: Results = Path("results"),
    failed: Annotated[bool, typer.Option("--failed", help="The runs that failed, each with its reason.")] = False,
) -> None:
    """List what a results folder holds."""
    from mibench.cli.terminal.rows import say_crowded, show_contents, show_failed
    from mibench.store.paths import existing_results

    existing_results(results)
    if failed:
        say_crowded(results)

    from mibench.analysis.labels import COMPONENTS, LABELLED, VERSIONS
    from mibench.store.folders import read_runs

    if failed:
        show_failed(read_runs(results, {"run_id", "seed", "batch", "status", "error", *LABELLED}))
    else:
        show_contents(read_runs(results, {"run_id", "batch", "status", "warnings", *COMPONENTS, *VERSIONS}))
