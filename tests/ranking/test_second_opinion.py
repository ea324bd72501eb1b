"""A second opinion on ranks, against the formulas of Friedman and Nemenyi."""

from __future__ import annotations

import importlib.util
import itertools

import numpy as np
import pytest
from scipy.stats import chi2, rankdata, studentized_range

from mibench.core.errors import UsageError
from mibench.ranking.boards import rank_methods
from mibench.ranking.second_opinion import second_opinions, task_errors
from tests.support.boards import rows

ERRORS = {"nwj": 0.1, "dv": 0.12, "smile": 0.5, "js": 0.8}


def test_the_task_errors_are_those_of_the_board() -> None:
    (board, *others), cells = (found := rank_methods(rows(ERRORS))).boards, found.cells
    assert not others
    errors = task_errors(board, cells)
    assert len(errors) == board.table["tasks"].iloc[0]
    assert errors.mean().to_numpy() == pytest.approx(board.table["error"].to_numpy(), abs=1e-9)


def test_it_is_what_the_formulas_give() -> None:
    pytest.importorskip("scikit_posthocs", reason="scikit-posthocs is not installed")
    found = rank_methods(rows(ERRORS, noise=0.05))
    (opinion,) = second_opinions(found)
    board = found.boards[0]
    values = task_errors(board, found.cells).to_numpy(np.float64)
    tasks, count = values.shape
    ranks = rankdata(values, axis=1).mean(axis=0)
    statistic = 12 * tasks / (count * (count + 1)) * (ranks**2).sum() - 3 * tasks * (count + 1)
    assert opinion.statistic == pytest.approx(statistic)
    assert opinion.p == pytest.approx(chi2.sf(statistic, count - 1))
    assert opinion.table["mean_rank"].to_numpy() == pytest.approx(ranks)
    least = studentized_range.isf(0.05, count, np.inf) * np.sqrt(count * (count + 1) / (12 * tasks))
    names = list(board.table["method"])
    theirs = {
        (names[i], names[j]) for i, j in itertools.combinations(range(count), 2) if abs(ranks[i] - ranks[j]) > least
    }
    ours = {(one, other) for one, other in itertools.combinations(names, 2) if board.apart.loc[one, other]}
    assert opinion.both == len(ours & theirs)
    assert set(opinion.board_alone) == ours - theirs
    assert set(opinion.nemenyi_alone) == theirs - ours
    assert opinion.board_alone  # six tasks are too few for Nemenyi's test to follow


def test_without_the_library_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'mibench\[second-opinion\]'"):
        second_opinions(rank_methods(rows(ERRORS)))
