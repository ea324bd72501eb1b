"""The figure of the board's surprises: it shows its grid's rows alone, and the page on theory quotes it rightly."""

from __future__ import annotations

import pandas as pd
import pytest

from mibench.core.errors import UsageError
from mibench.figures.registry import FIGURES, Drawing
from mibench.report import reports as report
from mibench.store.folders import load_curves, load_runs
from tests.support.paths import ROOT

ROWS = ROOT / "results" / "claims"


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    assert report.resolve_names(["board-surprises"]) == ["board-surprises"]
    runs = load_runs(ROWS)
    return Drawing(*FIGURES["board-surprises"].draw(runs, load_curves(ROWS, runs["run_id"])))


def test_every_run_of_the_grid_is_shown_and_no_other(drawing: Drawing) -> None:
    assert len(drawing.table) == 59
    assert drawing.table["panel"].nunique() == 4
    assert len(drawing.figure.axes) == 4


def test_what_the_caption_and_the_page_of_theory_say_is_so(drawing: Drawing) -> None:
    table = drawing.table
    final = table.columns[-1]
    by_batch = table[table["panel"].str.startswith("(a)")].groupby(["critic", "batch"])[final].mean()
    assert by_batch["separable"].round(1).to_dict() == {16: 3.7, 64: 3.8, 256: 4.2, 512: 7.0}
    assert by_batch["joint"].round(1).to_dict() == {16: 11.9, 64: 12.7, 128: 14.3}
    anchor = table[table["panel"].str.startswith("(b)")].groupby("estimator")[final].mean()
    assert anchor.round(1).to_dict() == {"infonce": 3.7, "infonce-anchor:nu=1": 6.9, "infonce-anchor:nu=63": 4.5}
    flatnce = table[table["panel"].str.startswith("(d)")].groupby(["critic", "estimator"])[final].mean()
    assert flatnce["separable", "flatnce"] < -100
    assert flatnce["cosine"].round(1).to_dict() == {"flatnce": 3.2, "infonce": 3.2}


def test_other_rows_are_refused() -> None:
    runs = load_runs(ROWS)
    with pytest.raises(UsageError, match="board-surprises"):
        FIGURES["board-surprises"].draw(runs[runs["critic"] == "cosine"], pd.DataFrame(columns=["run_id"]))
