"""``mibench results merge``: several folders become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mibench.cli.options import Results
from mibench.cli.registration import command


@command("merge", place=20)
def merge_command(
    sources: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Results folders to copy from.")],
    results: Results = Path("results"),
) -> None:
    """Copy into a results folder what others hold and it lacks."""
    from mibench.store.paths import check_results, existing_results

    check_results(results)
    for source in sources:
        existing_results(source, " to merge")

    from mibench.store.maintenance import merge

    merged = merge(results, sources)
    print(f"{merged.runs} runs in {merged.packs} packs and {merged.sessions} sessions were copied to {results}")
