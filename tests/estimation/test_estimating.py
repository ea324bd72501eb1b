"""A user's data to a number with its verdict: what must not move it, and what it must say."""

from __future__ import annotations

import numpy as np
import pytest

import mibench
from mibench.estimation.estimating import estimate
from mibench.estimation.result import WORDS, Estimate

RANDOM = np.random.default_rng(8)
N = 120
X = RANDOM.standard_normal((N, 2))
Y = np.c_[0.9 * X[:, 0] + 0.3 * RANDOM.standard_normal(N), RANDOM.standard_normal(N)]
LABEL = (X[:, 0] > 0).astype(int) + (X[:, 0] > 1)
OTHER = np.where(RANDOM.random(N) < 0.7, LABEL, RANDOM.integers(0, 3, N))
SAMPLES = {"numbers": (X, Y), "label": (X, LABEL), "labels": (LABEL, OTHER)}


@pytest.fixture(scope="module", params=SAMPLES)
def known(request: pytest.FixtureRequest) -> tuple[str, Estimate]:
    return request.param, estimate(*SAMPLES[request.param], quick=True)


def test_an_estimate_says_what_it_rests_on(known: tuple[str, Estimate]) -> None:
    found = known[1]
    assert 0 <= found.low <= found.value <= found.high
    assert found.limit <= found.value
    assert found.word in WORDS
    assert found.p_value < 0.01
    assert list(found.members["part"]).count("value") == 1
    assert set(found.checks["check"]) <= set(WORDS)
    assert (found.word == "believable") == bool(found.checks["passed"].all())
    assert found.growth["rows"].is_monotonic_increasing
    assert (found.null["member"].value_counts() == 999).all()
    assert set(found.null["member"]) <= set(found.members["member"])
    assert found.sizes.rows == found.sizes.used == N
    assert found.rule.startswith("The value is ")


def test_order_units_sides_and_names_change_nothing(known: tuple[str, Estimate]) -> None:
    name, found = known
    x, y = SAMPLES[name]
    order = np.random.default_rng(1).permutation(N)
    x = np.array(["a", "b", "c"])[2 - x] if name == "labels" else x * [1e6, 1.0] + [0.0, 1e6]
    y = y[:, ::-1] if name == "numbers" else np.array(["u", "v", "w"])[2 - y]
    other = estimate(y[order], x[order], quick=True)
    values = [(e.value, e.low, e.high, e.limit, e.p_value, e.word) for e in (found, other)]
    assert values[0] == values[1]


def test_single_precision_moves_less_than_half_the_interval() -> None:
    exact = estimate(X, Y, quick=True)
    single = estimate(X.astype(np.float32), Y.astype(np.float32), quick=True)
    assert abs(exact.value - single.value) < (exact.high - exact.low) / 2


def test_another_seed_is_another_answer_and_the_same_seed_the_same() -> None:
    first, again, other = (estimate(X, Y, quick=True, seed=seed).value for seed in (3, 3, 4))
    assert first == again != other


def test_independent_data_are_said_to_be() -> None:
    found = estimate(X, RANDOM.standard_normal((N, 2)), quick=True)
    assert found.p_value > 0.01
    assert found.word in ("independent", "undetected")
    assert found.believable == (found.word == "independent")


def test_copies_of_rows_do_not_raise_the_answer() -> None:
    twice = np.r_[np.arange(N), np.arange(N)]
    assert estimate(X[twice], Y[twice], quick=True).value == pytest.approx(estimate(X, Y, quick=True).value, abs=0.1)


def test_a_sample_goes_with_data_of_known_information() -> None:
    found = estimate(X, Y)
    assert set(found.calibration["family"]) == {"gaussian", "heavy tails", "not monotone"}
    curve = found.calibration[found.calibration["family"] == "gaussian"]
    assert curve["truth"].iloc[0] < found.value < curve["truth"].iloc[-1]
    assert curve["value"].is_monotonic_increasing  # half the information, the same, and half more, on 120 rows
    others = found.calibration[found.calibration["family"] != "gaussian"]
    assert (others["truth"] == found.value).all()
    assert not found.quick


def test_progress_is_told_in_order() -> None:
    shares: list[float] = []
    estimate(X, LABEL, quick=True, progress=lambda share, what: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_a_bad_seed_is_one_sentence() -> None:
    with pytest.raises(mibench.UsageError, match="seed"):
        estimate(X, Y, seed=-1)
