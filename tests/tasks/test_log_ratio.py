"""The density ratio of every registered task on its own pairs, at default parameters."""

from __future__ import annotations

import math

import pytest
import torch

import mibench
from mibench.core.task import Task

pytestmark = pytest.mark.usefixtures("one_thread")

PAIRS = 20_000
TASKS = [name for name in mibench.list_tasks() if mibench.get_task(name).has_log_ratio]


def ratio_of(task: Task, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x, y = task.sample(n, torch.Generator().manual_seed(0))
    return x, y, task.log_ratio(x.double(), y.double())


@pytest.mark.parametrize("name", TASKS)
def test_the_mean_log_ratio_of_pairs_is_the_truth(name: str) -> None:
    task = mibench.get_task(name)
    _, _, ratio = ratio_of(task, PAIRS)
    assert ratio.shape == (PAIRS,)
    assert ratio.dtype == torch.float64
    assert ratio.isfinite().all()  # a pair that was drawn is possible
    standard_error = math.hypot(float(ratio.std()) / math.sqrt(PAIRS), task.mi_se)
    assert abs(float(ratio.mean()) - task.mi) < 5 * standard_error + 1e-9  # a ratio that is constant has no error


@pytest.mark.parametrize("name", TASKS)
def test_pairs_that_do_not_belong_together_have_a_ratio_too(name: str) -> None:
    x, y, _ = ratio_of(mibench.get_task(name), 500)
    ratio = mibench.get_task(name).log_ratio(x, y.roll(1, 0))
    assert ratio.shape == (500,)
    assert (ratio < math.inf).all()  # -inf where the pair is impossible, never NaN


@pytest.mark.parametrize("name", TASKS)
def test_the_ratio_of_a_pair_does_not_depend_on_the_others(name: str) -> None:
    x, y, ratio = ratio_of(mibench.get_task(name), 500)
    alone = mibench.get_task(name).log_ratio(x[7:8].double(), y[7:8].double())
    torch.testing.assert_close(alone, ratio[7:8], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", TASKS)
def test_all_pairs_have_the_ratio_of_each_by_itself(name: str) -> None:
    task = mibench.get_task(name)
    x, y = task.sample(7, torch.Generator().manual_seed(0))
    found = task.log_ratio_of_all_pairs(x, y[:5])
    expected = torch.stack([task.log_ratio(x[i : i + 1].expand(5, -1), y[:5]) for i in range(7)])
    assert found.shape == (7, 5)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
