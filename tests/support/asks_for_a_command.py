"""A process that asks for a command which never ends."""

from __future__ import annotations

import sys
from pathlib import Path

from mibench.core.guarded import Limits, output_of


def main() -> None:
    """Have a command say by a file in the folder named that it has started."""
    code = "import pathlib, time; pathlib.Path('started').touch(); time.sleep(60)"
    command = [sys.executable, "-I", "-c", code]
    output_of(command, folder=Path(sys.argv[3]), environment={}, limits=Limits(60, 4), owner="Mine")
