"""The self-consistency figure on made-up rows: ratios beside their ideals, and everything that is missing counted."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from mibench.core.errors import UsageError
from mibench.figures import panels, style
from mibench.figures.consistency import draw_consistency
from mibench.figures.registry import Drawing
from mibench.report import reports as report
from mibench.store.columns import empty_row

TRUTH = {0: 0.0, 2: 4.3, 4: 6.9, 8: 7.4}
CAP = 5.0


def make(
    estimators: Sequence[str] = ("nwj", "infonce"), *, seeds: int = 3, batches: Sequence[int] = (64,), **columns: Any
) -> pd.DataFrame:
    """Rows whose estimate is the truth times 1 + seed / 10, or a cap for InfoNCE."""
    runs = []
    cells = itertools.product(estimators, batches, ("baseline", "processing", "additivity"), TRUTH, range(seeds))
    for index, (estimator, batch, setting, rows, seed) in enumerate(cells):
        truth = TRUTH[rows] * (2 if setting == "additivity" else 1)
        estimate = truth * (1 + seed / 10)
        row = {
            "run_id": f"{index:032x}", "stair": 0, "task": "digits-rows", "task_version": 1, "mi_true": truth,
            "task_params": json.dumps({"rows": rows, "setting": setting, "grey": False}), "schedule": "[]",
            "estimator": estimator, "estimator_version": 1, "estimator_params": "{}", "kind": "lower",
            "critic": "joint", "critic_version": 1, "critic_params": "{}", "hidden": "2x128", "activation": "relu",
            "dropout": "0.0", "negatives": "derangement", "negatives_version": 1, "negatives_params": "{}",
            "regime": "stream", "batch": batch, "steps": 400, "lr": 5e-4, "weight_decay": 0.0, "precision": "float32",
            "window": 100, "every": 10, "seed": seed, "protocol": 1, "status": "ok", "steps_done": 400,
            "estimate_train_median": min(estimate, CAP) if estimator == "infonce" else estimate,
            "torch_version": "2.13.0", "mibench_version": "0.1.0",
        }  # fmt: skip
        runs.append(empty_row("runs", **{**row, **columns}))
    return pd.DataFrame(runs)


def draw(runs: pd.DataFrame) -> Drawing:
    return draw_consistency(runs, pd.DataFrame(columns=["run_id"]))


def ideals(figure: Figure) -> list[Any]:
    return [line for ax in figure.axes for line in ax.lines if line.get_color() == style.INK]


def test_an_estimator_that_knows_the_truth_lies_on_the_ideals_and_one_with_a_cap_fails_additivity() -> None:
    figure, table, *_ = draw(make())
    knowing = table[table["estimator"] == "nwj"]
    assert np.allclose(knowing["mean"], knowing["ideal"])
    capped = table[(table["estimator"] == "infonce") & (table["rows"] == 8)].set_index("test")["mean"]
    assert capped.to_dict() == {"additivity": 1, "baseline": 1, "processing": 1}
    by_test = [dict(zip(*line.get_data(), strict=True)) for line in ideals(figure)]
    assert by_test[0][2] == pytest.approx(TRUTH[2] / TRUTH[8])
    assert set(by_test[1].values()) == {1}
    assert set(by_test[2].values()) == {2}


def test_every_setting_has_a_row_of_three_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    figure, table, *_ = draw(make(batches=(64, 128)))
    assert len(figure.axes) == 6
    titles = [ax.get_title(loc="left").split("\n") for ax in figure.axes]
    assert [title[0] for title in titles[::3]] == [f"black and white · derangement · N = {n}" for n in (64, 128)]
    assert [title[1].split(":")[0] for title in titles[:3]] == ["baseline", "data processing", "additivity"]
    assert set(table["batch"]) == {64, 128}
    monkeypatch.setattr(panels, "MAX_PANELS", 3)
    cut, _, caption, _ = draw(make(("nwj",), seeds=1, batches=(64, 128)))
    assert len(cut.axes) == 3
    assert "Only the first 1 of 2 rows of panels are drawn" in caption
    assert "of a single ratio have no interval" in caption


def test_what_is_missing_is_drawn_as_missing_and_counted() -> None:
    runs = make(("nwj",))
    runs.loc[4, ["status", "estimate_train_median"]] = ["diverged", math.inf]
    settings = runs["task_params"].str.contains("processing")
    figure, _, caption, _ = draw(runs[~settings])
    assert [t.get_text() for t in figure.axes[1].texts] == ["no such pairs"]
    assert "2 ratios have a diverged run in them. Not finite, and left out of means: 2 ratios." in caption


def test_rows_of_other_tasks_and_runs_without_a_partner_are_a_sentence() -> None:
    with pytest.raises(UsageError, match="task 'digits-rows'"):
        draw(make(task="gaussian20d"))
    with pytest.raises(UsageError, match="one seed to compare"):
        draw(make().query("task_params.str.contains('processing')"))
    with pytest.raises(UsageError, match="task 'digits-rows'"):
        draw(make().assign(status="crashed"))


def test_text_stays_on_the_page_and_apart() -> None:
    figure, *_ = draw(make(batches=(64, 128)))
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [t for ax in figure.axes for t in (ax._left_title, ax.xaxis.label, ax.yaxis.label) if t.get_text()]
    boxes = [Text.get_window_extent(t, renderer) for t in (*texts, *figure.texts)]
    assert all(b.x0 >= 0 and b.x1 <= figure.bbox.x1 for b in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_the_same_rows_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    runs, none = make(), pd.DataFrame(columns=["run_id"])
    (first,) = report.render(runs, none, ["self-consistency"], tmp_path / "a")
    (again,) = report.render(runs.sample(frac=1, random_state=3), none, ["self-consistency"], tmp_path / "b")
    assert first.reason == ""
    for one, other in zip(first.files, again.files, strict=True):
        assert one.read_bytes() == other.read_bytes()
