"""The page of a report as text: one file without network, the same bytes for the same rows, hostile names as text."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mibench.core.errors import UsageError
from mibench.figures.registry import FIGURES, register_figure
from mibench.report import reports as report
from mibench.report.page import Source
from mibench.report.result import ReportResult
from mibench.store.parquet import write_pack
from tests.support.rows import make

HOSTILE = '</script><b onload="x">&amp;'


def page_of(folder: Path, runs: pd.DataFrame, curves: pd.DataFrame, *names: str) -> str:
    write_pack(folder / "results", "pack", runs, curves)
    report.draw_reports(names or ("saturation",), results=folder / "results", output=folder / "reports")
    return (folder / "reports" / "index.html").read_text(encoding="utf-8")


def test_the_same_rows_in_any_order_give_the_same_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, curves = make()
    pages = []
    for name, order in (("one", slice(None)), ("other", slice(None, None, -1))):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        pages.append(
            page_of(Path(), runs.iloc[order].reset_index(drop=True), curves.iloc[order].reset_index(drop=True))
        )
    assert pages[0] == pages[1]


def test_nothing_is_asked_of_a_network_and_names_are_text(tmp_path: Path) -> None:
    runs, curves = make()
    runs.loc[runs.index[0], "estimator"] = HOSTILE
    page = page_of(tmp_path, runs, curves)
    assert HOSTILE not in page
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert "default-src 'none'" in html.unescape(page)
    (data,) = re.findall(r'<script type="application/json" id="runs-data">(.*?)</script>', page, re.DOTALL)
    assert HOSTILE in {row[2] for row in json.loads(data)["rows"]}  # whole, after reading


def test_alternative_texts_say_what_a_figure_shows(tmp_path: Path) -> None:
    page = page_of(tmp_path, *make())
    (alt,) = re.findall(r'<img [^>]*alt="([^"]*)"', page)
    assert "log N" in alt
    assert len(alt) > 40


def test_commands_repeat_where_the_rows_came_from() -> None:
    source = Source("my results", {"batch": ["64", "128"]})
    figure = ReportResult("saturation", grid="gosch-2", budget="paper")
    assert source.commands(figure) == [
        "mibench run gosch-2 --budget paper --results 'my results'",
        "mibench report saturation --grid gosch-2 --results 'my results' --where batch=64,128",
    ]
    assert Source().commands(ReportResult("curves")) == ["mibench report curves --results results"]
    claim = ReportResult("gosch-2", grid="gosch-2", budget="standard")
    assert Source().commands(claim) == [
        "mibench run gosch-2 --results results", "mibench report gosch-2 --results results"
    ]  # fmt: skip


def test_images_are_drawings_where_these_are_small_and_else_pictures_that_look_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, curves = make()
    (kind,) = re.findall(r'<img src="data:image/([^;]+);', page_of(tmp_path / "small", runs, curves))
    assert kind == "svg+xml"
    monkeypatch.setattr("mibench.report.images._LARGEST_SVG", 0)
    page = page_of(tmp_path / "large", runs, curves)
    ((content, width),) = re.findall(r'<img src="data:image/png;base64,([^"]+)" width="(\d+)"', page)
    shown, file = (
        Image.open(source).convert("RGB")
        for source in (io.BytesIO(base64.b64decode(content)), tmp_path / "large" / "reports" / "saturation.png")
    )
    assert shown.size == file.size
    assert int(width) == round(file.size[0] * 96 / 160)
    assert np.array_equal(np.asarray(shown), np.asarray(file))


def test_a_grid_selects_its_rows_and_says_where_to_get_them(tmp_path: Path) -> None:
    runs, curves = make()
    write_pack(tmp_path / "results", "pack", runs, curves)
    options = {"results": tmp_path / "results", "output": tmp_path / "reports"}
    with pytest.raises(UsageError, match="no rows of grid 'gosch-2'; make them with 'mibench run gosch-2'"):
        report.draw_reports(["saturation"], grid="gosch-2", **options)
    done = report.draw_reports(["claims"], **options)
    assert {result.name for result in done} == {name for name, entry in FIGURES.items() if entry.grid}
    assert all(result.reason.startswith("there are no rows of grid") for result in done)


def test_a_figure_of_one_table_is_enough(tmp_path: Path) -> None:
    try:

        @register_figure("how-many")
        def how_many(runs: pd.DataFrame) -> Figure:
            """Runs by seed."""
            figure = Figure()
            figure.add_subplot().hist(runs["seed"])
            return figure

        (done,) = report.render(*make(), ["how-many"], tmp_path)
        assert [file.name for file in done.files] == [f"how-many.{suffix}" for suffix in ("png", "svg", "csv", "md")]
        assert done.caption == "Runs by seed."
        assert len(pd.read_csv(done.files[2])) == len(make()[0])
        assert register_figure("how-many")(how_many) is how_many  # a module that is imported again
    finally:
        FIGURES.pop("how-many", None)


def test_processes_draw_what_one_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make()
    names = ["saturation", "curves", "divergence", "survival", "sandwich", "staircase", "cost", "bias-variance"]
    monkeypatch.setattr(report, "available_cores", lambda: 2)
    many = report.render(*rows, names, tmp_path / "many")
    monkeypatch.setattr(report, "available_cores", lambda: 1)
    one = report.render(*rows, names, tmp_path / "one")
    assert [result.name for result in many] == names
    for first, second in zip(many, one, strict=True):
        assert (first.reason, first.caption) == (second.reason, second.caption)
        assert [f.read_bytes() for f in first.files] == [f.read_bytes() for f in second.files]
