"""What the commands print of results."""

from __future__ import annotations

import math

import pytest

from mibench.cli.terminal.rows import show_results
from tests.support.rows import make


@pytest.mark.parametrize(("own", "told"), [(math.inf, True), (math.log(2), False)])
def test_the_samplers_cap_is_told_where_the_estimators_own_ceiling_is_not_lower(
    own: float, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = {"negatives": ("shuffle",), "batches": (64,), "levels": (10.0,)}
    show_results(make(**cell, ceiling=own, predicted_ceiling=math.log(64))[0])
    printed = capsys.readouterr().out
    assert ("cap" in printed.split(), "4.16" in printed) == (told, told)
    assert ("0.69" in printed) != told
