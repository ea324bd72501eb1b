"""Mutual information of a user's own data: a number, its interval, and whether to believe it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from mibench.core.numbers import whole
from mibench.estimation.checks import verdict_of
from mibench.estimation.pairs import Pair, read_pair
from mibench.estimation.result import Estimate, Sizes
from mibench.estimation.sides import Kind, Side

if TYPE_CHECKING:
    import pandas as pd

    from mibench.estimation.outcome import Outcome

Progress = Callable[[float, str], None]

_Z = 1.96


def estimate(
    x: Any,
    y: Any = None,
    *,
    columns_x: str | int | Sequence[str | int] | None = None,
    columns_y: str | int | Sequence[str | int] | None = None,
    x_kind: Kind | None = None,
    y_kind: Kind | None = None,
    header: bool | None = None,
    blocks: int | None = None,
    time: bool = False,
    seed: int = 0,
    quick: bool = False,
    progress: Progress | None = None,
) -> Estimate:
    """Estimate the mutual information of two variables, and say whether to believe it.

    Parameters
    ----------
    x, y, columns_x, columns_y, x_kind, y_kind, header, blocks, time
        As `mibench.estimation.pairs.read_pair` takes them: arrays, tables, or names of files.
    seed
        Of folds, critics and permutations: the same data and seed give the same answer to the last bit.
    quick
        Fewer steps, and no data of known mutual information beside.
    progress
        Called with the share of the work that is done, and what is being done.

    Returns
    -------
    Estimate
        In nats.

    Raises
    ------
    UsageError
        For what cannot be read or used: in one sentence.
    """
    seed = whole("seed", seed, 0)
    (progress or _ignore)(0.0, "reading")
    pair = read_pair(
        x,
        y,
        columns_x=columns_x,
        columns_y=columns_y,
        x_kind=x_kind,
        y_kind=y_kind,
        header=header,
        blocks=blocks,
        time=time,
    )
    return estimate_pair(pair, seed=seed, quick=quick, progress=progress)


def estimate_pair(pair: Pair, *, seed: int = 0, quick: bool = False, progress: Progress | None = None) -> Estimate:
    """Estimate the mutual information of two variables that were read; see `estimate`."""
    began = perf_counter()
    seed = whole("seed", seed, 0)
    told = progress or _ignore
    found = _panel(pair)(pair, seed=seed, quick=quick, progress=told)
    result = _result(pair, found, seed, quick, perf_counter() - began)
    told(1.0, "")
    return result


def _panel(pair: Pair) -> Callable[..., Outcome]:
    labels = pair.x.is_label + pair.y.is_label
    if labels == 0:
        from mibench.estimation.continuous import estimate_numbers

        return estimate_numbers
    from mibench.estimation.labelled import estimate_label, estimate_labels

    return estimate_labels if labels == 2 else estimate_label


def _ignore(share: float, what: str) -> None:
    """Progress that nobody watches."""


def _result(pair: Pair, found: Outcome, seed: int, quick: bool, seconds: float) -> Estimate:
    """Put the findings into tables."""
    from mibench.estimation.judging import tolerance

    verdict = verdict_of(
        found.checks,
        value=found.value,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        tolerance=tolerance(found.value),
    )
    return Estimate(
        value=found.value,
        low=found.low,
        high=found.high,
        limit=max(0.0, found.limit),
        word=verdict.word,
        verdict=verdict.sentence,
        believable=verdict.believable,
        advice=verdict.advice,
        rule=found.rule,
        members=_members(found),
        checks=_table(
            [(one.word, one.passed, one.measured, one.threshold, one.sentence) for one in found.checks],
            ("check", "passed", "measured", "threshold", "sentence"),
        ),
        growth=_table([(p.rows, p.value, p.low, p.high) for p in found.growth], ("rows", "value", "low", "high")),
        calibration=_table(
            [(c.family, c.truth, c.value, c.low, c.high, c.covered) for c in found.calibration],
            ("family", "truth", "value", "low", "high", "covered"),
        ),
        null=_table(
            [(name, float(value)) for name, values in found.null.items() for value in values], ("member", "value")
        ),
        p_value=found.p_value,
        sizes=Sizes(len(pair.rows), found.used, _columns(pair.x), _columns(pair.y), pair.x.kind, pair.y.kind),
        report=pair.report,
        seed=seed,
        quick=quick,
        seconds=seconds,
    )


def _columns(side: Side) -> int:
    return len(side.labels) if side.is_label else len(side.columns)


def _members(found: Outcome) -> pd.DataFrame:
    rows = []
    for member, part in found.members:
        margin = _Z * member.se if math.isfinite(member.se) else np.nan
        rows.append(
            (
                member.name, member.kind, member.value, member.se, member.value - margin, member.value + margin,
                member.ceiling, member.protocol, member.seconds, part,
            )
        )  # fmt: skip
    names = ("member", "kind", "value", "se", "low", "high", "ceiling", "protocol", "seconds", "part")
    return _table(rows, names)


def _table(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(names))
