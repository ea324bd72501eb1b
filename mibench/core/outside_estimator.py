"""Estimators that run elsewhere: in another interpreter, another environment, another language.

Notable: the command is an attribute of a class, and no parameter: nothing that a grid, a TOML file or a command line
holds can name one. What parameters put into its arguments is a number, a truth value or one of the choices that the
class lists.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from mibench.core.answers import Answer, read_answer
from mibench.core.errors import UsageError, shown
from mibench.core.estimator import SampleEstimator
from mibench.core.guarded import Limits, output_of
from mibench.core.reads import note_file

Array = NDArray[np.float64]
Passes = Literal["npy", "arrow", "text"]

_FIXED = ("command", "environment", "passes", "seconds", "memory")
_PLACE = re.compile(r"\{(\w+)\}")
_OF_PASSES: Mapping[str, tuple[str, ...]] = {"npy": ("x", "y"), "arrow": ("pairs",), "text": ("x", "y")}
"""The placeholders of the files that hold the sample."""


class OutsideEstimator(SampleEstimator):
    """An estimator whose value a command gives, for each sample anew; a subclass states ``command`` and no code.

    The command is handed the sample in files and answers with one JSON line on stdout, the last that it prints:
    ``{"value": 0.32, "unit": "bits", "interval": [0.29, 0.36]}``, the unit ``nats`` or ``bits``, the interval if it has
    one. It runs in a folder of its own that is removed afterwards, without stdin, on one thread, and may take
    ``seconds`` of time and ``memory`` GiB. At its end, at a limit, and when mibench itself is ended, all that it has
    started is killed. A command that fails in whatever way is a `CommandError`: a row with a status and a sentence.

    In ``command`` these are replaced: ``{x}``, ``{y}`` or ``{pairs}`` by the files, ``{here}`` by the folder of the
    plug-in, ``{python}`` by the interpreter that runs mibench, and a parameter's name by its value. Files of
    ``{here}/...`` are part of the plug-in's code: where one was edited, stored rows are of other code.
    """

    kind = "plug-in"
    takes_pool = False

    command: ClassVar[Sequence[str]] = ()
    """Program and arguments. No shell reads them."""

    environment: ClassVar[Mapping[str, str]] = {}
    """Variables that the command gets beside those of mibench's process."""

    passes: ClassVar[Passes] = "npy"
    """The sample's files: ``npy``, float64 of shapes (n, dim_x) and (n, dim_y); ``arrow``, one IPC file with columns
    ``x0``, ``x1``, ..., ``y0``, ...; ``text``, a row per pair, numbers with 17 digits and blanks between them."""

    seconds: ClassVar[float] = 600.0
    """After which the command is killed and the run's status is ``timeout``."""

    memory: ClassVar[float] = 8.0
    """GiB of addresses that each of its processes may have."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _FIXED:
            if name in cls.parameter_names():
                raise UsageError(f"{cls.__name__}: '{name}' is annotated, and so a parameter; write {name} = ...")
        if cls.command:
            _check_command(cls)
            _note_files(cls)

    def of_arrays(self, x: Array, y: Array) -> float:
        """Estimate from a sample; see `SampleEstimator.of_arrays`.

        Raises
        ------
        CommandError
            Where the command gives no number.
        """
        return self.answer(x, y).value

    def answer(self, x: Array, y: Array) -> Answer:
        """Return all that the command answers of a sample, its interval included.

        Parameters
        ----------
        x, y
            As of `SampleEstimator.of_arrays`.

        Raises
        ------
        CommandError
            As of `of_arrays`.
        """
        owner = type(self).__name__
        with tempfile.TemporaryDirectory(prefix="mibench-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            places = {**self._fixed_places(), **_write(self.passes, folder, x, y)}
            output = output_of(
                [_filled(part, places) for part in self.command],
                folder=folder,
                environment=self.environment,
                limits=Limits(self.seconds, self.memory),
                owner=owner,
            )
        return read_answer(output, owner)

    def _fixed_places(self) -> dict[str, str]:
        """What placeholders stand for, whatever the sample."""
        values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in self.params()}
        return {**values, "here": str(_here(type(self))), "python": sys.executable}


def _filled(part: str, places: Mapping[str, str]) -> str:
    """Put values in place of what is in braces and has one; the rest of an argument, as a program, stays as it is."""
    return _PLACE.sub(lambda match: places.get(match[1], match[0]), part)


def _here(cls: type) -> Path:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return Path(file).resolve().parent if file else Path.cwd()


def _check_command(cls: type[OutsideEstimator]) -> None:
    label = cls.__name__
    if isinstance(cls.command, str) or not all(isinstance(part, str) for part in cls.command):
        raise UsageError(f"{label}: command must be a list of texts, a program and its arguments; no shell reads it")
    if cls.passes not in get_args(Passes):
        raise UsageError(f"{label}: passes is {shown(cls.passes, repr)}; use one of {', '.join(get_args(Passes))}")
    for name in ("seconds", "memory"):
        limit = getattr(cls, name)
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < float("inf"):
            raise UsageError(f"{label}: {name} is {shown(limit, repr)}; use a number above 0")
    program, *arguments = cls.command
    parameters, places = set(cls.parameter_names()), set(_PLACE.findall(" ".join(arguments)))
    if parameters & set(_PLACE.findall(program)):
        raise UsageError(f"{label}: a parameter names the program of its command; write the program out")
    for name in sorted(parameters & places):
        if not _is_tame(typing.get_type_hints(cls)[name]):
            raise UsageError(
                f"{label}: parameter '{name}' is free text in its command; make it a number, or a Literal of choices"
            )
    if missing := [f"{{{name}}}" for name in _OF_PASSES[cls.passes] if name not in places]:
        raise UsageError(f"{label}: its command lacks the sample, {' and '.join(missing)}; add it to its arguments")


def _is_tame(annotation: Any) -> bool:
    """Whether a parameter's values are numbers, truth values, None, or choices that are written out."""
    if annotation in (int, float, bool, type(None)) or get_origin(annotation) is Literal:
        return True
    parts = get_args(annotation)
    return bool(parts) and all(map(_is_tame, parts))


def _note_files(cls: type[OutsideEstimator]) -> None:
    """Make the files that lie beside the plug-in and are named in its command part of its code."""
    for part in cls.command:
        file = Path(_filled(part, {"here": str(_here(cls))}))
        if "{here}" in part and file.is_file():
            note_file(file)


def _write(passes: Passes, folder: Path, x: Array, y: Array) -> dict[str, str]:
    """Write a sample into a folder and return its files, by their placeholders."""
    if passes == "arrow":
        return {"pairs": _write_arrow(folder / "pairs.arrow", x, y)}
    found = {}
    for name, side in (("x", x), ("y", y)):
        file = folder / f"{name}.{'npy' if passes == 'npy' else 'txt'}"
        if passes == "npy":
            np.save(file, np.ascontiguousarray(side))
        else:
            np.savetxt(file, side, fmt="%.17g")
        found[name] = str(file)
    return found


def _write_arrow(file: Path, x: Array, y: Array) -> str:
    import pyarrow as pa  # which starts threads, and few estimators need it

    columns = {f"{side}{i}": column for side, of in (("x", x), ("y", y)) for i, column in enumerate(of.T)}
    table = pa.table({name: np.ascontiguousarray(column) for name, column in columns.items()})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return str(file)
