"""What the commands print of results."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from mibench.cli.terminal.rows import show_contents, show_results
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


def test_tables_on_the_terminal_tell_a_plug_in_s_version_from_the_built_in_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    cell = {"negatives": ("shuffle",), "batches": (64,), "levels": (10.0,), "seeds": 1, "ceiling": math.inf}
    versions = {"estimator_version": 2, "critic_version": 3, "negatives_version": 2}
    older, newer = make(**cell)[0], make(**cell, **versions, own_critic=1, predicted_ceiling=1.0)[0]
    show_results(newer)
    said = capfd.readouterr().out
    assert "critic joint-v3, negatives shuffle-v2" in said
    assert " nwj-v2 " in said
    assert "estimators brought their own: nwj-v2 joint-v3" in said
    show_contents(pd.concat([older, newer.assign(run_id="other")], ignore_index=True))
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines if "gaussian20d" in line] == [
        ["gaussian20d", "nwj-v1", "joint-v1", "shuffle-v1"], ["gaussian20d", "nwj-v2", "joint-v3", "shuffle-v2"]
    ]  # fmt: skip
