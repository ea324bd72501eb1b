"""``mibench results ls``: what a folder holds."""

from __future__ import annotations

from pathlib import Path

from mibench.cli.options import Results
from mibench.cli.registration import command


@command("ls", place=10)
def ls_command(results: Results = Path("results")) -> None:
    """List what a results folder holds."""
    from mibench.cli.terminal.rows import say_crowded, show_contents
    from mibench.store.paths import existing_results

    existing_results(results)
    say_crowded(results)

    from mibench.store.folders import load_runs

    show_contents(load_runs(results))
