"""Gosch (2020), figures 1 and 10 to 13: curves by true MI, all of one function, each with its claim."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from mibench.claims import gosch as first
from mibench.claims import gosch_all_pairs as later
from mibench.claims.judgement import Claim, Judge
from mibench.figures.curves import level_curves
from mibench.figures.registry import Drawing, register_figure

_CURVES: dict[str, tuple[str, str, Judge]] = {
    "gosch-1": (
        "MINE by true MI, above and below log N",
        "MINE diverges where the true MI is above log N, and stays stable below.",
        first.judge_divergence,
    ),
    "gosch-10": (
        "MINE against all pairs",
        "against all pairs MINE diverges even with a small critic.",
        later.judge_mine_all_pairs,
    ),
    "gosch-11": (
        "NWJ against all pairs",
        "against all pairs NWJ does not saturate, at the price of a high variance.",
        later.judge_nwj_all_pairs,
    ),
    "gosch-12": (
        "Jensen-Shannon critics against all pairs",
        "against all pairs JS in NWJ is unstable and the plug-in is not monotone in the true MI.",
        later.judge_js_all_pairs,
    ),
    "gosch-13": (
        "Jensen-Shannon critics by capacity, without regularisation",
        "without regularisation high-capacity Jensen-Shannon critics misbehave: the estimate in NWJ rises and falls.",
        later.judge_capacity,
    ),
}
"""Title, statement and judge of each."""


def _curves_of(name: str, title: str) -> Callable[[pd.DataFrame, pd.DataFrame], Drawing]:
    def draw(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
        return level_curves(runs, curves, name, title, by_estimator=True)

    return draw


for _name, (_title, _statement, _judge) in _CURVES.items():
    _claim = Claim(f"Gosch (2020), figure {_name.removeprefix('gosch-')}", _statement, _judge)
    register_figure(_name, needs_curves=True, claim=_claim)(_curves_of(_name, _title))
