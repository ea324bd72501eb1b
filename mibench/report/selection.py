"""Choosing rows by conditions: what a figure or a table prints of rows selects them.

Notable:

- A value is tried as it is printed first, and by what it means where nothing has it printed so: ``smile:tau=5`` is a
  label where several tau occur, and otherwise every ``smile`` whose tau is 5.
- Commas stand between values and within them (``student-t:dim_x=2,dim_y=2``, ``10,000``, ``joint, lr 0.0005``). Text is
  cut where the pieces are values that rows have.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mibench.analysis.labels import (
    COMPONENTS,
    CONSTANT,
    SEPARATOR,
    component_labels,
    parameter_texts,
    plural,
    setting_texts,
    staircase_text,
    varying_settings,
    versioned,
    with_labels,
)
from mibench.analysis.metrics import Floats, numbers
from mibench.core.errors import UsageError, did_you_mean, shown
from mibench.core.numbers import as_float
from mibench.core.parameters import split_name
from mibench.experiments.values import level
from mibench.store.columns import RUNS

Marks = npt.NDArray[np.bool_]
Match = Callable[[str], Marks]
"""Marks the rows that have a value, which is written as text."""

_ALIASES = {"mi": "mi_true", "seeds": "seed", "N": "batch", "n": "samples", "settings": "setup"}
_SETUP = "setup"
_NUMBERS = {column.name: column.type for column in RUNS if column.type in ("float64", "int64")}
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+")
_PARAMETER = re.compile(r"\s*\w+=")
"""What follows a comma inside the label of a component."""

_SETTING = re.compile(r"\w+=| ")
"""What follows a comma inside settings that are printed together."""

_MOST_TRIES = 4096


def select(runs: pd.DataFrame, where: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """Keep the rows whose columns have one of the given values.

    Parameters
    ----------
    runs
        Rows of the runs table.
    where
        Values by column, numbers or text, which may hold several values joined by commas. They are written as on the
        command line, or as figures and tables print them: ``5``, ``5 nats`` or ``1bits`` for ``mi`` (which stands for
        ``mi_true``), ``10,000``, labels and versioned names for tasks, estimators, critics and negatives, and for
        ``setup`` what a panel's title says below them (``joint, lr 0.0005``).

    Raises
    ------
    UsageError
        For a column that does not exist, and where no row is left.
    """
    kept, chosen = np.ones(len(runs), dtype=bool), []
    for given, values in where.items():
        match = functools.cache(_match_of(runs, given))
        inside = _SETTING if _ALIASES.get(given, given) == _SETUP else _PARAMETER
        pieces = [piece for value in values for piece in _cut(str(value), match, inside)]
        kept &= np.logical_or.reduce([match(piece) for piece in pieces])
        chosen.append(f"{given} {' or '.join(map(shown, pieces))}")
    if not kept.any():
        said = f"has {', '.join(chosen)}" if chosen else "is there"
        raise UsageError(f"none of {plural(len(runs), 'row')} {said}; select others, see 'mibench results ls'")
    return runs[kept]


def _cut(text: str, match: Match, inside: re.Pattern[str]) -> list[str]:
    """Cut text at commas into values: as few that no row has as can be, and of such cuts the finest.

    Parameters
    ----------
    inside
        How what follows a comma begins where the comma is part of a value for certain.
    """
    atoms: list[str] = []
    for part in text.split(","):
        if atoms and inside.match(part):
            atoms[-1] += f",{part}"
        else:
            atoms.append(part)
    best: list[tuple[int, int, tuple[str, ...]]] = [(0, 0, ())]  # unknown values, pieces less, pieces
    for end in range(1, len(atoms) + 1):
        options = []
        for start in range(end):
            piece = ",".join(atoms[start:end]).strip()
            known = bool(match(piece).any())
            if known or end - start == 1:
                unknown, fewer, pieces = best[start]
                options.append((unknown + (not known), fewer - 1, (*pieces, piece)))
        best.append(min(options))
    return list(best[-1][2])


def _match_of(runs: pd.DataFrame, given: str) -> Match:
    """How the values of a column are compared.

    Raises
    ------
    UsageError
        For a column that does not exist.
    """
    column = _ALIASES.get(given, given)
    if column == _SETUP:
        return _setup_match(runs)
    if column not in runs:
        known = [*runs.columns, _SETUP]
        raise UsageError(f"runs have no column '{given}'{did_you_mean(given, known, 'see mibench.store.columns')}")
    if column in COMPONENTS:
        return _component_match(runs, column)
    if column == "schedule":
        return _staircase_match(runs)
    if column in _NUMBERS or pd.api.types.is_numeric_dtype(runs[column]):
        rounded = _NUMBERS.get(column) != "int64"  # a whole number is printed as it is
        return _number_match(numbers(runs, column), level if column == "mi_true" else _number, rounded=rounded)
    return _text_match(runs[column])


def _first(tries: Iterable[Marks]) -> Marks:
    """The first marks that mark anything; those of the last try where none does."""
    marks: Marks = np.zeros(0, dtype=bool)
    for marks in tries:
        if marks.any():
            break
    return marks


# --- numbers and text -------------------------------------------------------------------------------------------


def _number(text: str) -> float:
    return as_float(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text)


def _number_match(values: Floats, read: Callable[[str], float], *, rounded: bool) -> Match:
    """Compare numbers: equal ones, else those that are printed so, with six digits or with three."""
    printed = {form: np.array([format(v, form) for v in values]) for form in (("g", ".3g") if rounded else ())}

    def match(text: str) -> Marks:
        try:
            number = read(text)
        except UsageError:  # what is no level is none that rows have
            number = math.nan
        if math.isnan(number):
            return np.zeros(len(values), dtype=bool)
        exact: Marks = np.isclose(values, number, rtol=1e-12, atol=0)
        return _first([exact, *(texts == format(number, form) for form, texts in printed.items())])

    return match


def _text_match(column: pd.Series) -> Match:
    """Compare text, and text that is a number by its value."""
    values = column.map(_plain).to_numpy(object)
    return lambda text: np.array([value == _plain(text) for value in values], dtype=bool)


def _plain(value: object) -> object:
    """Numbers and the text of numbers become equal; other text stays."""
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return value


def _staircase_match(runs: pd.DataFrame) -> Match:
    """Compare staircases by their levels, however these are joined."""
    known = [staircase_text(schedule) for schedule in runs["schedule"]]

    def match(text: str) -> Marks:
        wanted = staircase_text(json.dumps([as_float(number) for number in re.findall(r"\d[\d.e+-]*", text)]))
        return np.array([one == wanted for one in known], dtype=bool)

    return match


# --- components -------------------------------------------------------------------------------------------------


def _component_match(runs: pd.DataFrame, name: str) -> Match:
    """Compare a component's label, else its name, versioned or not, and the parameters that are given with it."""
    labels = component_labels(runs, name).to_numpy(object)
    names, ids = runs[name].to_numpy(object), versioned(runs, name).to_numpy(object)
    places, texts = pd.factorize(runs[f"{name}_params"].fillna("{}"))
    params = [parameter_texts(text) for text in texts]

    def match(text: str) -> Marks:
        try:
            wanted, given = split_name(text)
        except UsageError:  # no name of a component
            wanted, given = text, {}
        fits = np.array([all(_same(own.get(k), v) for k, v in given.items()) for own in params], dtype=bool)[places]
        named: Marks = ((names == wanted) | (ids == wanted)) & fits
        return _first([np.asarray(labels == text, dtype=bool), named])

    return match


def _same(own: str | None, given: str) -> bool:
    """Whether a parameter, as labels write it, is what was given."""
    if own is None:
        return False
    return own.lower() == given.lower() or _plain(own) == _plain(given) or own == f"{as_float(given):g}"


# --- settings ---------------------------------------------------------------------------------------------------


def _setup_match(runs: pd.DataFrame) -> Match:
    """Compare the settings that figures and tables print together.

    A figure prints those that differ between its rows, less those that it has axes or panels for. So text is compared
    with all that differ, then with some of them left out, fewest first; else rows are marked that have every part of
    it, whatever else differs. What few print besides, the staircase and the optimiser, counts where text names it.
    """
    rows = with_labels(runs)
    texts, differing = setting_texts(rows), varying_settings(rows)
    lines = list(zip(*(texts[name] for name in differing), strict=True)) if differing else [()] * len(rows)
    distinct = {line: place for place, line in enumerate(dict.fromkeys(lines))}
    places = np.array([distinct[line] for line in lines], dtype=np.int64)
    components = [_component_match(runs, name) for name in ("task", "critic")]
    besides = [rows["schedule"].map(staircase_text).replace("", CONSTANT), rows["optimiser"]]
    named = {text: np.asarray(column == text, dtype=bool) for column in besides for text in column.dropna().unique()}

    def match(text: str) -> Marks:
        parts = text.split(SEPARATOR)
        among = np.logical_and.reduce([np.ones(len(rows), dtype=bool), *(named[p] for p in parts if p in named)])
        settings = sorted(part for part in parts if part not in named)
        tries = itertools.chain(printed(settings) if settings else (), [holding(settings)])
        return _first(marks & among for marks in tries)

    def printed(settings: list[str]) -> Iterable[Marks]:
        sizes = range(len(differing), 0, -1)
        kept = itertools.chain.from_iterable(itertools.combinations(range(len(differing)), size) for size in sizes)
        for chosen in itertools.islice(kept, _MOST_TRIES):
            found = [sorted(filter(None, (line[i] for i in chosen))) == settings for line in distinct]
            if any(found):
                yield np.array(found, dtype=bool)[places]

    def holding(settings: list[str]) -> Marks:
        marks = np.ones(len(rows), dtype=bool)
        for part in settings:
            having = [np.asarray(column == part, dtype=bool) for column in texts.values()]
            marks &= np.logical_or.reduce([*having, *(component(part) for component in components)])
        return marks

    return match
