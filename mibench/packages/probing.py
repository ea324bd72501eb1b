"""The checks of `mibench.packages.checks`, asked of a package in its environment or of mibench's own estimators."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mibench.core.adapters import Adapter, adapter, adapter_names, refuse_missing
from mibench.core.errors import CommandError, UnknownNameError
from mibench.core.guarded import Limits, output_of
from mibench.packages import checks
from mibench.packages.checks import TIME, Array, Found, findings, seconds_of

if TYPE_CHECKING:
    from mibench.core.estimator import SampleEstimator

OWN = ("ksg", "gaussian-copula")
"""Estimators of mibench that stand beside the packages."""

_PROCESS = Path(__file__).with_name("checks_process.py")
_LIMITS = Limits(seconds=600.0, memory=16.0)


@dataclasses.dataclass(frozen=True)
class Probe:
    """What probing found of one package.

    Parameters
    ----------
    name, version, unit
        The package, as its adapter says; of mibench's own estimators mibench's version.
    probed_at
        The day, ``2026-11-28``.
    found
        A finding a check, in order; those that a package did not live to see are missing.
    """

    name: str
    version: str
    unit: str
    probed_at: str
    found: tuple[Found, ...]


def probe(name: str) -> Probe:
    """Probe a package, or one of `OWN`.

    Raises
    ------
    UnknownNameError
        Where the name is neither.
    UsageError
        Where the package is not installed.
    """
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    if name in OWN:
        from mibench.core.version import __version__

        return Probe(name, f"mibench {__version__}", "nats", today, tuple(_of_own(name)))
    if name not in adapter_names():
        raise UnknownNameError("package", name, (*adapter_names(), *OWN), "see 'mibench packages list'")
    one = adapter(name)
    refuse_missing(one)
    return Probe(name, one.version, one.unit, today, tuple(_of_package(one)))


def _of_own(name: str) -> Iterator[Found]:
    import torch

    from mibench.core.registry import ESTIMATORS

    estimator = cast("SampleEstimator", ESTIMATORS.create(name))

    def estimate(x: Array, y: Array) -> float:
        return estimator.value(torch.from_numpy(x), torch.from_numpy(y))

    yield from findings(estimate, one_column=False, factor=1.0)
    yield seconds_of(estimate)


def _of_package(one: Adapter) -> Iterator[Found]:
    """Run the checks, and the one of time by itself; what ended the process is said of the check that it was at."""
    with tempfile.TemporaryDirectory(prefix="mibench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for what in ("checks", "time"):
            file = folder / f"{what}.jsonl"
            command = [str(one.interpreter), "-I", "-W", "ignore", str(_PROCESS), str(checks.__file__)]
            ended = ""
            try:
                output_of(
                    [*command, str(one.file), str(file), what],
                    folder=folder,
                    environment={},
                    limits=_LIMITS,
                    owner=one.release,
                )
            except CommandError as error:
                ended = str(error)
            lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
            found = [Found(**json.loads(line)) for line in lines]
            yield from found
            if ended:
                at = TIME if what == "time" else _next_check(found, one)
                yield Found(at, math.nan, math.nan, "no", ended)


def _next_check(found: list[Found], one: Adapter) -> str:
    """The check after those that were found."""
    asked = [check for check in checks.CHECKS if not (one.columns == "one" and check == checks.COLUMNS)]
    return asked[len(found)]
