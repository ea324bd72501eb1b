"""``mibench results compact``: many files become few."""

from __future__ import annotations

from pathlib import Path

from mibench.cli.options import Results
from mibench.cli.registration import command


@command("compact", place=30)
def compact_command(results: Results = Path("results")) -> None:
    """Turn the many files of a results folder into few."""
    from mibench.store.paths import existing_results

    existing_results(results, " to compact")

    from mibench.store.maintenance import compact

    done = compact(results)
    print(f"{done.files_before} files became {done.files_after}; {done.duplicates} copies of runs were dropped")
