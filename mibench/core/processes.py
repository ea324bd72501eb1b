"""New Python processes that find what this one finds."""

from __future__ import annotations

import json
import os
import sys

_START = (
    "import importlib, json, sys; sys.path[:] = json.loads(sys.argv[1]); importlib.import_module(sys.argv[2]).main()"
)


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command of a process that calls ``main()`` of a module; its arguments are ``sys.argv[3:]``.

    It gets this process's module search path as it is, so that it finds the same mibench and the same plug-ins.
    """
    path = [entry or os.getcwd() for entry in sys.path if isinstance(entry, str)]  # noqa: PTH109  # imports skip others
    return [sys.executable, "-P", "-c", _START, json.dumps(path), module, *arguments]
