"""What a conformance check says: passed or not, in one sentence; and the loop that collects such sentences."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from mibench.core.errors import MibenchError
from mibench.core.faults import describe_error, exceptions_alone
from mibench.core.parameters import Parametrised, join_name
from mibench.core.settings import process_settings, refuse_changes

S = TypeVar("S")
Check = tuple[str, Callable[[S], str]]
"""A check's name, and a function that returns what it found in one sentence or raises `Failed`."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """Outcome of one check.

    Parameters
    ----------
    subject
        What was checked, for example ``"estimator nwj-v1"``.
    check
        Name of the check.
    passed
        Whether it holds.
    sentence
        What was found; where the check failed, what to do.
    """

    subject: str
    check: str
    passed: bool
    sentence: str


class Failed(Exception):  # noqa: N818  # reads as a verdict where it is raised: `raise Failed("...")`
    """A check does not hold; the message is the sentence of its finding."""


def subject_of(kind: str, component: Parametrised) -> str:
    """Name a component in findings: its kind, its class and its parameters."""
    return f"{kind} {join_name(type(component).__name__, component.params())}"


def run_checks(subject: str, component: S, checks: Sequence[Check[S]], *, gates: int = 0) -> list[Finding]:
    """Run checks one after another, on one thread and without touching torch's global randomness.

    Parameters
    ----------
    subject
        Name of the component in the findings.
    component
        What is checked; each check gets it.
    checks
        Names and functions.
    gates
        Number of leading checks without which the others mean nothing: where one of them fails, the others are left
        out.
    """
    findings: list[Finding] = []
    with _one_thread():
        for position, (name, check) in enumerate(checks):
            findings.append(_run_check(subject, name, check, component))
            if position + 1 == gates and not all(f.passed for f in findings):
                break
    return findings


def _run_check(subject: str, name: str, check: Callable[[S], str], component: S) -> Finding:
    try:
        before = process_settings()
        with exceptions_alone():  # a component that exits must not end the checks
            sentence = check(component)
        refuse_changes(before, "it")
        return Finding(subject, name, True, sentence)
    except (Failed, MibenchError) as failure:
        return Finding(subject, name, False, str(failure))
    except Exception as error:
        return Finding(subject, name, False, f"raised {describe_error(error)}")


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Runs are trained on one thread, and a sum's bits may depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


def check_docstring(component: object) -> str:
    """Check that there is a summary line to list."""
    lines = (type(component).__doc__ or "").strip().split("\n")
    if not lines[0] or lines[0].startswith(f"{type(component).__name__}("):  # dataclass writes its signature there
        raise Failed("the class has no docstring; its first line is what 'mibench list' shows")
    return f"listed as: {lines[0]}"


def is_number(value: object) -> bool:
    """Whether a value is a number that a row can hold: of Python, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@contextlib.contextmanager
def no_global_randomness(what: str) -> Iterator[None]:
    """Fail where the block draws from torch's global generator.

    Parameters
    ----------
    what
        The subject of the sentence, for example ``"sample"``.
    """
    before = torch.get_rng_state()
    yield
    if not torch.equal(before, torch.get_rng_state()):
        raise Failed(f"{what} draws from torch's global generator; use only what it is given")
