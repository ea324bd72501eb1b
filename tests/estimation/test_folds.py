"""Folds follow from the sample as a set of pairs: what must not move them, and what must keep together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mibench.core.errors import UsageError
from mibench.estimation.contents import contents_of
from mibench.estimation.folds import blocks_of, fold_of_row
from mibench.estimation.pairs import read_pair
from mibench.estimation.scores import centred_ranks, normal_scores
from mibench.estimation.sides import Side
from tests.support.samples import continuous, label, numbers

N = 103
RANDOM = np.random.default_rng(5)
NUMBERS, OTHERS = numbers(N, 3), numbers(N, 2, seed=1)
TIED = np.round(numbers(N, 2, seed=2) * 2)
GROUPS, LEVELS = RANDOM.integers(0, 4, N), RANDOM.integers(0, 3, N)
SHUFFLE = RANDOM.permutation(N)

Values = NDArray[np.float64]

SAMPLES: dict[str, tuple[Side, Side]] = {
    "numbers": (continuous("x", NUMBERS), continuous("y", OTHERS)),
    "one column each": (continuous("x", NUMBERS[:, :1]), continuous("y", OTHERS[:, :1])),
    "ties": (continuous("x", TIED), continuous("y", OTHERS)),
    "ties alone": (continuous("x", TIED[:, :1]), continuous("y", TIED[:, 1:])),
    "copies": (
        continuous("x", np.vstack((NUMBERS[:70], NUMBERS[: N - 70]))),
        continuous("y", np.vstack((OTHERS[:70], OTHERS[: N - 70]))),
    ),
    "label": (continuous("x", NUMBERS), label("y", GROUPS)),
    "labels": (label("x", GROUPS), label("y", LEVELS)),
}
EXACT = [name for name in SAMPLES if name not in ("labels", "ties alone")]
"""Samples whose equal rows are copies, so that each row's fold is known; in others equal rows may change places."""


def folds(x: Side, y: Side, seed: int = 0) -> NDArray[np.int64]:
    return fold_of_row(contents_of(x, y), 5, seed)


def rows(side: Side) -> Values:
    return side.values[:, None] if side.is_label else side.values


def contents(x: Side, y: Side, fold: NDArray[np.int64]) -> Counter[tuple[float, ...]]:
    """What lies in which fold, without regard to the order of rows."""
    return Counter(map(tuple, np.column_stack((fold, rows(x), rows(y))).tolist()))


def changed(side: Side, change: Callable[[Values], Values]) -> Side:
    if side.is_label:
        return side
    return continuous(side.name, change(side.values))


CHANGES: dict[str, Callable[[Values], Values]] = {
    "units": lambda values: values * [1e-3, 1e6, 7.7][: values.shape[1]] + 5,
    "turned over": lambda values: -values,
    "one turned over": lambda values: values * [-2.0, 3.0, 1.0][: values.shape[1]],
    "cubes": lambda values: values**3,
    "exponentials": lambda values: np.exp(-values),
    "float32": lambda values: values.astype(np.float32),
    "columns exchanged": lambda values: values[:, ::-1],
}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("both", [False, True])
def test_folds_do_not_follow_how_columns_are_written(sample: str, change: str, both: bool) -> None:
    x, y = SAMPLES[sample]
    moved = changed(x, CHANGES[change]), changed(y, CHANGES[change]) if both else y
    assert np.array_equal(folds(*moved), folds(x, y))


@pytest.mark.parametrize("sample", SAMPLES)
def test_folds_do_not_follow_which_side_is_x(sample: str) -> None:
    x, y = SAMPLES[sample]
    assert np.array_equal(folds(y, x), folds(x, y))


def at(side: Side, order: NDArray[np.int64]) -> Side:
    return Side(side.name, side.kind, side.values[order], side.columns, side.labels)


@pytest.mark.parametrize("sample", SAMPLES)
def test_folds_move_with_the_rows(sample: str) -> None:
    x, y = SAMPLES[sample]
    fold, moved = folds(x, y), folds(at(x, SHUFFLE), at(y, SHUFFLE))
    assert contents(at(x, SHUFFLE), at(y, SHUFFLE), moved) == contents(x, y, fold)
    if sample in EXACT:
        assert np.array_equal(moved, fold[SHUFFLE])


@pytest.mark.parametrize("sample", ["label", "labels"])
def test_folds_do_not_follow_the_names_of_labels(sample: str) -> None:
    x, y = SAMPLES[sample]
    for name in ([3, 1, 0, 2], [1, 2, 3, 0]):
        renamed_y = label("y", np.array(name)[y.values])
        renamed_x = label("x", np.array(name)[x.values]) if x.is_label else x
        assert np.array_equal(folds(x, renamed_y), folds(x, y))
        assert np.array_equal(folds(renamed_x, renamed_y), folds(x, y))


@pytest.mark.parametrize("sample", SAMPLES)
def test_another_seed_gives_other_folds(sample: str) -> None:
    x, y = SAMPLES[sample]
    assert contents(x, y, folds(x, y, 1)) != contents(x, y, folds(x, y, 2))
    assert np.array_equal(folds(x, y, 1), folds(x, y, 1))


def test_another_sample_gives_other_folds() -> None:
    x, y = SAMPLES["numbers"]
    values = y.values.copy()
    values[[0, 1]] = values[[1, 0]]  # the sides are the same, and two pairs are not
    assert (folds(x, continuous("y", values)) != folds(x, y)).any()


@pytest.mark.parametrize("sample", SAMPLES)
def test_folds_are_of_one_size(sample: str) -> None:
    sizes = np.bincount(folds(*SAMPLES[sample]))
    assert len(sizes) == 5
    assert np.ptp(sizes) <= (1 if sample != "copies" else 2)


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_as_good_as_drawn(seed: int) -> None:
    """A fold's mean of independent numbers is within what a random fifth of them shows, in 4 standard errors."""
    x, y = numbers(2000, 1, seed=10), numbers(2000, 1, seed=11)
    fold = folds(continuous("x", x), continuous("y", y), seed)
    for values in (x[:, 0], y[:, 0], x[:, 0] * y[:, 0], np.arange(2000) / 577):
        means = np.bincount(fold, values) / np.bincount(fold)
        assert np.abs(means - values.mean()).max() < 4 * values.std() * np.sqrt(4 / 5 / 400)


def test_copies_lie_in_one_fold() -> None:
    fold = folds(*SAMPLES["copies"])
    assert np.array_equal(fold[:33], fold[70:])


def test_every_label_has_its_share_of_every_fold() -> None:
    fold = folds(*SAMPLES["label"])
    shares = np.array([np.bincount(fold[group == GROUPS], minlength=5) for group in range(4)])
    assert (np.ptp(shares, axis=1) <= 1).all()


def test_every_combination_of_two_labels_has_its_share_of_every_fold() -> None:
    fold = folds(*SAMPLES["labels"])
    for cell in np.unique(GROUPS * 3 + LEVELS):
        assert np.ptp(np.bincount(fold[cell == GROUPS * 3 + LEVELS], minlength=5)) <= 1


def test_a_value_that_occurs_often_is_dealt_out() -> None:
    zeros = np.where(np.arange(N) % 2, 0.0, NUMBERS[:, 0])
    fold = folds(continuous("x", zeros[:, None]), continuous("y", zeros[:, None] + 1))
    assert np.ptp(np.bincount(fold[1::2], minlength=5)) <= 1


def test_blocks_stay_whole_and_are_shared_out_evenly() -> None:
    x = numbers(100)
    x[13] = np.nan  # a row that is left out shifts no block
    pair = read_pair(x, numbers(100, 1, seed=1), blocks=7)
    assert pair.blocks is not None
    assert np.array_equal(pair.blocks, blocks_of(pair.rows, 7))
    fold = pair.folds(5)
    of_block = [set(fold[pair.blocks == block].tolist()) for block in range(15)]
    assert all(len(found) == 1 for found in of_block)
    assert Counter(len(found) for found in of_block) == {1: 15}
    assert np.bincount([found.pop() for found in of_block]).tolist() == [3] * 5


def test_groups_may_have_any_numbers() -> None:
    x, y = SAMPLES["numbers"]
    groups = RANDOM.integers(0, 20, N)
    fold = fold_of_row(contents_of(x, y), 5, 0, groups)
    assert np.array_equal(fold, fold_of_row(contents_of(x, y), 5, 0, 1000 - 3 * groups))
    assert all(len(set(fold[groups == group].tolist())) == 1 for group in groups)


def test_too_few_rows_of_one_kind_are_refused() -> None:
    x, y = SAMPLES["numbers"]
    with pytest.raises(UsageError, match="3 blocks or groups of rows cannot be divided into 5 folds"):
        fold_of_row(contents_of(x, y), 5, 0, np.arange(N) % 3)


@pytest.mark.parametrize("sample", ["numbers", "ties", "one column each"])
def test_keys_tell_rows_apart(sample: str) -> None:
    x, y = SAMPLES[sample]
    different = len(np.unique(np.hstack((rows(x), rows(y))), axis=0))
    assert len(np.unique(contents_of(x, y).pairs)) == different


def test_normal_scores_are_exactly_the_same_for_increasing_maps_and_any_order() -> None:
    scores = normal_scores(TIED)
    assert np.array_equal(normal_scores(np.exp(TIED) * 3 - 1e3), scores)
    assert np.array_equal(normal_scores(-TIED), -scores)
    assert np.array_equal(normal_scores(TIED[SHUFFLE]), scores[SHUFFLE])
    for column, score in zip(TIED.T, scores.T, strict=True):
        assert len(np.unique(score)) == len(np.unique(column))
        assert np.array_equal(np.argsort(column, kind="stable"), np.argsort(score, kind="stable"))


def test_centred_ranks_count_rows_below_less_rows_above() -> None:
    column = TIED[:, 0]
    expected = [(column < value).sum() - (column > value).sum() for value in column]
    assert centred_ranks(column[:, None])[:, 0].tolist() == expected
