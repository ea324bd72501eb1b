"""``mibench results publish``: a suite's rows to publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mibench.cli import completion
from mibench.cli.options import Results
from mibench.cli.registration import command


@command("publish", place=40)
def publish_command(
    target: Annotated[Path, typer.Argument(help="The folder to publish.")],
    results: Results = Path("results"),
    suite: Annotated[
        str, typer.Option(help="Suite whose rows are copied.", autocompletion=completion.of_suite)
    ] = "standard",
) -> None:
    """Copy a suite's rows into a folder to publish: curves thinned, machines and folders unnamed."""
    from mibench.core.files import check_output
    from mibench.experiments.suite import get_suite
    from mibench.store.paths import existing_results

    existing_results(results, " to publish from")
    check_output(target, "folder to publish to", "target")
    get_suite(suite)

    from mibench.ranking.publication import publish

    done = publish(results, target, suite)
    print(
        f"{done.runs} runs with {done.points} points of their curves, {done.size / 1e6:.1f} MB, were copied to {target}"
    )
    if done.missing:
        print(done.missing)
