"""Settings chosen blind: by the validation loss alone, one for each estimator and family, at the price of all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mibench.core.errors import UsageError
from mibench.ranking.boards import rank_methods
from mibench.ranking.columns import TUNED
from mibench.ranking.tuning import choose_settings
from tests.support.boards import run

RATES = (1e-4, 1e-3)


def tried(estimator: str, losses: dict[tuple[str, float, float], float], **values: Any) -> list[dict[str, Any]]:
    """Rows of an estimator on fixed samples, by task, true MI and rate; the estimate tells the rate apart."""
    return [
        run(
            estimator,
            mi,
            mi - rate,
            0,
            **{
                **{"task": task, "samples": 500, "regime": "dataset", "estimate_test": mi - rate, "lr": rate},
                **{"validation_loss": loss, "seconds": 10.0 + rate, **values},
            },
        )
        for (task, mi, rate), loss in losses.items()
    ]


@pytest.fixture
def rows() -> pd.DataFrame:
    by_loss = {
        **{("gaussian20d", mi, rate): -rate for mi in (2.0, 5.0) for rate in RATES},  # the large rate
        **{("student-t", 2.0, rate): rate for rate in RATES},  # the small one
    }
    other = {key: -loss for key, loss in by_loss.items()}  # the opposite
    return pd.DataFrame([*tried("nwj", by_loss), *tried("dv", other)])


def chosen(rows: pd.DataFrame) -> dict[tuple[str, str], str]:
    table = choose_settings(rows).choices
    return {(row.estimator, row.family.partition("-v")[0]): row.setting for row in table.itertuples()}


def test_each_estimator_gets_the_setting_of_the_least_loss_on_each_family(rows: pd.DataFrame) -> None:
    assert chosen(rows) == {
        ("nwj", "gaussian20d"): "lr 0.001",
        ("nwj", "student-t"): "lr 0.0001",
        ("dv", "gaussian20d"): "lr 0.0001",
        ("dv", "student-t"): "lr 0.001",
    }
    table = choose_settings(rows).choices
    assert table["settings"].tolist() == [2, 2, 2, 2]
    assert (table["validation_loss"] < table["runner_up"]).all()


def test_the_family_s_tasks_count_equally_whatever_their_seeds() -> None:
    losses = {("gaussian20d", 2.0, 1e-4): -1.0, ("gaussian20d", 2.0, 1e-3): 0.0}
    against = {("gaussian20d", 5.0, 1e-4): 0.0, ("gaussian20d", 5.0, 1e-3): -1.5}
    many = [{**row, "seed": seed} for seed in range(5) for row in tried("nwj", losses)]
    assert chosen(pd.DataFrame([*many, *tried("nwj", against)])) == {("nwj", "gaussian20d"): "lr 0.001"}


def test_neither_truth_nor_estimates_are_read(rows: pd.DataFrame) -> None:
    noise = np.random.default_rng(5)
    for name in ("estimate_test", "estimate_train", "estimate_train_median", "mi_true", "bias"):
        rows[name] = noise.normal(size=len(rows))
    assert chosen(rows) == {
        ("nwj", "gaussian20d"): "lr 0.001",
        ("nwj", "student-t"): "lr 0.0001",
        ("dv", "gaussian20d"): "lr 0.0001",
        ("dv", "student-t"): "lr 0.001",
    }
    assert chosen(rows.drop(columns=["estimate_test", "mi_true"])) == chosen(rows)


def test_a_setting_that_failed_once_comes_last(rows: pd.DataFrame) -> None:
    lost = (rows["estimator"] == "nwj") & (rows["mi_true"] == 5) & (rows["lr"] == 1e-3)
    assert chosen(rows.assign(validation_loss=rows["validation_loss"].mask(lost)))["nwj", "gaussian20d"] == "lr 0.0001"
    crashed = rows.assign(status=rows["status"].mask(lost, "crashed"))
    assert chosen(crashed)["nwj", "gaussian20d"] == "lr 0.0001"
    endless = rows.assign(validation_loss=rows["validation_loss"].mask(lost, -math.inf))
    assert chosen(endless)["nwj", "gaussian20d"] == "lr 0.0001"


def test_the_order_of_rows_does_not_matter(rows: pd.DataFrame) -> None:
    tied = rows.assign(validation_loss=0.0)
    assert chosen(tied) == chosen(tied.sample(frac=1, random_state=3))


def test_a_tuned_run_costs_what_all_settings_took(rows: pd.DataFrame) -> None:
    found = choose_settings(rows)
    assert found.runs["seconds"].tolist() == pytest.approx([2 * 10.0 + sum(RATES)] * 6)
    assert found.choices["seconds"].sum() == pytest.approx(rows["seconds"].sum())


def test_estimators_with_other_choices_meet_in_one_cell(rows: pd.DataFrame) -> None:
    (board,) = rank_methods(choose_settings(rows).runs).boards
    assert (board.track, board.table["cells"].tolist(), board.table["families"].tolist()) == (TUNED, [3, 3], [2, 2])
    by_hand = {
        "nwj": (np.mean([1e-3 / 2, 1e-3 / 5]) + 1e-4 / 2) / 2,
        "dv": (np.mean([1e-4 / 2, 1e-4 / 5]) + 1e-3 / 2) / 2,
    }
    assert board.table.set_index("method")["error"].to_dict() == pytest.approx(by_hand)


def test_an_estimator_without_a_critic_is_on_the_board_as_it_is(rows: pd.DataFrame) -> None:
    whole = {
        **{"critic": "none", "own_critic": 1, "negatives": "none", "own_negatives": 1, "batch": 500, "steps": 1},
        **{"lr": None, "validation_loss": None},
    }
    given = {("gaussian20d", 2.0, 0.0): 0.0, ("gaussian20d", 5.0, 0.0): 0.0, ("student-t", 2.0, 0.0): 0.0}
    both = pd.concat([rows, pd.DataFrame(tried("ksg", given, **whole))], ignore_index=True)
    (board,) = rank_methods(choose_settings(both).runs).boards
    assert board.table["method"].tolist()[0] == "ksg"
    assert "ksg" not in set(choose_settings(both).choices["estimator"])


def test_fresh_pairs_and_rows_without_a_loss_are_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="runs on fresh pairs do not have"):
        choose_settings(rows.assign(samples=None))
    with pytest.raises(UsageError, match="no validation loss to choose settings by"):
        choose_settings(rows.assign(validation_loss=None))
