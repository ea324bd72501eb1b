"""The score containers and log-space helpers against plain float64 loops, at scores of any size."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.scores import Scores, effective_sample_size, log_mean_exp, log_mean_negatives

numbers = st.floats(-1e4, 1e4, allow_nan=False)


def matrices(rows: int, columns: int) -> st.SearchStrategy[Tensor]:
    row = st.lists(numbers, min_size=columns, max_size=columns)
    return st.lists(row, min_size=rows, max_size=rows).map(lambda m: torch.tensor(m, dtype=torch.float64))


@given(st.lists(numbers, min_size=1, max_size=30))
def test_log_mean_exp_is_exact_and_finite_at_any_score(values: list[float]) -> None:
    top = max(values)
    expected = top + math.log(math.fsum(math.exp(v - top) for v in values) / len(values))
    assert float(log_mean_exp(torch.tensor(values, dtype=torch.float64))) == pytest.approx(expected, abs=1e-9)
    single = float(log_mean_exp(torch.tensor(values)))
    assert math.isfinite(single)
    assert single == pytest.approx(expected, rel=1e-5, abs=1e-5)


@given(matrices(3, 5), st.floats(-1e4, 1e4))
def test_log_mean_exp_moves_with_a_constant_and_lies_between_mean_and_maximum(matrix: Tensor, shift: float) -> None:
    value = log_mean_exp(matrix, (-2, -1))
    torch.testing.assert_close(log_mean_exp(matrix + shift, (-2, -1)), value + shift, rtol=1e-9, atol=1e-8)
    assert matrix.mean() - 1e-8 <= value <= matrix.max() + 1e-8


@given(st.integers(2, 7), st.data())
def test_a_matrix_is_its_diagonal_and_the_rest_row_by_row(n: int, data: st.DataObject) -> None:
    matrix = data.draw(matrices(n, n))
    scores = Scores.from_matrix(matrix)
    assert scores.pos.tolist() == [matrix[i, i].item() for i in range(n)]
    assert scores.neg.tolist() == [[matrix[i, j].item() for j in range(n) if j != i] for i in range(n)]
    assert (scores.n, scores.m) == (n, n)


@given(st.integers(2, 8), st.data())
def test_blocks_of_rows_put_together_are_the_matrix(n: int, data: st.DataObject) -> None:
    matrix = torch.arange(2.0 * n * n).view(2, n, n)
    cut = data.draw(st.integers(1, n - 1))
    whole = Scores.from_matrix(matrix)
    parts = [Scores.from_matrix(matrix[:, :cut]), Scores.from_matrix(matrix[:, cut:], offset=cut)]
    assert torch.equal(torch.cat([p.pos for p in parts], 1), whole.pos)
    assert torch.equal(torch.cat([p.neg for p in parts], 1), whole.neg)


@pytest.mark.parametrize(("shape", "offset"), [((1, 1), 0), ((3, 2), 0), ((2, 4), 3), ((2, 4), -1)])
def test_a_block_without_all_its_positives_is_refused(shape: tuple[int, int], offset: int) -> None:
    with pytest.raises(UsageError, match="no positives"):
        Scores.from_matrix(torch.zeros(shape), offset=offset)


@pytest.mark.parametrize(("pos", "neg"), [((3,), (3,)), ((3,), (4, 2)), ((2, 3), (3, 5))])
def test_pairs_of_wrong_shapes_are_refused(pos: tuple[int, ...], neg: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="must be"):
        Scores.from_pairs(torch.zeros(pos), torch.zeros(neg))


@given(matrices(4, 6))
def test_log_mean_negatives_is_over_all_negatives_of_each_run(neg: Tensor) -> None:
    stacked = Scores.from_pairs(torch.zeros(2, 4).double(), torch.stack((neg, neg + 3)))
    expected = log_mean_exp(neg.flatten())
    torch.testing.assert_close(log_mean_negatives(stacked), torch.stack((expected, expected + 3)))


@given(matrices(3, 5))
def test_effective_sample_size_is_its_formula_and_lies_between_one_over_m_and_one(neg: Tensor) -> None:
    pos = torch.tensor([1.0, -2.0, 3e3]).double()
    ess = float(effective_sample_size(Scores.from_pairs(pos, neg)))
    weights = torch.softmax(neg - pos.unsqueeze(-1), -1)
    assert ess == pytest.approx(float((1 / (5 * weights.square().sum(-1))).mean()), rel=1e-9)
    assert 1 / 5 - 1e-12 <= ess <= 1 + 1e-12


def test_equal_scores_have_full_effective_size() -> None:
    assert float(effective_sample_size(Scores.from_pairs(torch.zeros(3), torch.full((3, 7), 1e4)))) == pytest.approx(1)
