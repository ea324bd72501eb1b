"""Formats of a figure's files: pictures that look the same with fewer colours, large tables compressed."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mibench.figures.registry import FIGURES, Drawing
from mibench.report import files
from mibench.report.files import COLOURS, DPI, LARGEST_CSV, csv_text, with_palette, write_files
from tests.support.rows import make


def drawing(rows: int) -> Drawing:
    table = pd.DataFrame({"step": range(rows), "value": np.random.default_rng(0).normal(size=rows)})
    return Drawing(Figure((1, 1)), table, "What is drawn.")


def test_a_picture_with_a_palette_looks_the_same_and_is_less_than_half_as_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = FIGURES["saturation"].draw(*make())
    reduced = write_files("one", Drawing(*drawn), tmp_path)[0]
    monkeypatch.setattr(files, "with_palette", lambda png: png)
    whole = write_files("other", Drawing(*drawn), tmp_path)[0]
    assert reduced.stat().st_size < whole.stat().st_size / 2
    with Image.open(reduced) as image, Image.open(whole) as original:
        assert (image.mode, image.size) == ("P", original.size)
        assert len(image.getcolors() or ()) <= COLOURS
        assert image.info["Software"] == "mibench"
        assert image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)
        seen, meant = (np.asarray(one.convert("RGB"), dtype=float) for one in (image, original))
    difference = np.abs(seen - meant)
    assert difference.mean() < 0.2
    assert difference.max() <= 16
    assert (seen[(meant == 255).all(axis=-1)] == 255).all()


def test_a_picture_of_few_colours_keeps_them_to_the_bit() -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (40, 50, 3), dtype=np.uint8) * 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    with Image.open(io.BytesIO(with_palette(buffer.getvalue()))) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), pixels)


def test_a_picture_too_large_for_the_palette_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40)).save(buffer, "png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert with_palette(buffer.getvalue()) == buffer.getvalue()


def test_a_large_table_is_compressed_and_says_so(tmp_path: Path) -> None:
    given = drawing(20_000)
    *_, table, markdown = write_files("long", given, tmp_path)
    assert table.name == "long.csv.gz"
    content = table.read_bytes()
    assert len(gzip.decompress(content)) > LARGEST_CSV
    assert gzip.decompress(content).decode() == csv_text(given.table)
    assert content[3:8] == bytes(5)  # neither a name nor a date
    assert len(pd.read_csv(table)) == 20_000
    assert "`long.csv.gz` (20,000 rows)" in markdown.read_text(encoding="utf-8")


def test_a_table_that_shrinks_or_grows_leaves_one_file(tmp_path: Path) -> None:
    for rows, kept in ((20_000, ["long.csv.gz"]), (20, ["long.csv"]), (20_000, ["long.csv.gz"])):
        write_files("long", drawing(rows), tmp_path)
        assert sorted(file.name for file in tmp_path.glob("*.csv*")) == kept
