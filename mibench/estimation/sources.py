"""Sources: named columns that are there to be loaded, and the choice of some of them for a side.

Notable: a source knows its names before anything large is read, so that only what is chosen is.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mibench.core.errors import UsageError, did_you_mean, shown
from mibench.core.numbers import as_integer

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 12  # names that a message writes out


@dataclass(frozen=True)
class Raw:
    """A column as it was given.

    Parameters
    ----------
    name
        Its name, or its number from 0 as text.
    values
        Shape (n,), of any type.
    """

    name: str
    values: pd.Series[Any]


@dataclass(frozen=True)
class Source:
    """Where columns come from.

    Parameters
    ----------
    label
        What messages call it: ``"x"``, ``"file 'data.csv'"``.
    names
        Of its columns in order; of an ``.npz`` file, whose arrays may have several columns each, the keys.
    load
        Reads the columns at some positions, a list for each position; raises `UsageError` where they cannot be read.
    named
        Whether the names were given; otherwise they are numbers from 0.
    index
        The index of a pandas object; None for anything else.
    """

    label: str
    names: tuple[str, ...]
    load: Callable[[Sequence[int]], list[list[Raw]]]
    named: bool
    index: pd.Index[Any] | None = None


def chosen(source: Source, wanted: object, side: str) -> list[int]:
    """Return the positions of the columns that a user chose, in the order of the choice.

    Parameters
    ----------
    wanted
        ``"a,b"`` (names with commas in quotation marks), a number from 0, or a sequence of names and numbers; None
        chooses all.
    side
        ``"x"`` or ``"y"``, for messages.

    Raises
    ------
    UsageError
        For names that are not there, that stand twice in the source or in the choice, and for no name at all.
    """
    if wanted is None:
        return list(range(len(source.names)))
    positions = [_position(source, name) for name in _names(wanted, side)]
    for position in positions:
        if positions.count(position) > 1:
            raise UsageError(f"column '{shown(source.names[position])}' is named twice for {side}; name it once")
    return positions


def refuse_shared(source: Source, x: Sequence[int], y: Sequence[int]) -> None:
    """Refuse, by `UsageError`, a column that was chosen for both sides of one source."""
    if both := [source.names[position] for position in x if position in set(y)]:
        raise UsageError(
            f"column '{shown(both[0])}' is on both sides, and would be told to depend on itself; name it on one"
        )


def _names(wanted: object, side: str) -> list[str]:
    """Read what chooses columns as a list of names."""
    if isinstance(wanted, str):
        try:
            (parts,) = csv.reader([wanted], skipinitialspace=True, strict=True)
        except (csv.Error, ValueError):  # ValueError: no line, or several
            raise UsageError(f"the columns of {side}, '{shown(wanted)}', are no list of names; write 'a,b,c'") from None
        given: list[object] = [part.strip() for part in parts]
    elif as_integer(wanted) is not None:
        given = [wanted]
    elif isinstance(wanted, list | tuple):
        given = list(wanted)
    else:
        raise UsageError(
            f"the columns of {side} must be names or numbers, not {shown(wanted, repr)}; write 'a,b,c' or a list"
        )
    names = [_name(item, side) for item in given]
    if not names or "" in names:
        raise UsageError(f"a column of {side} has an empty name; write 'a,b,c', or leave the option out")
    return names


def _name(item: object, side: str) -> str:
    number = as_integer(item)
    if number is None and not isinstance(item, str):
        raise UsageError(f"a column of {side} must be a name or a number, not {shown(item, repr)}; write 'a,b,c'")
    return str(item if number is None else number)


def _position(source: Source, name: str) -> int:
    found = [position for position, known in enumerate(source.names) if known == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{source.label} has {len(found)} columns named '{shown(name)}'; rename all but one")
    if source.named:
        many = len(source.names) > _LISTED
        hint = f"it has {len(source.names):,} others, the first '{shown(source.names[0])}'" if many else ""
        raise UsageError(f"{source.label} has no column '{shown(name)}'{did_you_mean(name, source.names, hint)}")
    last = len(source.names) - 1
    numbers = f"its columns are numbered 0 to {last}" if last else "it has one column, number 0"
    raise UsageError(f"{source.label} has no column '{shown(name)}'; {numbers}")
