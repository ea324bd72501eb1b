"""Reports on made-up rows: four files a figure, the same bytes for the same rows, and captions that say it all."""

from __future__ import annotations

import dataclasses
import gzip
import html
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D
from matplotlib.text import Text

from mibench.analysis.cells import GridRows
from mibench.analysis.labels import caption, component_id, listing, number, with_labels
from mibench.claims.judgement import Judgement
from mibench.cli.app import main
from mibench.core.errors import DuplicateNameError, UnknownNameError, UsageError
from mibench.core.plugins import load_plugins
from mibench.figures import style
from mibench.figures.panels import MAX_PANELS
from mibench.figures.registry import FIGURES, Drawing, register_figure
from mibench.figures.style.palette import ESTIMATOR_COLOURS, estimator_sign
from mibench.report import reports as report
from mibench.report.files import LARGEST_CSV, markdown_table, write_files
from mibench.report.result import ReportResult
from mibench.report.selection import select
from mibench.store.columns import CURVES, RUNS
from mibench.store.parquet import write_pack
from tests.support.rows import make

SUFFIXES = ("png", "svg", "csv", "md")
BOUNDS = ("nwj", "club")
"""A lower and an upper bound."""


def both(estimators: tuple[str, ...] = ("nwj",)) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Constant runs and a staircase, one of them diverged."""
    constant = make(estimators=estimators)
    staircase = make(estimators=estimators, batches=(64,), negatives=("shuffle",), schedule=(2.0, 4.0, 6.0), steps=600)
    for table in staircase:
        table["run_id"] = "s" + table["run_id"].str[1:]
    runs = pd.concat([constant[0], staircase[0]], ignore_index=True)
    last = runs.index[runs["negatives"] == "derangement"][-1]
    runs.loc[last, ["status", "diverged_at", "divergence", "estimate_train_median"]] = ["diverged", 250, "median", 80.0]
    return runs, pd.concat([constant[1], staircase[1]], ignore_index=True)


@pytest.fixture(scope="module")
def all_rendered(tmp_path_factory: pytest.TempPathFactory) -> list[ReportResult]:
    """Every figure of the rows of `both`, rendered once for the tests that look at the files."""
    return report.render(*both(BOUNDS), ["all"], tmp_path_factory.mktemp("all") / "made" / "here")


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file stand for the four of a figure: it is drawn, but not rendered."""
    monkeypatch.setattr(report, "contents_of", lambda name, drawing, formats: {f"{name}.png": b"drawn"})


def test_every_figure_writes_its_four_files_and_they_are_what_their_names_say(all_rendered: list[ReportResult]) -> None:
    done = all_rendered
    assert {d.name for d in done} == set(FIGURES)
    special = {"exact-split", "bias-variance", "error-by-mi", "violations", "cost", "sample-size"}  # by columns
    by_rows = {"self-consistency", "board-surprises", "leaderboard-settings", "leaderboard-wins", "explained"}
    special |= by_rows
    done = [d for d in done if FIGURES[d.name].claim is None and d.name not in special]
    assert {"saturation", "curves", "staircase", "divergence", "sandwich"} <= set(FIGURES)
    for result in done:
        png, svg, csv, md = result.files
        table = gzip.decompress(csv.read_bytes()) if csv.suffix == ".gz" else csv.read_bytes()
        suffixes = [f"{s}.gz" if s == "csv" and len(table) > LARGEST_CSV else s for s in SUFFIXES]
        assert [f.name for f in result.files] == [f"{result.name}.{s}" for s in suffixes]
        assert png.read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in svg.read_bytes()[:1000]
        assert len(pd.read_csv(csv)) > 0
        assert md.read_text().startswith(f"# {result.name}\n")
        assert "| --- |" in md.read_text()


def test_the_same_rows_give_the_same_bytes_in_any_order(all_rendered: list[ReportResult], tmp_path: Path) -> None:
    runs, curves = both(BOUNDS)
    again = report.render(runs.sample(frac=1, random_state=0), curves.sample(frac=1, random_state=1), ["all"], tmp_path)
    for one, two in zip(all_rendered, again, strict=True):
        for left, right in zip(one.files, two.files, strict=True):
            assert left.read_bytes() == right.read_bytes(), left.name


def test_other_rows_give_other_bytes(tmp_path: Path) -> None:
    runs, curves = both()
    (one,) = report.render(runs, curves, ["saturation"], tmp_path / "a")
    runs.loc[0, "estimate_train_median"] += 0.5
    (two,) = report.render(runs, curves, ["saturation"], tmp_path / "b")
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(one.files[:3], two.files[:3], strict=True))


def test_no_date_and_no_machine_gets_into_a_file(tmp_path: Path) -> None:
    (result,) = report.render(*both(), ["divergence"], tmp_path)
    svg = result.files[1].read_text()
    assert "<dc:date>" not in svg
    assert str(tmp_path) not in svg


@pytest.mark.parametrize("name", ["saturation", "curves", "staircase", "divergence", "sandwich"])
def test_captions_state_grid_protocol_and_versions(name: str) -> None:
    figure, table, caption, _ = FIGURES[name].draw(*both(BOUNDS))
    assert isinstance(figure, mpl.figure.Figure)
    assert not table.empty
    for part in (
        "gaussian20d-v1:dim=20", "nats", "nwj-v1", "N = 64", "critic joint 2x128 relu", "shuffle-v1", "training steps",
        "learning rate 0.0005", "seeds 0, 1", "4 ok" if name == "staircase" else "ok", "Protocol 1",
        "mibench 0.1.0", "torch 2.13.0", "joint-v1",
    ):  # fmt: skip
        assert part in caption, part
    printed = " ".join(" ".join(t.get_text() for t in figure.texts).split())
    assert " ".join(caption.split()) in printed


def test_saturation_says_which_estimate_and_why_samplers_differ() -> None:
    figure, table, caption, summary = FIGURES["saturation"].draw(*both())
    for part in (
        "median over the last 100 training batches", "random permutation", "about one positive pair", "near log N",
        "95 % confidence interval", "1 diverged run is drawn but not",
    ):  # fmt: skip
        assert part in caption
    assert any("median estimate" in ax.get_ylabel() for ax in figure.axes)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["nwj · shuffle", "nwj · derangement"]
    assert len(table) == 16
    high = summary.set_index(["negatives", "mi_true"])["slope"]
    assert high["shuffle", 10.0] == pytest.approx(1.0, abs=0.1)
    assert high["derangement", 2.0] == pytest.approx(0.0, abs=0.1)


def test_saturation_draws_the_line_y_equals_log_n() -> None:
    figure, *_ = FIGURES["saturation"].draw(*make())
    for ax in figure.axes:
        dashed = [line for line in ax.lines if line.get_linestyle() == "--" and line.get_color() == style.INK]
        assert len(dashed) == 1
        x, y = dashed[0].get_data()
        assert np.array_equal(x, y)
        assert x[0] < math.log(64) < math.log(256) < x[1]


def test_saturation_with_one_batch_size_has_points_and_no_slope() -> None:
    _, table, caption, _ = FIGURES["saturation"].draw(*make(batches=(64,)))
    assert table["slope"].isna().all()
    assert "without slope or interval" in caption
    assert "two batch sizes" in caption


def test_curves_table_holds_raw_points_and_the_smoothed_line() -> None:
    runs, curves = make(negatives=("shuffle",), batches=(512,), seeds=1)
    figure, table, caption, _ = FIGURES["curves"].draw(runs, curves)
    raw = table[table["series"] == "raw"]
    assert raw["value"].tolist() == curves["estimate_train_median"].tolist()
    assert table.groupby(["run_id", "series"]).size().unstack()["smoothed"].tolist() == [40, 40]
    assert "(11 - d)/11" in caption
    assert "divided by the sum of the weights" in caption
    assert "shortened to make 40" in caption
    assert any("log N = 6.24" in t.get_text() for t in figure.axes[0].texts)


def test_staircase_smoothing_stops_at_every_edge() -> None:
    runs, curves = make(schedule=(2.0, 30.0), negatives=("derangement",), batches=(64,), seeds=1, steps=800)
    curves["estimate_train_median"] = curves["mi_true"]  # an estimator that jumps with the truth
    _, table, _, _ = FIGURES["staircase"].draw(runs, curves)
    smoothed = table[table["series"] == "smoothed"]
    assert np.allclose(smoothed["value"], smoothed["mi_true"])
    assert (smoothed.loc[smoothed["mi_true"] == 30.0, "step"] > 400).all()


def test_staircase_draws_the_truth() -> None:
    figure, *_ = FIGURES["staircase"].draw(*make(schedule=(2.0, 4.0), negatives=("shuffle",), batches=(64,)))
    (truth,) = [p for p in figure.axes[0].patches if type(p).__name__ == "StepPatch"]
    assert truth.get_data().values.tolist() == [2.0, 4.0]
    assert truth.get_data().edges.tolist() == [0, 200, 400]


def test_divergence_tells_when_and_how_far() -> None:
    _, table, caption, summary = FIGURES["divergence"].draw(*both())
    assert "1 run of 18 diverged (1 by median), the first at step 250" in caption
    assert table.loc[table["diverged"], "excess"].tolist() == [70.0]
    assert summary["n_diverged"].sum() == 1


def test_divergence_draws_many_unbroken_lines_near_the_top() -> None:
    names = tuple(f"a-plug-in-with-a-long-name-{i:02}" for i in range(28))
    figure, *_ = FIGURES["divergence"].draw(*make(estimators=names, batches=(64,), levels=(2.0,), seeds=1))
    lines = figure.axes[0].lines
    assert len(lines) == 28
    assert min(min(line.get_ydata()) for line in lines) == pytest.approx(0.96)
    assert len({line.get_ydata()[0] for line in lines}) == 28
    assert len({line.get_color() for line in lines}) == 28


def test_divergence_draws_every_estimator_with_its_dash() -> None:
    names = ("js", "nwj", "tuba")
    figure, *_ = FIGURES["divergence"].draw(*make(estimators=names, batches=(64,), levels=(2.0,), seeds=1))
    given = [Line2D([], [], linestyle=estimator_sign(name)[1], linewidth=1.6) for name in names]
    assert [line._dash_pattern for line in figure.axes[0].lines] == [line._dash_pattern for line in given]
    assert len({str(line._dash_pattern) for line in given}) > 1


@pytest.mark.parametrize("length", [10, 40, 90, 200])
def test_legends_of_long_names_stay_on_the_page(length: int) -> None:
    names = tuple(f"{i:02}" + "m" * length * (i % 2) for i in range(9))
    figure, *_ = FIGURES["divergence"].draw(*make(estimators=names, batches=(64,), levels=(2.0,), seeds=1))
    figure.draw_without_rendering()  # which lays it out
    (legend,) = figure.legends
    box = legend.get_window_extent(figure.canvas.get_renderer())
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= max(ax.get_tightbbox(figure.canvas.get_renderer()).y1 for ax in figure.axes)


def test_an_estimator_has_one_colour_in_all_figures_of_a_report() -> None:
    names = tuple(f"plug-in-{i}" for i in range(12))
    runs, curves = make(estimators=names, negatives=("shuffle",), batches=(64,), levels=(2.0,), seeds=1)
    stairs = make(estimators=names[::3], negatives=("shuffle",), batches=(64,), schedule=(2.0, 4.0), seeds=1)
    for table in stairs:
        table["run_id"] = "s" + table["run_id"].str[1:]
    stairs[0]["estimator_params"] = '{"tau":5.0}'  # variants, and labels, that one figure knows and another does not
    runs, curves = pd.concat([runs, stairs[0]], ignore_index=True), pd.concat([curves, stairs[1]], ignore_index=True)
    drawn = {name: FIGURES[name].draw(runs, curves)[0] for name in ("saturation", "curves", "staircase")}
    titles = {
        name: {ax._left_title.get_text().split(" ")[0]: ax._left_title.get_color() for ax in figure.axes}
        for name, figure in drawn.items()
    }
    assert titles["saturation"] == titles["curves"]
    assert len(set(titles["curves"].values())) == 12
    assert not set(titles["curves"].values()) & set(titles["staircase"].values())  # other parameters: other shades


def test_saturation_marks_infinities_at_their_ends_and_leaves_nan_out() -> None:
    runs, curves = make(negatives=("shuffle",), batches=(64, 256), levels=(2.0,), seeds=3)
    runs.loc[:2, "estimate_train_median"] = [math.inf, -math.inf, math.nan]
    figure, _, caption, _ = FIGURES["saturation"].draw(runs, curves)
    ax = figure.axes[0]
    marks = [y for points in ax.collections for _, y in points.get_offsets() if y in ax.get_ylim()]
    assert sorted(marks) == sorted(ax.get_ylim())
    assert "3 final estimates are not finite" in caption
    assert "outside the view" in [text.get_text() for text in figure.legends[0].get_texts()]
    runs.loc[:1, "estimate_train_median"] = math.nan
    figure, *_ = FIGURES["saturation"].draw(runs, curves)
    assert "outside the view" not in [text.get_text() for text in figure.legends[0].get_texts()]


WILD = [math.inf, -math.inf, math.nan, 1e30, -1e30, 1e300]


@pytest.mark.parametrize("name", ["saturation", "curves", "staircase", "divergence", "sandwich"])
def test_wild_values_are_counted_and_do_not_stretch_the_view(name: str, tmp_path: Path) -> None:
    runs, curves = both(BOUNDS)
    runs.loc[: len(WILD) - 1, "estimate_train_median"] = WILD
    curves["estimate_train_median"] = curves["estimate_train_median"].astype(float)
    for table in (curves, curves[::-1]):  # in the first runs, which are constant, and in the last, a staircase
        curves.loc[table.index[7 : 7 + 3 * len(WILD)], "estimate_train_median"] = WILD * 3
    drawing = Drawing(*FIGURES[name].draw(runs, curves))
    assert "not finite" in drawing.caption
    for ax in drawing.figure.axes:
        low, high = ax.get_ylim()
        assert -1e4 <= low < high <= 1e4
    files = write_files(name, drawing, tmp_path)
    assert len(files) == 4
    assert len(drawing.table) == len(pd.read_csv(files[2]))


@pytest.mark.parametrize("name", ["saturation", "curves", "divergence"])
def test_one_run_with_one_point_is_enough(name: str, tmp_path: Path) -> None:
    runs, curves = make(negatives=("shuffle",), batches=(64,), levels=(5.0,), seeds=1)
    (result,) = report.render(runs, curves[:1], [name], tmp_path)
    assert result.reason == ""
    assert len(result.files) == 4


@pytest.mark.usefixtures("unrendered")
def test_figures_that_the_rows_do_not_suit_say_why_in_a_sentence_and_stop_no_other(tmp_path: Path) -> None:
    runs, _ = make()
    done = {d.name: d for d in report.render(runs, pd.DataFrame(columns=["run_id"]), ["all"], tmp_path)}
    assert done["saturation"].files
    assert done["divergence"].files
    assert "schedule" in done["staircase"].reason
    assert "curves of its runs" in done["curves"].reason
    assert "no upper bound" in done["sandwich"].reason
    assert not any("\n" in d.reason for d in done.values())
    boards = ["leaderboard", "leaderboard-estimates", "leaderboard-parts"]
    assert "two methods in one track" in done["leaderboard-wins"].reason
    assert sorted(f.stem for f in tmp_path.glob("*.png")) == ["divergence", *boards, "saturation", "survival"]


@pytest.mark.parametrize("name", ["saturation", "curves", "staircase", "divergence", "sandwich"])
def test_failed_runs_alone_and_no_runs_give_a_reason(name: str, tmp_path: Path) -> None:
    runs, curves = both()
    runs["status"] = "crashed"
    for rows in (runs, runs[:0]):
        (result,) = report.render(rows, curves, [name], tmp_path)
        assert result.files == ()
        assert result.reason != ""


def test_failed_runs_are_counted_in_the_caption() -> None:
    runs, curves = make()
    runs.loc[0, ["status", "estimate_train_median"]] = ["timeout", None]
    _, table, caption, _ = FIGURES["saturation"].draw(runs, curves)
    assert "16 runs: 15 ok, 1 timeout" in caption
    assert len(table) == 15


def test_the_name_of_log_n_covers_no_line_where_there_is_room() -> None:
    runs, curves = make(negatives=("shuffle",), batches=(64,), levels=(4.3,), seeds=1)
    curves["estimate_train_median"] = math.log(64) + 0.05  # runs along log N, just above it
    figure, *_ = FIGURES["curves"].draw(runs, curves)
    (ax,) = figure.axes
    (label,) = [text for text in ax.texts if text.get_text() == "log N = 4.16"]
    box = label.get_window_extent(figure.canvas.get_renderer())
    drawn = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert drawn
    for line in drawn:
        assert not line.get_transform().transform_path(line.get_path()).intersects_bbox(box, filled=False)


@pytest.mark.parametrize("schedule", [(), (2.0, 4.0)])
def test_a_ceiling_of_the_estimator_below_log_n_is_drawn_in_its_place(schedule: tuple[float, ...]) -> None:
    name = "staircase" if schedule else "curves"
    runs, curves = make(estimators=("infonce",), batches=(64,), seeds=1, schedule=schedule, ceiling=math.log(2))
    figure, _, caption, _ = FIGURES[name].draw(runs, curves)
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert set(texts) == {"own ceiling = 0.69"}
    assert "own ceiling on a batch is lower than log N" in caption
    figure, _, caption, _ = FIGURES[name].draw(runs.assign(ceiling=math.log(64)), curves)
    assert {text.get_text() for ax in figure.axes for text in ax.texts} == {"log N = 4.16"}
    assert "own ceiling" not in caption


def test_runs_that_differ_in_a_setting_get_panels_of_their_own() -> None:
    one, two = make(negatives=("shuffle",)), make(negatives=("shuffle",), critic="separable", lr=1e-3)
    for table in two:
        table["run_id"] = "t" + table["run_id"].str[1:]
    runs, curves = (pd.concat(pair, ignore_index=True) for pair in zip(one, two, strict=True))
    figure, *_ = FIGURES["saturation"].draw(runs, curves)
    assert [ax.get_title(loc="left").split("\n")[1] for ax in figure.axes] == [
        "joint, lr 0.0005",
        "separable, lr 0.001",
    ]


def test_too_many_panels_are_cut_and_the_caption_says_so() -> None:
    batches = tuple(range(2, 2 + MAX_PANELS + 3))
    runs, curves = make(negatives=("shuffle",), batches=batches, levels=(2.0,), seeds=1, steps=20)
    figure, _, caption, _ = FIGURES["curves"].draw(runs, curves)
    assert len(figure.axes) == MAX_PANELS
    assert f"Only the first {MAX_PANELS} of {MAX_PANELS + 3} panels are drawn" in caption


@pytest.mark.parametrize(
    ("name", "across"), [("saturation", 2), ("bias-variance", 3), ("error-by-mi", 3), ("exact-split", 1)]
)
def test_too_many_rows_of_panels_are_cut_and_the_caption_says_so(name: str, across: int) -> None:
    plug_ins = tuple(f"plug-in-{i:02}" for i in range(17)) if name == "saturation" else ("nwj",)
    levels = (2.0,) if name == "saturation" else tuple(float(i) for i in range(1, 7))
    batches = (64, 256) if name == "bias-variance" else (16, 32, 64, 128, 256, 512)
    runs, curves = make(estimators=plug_ins, batches=batches, levels=levels, seeds=1, steps=20)
    runs["estimate_train"], runs["estimate_train_sd"] = runs["estimate_train_median"], 1.0
    if name == "exact-split":
        more = tuple(range(2, 2 + MAX_PANELS + 1))
        runs, _ = make(negatives=("shuffle",), batches=more, levels=(2.0,), seeds=1, steps=20)
        exact = runs.assign(critic="oracle", run_id="o" + runs["run_id"].str[1:])
        runs = pd.concat([runs, exact], ignore_index=True)
    figure, table, caption, _ = Drawing(*FIGURES[name].draw(runs, curves))
    assert len(figure.axes) == MAX_PANELS // across * across
    assert f"Only the first {MAX_PANELS // across} of " in caption
    assert 0 < len(table) < len(runs)


def test_text_stays_on_the_page_and_legends_do_not_touch_panels() -> None:
    samplers, names = ("shuffle", "derangement", "all-pairs"), ("nwj", "dv")
    for name in ("saturation", "curves", "divergence"):
        figure, *_ = FIGURES[name].draw(
            *make(estimators=names, negatives=samplers, levels=(2, 4, 6, 8, 10, 30), seeds=1)
        )
        figure.draw_without_rendering()
        page = figure.bbox
        renderer = figure.canvas.get_renderer()
        top = max(ax.get_tightbbox(renderer).y1 for ax in figure.axes)
        bottom = min(ax.get_tightbbox(renderer).y0 for ax in figure.axes)
        (legend,) = figure.legends
        assert legend.get_window_extent(renderer).y0 >= top
        assert legend.get_window_extent(renderer).x1 <= page.x1
        title, caption = (t.get_window_extent(renderer) for t in figure.texts)
        assert title.y1 <= page.y1
        assert legend.get_window_extent(renderer).y1 <= title.y0
        assert 0 <= caption.y0 < caption.y1 <= bottom
        assert caption.x1 <= page.x1
        for ax in figure.axes:
            # Of an annotation its text alone, without the line that leads to it.
            boxes = [Text.get_window_extent(t, renderer) for t in ax.texts if ":" in t.get_text()]
            assert all(b.x1 <= page.x1 for b in boxes)
            assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


class TestSelect:
    def test_keeps_rows_with_one_of_the_values(self) -> None:
        runs, _ = make(estimators=("nwj", "dv"))
        assert set(select(runs, {"estimator": ["nwj-v1"], "batch": ["64"], "mi": [10]})["batch"]) == {64}
        assert len(select(runs, {"estimator": ["nwj", "dv"], "mi": ["2.0"]})) == len(runs) / 2

    def test_understands_labels_with_parameters(self) -> None:
        runs, _ = make(estimators=("smile",))
        runs["estimator_params"] = np.where(runs["seed"] == 0, '{"tau":1.0}', '{"tau":5.0}')
        assert set(select(runs, {"estimator": ["smile:tau=5"]})["seed"]) == {1}

    def test_an_unknown_column_gets_a_suggestion(self) -> None:
        with pytest.raises(UsageError, match=r"'estimater'; did you mean 'estimator'"):
            select(make()[0], {"estimater": ["nwj"]})

    def test_an_empty_selection_is_a_sentence(self) -> None:
        with pytest.raises(UsageError, match="none of 16 rows has batch 7"):
            select(make()[0], {"batch": [7]})


class TestNames:
    def test_all_and_repeats_are_resolved_once_each(self) -> None:
        assert report.resolve_names(["curves", "all", "curves"])[0] == "curves"
        assert sorted(report.resolve_names(["curves", "all"])) == sorted(FIGURES)

    def test_an_unknown_report_gets_a_suggestion(self) -> None:
        with pytest.raises(UnknownNameError, match="unknown report 'saturaton'; did you mean 'saturation'"):
            report.resolve_names(["saturaton"])

    def test_a_plug_in_adds_a_figure_with_one_decorated_function(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(FIGURES, "mine-alone", raising=False)

        @register_figure("mine-alone")
        def mine(runs: pd.DataFrame, curves: pd.DataFrame) -> tuple[Any, ...]:
            return matplotlib.figure.Figure(), runs[["run_id", "batch"]], "A caption."

        try:
            (result,) = report.render(*make(), ["mine-alone"], tmp_path)
            assert len(result.files) == 4
            with pytest.raises(DuplicateNameError, match="taken"):
                register_figure("mine-alone")(lambda runs, curves: ())
        finally:
            del FIGURES["mine-alone"]


PLUGIN = """
import os, sys
from matplotlib.figure import Figure
from mibench.figures import register_figure


def plain(label=""):
    figure = Figure()
    figure.add_subplot(title=label)
    return figure


def enter(name, work):
    register_figure(name)(lambda runs: work())


enter("odd-raises", lambda: {}["x"])
enter("odd-leaves", lambda: sys.exit(3))
enter("odd-none", lambda: None)
enter("odd-text", lambda: plain("$\\\\frac{$"))  # which is read when it is rendered
for number in range(6):
    enter(f"fine-{number}", plain)


@register_figure("odd-table")
def odd_table(runs, curves):
    return plain(), [1, 2], "A caption."


@register_figure("odd-ends")
def odd_ends(runs):
    os._exit(3)
"""


@pytest.fixture
def odd_figures(tmp_path: Path, fresh_registries: None) -> Iterator[Path]:
    """A plug-in with figures that fail, each in its way, and some that do not."""
    file = tmp_path / "odd.py"
    file.write_text(PLUGIN, encoding="utf-8")
    before = dict(FIGURES)
    yield file
    FIGURES.clear()
    FIGURES.update(before)


FAULTS = {
    "odd-raises": "KeyError: 'x' (odd.py, line 17)",
    "odd-leaves": "SystemExit: 3 (odd.py, line 18)",
    "odd-none": "its function must return a figure, a table and a caption, not NoneType, DataFrame, str",
    "odd-table": "its function must return a figure, a table and a caption, not Figure, list, str",
    "odd-text": "ValueError: ",
}


class TestFigureThatFails:
    def test_it_is_listed_with_its_error_and_the_others_are_drawn(
        self, odd_figures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_pack(tmp_path / "results", "pack", *make())
        folders = ["--results", str(tmp_path / "results"), "--output", str(tmp_path / "reports")]
        assert main(["report", *FAULTS, "fine-0", "survival", *folders, "--plugin", str(odd_figures)]) == 0
        printed = capsys.readouterr().out.splitlines()
        page = (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
        for name, reason in FAULTS.items():
            (line,) = (line for line in printed if line.startswith(f"no {name}: "))
            assert line.removeprefix(f"no {name}: ").startswith(reason)
            assert html.escape(reason[:30], quote=False) in html.unescape(page).replace("&", "&amp;")
        assert {file.stem for file in (tmp_path / "reports").glob("*.png")} == {"fine-0", "survival"}

    def test_alone_it_is_an_error(self, odd_figures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_pack(tmp_path / "results", "pack", *make())
        folders = ["--results", str(tmp_path / "results"), "--output", str(tmp_path / "reports")]
        assert main(["report", "odd-raises", *folders, "--plugin", str(odd_figures)]) == 2
        assert capsys.readouterr().err == "mibench: KeyError: 'x' (odd.py, line 17)\n"
        assert not (tmp_path / "reports").exists()

    def test_one_that_ends_its_process_takes_no_other_along(
        self, odd_figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load_plugins([odd_figures], strict=True)
        monkeypatch.setattr(report, "available_cores", lambda: 2)
        fine = [f"fine-{number}" for number in range(6)]
        done = report.render(*make(), ["odd-ends", *fine, "odd-raises"], tmp_path)
        assert [result.name for result in done if result.files] == fine
        assert [result.reason for result in done if not result.files] == [
            "the process that drew it ended before it was done",
            "KeyError: 'x' (odd.py, line 17)",
        ]

    def test_a_claim_that_cannot_be_judged_is_one_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        entry = FIGURES["gosch-2"]
        assert entry.claim is not None

        def judge(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
            raise ZeroDivisionError("no runs")

        claim = dataclasses.replace(entry.claim, judge=judge)
        drawn = dataclasses.replace(
            entry, claim=claim, draw=lambda runs, curves: (matplotlib.figure.Figure(), runs, "")
        )
        monkeypatch.setitem(FIGURES, "gosch-2", drawn)
        monkeypatch.setattr(report, "rows_of_grid", lambda runs, grid: GridRows(runs, "standard", 1, 1, ()))
        (result,) = report.render(*make(), ["gosch-2"], tmp_path)
        assert result.reason.startswith("ZeroDivisionError: no runs (test_reports.py, line ")


class TestFolder:
    def stored(self, folder: Path) -> Path:
        runs, curves = make(levels=(10.0,), seeds=1)
        for table, columns in ((runs, RUNS), (curves, CURVES)):
            for column in columns:
                if column.type == "string" and column.name in table:
                    table[column.name] = table[column.name].astype(object).where(table[column.name].notna(), None)
        runs["session_id"] = "s"
        runs["finished_at"] = pd.Timestamp("2026-01-01", tz="UTC")
        write_pack(folder, "pack", runs.to_dict("records"), curves)
        return folder

    def test_reads_draws_and_returns_the_files(self, tmp_path: Path) -> None:
        files = report.report(
            ["saturation", "curves"], results=self.stored(tmp_path / "results"), output=tmp_path / "reports",
            where={"negatives": ["shuffle"]},
        )  # fmt: skip
        drawn = [f"{n}.{s}" for n in ("saturation", "curves") for s in SUFFIXES]
        assert [f.name for f in files] == [*drawn, "index.html"]
        assert set(pd.read_csv(files[2])["negatives"]) == {"shuffle"}

    def test_a_report_that_suits_no_row_raises_its_reason(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="schedule of MI levels"):
            report.report(["staircase"], results=self.stored(tmp_path / "results"), output=tmp_path / "reports")
        assert not (tmp_path / "reports").exists()

    def test_an_empty_folder_is_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="holds no runs"):
            report.draw_reports(results=tmp_path)

    def test_an_output_that_cannot_be_written_is_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="cannot be written"):
            report.render(*make(), ["saturation"], tmp_path / "file" / "below")


class TestStyle:
    def test_the_view_ignores_outliers_and_keeps_the_anchors(self) -> None:
        low, high = style.view([1.0] * 99 + [1e30, math.inf, math.nan], [4.0, 6.0])
        assert low < 0
        assert 6 < high < 2 * 6 + 1  # never further than the anchors reach, once more

    def test_a_truth_far_above_everything_stays_outside(self) -> None:
        assert style.view([4.0], [4.2], [30.0])[1] < 10
        assert style.view([4.0], [4.2], [6.0])[1] > 6

    def test_the_view_of_nothing_exists(self) -> None:
        low, high = style.view([math.nan], [])
        assert low < high

    def test_labels_move_apart_in_order_and_stay_inside(self) -> None:
        moved = style.spread([0.5, 0.5, 0.51, 0.0, 1.0], 0.1, 0.0, 1.0)
        gaps = np.diff(np.sort(moved))
        assert (gaps > 0.0999).all()
        assert min(moved) >= 0
        assert max(moved) <= 1 + 1e-12
        assert np.argsort(moved, kind="stable").tolist() == [3, 0, 1, 2, 4]
        assert np.mean(moved[:3]) == pytest.approx(np.mean([0.5, 0.5, 0.51]))

    def test_labels_that_do_not_touch_stay_where_they_are(self) -> None:
        assert style.spread([0.9, 0.1], 0.1, 0.0, 1.0) == pytest.approx([0.9, 0.1])

    def test_an_estimator_has_its_colour_whatever_its_company(self) -> None:
        alone = style.estimator_colours(["nwj"], ["nwj"])
        many = style.estimator_colours(["dv", "nwj", "my-bound"], ["dv", "nwj", "my-bound"])
        assert many["nwj"].upper() == alone["nwj"].upper() == ESTIMATOR_COLOURS["nwj"]
        assert len(set(many.values())) == 3
        crowd = [f"bound-{i}" for i in range(40)]
        assert len(set(style.estimator_colours(crowd, crowd).values())) == 40
        few = style.estimator_colours(crowd[3:5], crowd[3:5], among=crowd)
        assert few.items() <= style.estimator_colours(crowd, crowd).items()
        shades = style.estimator_colours(["smile"] * 3, ["smile:tau=1", "smile:tau=5", "smile:tau=10"])
        assert len(set(shades.values())) == 3

    def test_the_users_settings_and_back_end_are_left_alone(self, tmp_path: Path) -> None:
        before = dict(mpl.rcParams)
        with mpl.rc_context({"lines.linewidth": 9.0, "font.size": 30}):
            (ugly,) = report.render(*make(), ["saturation"], tmp_path / "a")
        (plain,) = report.render(*make(), ["saturation"], tmp_path / "b")
        assert ugly.files[1].read_bytes() == plain.files[1].read_bytes()
        assert dict(mpl.rcParams) == before


class TestLabels:
    def test_parameters_show_only_where_they_differ(self) -> None:
        runs, _ = make(estimators=("smile",))
        runs["estimator_params"] = '{"tau":5.0}'
        assert set(with_labels(runs)["estimator_label"]) == {"smile"}
        runs.loc[0, "estimator_params"] = '{"tau":"inf"}'
        assert set(with_labels(runs)["estimator_label"]) == {"smile:tau=5", "smile:tau=inf"}

    def test_versions_show_only_where_they_differ(self) -> None:
        runs, _ = make()
        runs.loc[0, "estimator_version"] = 2
        assert set(with_labels(runs)["estimator_label"]) == {"nwj-v1", "nwj-v2"}

    def test_captions_count_runs_without_a_known_truth(self) -> None:
        runs, _ = make(levels=(2.0,), seeds=1)
        assert "4 runs: 4 ok." in caption(runs, estimate="none.")
        runs["mi_true"] = [2.0, math.nan, math.inf, -1.0]
        runs.loc[1, "status"] = "crashed"
        assert "4 runs: 3 ok, 1 crashed; without a known truth, and drawn against none: 3." in caption(
            runs, estimate="none."
        )

    def test_captions_write_parameters_once_and_list_the_values_of_those_that_differ(self) -> None:
        runs, _ = make(levels=(2.0,), seeds=1)
        noises = [0, 0.4, 0.8, 1]
        runs["task_params"] = [json.dumps({"grey": False, "noise": noise}) for noise in noises]
        runs["estimator_params"] = ["{}", "{}", '{"tau":5.0}', '{"tau":1.0}']
        text = caption(runs, estimate="none.")
        assert "task gaussian20d-v1:grey=False (noise 0, 0.4, 0.8, 1);" in text
        assert "estimators nwj-v1 (tau 1, 5);" in text

    def test_writing_numbers_and_lists(self) -> None:
        assert [number(v) for v in (12000.0, 5e-4, 2.5)] == ["12,000", "0.0005", "2.5"]
        assert listing(range(20), limit=4) == "0, 1, 2 … 19 (20 in all)"
        assert component_id("smile", 1, '{"tau":5.0,"mi":3}') == "smile-v1:tau=5"


def test_markdown_tables_are_readable() -> None:
    table = pd.DataFrame({"a": ["x|y", None], "n": [12000.0, math.nan], "v": [0.123456, math.inf], "t": [True, False]})
    lines = markdown_table(table).split("\n")
    assert lines[2:] == ["| x\\|y | 12000 | 0.1235 | True |", "|  |  | inf | False |"]
    assert lines[1] == "| --- | ---: | ---: | --- |"


def test_reports_do_without_torch() -> None:
    code = "import sys, mibench.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
