"""The figure of settings that were chosen blind."""

from __future__ import annotations

import pandas as pd
import pytest

from mibench.core.errors import UsageError
from mibench.figures.boards.settings import settings_figure
from mibench.ranking.tuning import choose_settings
from tests.support.boards import run

NO_CURVES = pd.DataFrame(columns=["run_id"])


def rows() -> pd.DataFrame:
    """Two estimators, two families, two rates; nwj prefers the large one on the first family alone."""
    preferred = {("nwj", "gaussian20d"): 1e-3, ("nwj", "student-t"): 1e-4, ("dv", "gaussian20d"): 1e-4}
    return pd.DataFrame(
        run(
            estimator,
            2.0,
            1.5,
            0,
            task=task,
            samples=500,
            regime="dataset",
            estimate_test=1.5,
            lr=rate,
            validation_loss=-float(rate == preferred.get((estimator, task), 1e-4)),
        )
        for estimator in ("nwj", "dv")
        for task in ("gaussian20d", "student-t")
        for rate in (1e-4, 1e-3)
    )


def test_every_choice_is_in_the_table_and_a_colour_in_the_picture() -> None:
    drawing = settings_figure(choose_settings(rows()).runs, NO_CURVES)
    chosen = {(r.method, r.family.partition("-v")[0]): r.setting for r in drawing.table.itertuples()}
    assert chosen == {
        ("nwj", "gaussian20d"): "lr 0.001",
        ("nwj", "student-t"): "lr 0.0001",
        ("dv", "gaussian20d"): "lr 0.0001",
        ("dv", "student-t"): "lr 0.0001",
    }
    (image,) = drawing.figure.axes[0].get_images()
    assert sorted(image.get_array().compressed().tolist()) == [0, 0, 0, 1]


def test_rows_without_choices_are_refused() -> None:
    with pytest.raises(UsageError, match="needs rows with chosen settings"):
        settings_figure(rows(), NO_CURVES)
