"""``mibench packages probe``: what a package does with units, scales, ties, labels and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mibench.cli import completion
from mibench.cli.registration import command


@command("probe", place=40)
def probe_command(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...", help="Packages, ksg or gaussian-copula.", autocompletion=completion.of_package
        ),
    ],
    keep: Annotated[Path | None, typer.Option("--keep", help="Folder for the rows, a file a package.")] = None,
) -> None:
    """Probe installed packages on small samples of known information."""
    from mibench.cli.terminal.packages import show_probe
    from mibench.core.adapters import adapter_names
    from mibench.packages.probing import probe
    from mibench.packages.rows import write_probe

    for name in dict.fromkeys(one for given in names for one in (adapter_names() if given == "all" else [given])):
        found = probe(name)
        show_probe(found)
        if keep is not None:
            write_probe(found, keep)
