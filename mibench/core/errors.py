"""Every exception that mibench raises on purpose.

MibenchError
├── UsageError                 bad input: one sentence and a next step; exit code 2
│   ├── UnknownNameError       a name that no registry holds, with the nearest ones
│   ├── DuplicateNameError     two components claim one versioned name
│   ├── MismatchError          components that are what they should be, and do not go together
│   └── PluginError            a plug-in that cannot be imported
├── CommandError               a command from outside that gave no number; its run is a row; exit code 1
├── WorkersKilledError         worker processes that are killed whenever they start; exit code 1
└── StoreError                 a results file that is truncated, foreign or of another schema; exit code 2
    └── StoreWriteError        a result that cannot be written (a full disk); exit code 1
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import ClassVar, Literal

_LONGEST_SHOWN = 40


class MibenchError(Exception):
    """Base of all errors with a message meant for the user."""

    exit_code: ClassVar[int] = 2


class UsageError(MibenchError):
    """Bad input. The message is one sentence that says what is wrong and what to do."""


class UnknownNameError(UsageError):
    """A name that is not registered.

    Parameters
    ----------
    what
        The kind of thing that was looked up, for example ``"estimator"``.
    name
        The name as the user wrote it.
    known
        The names that would have been found.
    hint
        The next step when no known name is near.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.name = name
        super().__init__(f"unknown {what} '{shown(name)}'{did_you_mean(name, known, hint)}")


class DuplicateNameError(UsageError):
    """Two components claim the same versioned name."""


class MismatchError(UsageError):
    """Components that are all right by themselves and do not go together."""


class PluginError(UsageError):
    """A plug-in that cannot be imported."""


class CommandError(MibenchError):
    """A command from outside gave no number.

    Parameters
    ----------
    message
        One sentence.
    status
        What a row of such a run says.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, status: Literal["crashed", "timeout"] = "crashed") -> None:
        self.status = status
        super().__init__(message)


class WorkersKilledError(MibenchError):
    """Worker processes are killed again and again before they take work; what was stored before is intact."""

    exit_code: ClassVar[int] = 1


class StoreError(MibenchError):
    """A results file or folder that cannot be read as it is. The message names it."""


class StoreWriteError(StoreError):
    """A result could not be written; what was stored before is intact."""

    exit_code: ClassVar[int] = 1


def did_you_mean(name: str, known: Iterable[str], hint: str = "") -> str:
    """Return ``"; did you mean 'x'?"``, or the hint as a clause, or the known names."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    if hint:
        return f"; {hint}"
    return f"; known: {', '.join(names)}" if names else ""


def shown(value: object, spell: Callable[[object], str] = str) -> str:
    """Spell a value for a message; what is longer than a name or a number ever is is cut, and ends in an ellipsis."""
    try:
        text = spell(value)
    except ValueError:  # Python does not write out an integer of thousands of digits
        return "a number of thousands of digits"
    if "\n" in text:  # as of an array
        text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
