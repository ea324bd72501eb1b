"""Verdicts on SMILE's claims from made-up rows that satisfy them, violate them, and are too few."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from mibench.claims.smile import bias_and_variance, judge_smile, judge_trade
from mibench.store.columns import CURVES, empty_row

LEVELS = (2.0, 4.0, 6.0, 8.0, 10.0)
NO_CURVES = pd.DataFrame(columns=[c.name for c in CURVES])


def stairs(estimator: str, biases: tuple[float, ...], sds: tuple[float, ...]) -> list[dict[str, Any]]:
    return [
        empty_row(
            "runs", run_id=estimator, stair=stair, task="gaussian20d", task_version=1, task_params="{}",
            estimator=estimator, estimator_version=1, estimator_params="{}", critic="joint", critic_version=1,
            critic_params="{}", negatives="all-pairs", negatives_version=1, negatives_params="{}", hidden="2x64",
            batch=64, seed=0, status="ok", mi_true=level, estimate_train=level + bias, estimate_train_sd=sd,
            schedule="[2,4,6,8,10]",
        )
        for stair, (level, bias, sd) in enumerate(zip(LEVELS, biases, sds, strict=True))
    ]  # fmt: skip


def table(
    *, smile_sd: float = 0.5, grows: bool = True, infonce: tuple[float, ...] = (0, -1, -2, -4, -6)
) -> pd.DataFrame:
    rising = (0.1, 0.3, 1.0, 3.0, 10.0) if grows else (1.0, 1.0, 1.0, 1.0, 0.9)
    rows = [*stairs("infonce", infonce, (0.1,) * 5), *stairs("smile", (0.5,) * 5, (smile_sd,) * 5)]
    for name in ("dv", "nwj"):
        rows += stairs(name, (-0.1,) * 5, rising)
    return pd.DataFrame(rows)


def test_the_mean_squared_error_is_bias_squared_plus_variance() -> None:
    found = bias_and_variance(pd.DataFrame(stairs("nwj", (3.0,) * 5, (2.0, 2.0, 2.0, 2.0, math.nan))))
    assert found["mse"].tolist()[:4] == [13.0] * 4
    assert math.isnan(found["mse"].iloc[4])


def test_smile_must_beat_infonce_in_bias_and_the_others_in_variance() -> None:
    assert judge_smile(table(), NO_CURVES).verdict == "holds"
    assert judge_smile(table(smile_sd=2.0), NO_CURVES).verdict == "holds in part"
    assert judge_smile(table(smile_sd=20.0), NO_CURVES).verdict == "does not hold"


def test_the_trade_needs_a_growing_bias_and_growing_variances() -> None:
    judged = judge_trade(table(), NO_CURVES)
    assert judged.verdict == "holds"
    assert "+1.1" in judged.finding
    assert judge_trade(table(grows=False), NO_CURVES).verdict == "holds in part"
    assert judge_trade(table(grows=False, infonce=(0, -1, -2, -2, -1)), NO_CURVES).verdict == "does not hold"


@pytest.mark.parametrize("judge", [judge_smile, judge_trade])
def test_too_few_rows_leave_a_claim_open(judge: Any) -> None:
    assert judge(table()[:2], NO_CURVES).verdict == "open"
