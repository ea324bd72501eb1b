"""``mibench results verify``: whether a folder is in order, and whether its runs come out again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mibench.cli.options import Many, Plugins, Results
from mibench.cli.plugins import load_tried_plugins
from mibench.cli.registration import command


@command("verify", place=50)
def verify_command(
    results: Results = Path("results"),
    recompute: Annotated[
        int | None, typer.Option(metavar="N", help="Train N runs, drawn at random, again and compare every number.")
    ] = None,
    run: Annotated[Many, typer.Option(metavar="ID", help="Train this run again and compare.")] = None,
    plugin: Plugins = None,
) -> None:
    """Name every file and row of a results folder that is not as it should be."""
    from mibench.store.paths import existing_results

    existing_results(results, " to verify")
    load_tried_plugins(plugin, strict=True)

    from mibench.store.maintenance import verify

    problems = verify(results)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in {results}" if problems else f"{results} is in order")
    if problems or not _comes_out_again(results, recompute, run or []):
        raise typer.Exit(1)


def _comes_out_again(results: Path, count: int | None, run_ids: list[str]) -> bool:
    """Train runs again, some drawn and some named, say how each came out, and tell whether all did as they must."""
    if count is None and not run_ids:
        return True
    import numpy as np

    from mibench.running.recomputing import all_as_they_must, draw_runs, recompute
    from mibench.store.folders import load_runs
    from mibench.store.sessions import available_cores

    drawn = [] if count is None else draw_runs(load_runs(results), count, np.random.default_rng())
    done = recompute(results, list(dict.fromkeys([*run_ids, *drawn])), jobs=available_cores())
    for one in done:
        print(one)
    return all_as_they_must(done)
