"""The figure of double spirals and its claim, on made-up rows that satisfy it, violate it, and are too few."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from mibench.claims.vince import find_peak, judge_spirals, spiral_runs
from mibench.core.errors import UsageError
from mibench.figures.papers.vince import vince_1
from mibench.figures.registry import FIGURES
from mibench.report import reports as report
from mibench.store.columns import CURVES, empty_row

Geometry = tuple[float, str]
ALIKE, OPPOSED, ONE = (2.0, "alike"), (2.0, "opposed"), (1.0, "alike")
ETAS = (0.0, 0.1, 0.4, 1.0, 5.0)
PEAK = {0.0: 0.5, 0.1: 0.6, 0.4: 0.7, 1.0: 0.55, 5.0: 0.5}
FLAT = dict.fromkeys(ETAS, 0.61)


def truth_at(eta: float) -> float:
    return math.log(12800) if eta == 0 else 3.2 - 1.6 * math.log(eta + 0.15)


def make(
    accuracy: Callable[[Geometry, float], float],
    *,
    cells: dict[Geometry, tuple[float, ...]] | None = None,
    objective: Callable[[float], float] = lambda eta: 0.6 * truth_at(eta),
    spread: float = 0.005,
    seeds: int = 4,
    m: int = 4096,
    steps: int = 10000,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the grid whose accuracies and objectives are what they are told, but for a spread over seeds."""
    runs, curves = [], []
    cells = cells if cells is not None else dict.fromkeys((ALIKE, OPPOSED, ONE), ETAS)
    for (turns, turning), etas in cells.items():
        for eta in etas:
            for seed in range(seeds):
                run_id = f"{turns}{turning}{eta}-{seed}"
                off = spread * (seed - (seeds - 1) / 2)
                params = {"arms": 2, "eta": eta, "points": 12800, "radius": 2.0, "turning": turning, "turns": turns}
                outcomes = {"code_linear": accuracy((turns, turning), eta) + off, "x_linear": 0.6, "points": 2000}
                value = objective(eta) + off
                runs.append(
                    empty_row(
                        "runs",
                        run_id=run_id, stair=0, task="double-spirals", task_version=1, task_params=json.dumps(params),
                        schedule="[]", mi_true=truth_at(eta), estimator="infonce", estimator_version=1,
                        estimator_params="{}", kind="lower", critic="siamese", critic_version=1,
                        critic_params='{"embed":2}', own_critic=0, hidden="4x128", activation="relu", dropout="0.0",
                        negatives="queue", negatives_version=1, negatives_params=json.dumps({"m": m}), n_negatives=m,
                        ceiling=math.log(m + 1), own_negatives=0, regime="stream", batch=128, steps=steps,
                        optimiser="sgd:momentum=0.9", lr=0.03,
                        weight_decay=1e-5, precision="float32", window=1000, every=steps // 20, seed=seed, protocol=1,
                        status="ok", estimate_train_median=value, estimate_fresh_large=value, fresh_pool=8192,
                        fresh_pool_negatives=8191, outcomes=json.dumps(outcomes), codes=kept(turns, eta, seed),
                        steps_done=steps, torch_version="2.13.0", mibench_version="0.1.0",
                    )
                )  # fmt: skip
                for step in range(steps // 20, steps + 1, steps // 20):
                    point = {"run_id": run_id, "step": step, "stair": 0, "mi_true": truth_at(eta)}
                    level = value * (1 - math.exp(-5 * step / steps))
                    curves.append(dict.fromkeys(c.name for c in CURVES) | point | {"estimate_train_median": level})
    return pd.DataFrame(runs), pd.DataFrame(curves)


def kept(turns: float, eta: float, seed: int) -> str:
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 2, 60)
    phi = 2 * np.pi * turns * np.sqrt(generator.random(60))
    angle = phi + np.pi * label
    x = np.stack([np.cos(angle), np.sin(angle)], 1) * (2 * phi / (2 * np.pi * turns))[:, None]
    code = np.stack([np.cos(angle / 2), np.sin(angle / 2)], 1) + eta * 0.05 * generator.normal(size=(60, 2))
    return json.dumps({"label": label.tolist(), "x": x.round(4).tolist(), "code": code.round(4).tolist()})


def shape(table: dict[float, float]) -> Callable[[Geometry, float], float]:
    return lambda _, eta: table[eta]


# --- the judge ------------------------------------------------------------------------------------------------


def test_rows_that_peak_and_fall_satisfy_the_claim() -> None:
    verdict, finding = vars(judge_spirals(*make(shape(PEAK)))).values()
    assert verdict == "holds"
    assert "2 turns, opposed: a peak (0.70 [0.69, 0.71] at η = 0.4, +0.10 [+0.08, +0.12] against the raw" in finding
    assert "above them in 4 of 4 runs" in finding
    assert "within 0.05 of chance in 6 of 6 cells, above in 0" in finding
    assert "The objective falls in 2 turns, alike (η = 0 to 5: 5.67 to 0.35 nats" in finding
    assert "above the truth in 0 of 60 runs" in finding


def test_flat_accuracies_and_a_rising_objective_violate_it() -> None:
    verdict, finding = vars(judge_spirals(*make(shape(FLAT), objective=lambda eta: eta / 10))).values()
    assert verdict == "does not hold"
    assert finding.count("no peak") == 3
    assert "within 0.05 of chance in 0 of 6 cells, above in 6" in finding
    assert "The objective does not fall throughout in 2 turns, alike" in finding


def test_a_fall_without_a_peak_holds_for_the_fall_alone() -> None:
    verdict, finding = vars(judge_spirals(*make(shape(FLAT)))).values()
    assert verdict == "holds in part"
    assert "no peak" in finding
    assert "objective falls" in finding


def test_geometries_are_judged_by_themselves() -> None:
    table = lambda geometry, eta: (PEAK if geometry == OPPOSED else FLAT)[eta]  # noqa: E731
    found = spiral_runs(make(table)[0])
    answers = {name: find_peak(cell).answer for name, cell in found.groupby("geometry")}
    assert answers == {"2 turns, alike": "contrary", "2 turns, opposed": "shown", "1 turn, alike": "contrary"}


def test_accuracy_above_chance_but_no_better_than_raw_coordinates_is_no_peak() -> None:
    table = {**PEAK, 0.4: 0.62}
    assert find_peak(spiral_runs(make(shape(table), cells={ALIKE: ETAS})[0])).answer == "shown"
    assert find_peak(spiral_runs(make(shape({**PEAK, 0.4: 0.6}), cells={ALIKE: ETAS})[0])).answer == "contrary"


def test_an_end_that_reads_better_is_no_peak() -> None:
    rising = {0.0: 0.5, 0.1: 0.6, 0.4: 0.7, 1.0: 0.75, 5.0: 0.8}
    assert find_peak(spiral_runs(make(shape(rising), cells={ALIKE: ETAS})[0])).answer == "contrary"


def test_wide_intervals_decide_nothing() -> None:
    judgement = judge_spirals(*make(shape({**FLAT, 0.4: 0.65}), spread=0.2, objective=lambda _: 1.0))
    assert judgement.verdict == "open"
    assert "a peak is undecided" in judgement.finding


def test_without_the_ends_the_claim_cannot_hold_as_a_whole() -> None:
    cells = {ALIKE: (0.4,), OPPOSED: (0.1, 0.4, 1.0), ONE: (0.4,)}
    judgement = judge_spirals(*make(shape(PEAK), cells=cells))
    assert judgement.verdict == "holds in part"
    assert "2 turns, alike: a gain" in judgement.finding  # a single width has no sides to compare with
    assert "2 turns, opposed: a peak" in judgement.finding
    assert "The ends, η = 0, 5, are not among these rows" in judgement.finding


@pytest.mark.parametrize("seeds", [0, 1])
def test_too_few_runs_leave_it_open(seeds: int) -> None:
    runs, curves = make(shape(PEAK))
    judgement = judge_spirals(runs[runs["seed"] < seeds], curves)
    assert judgement.verdict == "open"
    assert "two finished runs" in judgement.finding


def test_codes_that_were_not_probed_leave_the_peak_undecided() -> None:
    runs, curves = make(shape(PEAK))
    runs["outcomes"] = '{"points": 2000, "x_linear": 0.6, "code_linear": null}'
    judgement = judge_spirals(runs, curves)
    assert judgement.verdict == "holds in part"
    assert "a peak is undecided" in judgement.finding


def test_lost_encoders_are_named_and_leave_the_fall_undecided() -> None:
    runs, curves = make(shape(FLAT), cells={OPPOSED: (0.1, 0.4, 1.0)})
    dead = runs["run_id"].str.contains("opposed0.1-")
    runs.loc[dead, "estimate_fresh_large"] = 1e-5
    runs.loc[dead & (runs["seed"] == 1), ["status", "estimate_fresh_large"]] = ["diverged", None]
    judgement = judge_spirals(runs, curves)
    assert judgement.verdict == "does not hold"  # for the probe: no peak
    assert "The objective may fall in 2 turns, opposed (η = 0.4 to 1: 2.49 to 1.79 nats" in judgement.finding
    assert "Of 12 runs 1 diverged and 3 collapsed, all of 2 turns, opposed, η = 0.1; the" in judgement.finding
    runs.loc[dead & (runs["seed"] > 1), "estimate_fresh_large"] = [3.0, 3.1]
    assert judge_spirals(runs, curves).verdict == "holds in part"  # the others fall
    assert "1 run collapsed, to an objective under 1% of the truth" in vince_1(runs, curves)[2]


# --- the figure -----------------------------------------------------------------------------------------------


def budgets() -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    widths = (0.0, 0.1, 0.2, 0.4, 0.6, 1.0, 2.0, 5.0)
    flat = lambda _, eta: 0.6 - 0.02 * eta  # noqa: E731
    few = {ALIKE: (0.4,), OPPOSED: (0.1, 0.4, 1.0), ONE: (0.4,)}
    return {
        "standard": make(flat, cells=dict.fromkeys((ALIKE, OPPOSED, ONE), widths), seeds=2, m=512, steps=3000),
        "paper": make(flat, cells=few, seeds=5),
    }


@pytest.mark.parametrize(("budget", "cells", "bands"), [("standard", 24, 3), ("paper", 5, 1)])
def test_both_budgets_have_views_and_codes_of_every_cell(budget: str, cells: int, bands: int) -> None:
    figure, table, caption, summary = vince_1(*budgets()[budget])
    assert len(figure.axes) == 2 * cells + 3 + 2
    assert sum(ax.get_ylabel() == "(b) codes" for ax in figure.axes) == bands
    assert set(table["panel"]) == {"views", "codes", "training", "probe", "objective"}
    assert (table.loc[table["panel"] == "codes", "seed"] == 0).all()
    assert len(table[table["panel"] == "codes"]) == 60 * cells
    assert summary is not None
    assert len(summary) == cells
    expected = "512 negatives a row, 3,000 steps, 2 runs a cell"
    assert (expected if budget == "standard" else "4,096 negatives a row, 10,000 steps, 5 runs a cell") in caption
    assert "sgd:momentum=0.9, learning rate 0.03" in caption


def test_views_are_the_points_moved_by_less_than_the_width() -> None:
    runs, curves = budgets()["paper"]
    _, table, *_ = vince_1(runs, curves)
    for _, run in runs[runs["seed"] == 0].iterrows():
        points = table[(table["panel"] == "views") & (table["run_id"] == run["run_id"])][["at", "value"]]
        moved = points.to_numpy() - np.array(json.loads(run["codes"])["x"])
        eta = json.loads(run["task_params"])["eta"]
        assert moved.min() >= 0
        assert 0.8 * eta < moved.max() <= eta


def test_the_ceiling_is_named_where_it_is_in_view() -> None:
    for budget, texts in (("standard", {"log 513 = 6.24"}), ("paper", set())):
        figure, *_ = vince_1(*budgets()[budget])
        assert {t.get_text() for ax in figure.axes for t in ax.texts if t.get_text().startswith("log")} == texts


def test_text_does_not_overlap() -> None:
    for runs, curves in budgets().values():
        figure, *_ = vince_1(runs, curves)
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        page = figure.bbox
        texts = [t for ax in figure.axes for t in (ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts)]
        ticks = [t for ax in figure.axes for t in ax.get_xticklabels() if t.get_position()[0] <= ax.get_xlim()[1]]
        shown = [t for t in (*texts, *ticks, *figure.texts) if t.get_text() and t.get_visible()]
        boxes = [Text.get_window_extent(t, renderer) for t in shown]
        assert all(b.x0 >= 0 and b.x1 <= page.x1 and b.y0 >= 0 and b.y1 <= page.y1 for b in boxes)
        clashes = [
            (shown[i].get_text()[:40], shown[i + 1 + j].get_text()[:40])
            for i, a in enumerate(boxes)
            for j, b in enumerate(boxes[i + 1 :])
            if a.overlaps(b)
        ]
        assert not clashes


def test_diverged_runs_and_lost_codes_are_counted() -> None:
    runs, curves = budgets()["paper"]
    runs.loc[0, ["status", "codes", "outcomes", "estimate_fresh_large"]] = ["diverged", None, "{}", None]
    lost = json.loads(runs.loc[5, "codes"])
    lost["code"] = [[None, None]] * len(lost["label"])
    runs.loc[5, "codes"] = json.dumps(lost)
    runs.loc[6, "estimate_fresh_large"] = math.inf
    curves.loc[:3, "estimate_train_median"] = [math.nan, math.inf, 1e30, -1e30]
    figure, table, caption, _ = vince_1(runs, curves)
    assert "1 run diverged and is included" in caption
    assert "1 run without finite codes has no probe" in caption
    assert "2 raw points lie outside the view and 2 raw points are not finite" in caption
    assert "seed 0, 1" in caption  # the first with codes
    assert any("not finite" in text.get_text() for ax in figure.axes for text in ax.texts)
    assert len(table[table["panel"] == "probe"]) == 2 * len(runs)


def test_rows_without_curves_or_codes_are_still_drawn() -> None:
    runs, curves = budgets()["paper"]
    figure, *_ = vince_1(runs.assign(codes=None), curves[:0])
    assert sum(t.get_text() == "no codes kept" for ax in figure.axes for t in ax.texts) == 10


def test_rows_of_other_tasks_are_a_sentence() -> None:
    runs, curves = budgets()["paper"]
    with pytest.raises(UsageError, match="double spirals"):
        vince_1(runs.assign(task="gaussian20d"), curves)


def test_the_report_gives_the_same_bytes_in_any_order_with_the_claim_above(tmp_path: Path) -> None:
    assert FIGURES["vince-1"].claim is not None
    runs, curves = budgets()["paper"]
    first: Any = report.render(runs, curves, ["vince-1"], tmp_path / "a")
    again: Any = report.render(
        runs.sample(frac=1, random_state=1), curves.sample(frac=1, random_state=2), ["vince-1"], tmp_path / "b"
    )
    assert first[0].judgement.verdict == "holds in part"
    assert first[0].caption.startswith("Claim (Wu et al. (2020, VINCE), figure 1)")
    for one, other in zip(first[0].files, again[0].files, strict=True):
        assert one.read_bytes() == other.read_bytes()
