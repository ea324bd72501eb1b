"""Settings of a process that move the numbers of every run in it: code from outside must leave them as they are."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mibench.core.errors import UsageError
from mibench.core.faults import fault_of


class _Setting(NamedTuple):
    """A setting of torch: what it is called in messages, and the functions of torch that read and write it."""

    name: str
    read: str
    write: str
    start: Callable[[Any], Any]
    """Takes torch and returns the value when it is imported."""


_SETTINGS = (
    _Setting("torch's default dtype", "get_default_dtype", "set_default_dtype", lambda torch: torch.float32),
    _Setting("torch's default device", "get_default_device", "set_default_device", lambda torch: torch.device("cpu")),
    _Setting("torch's gradients", "is_grad_enabled", "set_grad_enabled", lambda torch: True),
    _Setting(
        "torch's precision of float32 products",
        "get_float32_matmul_precision",
        "set_float32_matmul_precision",
        lambda torch: "highest",
    ),
    _Setting(
        "torch's deterministic algorithms",
        "are_deterministic_algorithms_enabled",
        "use_deterministic_algorithms",
        lambda torch: False,
    ),
)


def process_settings() -> Mapping[str, Any]:
    """Return what torch is set to in this process; without what it is set to where it is not imported yet."""
    torch = sys.modules.get("torch")
    if not hasattr(torch, "get_float32_matmul_precision"):  # or it is in the midst of it
        return {}
    return {setting.name: getattr(torch, setting.read)() for setting in _SETTINGS}


def refuse_changes(before: Mapping[str, Any], who: str) -> None:
    """Set back what is set to something else than before, and refuse to go on.

    Parameters
    ----------
    before
        What `process_settings` has returned.
    who
        What has run since, for the message.

    Raises
    ------
    UsageError
        Which names the first that was changed.
    """
    torch, faults = sys.modules.get("torch"), []
    now = process_settings()
    for setting in _SETTINGS if now else ():
        found, known = now[setting.name], before.get(setting.name, setting.start(torch))
        if found != known:
            getattr(torch, setting.write)(known)
            faults.append(
                f"{who} sets {setting.name} to {found}, which was {known}, for all runs of the process; leave it as it "
                "is, and say what you need where a tensor is made"
            )
    if faults:
        raise UsageError(faults[0])


def fault_of_import(work: Callable[[], object]) -> BaseException | None:
    """Import code from outside, and return what it raised, or what it has changed that is not its own.

    The working directory, which such code may change to read a file beside it, is afterwards as before, and so is where
    the process prints.
    """
    before = process_settings()
    with contextlib.chdir("."), contextlib.redirect_stdout(sys.stdout), contextlib.redirect_stderr(sys.stderr):
        error = fault_of(work)  # which may be false: it is any object that a plug-in raises
        return fault_of(lambda: refuse_changes(before, "it")) if error is None else error
