"""Made-up estimates, whole and with parts missing."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from mibench.estimation.dependence import SerialDependence
from mibench.estimation.report import Report
from mibench.estimation.result import Estimate, Sizes

HOSTILE = '</script><b title="x">&amp;'
"""A column's name that is markup."""

_MEMBERS = (
    ("infonce", "lower", 1.15, 0.03, 4.85, "critic trained on 4 of 5 folds, value on the fifth", 41.2, "limit"),
    ("js", "plug-in", 1.226, 0.05, math.inf, "critic trained on 4 of 5 folds, value on the fifth", 38.0, "value"),
    ("ksg", "plug-in", 1.19, 0.04, 6.2, "all pairs at once, interval by halves of the sample", 0.7, "check"),
    ("club", "upper", math.nan, math.nan, math.inf, "conditional density on 4 of 5 folds", 20.5, "reach"),
)
_CHECKS = (
    ("ceiling", True, 1.226, 4.36, "the value is below 0.9 of the least ceiling"),
    ("over-fitted", True, 0.02, 0.25, "training and held-out values differ by 0.02 nats"),
    ("rising", False, 0.31, 0.1, "between half and all of the pairs the value grew by 0.31 nats"),
    ("wide", True, 0.21, 0.61, "the interval is 0.21 nats wide"),
)


def make_estimate(**changes: Any) -> Estimate:
    """An estimate of 5,000 pairs that still rises with n, with every part; `changes` replace fields."""
    draws = np.random.default_rng(0)
    members = pd.DataFrame(
        _MEMBERS, columns=["member", "kind", "value", "se", "ceiling", "protocol", "seconds", "part"]
    )
    members["low"], members["high"] = members["value"] - 1.96 * members["se"], members["value"] + 1.96 * members["se"]
    growth = pd.DataFrame({"rows": [625, 1250, 2500, 5000], "value": [0.61, 0.82, 0.98, 1.226]})
    calibration = pd.DataFrame(
        [
            (f, t, t - gap * t, t - gap * t < 1.9)
            for f, gap in (("normal", 0.02), ("student-t", 0.1))
            for t in (0, 1, 2)
        ],
        columns=["family", "truth", "value", "covered"],
    )
    for table, half in ((growth, 0.1), (calibration, 0.12)):
        table["low"], table["high"] = table["value"] - half, table["value"] + half
    null = pd.DataFrame({"member": np.repeat(["js", "ksg"], 100), "value": draws.normal(0, 0.02, 200)})
    made = Estimate(
        value=1.226,
        low=1.128,
        high=1.324,
        limit=1.101,
        word="rising",
        verdict="The number still grows with the rows, and so it is too small.",
        believable=False,
        advice="Twice as many pairs would tell whether it levels off.",
        rule="The median of the plug-ins.",
        members=members,
        checks=pd.DataFrame(_CHECKS, columns=["check", "passed", "measured", "threshold", "sentence"]),
        growth=growth,
        calibration=calibration,
        null=null,
        p_value=1 / 101,
        sizes=Sizes(rows=5000, used=4000, dim_x=3, dim_y=4, kind_x="continuous", kind_y="label"),
        report=Report(
            rows_given=5010,
            rows_kept=5000,
            rows_missing=8,
            rows_infinite=2,
            constant_x=(HOSTILE,),
            constant_y=(),
            repeats=0,
            serial=SerialDependence(0.4, "a", "x", 0.01),
            notes=("left out: 8 of 5,010 rows, with a missing value (column 'a' of x lacks 8)",),
            warnings=(f"column '{HOSTILE}' of x repeats 'a'",),
        ),
        seed=0,
        quick=False,
        seconds=101.4,
    )
    return dataclasses.replace(made, **changes)


def bare_estimate() -> Estimate:
    """An estimate without growth, calibration and permutations, and without a value."""
    whole = make_estimate()
    empty = {name: getattr(whole, name).iloc[:0] for name in ("members", "growth", "calibration", "null")}
    nothing = dict.fromkeys(("value", "low", "high", "limit", "p_value"), math.nan)
    return dataclasses.replace(whole, **empty, **nothing, quick=True)
