"""Pairs of tasks that are drawn and scored where a generator is: on a GPU."""

from __future__ import annotations

import math

import pytest
import torch

from mibench.core.lookup import get_task
from tests.support.task_names import MIXTURES, NORMAL_FAMILIES

DRAWS = 10**5
OTHERS = ["symbols", "finite:table=0.1_0.2_0.05/0_0.3_0.35", "gamma-exponential", "symmetric-channel", "independent"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")
@pytest.mark.parametrize("name", [*NORMAL_FAMILIES, *MIXTURES, *OTHERS])
def test_pairs_are_drawn_and_scored_on_a_gpu(name: str) -> None:
    task = get_task(name)
    x, y = task.sample(DRAWS, torch.Generator("cuda").manual_seed(0))
    ratio = task.log_ratio(x, y)
    assert x.is_cuda
    assert y.is_cuda
    assert ratio.is_cuda
    assert abs(float(ratio.mean()) - task.mi) <= 4 * float(ratio.std()) / math.sqrt(DRAWS) + 1e-9
