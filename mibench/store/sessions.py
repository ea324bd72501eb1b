"""The environment of one invocation: machine, versions, plug-ins. Written once, beside the rows that it explains."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import socket
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mibench.core.processor import cpu_flags, proc_field
from mibench.core.version import __version__
from mibench.store.columns import empty_row
from mibench.store.parquet import storable

_NUMBERS = ("cpu family", "model", "stepping")
_EXTENSIONS = ("avx2", "avx512f", "avx512_bf16", "amx_tile")
_PACKAGES = ("torch", "numpy", "scipy", "pandas", "pyarrow", "joblib", "dask")


def describe_session(command: str, plugins: Iterable[str], device: str) -> dict[str, Any]:
    """Return a row of the sessions table for an invocation that starts now.

    Parameters
    ----------
    command
        The command line, or the name of the Python function.
    plugins
        Plug-in files; their hashes are stored, since their names say nothing about their content.
    device
        ``"cpu"`` or ``"cuda"``.
    """
    hashes = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in plugins}
    return empty_row(
        "sessions",
        session_id=uuid.uuid4().hex,
        started_at=datetime.datetime.now(datetime.UTC),
        command=storable(command),
        plugins=json.dumps(hashes, sort_keys=True),
        hostname=socket.gethostname(),
        platform=platform.platform(),
        cpu=_processor(),
        cores=available_cores(),
        gpu=_gpu() if device == "cuda" else None,
        python_version=platform.python_version(),
        packages=json.dumps(_versions(), sort_keys=True),
        mibench_version=__version__,
    )


def available_cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # dask is optional
    return versions


def _processor() -> str:
    """Return the processor's model, with what tells apart the models of one name; rounding depends on it.

    `platform.processor` is empty on Linux, and virtual machines call many processors by one name.
    """
    info = Path("/proc/cpuinfo")
    name = proc_field(info, "model name")
    if name is None:
        return platform.processor() or platform.machine()
    numbers = [f"{key.split()[-1]} {value}" for key in _NUMBERS if (value := proc_field(info, key)) is not None]
    return ", ".join([name, *numbers, *(flag for flag in _EXTENSIONS if flag in cpu_flags())])


def _gpu() -> str | None:
    """Return the model of the first CUDA device as the driver reports it, without starting CUDA in this process."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    return proc_field(files[0], "Model") if files else None
