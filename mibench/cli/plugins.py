"""Plug-ins of a command: tried in a process of their own, then loaded.

Notable: without plug-ins there is no process, and nothing is imported for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mibench.core.plugins import load_plugins


def try_plugins(paths: Sequence[str | Path]) -> None:
    """Find out which plug-ins would end this process: they are broken from here on; see `load_plugins`."""
    if paths:
        from mibench.core.probing import probe_plugins

        probe_plugins(paths)


def load_tried_plugins(paths: Sequence[str | Path] | None, *, strict: bool = False) -> None:
    """Try plug-ins and load them, as `mibench.core.plugins.load_plugins`."""
    try_plugins(paths or ())
    load_plugins(paths or (), strict=strict)
