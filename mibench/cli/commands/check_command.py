"""``mibench check``: conformance of plug-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mibench.cli.plugins import try_plugins
from mibench.cli.registration import command


@command("check", place=70, purpose="Look after")
def check_command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Python files or folders of plug-ins.")],
) -> None:
    """Check that plug-ins keep what the engine and the reports rely on."""
    try_plugins(paths)
    from mibench.cli.terminal.findings import show_findings
    from mibench.conformance.plugins import check_plugin

    findings = [finding for path in paths for finding in check_plugin(path)]
    show_findings(findings)
    failed = sum(not finding.passed for finding in findings)
    print(f"{len(findings) - failed} checks passed, {failed} failed")
    if failed:
        raise typer.Exit(1)
