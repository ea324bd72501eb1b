"""Independent sides: their marginals, their entropies, and that they are independent."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy import stats

from mibench.core.errors import UsageError
from mibench.core.lookup import get_task
from mibench.testing import check_task

LAWS = {
    "uniform": stats.uniform(),
    "exponential": stats.expon(),
    "laplace": stats.laplace(),
    "log-normal": stats.lognorm(1),
}
DRAWS = 20_000


@pytest.mark.parametrize("y", LAWS)
@pytest.mark.parametrize("x", LAWS)
def test_the_sides_have_their_marginals_and_nothing_in_common(x: str, y: str) -> None:
    task = get_task("independent", x=x, y=y, dim_x=2, dim_y=3)
    sides = task.sample(DRAWS, torch.Generator().manual_seed(0))
    for side, law, columns in zip(sides, (LAWS[x], LAWS[y]), (2, 3), strict=True):
        assert side.shape == (DRAWS, columns)
        for column in side.T:
            assert stats.kstest(column.double().numpy(), law.cdf).pvalue > 1e-4
    ranks = stats.spearmanr(torch.cat(sides, 1).numpy()).statistic
    assert abs(ranks[~torch.eye(5, dtype=torch.bool).numpy()]).max() < 5 / DRAWS**0.5
    assert task.entropy_x == pytest.approx(2 * float(LAWS[x].entropy()), rel=1e-9)
    assert (task.mi, task.mi_method, task.mi_se) == (0.0, "closed-form", 0.0)


@pytest.mark.parametrize("name", ["independent:x=uniform,y=uniform,dim_x=3", "independent:x=log-normal,y=log-normal"])
def test_other_parameters_conform_too(name: str) -> None:
    assert [f.sentence for f in check_task(get_task(name)) if not f.passed] == []


@pytest.mark.parametrize(("params", "part"), [
    ({"dim_x": 0}, "dim_x and dim_y must be at least 1, not 0 and 1"),
    ({"dim_y": -1}, "dim_x and dim_y must be at least 1, not 1 and -1"),
    ({"x": "cauchy"}, "'cauchy'"),
    ({"mi": 0}, "has no parameter 'mi'"),
])  # fmt: skip
def test_bad_parameters_are_refused_in_one_sentence(params: dict[str, Any], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_task("independent", **params)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
