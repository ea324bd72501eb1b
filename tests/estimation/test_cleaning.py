"""What becomes of columns and rows: kinds, what is left out, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mibench.estimation.pairs import read_pair
from tests.support.samples import numbers

N = 200
X, Y = numbers(N, 3), numbers(N, 1, seed=1)[:, 0]
PARITY = np.arange(N) % 2


def said(part: str, sentences: tuple[str, ...]) -> bool:
    return sum(part in sentence for sentence in sentences) == 1


KINDS: dict[str, tuple[Any, str]] = {
    "floats": (Y, "continuous"),
    "whole": (PARITY, "label"),
    "whole floats": (PARITY * 1.0, "label"),
    "halves": (PARITY / 2, "continuous"),
    "twenty levels": (np.arange(N) % 20, "label"),
    "twenty-one levels": (np.arange(N) % 21, "continuous"),
    "two whole columns": (np.stack((PARITY, np.arange(N) % 3), 1), "continuous"),
    "truths": (PARITY > 0, "label"),
    "missing truths": (pd.Series(PARITY > 0).astype("boolean"), "label"),
    "texts": (np.where(PARITY, "a", "b"), "label"),
    "bytes": (np.where(PARITY, b"a", b"b"), "label"),
    "categories": (pd.Categorical(np.where(PARITY, 3.5, 1.5)), "label"),
    "intervals": (pd.cut(Y, 4), "label"),
    "texts of digits": (np.where(PARITY, "1", "2"), "label"),
    "truths and texts": (pd.DataFrame({"a": PARITY > 0, "b": np.where(Y > 0, "p", "q")}), "label"),
    "texts beside numbers": (pd.DataFrame({"a": Y, "b": np.where(Y > 0, "p", "q")}), "continuous"),
}


@pytest.mark.parametrize("form", KINDS)
def test_kinds(form: str) -> None:
    given, kind = KINDS[form]
    assert read_pair(X, given).y.kind == kind
    assert read_pair(given, X).x.kind == kind


def test_many_rows_make_no_label_of_many_levels() -> None:
    y = np.arange(2020)
    x = numbers(2020, 1)
    assert read_pair(x, y % 100).y.is_label
    assert not read_pair(x, y % 101).y.is_label


def test_kinds_are_overridden() -> None:
    assert read_pair(X, PARITY, y_kind="continuous").y.values.tolist() == PARITY[:, None].tolist()
    assert read_pair(X, PARITY > 0, y_kind="continuous").y.values.tolist() == PARITY[:, None].tolist()
    assert read_pair(X, PARITY / 2, y_kind="label").y.labels == ("0", "0.5")


def test_what_a_label_was_taken_for_is_said() -> None:
    assert said(
        "y is taken as a label, since its 2 different values are whole numbers", read_pair(X, PARITY).report.notes
    )
    assert not read_pair(X, PARITY > 0).report.notes


def test_labels_are_joined_into_their_combination() -> None:
    table = {"a": np.where(PARITY, "x", "y"), "b": np.arange(N) % 3 > 0, "c": np.where(np.arange(N) % 3, "u", "v")}
    pair = read_pair(table, X)
    assert pair.x.labels == ("x, False, v", "x, True, u", "y, False, v", "y, True, u")
    expected = [f"{a}, {b}, {c}" for a, b, c in zip(*table.values(), strict=True)]
    assert [pair.x.labels[code] for code in pair.x.values] == expected
    assert said("(a, b, c) are joined into one label, with 4 combinations", pair.report.notes)


def test_labels_beside_numbers_become_indicators() -> None:
    table = pd.DataFrame({"t": np.array(["p", "q", "r"])[np.arange(N) % 3], "n": Y, "two": np.where(PARITY, "a", "b")})
    pair = read_pair(table, X)
    assert pair.x.columns == ("t=p", "t=q", "t=r", "n", "two=b")
    assert np.array_equal(pair.x.values[:, :3], np.eye(3)[np.arange(N) % 3])
    assert np.array_equal(pair.x.values[:, 4], 1.0 - PARITY)
    assert pair.x.indicators == (0, 1, 2, 4)
    assert said("x mixes numbers and labels: 't', 'two' became indicator columns", pair.report.sentences)
    assert not said("combination", pair.report.sentences)


def test_rows_with_missing_and_infinite_values_are_left_out_and_counted() -> None:
    x, y = X.copy(), np.where(PARITY, "a", "b").astype(object)
    x[3, 0] = x[4, 0] = x[5, 1] = np.nan
    x[5, 2] = np.inf  # missing too: counted once, as that
    x[7, 2], x[8, 1] = np.inf, -np.inf
    y[3] = y[9] = None
    pair = read_pair(x, y)
    report = pair.report
    assert (report.rows_given, report.rows_kept, report.rows_missing, report.rows_infinite) == (N, N - 6, 4, 2)
    assert pair.rows.tolist() == [row for row in range(N) if row not in (3, 4, 5, 7, 8, 9)]
    assert np.array_equal(pair.x.values, X[pair.rows])
    assert [pair.y.labels[code] for code in pair.y.values] == [y[row] for row in pair.rows]
    assert said("left out: 4 of 200 rows, with a missing value (column '0' of y lacks 2)", report.notes)
    assert said("left out: 2 of 200 rows, with an infinite value", report.notes)


def test_every_mark_of_a_missing_value_counts() -> None:
    for missing in (None, np.nan, pd.NA, pd.NaT):
        given = pd.Series(Y).astype(object)
        given[5] = missing
        assert read_pair(X, given).report.rows_missing == 1, missing
        texts = pd.Series(np.where(PARITY, "a", "b")).astype(object)
        texts[5] = missing
        assert read_pair(X, texts).report.rows_missing == 1, missing


def test_a_label_that_stood_on_no_kept_row_is_forgotten() -> None:
    x = X.copy()
    x[:3] = np.nan
    pair = read_pair(x, np.where(np.arange(N) < 3, "z", np.where(PARITY, "a", "b")))
    assert pair.y.labels == ("a", "b")
    assert pair.y.values.max() == 1


def test_constant_columns_are_left_out_and_named() -> None:
    table = pd.DataFrame({"a": Y, "b": 3.0, "c": "red", "d": np.where(np.arange(N) == 4, np.nan, 1)})
    pair = read_pair(table, X)
    assert pair.x.columns == ("a",)
    assert pair.report.constant_x == ("b", "c", "d")
    assert said("left out: columns 'b', 'c', 'd' of x, constant", pair.report.notes)
    assert pair.report.rows_missing == 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_columns_that_repeat_or_combine_others_are_named(dtype: type, scale: float) -> None:
    a, b, c = (X * scale).T
    table = pd.DataFrame({"a": a, "b": b, "c": c, "sum": a + b - 2 * c + scale, "again": -3 * b + 7 * scale}).astype(
        dtype
    )
    report = read_pair(table, Y).report
    assert said("column 'again' of x repeats 'b'", report.warnings)
    assert sum("is a linear combination of the others" in sentence for sentence in report.warnings) == 1
    assert len(report.warnings) == 2


def test_columns_that_nearly_combine_others_are_not_named() -> None:
    noise = numbers(N, 2, seed=3)
    table = np.column_stack((X, X[:, 0] + X[:, 1] + 1e-4 * noise[:, 0], X[:, 2] + 1e-4 * noise[:, 1]))
    assert read_pair(table, Y).report.warnings == ()


def test_more_columns_than_rows_are_said_once() -> None:
    assert read_pair(numbers(40, 50), Y[:40]).report.warnings == (
        "x has 50 columns on 40 rows, so that each is a combination of others",
    )


def test_copied_rows_are_counted_and_warned_of() -> None:
    x, y = np.vstack((X, X[:40])), np.concatenate((Y, Y[:40]))
    report = read_pair(x, y).report
    assert report.repeats == 40
    assert said("40 of 240 rows repeat others in x and y together, as copies do", report.warnings)
    one = read_pair(np.vstack((X, X[:1])), np.append(Y, Y[0])).report
    assert one.repeats == 1
    assert said("1 of 201 rows repeats another", one.notes)
    assert one.warnings == ()


@pytest.mark.parametrize("label", [False, True])
def test_copies_are_told_from_numbers_that_are_equal_by_chance(label: bool) -> None:
    rounded = np.round(X[:, 0] * 2) / 2
    report = read_pair(rounded, PARITY if label else np.round(Y * 2) / 2).report
    assert report.repeats <= 2  # a value that came up twice may have met the same partner
    assert not any("copies" in warning for warning in report.warnings)
    x, y = np.append(X[:, 0], X[:50, 0]), np.append(PARITY if label else rounded, (PARITY if label else rounded)[:50])
    assert read_pair(x, y).report.repeats == 50


def test_tables_of_labels_have_no_copies() -> None:
    assert read_pair(PARITY, np.arange(N) % 3).report.repeats == 0


def test_labels_on_few_rows_are_said() -> None:
    labels = np.where(np.arange(N) < 3, "rare", np.where(PARITY, "a", "b"))
    assert said("1 of the 3 labels of y is on fewer than 5 rows", read_pair(X, labels).report.warnings)


def test_a_clean_sample_has_nothing_said_of_it() -> None:
    assert read_pair(X, Y).report.sentences == ()
