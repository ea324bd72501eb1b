"""The sandwich figure on made-up rows, its statistics, and the estimators' colours and signs."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from mibench.analysis.labels import with_labels
from mibench.analysis.metrics import summarise
from mibench.analysis.sandwich import sandwich
from mibench.core import registry
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.registry import Drawing
from mibench.figures.sandwich import draw_sandwich
from mibench.figures.style.palette import ESTIMATOR_COLOURS, estimator_sign
from mibench.store.columns import empty_row

KINDS = {"infonce": "lower", "nwj": "lower", "club": "upper", "l1out": "upper", "smile": "plug-in"}
FACTORS = {"infonce": 0.8, "nwj": 0.7, "club": 1.3, "l1out": 1.2, "smile": 1.0}
NO_CURVES = pd.DataFrame(columns=["run_id"])


def make(
    factors: Mapping[str, float] = FACTORS,
    levels: Sequence[float] = (2.0, 4.0, 8.0),
    *,
    seeds: int = 3,
    batches: Sequence[int] = (64,),
    schedule: bool = False,
    prefix: str = "",
    **columns: Any,
) -> pd.DataFrame:
    """Rows whose estimate is a multiple of the truth, and a tenth of a nat per seed away from the middle one."""
    rows = []
    for (name, factor), batch, seed in itertools.product(factors.items(), batches, range(seeds)):
        for i, level in enumerate(levels):
            row = {
                "run_id": f"{prefix}{name}-{batch}-{seed}" + ("" if schedule else f"-{i}"), "stair": i * schedule,
                "task": "gaussian20d", "task_version": 1, "mi_true": level, "task_params": '{"dim": 20}',
                "schedule": json.dumps(list(levels) if schedule else []), "estimator": name, "estimator_version": 1,
                "estimator_params": "{}", "kind": KINDS.get(name, "lower"), "critic": "joint", "critic_version": 1,
                "critic_params": "{}", "hidden": "2x128", "activation": "relu", "dropout": "0",
                "negatives": "derangement", "negatives_version": 1, "negatives_params": "{}", "regime": "stream",
                "batch": batch, "steps": 400, "lr": 5e-4, "weight_decay": 0.0, "window": 100, "every": 10,
                "seed": seed, "protocol": 1, "status": "ok", "steps_done": 400,
                "estimate_train_median": factor * level + 0.1 * (seed - (seeds - 1) / 2),
                "torch_version": "2.13.0", "mibench_version": "0.1.0",
            }  # fmt: skip
            rows.append(empty_row("runs", **{**row, **columns}))
    return pd.DataFrame(rows)


def draw(runs: pd.DataFrame) -> Drawing:
    return draw_sandwich(runs, NO_CURVES)


def summary(drawing: Drawing) -> pd.DataFrame:
    assert drawing.summary is not None
    return drawing.summary


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_every_level_has_its_tightest_bounds_with_names_width_and_verdict() -> None:
    levels = summary(draw(make())).set_index("mi_true")
    assert levels["largest_lower"].tolist() == ["infonce"] * 3
    assert levels["smallest_upper"].tolist() == ["l1out"] * 3
    assert np.allclose(levels["lower"], [1.6, 3.2, 6.4])
    assert np.allclose(levels["width"], [0.8, 1.6, 3.2])
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t with two degrees of freedom
    assert np.allclose(levels["lower_high"] - levels["lower"], half)
    assert np.allclose(levels["upper"] - levels["upper_low"], half)
    assert levels["truth_within"].tolist() == levels["truth_within_intervals"].tolist() == [True] * 3


def test_the_intervals_forgive_what_the_means_do_not() -> None:
    levels = summary(draw(make({"nwj": 1.1, "club": 1.2}, (2.0, 8.0)))).set_index("mi_true")
    assert levels["truth_within"].tolist() == [False, False]
    assert levels["truth_within_intervals"].tolist() == [True, False]  # 0.2 nats past, and 0.8; half an interval: 0.25


def test_the_band_is_shaded_between_the_tightest_means_and_the_truth_is_the_diagonal() -> None:
    (ax,) = draw(make()).figure.axes
    band = [c for c in ax.collections if type(c).__name__ == "FillBetweenPolyCollection" and c.get_paths()]
    assert len(band) == 1
    corners = {(round(x, 6), round(y, 6)) for x, y in band[0].get_paths()[0].vertices}
    assert corners == {(2, 1.6), (4, 3.2), (8, 6.4), (2, 2.4), (4, 4.8), (8, 9.6)}
    (truth,) = [line for line in ax.lines if line.get_linestyle() == "--" and line.get_color() == style.INK]
    assert np.array_equal(*truth.get_data())
    assert truth.get_xdata()[0] < 2 < 8 < truth.get_xdata()[1]
    assert "true MI, nats" in ax.get_xlabel()
    assert "median estimate" in ax.get_ylabel()
    assert "nats" in ax.get_ylabel()


def test_lower_markers_are_filled_upper_ones_open_and_plug_ins_left_out() -> None:
    figure, table, caption, _ = draw(make())
    lines = {line.get_marker(): line for line in figure.axes[0].lines}
    assert same_color(lines[estimator_sign("nwj")[0]].get_markerfacecolor(), ESTIMATOR_COLOURS["nwj"])
    assert same_color(lines[estimator_sign("l1out")[0]].get_markerfacecolor(), "white")
    assert estimator_sign("smile")[0] not in lines
    assert set(table["estimator"]) == {"infonce", "nwj", "club", "l1out"}
    assert legend(figure)[:4] == ["infonce (lower)", "nwj (lower)", "club (upper)", "l1out (upper)"]
    assert "Left out as no bounds: smile." in caption
    assert "bounds cross" not in legend(figure)


def test_crossing_bounds_are_red_and_counted() -> None:
    figure, _, caption, levels = draw(make({"nwj": 1.2, "club": 1.1}))
    assert levels is not None
    assert (levels["width"] < 0).all()
    assert "The bounds cross at 3 levels" in caption
    assert "The truth lies between the two means at 0 of 3 levels" in caption
    assert "bounds cross" in legend(figure)
    band = [c for c in figure.axes[0].collections if type(c).__name__ == "FillBetweenPolyCollection" and c.get_paths()]
    assert [to_hex(c.get_facecolor()[0]) for c in band] == ["#cc3311"]
    assert "The bounds cross at no level" in draw(make()).caption


def test_diverged_runs_are_counted_and_marked_and_move_nothing() -> None:
    calm, runs = make(seeds=4), make(seeds=4)
    ill = (runs["estimator"] == "infonce") & (runs["mi_true"] == 8.0) & (runs["seed"] == 3)
    runs.loc[ill, ["status", "estimate_train_median"]] = ["diverged", 9.0]
    figure, table, caption, _ = draw(runs)
    own = table[(table["estimator"] == "infonce") & (table["mi_true"] == 8.0)].iloc[0]
    assert (own["runs_averaged"], own["n_diverged"]) == (3, 1)
    assert own["mean"] == pytest.approx(0.8 * 8 - 0.05)  # of the three others
    assert "1 diverged run is left out of means and band" in caption
    crosses = [c.get_offsets().tolist() for c in figure.axes[0].collections if len(c.get_offsets()) == 1]
    assert [[8.0, 9.0]] in crosses
    assert "diverged run" in legend(figure)
    assert "diverged run" not in legend(draw(calm).figure)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_an_estimator_whose_runs_all_diverged_bounds_nothing(value: float) -> None:
    runs = make()
    runs.loc[runs["estimator"] == "infonce", ["status", "estimate_train_median"]] = ["diverged", value]
    figure, table, caption, levels = draw(runs)
    assert levels is not None
    assert levels["largest_lower"].tolist() == ["nwj"] * 3
    assert table.loc[table["estimator"] == "infonce", "mean"].isna().all()
    assert "3 means are missing: all runs diverged" in caption
    assert figure.axes[0].get_ylim()[1] < 30


@pytest.mark.parametrize(
    ("names", "missing"),
    [(("nwj", "smile"), "no upper bound"), (("club",), "no lower bound"), (("smile",), "no lower bound")],
)
def test_a_missing_kind_is_named_in_one_sentence(names: tuple[str, ...], missing: str) -> None:
    with pytest.raises(UsageError, match=missing) as caught:
        draw(make({name: FACTORS[name] for name in names}))
    assert "\n" not in str(caught.value)


def test_rows_without_a_kind_are_no_bounds() -> None:
    with pytest.raises(UsageError, match="no lower bound"):
        draw(make(kind=None))


def test_bounds_that_never_meet_in_a_panel_are_told_apart_from_missing_ones() -> None:
    runs = pd.concat([make({"nwj": 0.8}, batches=(64,)), make({"club": 1.2}, batches=(256,))], ignore_index=True)
    with pytest.raises(UsageError, match="none agree in all of them"):
        draw(runs)


def test_a_panel_or_level_without_one_kind_has_a_gap_and_says_so() -> None:
    runs = make(batches=(64, 256))
    runs = runs[(runs["kind"] != "upper") | ((runs["batch"] == 64) & (runs["mi_true"] != 4.0))]
    figure, _, caption, levels = draw(runs)
    assert levels is not None
    assert levels.loc[levels["smallest_upper"].isna(), ["batch", "mi_true"]].to_numpy().tolist() == [
        [64, 4], [256, 2], [256, 4], [256, 8],
    ]  # fmt: skip
    assert levels.loc[levels["smallest_upper"].isna(), "truth_within"].isna().all()
    assert "The band has gaps: no upper bound at 4 levels." in caption
    texts = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert texts == [[], ["no upper bound: no band"]]


def test_tasks_batches_critics_and_negatives_get_panels_of_their_own() -> None:
    parts = [
        make(batches=(64, 256)),
        make(prefix="t", task="spirals"),
        make(prefix="c", critic="separable"),
        make(prefix="n", negatives="shuffle"),
    ]
    figure, *_ = draw(pd.concat(parts, ignore_index=True))
    assert sorted(ax.get_title(loc="left") for ax in figure.axes) == sorted(
        [
            "derangement · N = 64\ngaussian20d, joint",
            "derangement · N = 256\ngaussian20d, joint",
            "derangement · N = 64\nspirals, joint",
            "derangement · N = 64\ngaussian20d, separable",
            "shuffle · N = 64\ngaussian20d, joint",
        ]
    )


def test_estimators_that_bring_their_critic_stand_beside_every_critic_of_the_others() -> None:
    shared = [make({"infonce": 0.8}, prefix=critic, critic=critic, own_critic=0) for critic in ("joint", "separable")]
    guests = [
        make({"club": 1.3}, prefix="g", critic="conditional-gaussian", hidden="1x64", own_critic=1, own_negatives=0),
        make({"l1out": 1.2}, prefix="o", critic="none", negatives="none", own_critic=1, own_negatives=1),
        make({"club": 1.4}, prefix="s", critic="conditional-gaussian", negatives="shuffle", own_critic=1),
    ]
    figure, table, *_ = draw(pd.concat([*shared, *guests], ignore_index=True))
    titles = sorted(ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left").startswith("derange"))
    assert titles == ["derangement · N = 64\njoint", "derangement · N = 64\nseparable"]
    beside = table[table["negatives"] == "derangement"].groupby("setup")["estimator"].unique()
    assert {name: sorted(found) for name, found in beside.items()} == {
        "joint": ["club", "infonce", "l1out"],
        "separable": ["club", "infonce", "l1out"],
    }


def test_a_stair_is_a_level_and_staircases_are_not_pooled_with_constant_runs() -> None:
    stairs = make(schedule=True)
    alone = draw(stairs)
    assert summary(alone)["mi_true"].tolist() == [2.0, 4.0, 8.0]
    assert "A stair of a staircase is a level" in alone.caption
    together = draw(pd.concat([make(prefix="c"), stairs], ignore_index=True))
    assert [ax.get_title(loc="left") for ax in together.figure.axes] == [
        "derangement · N = 64\nconstant MI",
        "derangement · N = 64\nstaircase 2 4 8",
    ]
    assert (together.table["runs_averaged"] == 3).all()


def test_one_level_and_one_seed_are_enough() -> None:
    figure, table, caption, levels = draw(make({"nwj": 0.8, "club": 1.2}, (5.0,), seeds=1))
    assert levels is not None
    assert levels["truth_within"].tolist() == [True]
    assert levels["truth_within_intervals"].isna().all()
    assert table["low"].isna().all()
    assert "2 means of a single run have no interval" in caption
    bars = [c for c in figure.axes[0].collections if type(c).__name__ == "LineCollection" and c.get_segments()]
    assert [segment.tolist() for bar in bars for segment in bar.get_segments()] == [[[5.0, 4.0], [5.0, 6.0]]]


def test_everything_drawn_is_in_the_table_and_the_levels_are_its_summary() -> None:
    _, table, caption, levels = draw(make(batches=(64, 256)))
    assert levels is not None
    assert len(table) == 4 * 3 * 2
    assert len(levels) == 3 * 2
    for columns in (table.columns, levels.columns):
        assert {"task", "negatives", "batch", "mi_true", "largest_lower", "smallest_upper", "width"} <= set(columns)
    assert "median over the last 100 training batches" in caption
    assert "seeds 0, 1, 2" in caption


@pytest.mark.parametrize("names", [tuple(FACTORS), tuple(ESTIMATOR_COLOURS)])
def test_text_stays_on_the_page_and_apart(names: tuple[str, ...]) -> None:
    factors = {name: FACTORS.get(name, 0.5) for name in names}
    for batches in ((64,), (64, 256, 1024)):
        figure = draw(make(factors, batches=batches, seeds=1)).figure
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # of Agg
        boxes = [ax.get_tightbbox(renderer) for ax in figure.axes]
        (key,) = figure.legends
        title, caption = (Text.get_window_extent(text, renderer) for text in figure.texts)
        frame = key.get_window_extent(renderer)
        assert max(box.y1 for box in boxes) <= frame.y0 < frame.y1 <= title.y0
        assert frame.x1 <= figure.bbox.x1
        assert 0 <= caption.y0 < caption.y1 <= min(box.y0 for box in boxes)
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_many_lower_bounds_do_not_push_the_upper_one_out_of_view() -> None:
    factors = {**{f"bound-{i}": 0.5 for i in range(40)}, "club": 1.4}
    figure, _, caption, _ = draw(make(factors, (2.0, 4.0, 6.0, 8.0)))
    assert figure.axes[0].get_ylim()[1] > 1.4 * 8
    assert "outside the view" not in caption
    far = draw(make({**factors, "club": 1e6}))
    assert far.figure.axes[0].get_ylim()[1] < 100
    assert "3 means lie outside the view" in far.caption


class TestSandwich:
    def means(self, **values: tuple[str, float]) -> pd.DataFrame:
        rows = [
            {"mi_true": 3.0, "estimator_label": n, "kind": k, "mean": v, "low": v, "high": v}
            for n, (k, v) in values.items()
        ]
        return pd.DataFrame(rows)

    def test_values_that_are_not_finite_bound_nothing(self) -> None:
        means = self.means(a=("lower", 2.0), b=("lower", math.inf), c=("lower", math.nan), d=("upper", -math.inf))
        (row,) = sandwich(means, ["mi_true"]).to_dict("records")
        assert row["largest_lower"] == "a"
        assert row["smallest_upper"] is None
        assert math.isnan(row["width"])
        assert row["truth_within"] is None

    def test_plug_ins_bound_nothing_and_ties_go_to_the_first_name(self) -> None:
        means = self.means(z=("lower", 2.0), b=("lower", 2.0), p=("plug-in", 2.9), u=("upper", 3.0))
        (row,) = sandwich(means, ["mi_true"]).to_dict("records")
        assert (row["largest_lower"], row["smallest_upper"]) == ("b", "u")
        assert row["truth_within"] is True  # the ends belong to it

    def test_no_cells_give_the_columns(self) -> None:
        runs = with_labels(make())[:0]
        means = summarise(runs, ["mi_true", "estimator_label", "kind"])
        empty = sandwich(means, ["mi_true"])
        assert empty.empty
        assert {"largest_lower", "upper_high", "width", "truth_within_intervals"} <= set(empty)


# --- colours --------------------------------------------------------------------------------------------------

COMING = (
    "interpolated", "vince", "vince-plus", "barber-agakov", "hybrid", "v-information", "ir", "ball", "annulus",
    "local-aggregation", "club", "l1out", "infonce-anchor", "doe", "tre", "ksg", "cca", "histogram",
)  # fmt: skip

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
EYES = {
    "full": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def cielab(colour: str, eye: str) -> np.ndarray[Any, Any]:
    """CIELAB coordinates of a colour as an eye sees it (D65)."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(np.asarray(EYES[eye]) @ linear, 0, 1) / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_every_estimator_that_ships_or_is_to_come_has_a_colour() -> None:
    shipped = {entry.name for entry in registry.ESTIMATORS.entries() if entry.module.startswith("mibench.")}
    assert shipped
    assert (shipped | set(COMING)) - set(ESTIMATOR_COLOURS) == set()


def test_no_two_estimators_look_the_same() -> None:
    assert len({colour.upper() for colour in ESTIMATOR_COLOURS.values()}) == len(ESTIMATOR_COLOURS)
    assert len({str(estimator_sign(name)) for name in ESTIMATOR_COLOURS}) == len(ESTIMATOR_COLOURS)


@pytest.mark.parametrize("eye", EYES)
def test_colours_tell_apart_what_marker_or_dash_alone_do_not(eye: str) -> None:
    seen = {name: cielab(colour, eye) for name, colour in ESTIMATOR_COLOURS.items()}
    for one, two in itertools.combinations(ESTIMATOR_COLOURS, 2):
        if any(a == b for a, b in zip(estimator_sign(one), estimator_sign(two), strict=True)):
            assert np.linalg.norm(seen[one] - seen[two]) > 10, (one, two)  # 2.3 is just noticeable


def test_a_plug_in_has_a_sign_that_depends_on_its_name_alone() -> None:
    assert estimator_sign("my-bound") == estimator_sign("my-bound")
    assert len({str(estimator_sign(f"bound-{i}")) for i in range(20)}) > 5
