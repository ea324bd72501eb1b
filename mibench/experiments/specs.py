"""What a run is: a frozen record of everything that changes its number, and the id made of it.

Notable: defaults are resolved before anything is hashed, so that the order of keys and the spelling of a default do
not matter, and any change of a number does. No time stamp and no machine goes into an id.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from mibench.core.errors import UsageError, shown
from mibench.core.numbers import as_whole
from mibench.core.parameters import Params, Scalar

ID_SCHEME = 1
"""Version of the way ids are made; part of every id."""

PROTOCOL = 1
"""Version of the training and evaluation protocol (window, pools, streams, arithmetic); part of every id."""

PARTS = 5
"""A fixed sample is split by fifths: three are trained on, one chooses when to stop, one gives the value."""

EXACT = "oracle"
"""The critic that is the task's log density ratio, as rows name it."""

EXACT_CRITIC = f"{EXACT}-v1"
"""The same with the version that runs are made with."""

_LATER: Mapping[str, Any] = {"samples": None, "patience": None, "optimiser": "adam"}
"""Fields that came after the first ids, with what all runs had before: left out of the JSON there, so that those ids
stand."""

_HIDDEN = re.compile(r"([1-9][0-9]*)[xX×]([1-9][0-9]*)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run, with every default resolved.

    Names are versioned ids (``"nwj-v1"``). ``task_params`` holds ``mi`` unless ``schedule`` does. Options that the
    critic does not use are None: the exact critic has no learning rate. ``samples`` and ``patience`` belong to the
    regime ``dataset``, a fixed sample; in the regime ``stream``, fresh pairs at every step, they are None.
    """

    task: str
    task_params: Params
    schedule: tuple[float, ...] = ()
    estimator: str
    estimator_params: Params
    critic: str
    critic_params: Params
    hidden: str | None
    activation: str | None
    dropout: str | None
    negatives: str
    negatives_params: Params
    batch: int
    steps: int
    lr: float | None
    weight_decay: float | None
    precision: str
    window: int
    every: int
    seed: int
    regime: str = "stream"
    samples: int | None = None
    patience: int | None = None
    optimiser: str = "adam"
    protocol: int = PROTOCOL

    @property
    def stairs(self) -> int:
        """Number of MI levels that the run goes through: 1 unless it has a schedule."""
        return max(len(self.schedule), 1)

    @property
    def steps_per_stair(self) -> int:
        """Training steps on each MI level."""
        return self.steps // self.stairs

    @property
    def sample_name(self) -> str:
        """What a fixed sample is a sample of: the task with all parameters, the sample's size and the seed."""
        return f"{self.task}/{params_json(self.task_params)}/{self.samples}/{self.seed}"

    @functools.cached_property
    def canonical(self) -> str:
        """Canonical JSON: sorted keys, no spaces, infinities as text, the id scheme's version inside."""
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields = {k: _plain(v) for k, v in given.items() if not (k in _LATER and v == _LATER[k])}
        return json.dumps({**fields, "id_scheme": ID_SCHEME}, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @functools.cached_property
    def run_id(self) -> str:
        """First 32 hexadecimal digits of the sha256 of the canonical JSON."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()[:32]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `canonical`.

        Raises
        ------
        UsageError
            Where the text was written under another id scheme or is not a run.
        """
        try:
            values = json.loads(text)
            scheme = values.pop("id_scheme")
            if scheme == ID_SCHEME:
                return cls(**{key: _restored(key, value) for key, value in values.items()})
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise UsageError(f"this is not the specification of a run: {text[:80]}") from error
        raise UsageError(f"a run with id scheme {scheme} cannot be read by this version, which knows {ID_SCHEME}")


class Hidden(NamedTuple):
    """Hidden layers of a critic; as text ``2x256``, the form that a run holds."""

    depth: int
    width: int

    def __str__(self) -> str:
        return f"{self.depth}x{self.width}"


def parse_hidden(text: object) -> Hidden:
    """``"2x256"`` -> (depth, width): two hidden layers of 256 units.

    Raises
    ------
    UsageError
        For anything else.
    """
    match = _HIDDEN.fullmatch(text.strip()) if isinstance(text, str) else None
    depth, width = (as_whole(match[1]), as_whole(match[2])) if match else (None, None)
    if depth is None or width is None:
        raise UsageError(f"hidden '{shown(text)}' does not parse; write depth x width, for example 2x256")
    return Hidden(depth, width)


def split_sizes(samples: int) -> tuple[int, int, int]:
    """Pairs of a fixed sample that are for training, for validation and for the test: 60, 20 and 20 percent."""
    part = samples // PARTS
    return samples - 2 * part, part, part


def params_json(params: Params) -> str:
    """Parameters as canonical JSON, the form of the params columns: ``{"tau":5.0}``."""
    return json.dumps(_plain(params), sort_keys=True, separators=(",", ":"), allow_nan=False)


def params_from_json(text: str) -> Params:
    """Inverse of `params_json`."""
    return _restored_params(json.loads(text))


def as_number(value: Scalar) -> Scalar:
    """Undo the spelling of infinities in JSON."""
    return {"inf": math.inf, "-inf": -math.inf}.get(value, value) if isinstance(value, str) else value


def stored_numbers(texts: Iterable[object], name: str, default: float = math.nan) -> list[float]:
    """Read one parameter out of a column of parameters as JSON; the default where it is missing or null."""
    values = [json.loads(text).get(name) if isinstance(text, str) else None for text in texts]
    return [default if value is None else float(value) for value in values]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, float):
        return value + 0.0  # -0.0 and 0.0 are the same number
    if isinstance(value, tuple) and all(isinstance(v, tuple) for v in value):
        return {name: _plain(v) for name, v in value}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def _restored_params(values: Mapping[str, Scalar]) -> Params:
    return tuple(sorted((name, as_number(value)) for name, value in values.items()))


def _restored(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _restored_params(value)
    if key == "schedule":
        return tuple(as_number(v) for v in value)  # `{}` and `[]` are both written for an empty tuple
    return value
