"""What a reader asks of all figures of a report, read from what was typed: a style sheet, a size, formats, names.

Notable: everything is looked at before any row is read, and refused in one sentence.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.cbook import is_math_text
from matplotlib.mathtext import MathTextParser

from mibench.core.errors import UnknownNameError, UsageError, shown
from mibench.core.files import given_path, read_small
from mibench.core.parameters import split_name
from mibench.core.registry import ESTIMATORS
from mibench.figures import style
from mibench.report.files import PICTURES, USUAL_PICTURES

_SMALLEST, _LARGEST = 1.0, 60.0
"""Inches of a figure's sides."""

_SIZE = re.compile(r"(\d{1,4}(?:\.\d{1,4})?)x(\d{1,4}(?:\.\d{1,4})?)", re.ASCII)

_OF_PROGRAMS = ("backend", "interactive", "toolbar", "timezone", "tk.", "webagg.", "macosx.", "keymap.", "savefig.dir")
"""What settings begin with that are no matter of looks, which matplotlib takes from no style sheet either."""


def read_look(sheet: str | Path | None, size: str | tuple[float, float] | None) -> style.Look:
    """Read what is asked of figures, but for the names, which plug-ins have their part in.

    Parameters
    ----------
    sheet
        Style sheet of matplotlib's.
    size
        Width and height in inches, ``"3.25x2.4"`` or two numbers.

    Raises
    ------
    UsageError
        For what cannot be read.
    """
    return style.Look({} if sheet is None else read_sheet(sheet), None if size is None else read_size(size))


def look_options(sheet: str | Path | None, formats: Sequence[str], look: style.Look) -> list[str]:
    """Return the words of the command line that ask for a look."""
    words = [] if sheet is None else ["--style", str(sheet)]
    if tuple(formats) != USUAL_PICTURES:
        words += ["--format", ",".join(formats)]
    if look.size is not None:
        words += ["--size", "x".join(f"{side:g}" for side in look.size)]
    return words + [word for name, label in look.names.items() for word in ("--names", f"{name}={label}")]


def read_formats(given: str | Iterable[str]) -> tuple[str, ...]:
    """Read formats of pictures, each once; text may name several with commas.

    Raises
    ------
    UsageError
        For others than `mibench.report.files.PICTURES`, and for none.
    """
    texts = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [given]
    found = [name for text in texts for name in (text.split(",") if isinstance(text, str) else [text])]
    for name in found:
        if name not in PICTURES:
            raise UnknownNameError("format", shown(name), PICTURES)
    if not found:
        raise UsageError(f"no format of pictures is given; name some of {', '.join(PICTURES)}")
    return tuple(dict.fromkeys(found))


def read_size(given: object) -> tuple[float, float]:
    """Read a width and a height in inches.

    Raises
    ------
    UsageError
        For anything else, and for sides that no figure has.
    """
    sides: list[float] = []
    if isinstance(given, str) and (match := _SIZE.fullmatch(given)):
        sides = [float(match[1]), float(match[2])]
    elif isinstance(given, tuple | list) and all(isinstance(side, int | float) for side in given):
        sides = [float(side) for side in given]
    if len(sides) != 2:
        raise UsageError(f"size '{shown(given)}' does not parse; write width x height in inches, for example 3.25x2.4")
    if not all(math.isfinite(side) and _SMALLEST <= side <= _LARGEST for side in sides):
        raise UsageError(
            f"a figure of {shown(given)} inches cannot be read; use {_SMALLEST:g} to {_LARGEST:g} inches a side"
        )
    return sides[0], sides[1]


# --- style sheets ---------------------------------------------------------------------------------------------


def read_sheet(sheet: str | Path) -> dict[str, Any]:
    """Read the settings of a style sheet, without those that are no matter of looks.

    Raises
    ------
    UsageError
        Where it cannot be read, and for settings and values that matplotlib does not know.
    """
    file = given_path(sheet, "style sheet")
    label = f"style sheet '{shown(file)}'"
    try:
        read_small(file, label, "a style sheet of matplotlib").decode()
    except OSError as error:
        raise UsageError(f"{label} cannot be read: {error.strerror}; give a file such as paper.mplstyle") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{label} is not a text file; write it as matplotlib's .mplstyle, in UTF-8") from error
    complaints = _Complaints()
    logger = logging.getLogger("matplotlib")
    logger.addHandler(complaints)
    try:
        settings = mpl.rc_params_from_file(file, fail_on_error=True, use_default_template=False)
    except (ValueError, KeyError) as error:
        raise UsageError(f"{label} is no style sheet of matplotlib: {' '.join(str(error).split())}") from error
    finally:
        logger.removeHandler(complaints)
    if complaints.said:
        raise UsageError(f"{label} is no style sheet of matplotlib: {complaints.said[0]}")
    return {name: value for name, value in settings.items() if not name.startswith(_OF_PROGRAMS)}


class _Complaints(logging.Handler):
    """Keeps what matplotlib says of a sheet's lines, which it only logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        self.said.append(text.partition(". You probably need")[0])


# --- names ----------------------------------------------------------------------------------------------------


def read_labels(given: object) -> dict[str, str]:
    """Read what methods are to be called, by estimator or label.

    Text is ``name=what it is called``, several with commas; a comma before what is no estimator is part of a name.

    Raises
    ------
    UsageError
        For names that no estimator has, and for mathematics that matplotlib cannot set.
    """
    if isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
            raise UsageError(f"labels must be a table of names, not {shown(given, repr)}; write {{'nwj': 'NWJ'}}")
        pairs = [pair for text in texts for pair in _pairs(text)]
    for name, label in pairs:
        if not isinstance(name, str) or not _is_known(name):
            raise UnknownNameError("estimator", shown(name), _known(), "see 'mibench list estimators'")
        if not isinstance(label, str) or not label.strip():
            raise UsageError(f"the name of '{name}' must be text, not {shown(label, repr)}; write {name}=NAME")
        _check_mathematics(name, label)
    return dict(pairs)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield names and what they are called; a piece that assigns nothing belongs to the label before it."""
    pieces: list[str] = []
    for piece in text.split(","):
        if pieces and "=" not in piece:
            pieces[-1] += f",{piece}"
        else:
            pieces.append(piece)
    for piece in pieces:
        name, equals, label = piece.strip().partition("=")
        while ":" in name and not _is_known(name) and "=" in label:  # smile:tau=5=SMILE
            more, _, label = label.partition("=")
            name += f"={more}"
        if not equals or not name:
            raise UsageError(f"name '{shown(piece)}' does not parse; write METHOD=NAME, for example nwj=NWJ")
        yield name.strip(), label.strip()


def _is_known(label: str) -> bool:
    """Whether a label begins with an estimator's name, and its parameters parse."""
    try:
        name, _ = split_name(label)
    except UsageError:
        return False
    return name in _known()


def _known() -> list[str]:
    """Names of all estimators, with their versions and without."""
    entries = ESTIMATORS.entries(all_versions=True)
    return [*dict.fromkeys(entry.name for entry in entries), *(entry.id for entry in entries)]


def _check_mathematics(name: str, label: str) -> None:
    if not is_math_text(label):
        return
    try:
        MathTextParser("path").parse(label)
    except ValueError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UsageError(f"the name '{shown(label)}' of '{name}' cannot be set as mathematics: {reason}") from error
