"""Text and numbers become numbers in one way; what has too many digits is refused in one sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mibench.core.errors import UnknownNameError, UsageError, shown
from mibench.core.numbers import LARGEST_WHOLE, as_float, as_integer, as_whole, non_negative, positive, to_number, whole
from mibench.core.parameters import convert

DIGITS = "9" * 5000  # more than Python converts to an integer
LARGE: list[Any] = [DIGITS, "9" * 400, str(LARGEST_WHOLE + 1), LARGEST_WHOLE + 1, 10**400, 16**5000, 1e300, "1e300"]


@pytest.mark.parametrize("value", [512, "512", " 512 ", 512.0, "512.0", "5.12e2", np.float32(512), np.int64(512)])
def test_a_whole_number_may_be_written_in_many_ways(value: object) -> None:
    assert as_whole(value) == whole("batch", value, 2) == 512


def test_large_whole_numbers_keep_all_their_digits() -> None:
    assert as_whole(LARGEST_WHOLE) == as_whole(str(LARGEST_WHOLE)) == LARGEST_WHOLE
    assert as_whole(str(2**62 + 1)) == 2**62 + 1


@pytest.mark.parametrize("value", ["", "x", "1.5", 1.5, True, None, [1], math.inf, math.nan, "nan", *LARGE], ids=shown)
def test_what_is_no_whole_number_of_63_bits_is_none(value: object) -> None:
    assert as_whole(value) is None
    with pytest.raises(UsageError, match=r"^seed must be a whole number of at least 0, not "):
        whole("seed", value, 0)


@pytest.mark.parametrize("value", [True, None, "", "x", [1.0], 10**400], ids=shown)
def test_what_is_no_number_is_nan(value: object) -> None:
    assert math.isnan(as_float(value))
    with pytest.raises(UsageError, match=r"^tau: '.*' is not a number$"):
        to_number(value, "tau")


def test_integers_of_numpy_are_read_to_the_last_digit_and_text_is_none() -> None:
    large = 2**53 + 1  # which no float holds
    for value in (large, np.int64(large), np.uint64(large)):
        assert (as_integer(value), as_whole(value)) == (large, large)
        assert type(as_integer(value)) is int
    for other in ("3", 3.0, np.float64(3), True, np.bool_(True), None, [3], np.array([3])):
        assert as_integer(other) is None


def test_numbers_without_an_end_are_for_parameters_alone() -> None:
    assert to_number("inf", "tau") == to_number(DIGITS, "tau") == math.inf
    for read in (positive, non_negative):
        for value in ("inf", DIGITS, 10**400):
            with pytest.raises(UsageError, match=r"^lr must be a finite number "):
                read("lr", value)


def test_minus_zero_is_zero_and_is_not_above_zero() -> None:
    assert math.copysign(1, non_negative("dropout", "-0.0")) == 1
    with pytest.raises(UsageError, match=r"above 0, not -0.0"):
        positive("lr", "-0.0")


@pytest.mark.parametrize("value", [2**53, str(2**53), "9007199254740992.0", np.int64(2**53), -(2**53), 1e3, "1e3"])
def test_a_parameter_that_is_a_whole_number_keeps_all_its_digits(value: Any) -> None:
    found = convert(value, int, "dim")
    assert type(found) is int
    assert found == int(float(value)) == float(found)


LARGER: list[Any] = [2**53 + 1, str(2**53 + 1), np.int64(2**53 + 1), -(2**53) - 1, 10**18, 2**63, 10**30, "1e25"]


@pytest.mark.parametrize("value", LARGER, ids=shown)
def test_a_parameter_that_reports_would_round_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^dim: '-?[0-9e]+' is too large; use at most 9007199254740992$"):
        convert(value, int, "dim")


def test_a_parameter_of_too_many_digits_is_refused() -> None:
    with pytest.raises(UsageError, match=r"is not a whole number$"):
        convert(DIGITS, int, "dim")


def test_messages_cut_what_is_long_and_nothing_else() -> None:
    assert shown("9" * 40) == "9" * 40
    assert shown("9" * 41) == "9" * 40 + "..."
    assert shown(["x"], repr) == "['x']"
    assert shown(16**5000) == "a number of thousands of digits"
    with pytest.raises(UsageError, match=r"^seed must be a whole number of at least 0, not 9{40}\.\.\.$"):
        whole("seed", DIGITS, 0)
    assert str(UnknownNameError("task", f"x-v{DIGITS}", [])) == f"unknown task 'x-v{'9' * 37}...'"
