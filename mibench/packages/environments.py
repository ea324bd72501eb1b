"""Environments of public packages: made, tried once, listed, removed. Nothing is installed into mibench's own.

Notable: a manifest is written last, so that an environment with one is complete; one without is made anew. A package
that installs and does not work is broken: that is written down, and stops nothing.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from mibench.core import adapters
from mibench.core.adapters import MANIFEST, Adapter, manifest_of
from mibench.core.answers import read_answer
from mibench.core.errors import CommandError, MibenchError, UsageError
from mibench.core.guarded import Limits, output_of

_RUNNER = Path(adapters.__file__).with_name("adapter_process.py")
_TRIED = Limits(seconds=600.0, memory=32.0)
_PAIRS = 200

State = Literal["installed", "broken", "missing"]


@dataclasses.dataclass(frozen=True)
class Environment:
    """What is known of a package's environment.

    Parameters
    ----------
    adapter
        The package.
    state
        ``installed``, ``broken`` where it was installed and gives no value, or ``missing``.
    error
        The package's own error where it is broken.
    """

    adapter: Adapter
    state: State
    error: str = ""


class InstallationError(MibenchError):
    """An environment that cannot be made, as without a network."""

    exit_code = 1


def environment_of(one: Adapter) -> Environment:
    """Say what is known of a package's environment; nothing is started."""
    manifest = manifest_of(one)
    if manifest is None:
        return Environment(one, "missing")
    return Environment(one, "broken" if manifest["error"] else "installed", manifest["error"])


def install(one: Adapter) -> Environment:
    """Make the environment of a package, with all that it requires pinned, and try it on a small sample.

    Raises
    ------
    InstallationError
        Where the environment cannot be made.
    UsageError
        Where there is no Python that the package takes.
    """
    place = one.environment
    place.parent.mkdir(parents=True, exist_ok=True)
    remove(one)
    _create(one, place, one.requirements)
    error = error_of_trial(one, one.interpreter)
    found = {
        "package": one.release,
        "requirements": list(one.requirements),
        "error": error,
        "installed_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    written = place / f"{MANIFEST}.new"
    written.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    written.replace(place / MANIFEST)
    return environment_of(one)


def error_with(one: Adapter, requirement: str) -> str:
    """Say how a package fails where one requirement is another; empty where it does not.

    Parameters
    ----------
    requirement
        Takes the place of the adapter's own of that name: ``"scikit-learn==1.9.1"``.

    Raises
    ------
    InstallationError
        Where there is no such environment to be had.
    """
    name = requirement.partition("==")[0]
    requirements = [requirement if pinned.partition("==")[0] == name else pinned for pinned in one.requirements]
    with tempfile.TemporaryDirectory(prefix="mibench-", ignore_cleanup_errors=True) as folder:
        place = Path(folder, "environment")
        _create(one, place, requirements)
        return error_of_trial(one, place / "bin" / "python")


def remove(one: Adapter) -> bool:
    """Remove the environment of a package; whether there was one."""
    there = one.environment.exists()
    shutil.rmtree(one.environment, ignore_errors=True)
    return there


def error_of_trial(one: Adapter, interpreter: Path) -> str:
    """Ask an environment for the value of a small sample, and return what it failed with; empty where it did not."""
    x, noise = np.random.RandomState(0).standard_normal((2, _PAIRS, 1))
    with tempfile.TemporaryDirectory(prefix="mibench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", x + noise)
        command = [str(interpreter), "-I", "-W", "ignore", str(_RUNNER), str(one.file), "x.npy", "y.npy"]
        try:
            output = output_of(command, folder=folder, environment={}, limits=_TRIED, owner=one.release)
            read_answer(output, one.release)
        except CommandError as error:
            return str(error)
    return ""


def _create(one: Adapter, place: Path, requirements: Sequence[str]) -> None:
    """Make an environment with uv where it is there, else with venv and pip."""
    python = interpreter_for(one)
    if uv := shutil.which("uv"):
        _call([uv, "venv", "--quiet", "--python", python, str(place)], one)
        _call([uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), *requirements], one)
        return
    _call([python, "-m", "venv", str(place)], one)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([*pip, *requirements], one)


def interpreter_for(one: Adapter) -> str:
    """Return a Python that a package takes: this one, or a newer one on the path.

    Raises
    ------
    UsageError
        Where there is none.
    """
    if sys.version_info[:2] >= one.python:
        return sys.executable
    major, minor = one.python
    for newer in range(minor, minor + 4):
        found = shutil.which(f"python{major}.{newer}")
        if found and _answers(found):
            return found
    raise UsageError(f"{one.release} needs Python {major}.{minor} or newer; put python{major}.{minor} on the PATH")


def _answers(python: str) -> bool:
    """Whether a Python starts; what version managers leave in its place may not."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def _call(command: Sequence[str], one: Adapter) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        last = next((line.strip() for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason is given")
        raise InstallationError(f"the environment of {one.release} cannot be made: {last}")
