"""Figures for a paper: style sheets, sizes, formats and names, for mibench's figures and those of plug-ins."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.registry import FIGURES, register_figure
from mibench.report import reports as report
from mibench.report.files import PRINT_DPI
from mibench.report.looks import read_labels, read_look, read_size
from tests.support.boards import rows
from tests.support.rows import make


def test_a_size_is_laid_out_and_not_shrunk(tmp_path: Path) -> None:
    look = style.Look(size=(3.25, 2.4))
    board = rows({"nwj": 0.1, "dv": 0.4, "js": 0.9})
    (done,) = report.render(board, make()[1][:0], ["leaderboard"], tmp_path, look=look, formats=("pdf", "png"))
    assert [file.suffix for file in done.files] == [".pdf", ".png", ".csv", ".md"]
    with Image.open(done.files[1]) as image:
        assert image.size == (round(3.25 * PRINT_DPI), round(2.4 * PRINT_DPI))
    assert re.search(rb"/MediaBox \[ ?0 0 234 172.8 ?\]", done.files[0].read_bytes())
    assert "Mean normalised error" in done.caption  # which the figure no longer bears
    with style.looking(look), style.theme():
        figure = FIGURES["leaderboard"].draw(board, board[:0])[0]
        style.finish(figure)
        sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()}
    assert not figure.texts
    assert min(sizes) >= 6


def test_what_has_no_room_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    look = style.Look(size=(2.0, 1.5))
    (done,) = report.render(*make(), ["saturation"], tmp_path, look=look)
    assert not done.files
    assert done.reason.startswith("it has no room in 2 x 1.5 inches, where its panels would be too small;")


def test_a_pdf_is_the_same_again_and_holds_truetype_fonts_and_no_date(tmp_path: Path) -> None:
    runs, curves = make()
    first, again = (
        report.render(runs, curves, ["saturation"], tmp_path / name, formats=("pdf",))[0].files[0].read_bytes()
        for name in ("a", "b")
    )
    assert first == again
    assert b"CreationDate" not in first
    assert b"/Subtype /CIDFontType2" in first or b"/Subtype /TrueType" in first
    assert b"/Type3" not in first


def test_names_stand_in_legends_and_on_axes_and_not_in_tables(tmp_path: Path) -> None:
    board = rows({"infonce": 0.1, "infonce-anchor": 0.4})
    with style.looking(style.Look(names={"infonce": r"$I_\mathrm{NCE}$"})), style.theme():
        figure, table, caption, *_ = FIGURES["leaderboard"].draw(board, board[:0])
        style.finish(figure)
        figure.draw_without_rendering()
        ticks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert ticks == [r"$I_\mathrm{NCE}$  1", "infonce-anchor  2"]
    assert list(table["method"])[:2] == ["infonce", "infonce-anchor"]  # then come the baselines
    assert "infonce-v1" in caption


def test_legends_have_the_names() -> None:
    with style.looking(style.Look(names={"nwj": "Nguyen et al."})), style.theme():
        figure = FIGURES["sandwich"].draw(*make(estimators=("nwj", "club")))[0]
        style.finish(figure)
    assert "Nguyen et al. (lower)" in {text.get_text() for text in figure.legends[0].get_texts()}


def test_a_style_sheet_goes_over_the_theme_and_is_gone_afterwards(tmp_path: Path) -> None:
    sheet = tmp_path / "paper.mplstyle"
    sheet.write_text("font.family: serif\naxes.grid: False\nbackend: pdf\npdf.fonttype: 3\n", encoding="utf-8")
    look = read_look(sheet, None)
    assert look.settings == {"font.family": ["serif"], "axes.grid": False, "pdf.fonttype": 3}
    before = dict(mpl.rcParams)
    with style.looking(look), style.theme():
        assert mpl.rcParams["font.family"] == ["serif"]
        assert mpl.rcParams["pdf.fonttype"] == 42
        assert mpl.rcParams["axes.titlesize"] == 9
    assert dict(mpl.rcParams) == before


def test_figures_of_plug_ins_get_it_without_a_change(tmp_path: Path) -> None:
    def spread(runs: object) -> Figure:
        """Draw something."""
        figure = Figure(figsize=(8, 6))
        ax = figure.add_subplot(title="nwj on a task of a very long name, under a sampler of another one")
        ax.plot([0, 1], [0, 1], label="nwj")
        ax.legend()
        return figure

    register_figure("look-spread")(spread)
    try:
        look = style.Look(size=(3.0, 2.0), names={"nwj": "NWJ"}, settings={"axes.facecolor": "#123456"})
        (done,) = report.render(*make(), ["look-spread"], tmp_path, look=look, formats=("svg",))
    finally:
        del FIGURES["look-spread"]
    svg = done.files[0].read_text(encoding="utf-8")
    assert 'width="216pt" height="144pt"' in svg
    assert "#123456" in svg
    assert "<!-- NWJ -->" in svg
    assert "<!-- nwj" not in svg


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (r"alpha-cpc=$\alpha$-CPC,nwj=NWJ", {"alpha-cpc": r"$\alpha$-CPC", "nwj": "NWJ"}),
        ("smile:tau=5=SMILE (5)", {"smile:tau=5": "SMILE (5)"}),
        (r"smile=SMILE ($\tau=5$)", {"smile": r"SMILE ($\tau=5$)"}),
        ("nwj=N, W and J,dv=DV", {"nwj": "N, W and J", "dv": "DV"}),
        ({"nwj": "NWJ"}, {"nwj": "NWJ"}),
    ],
)
def test_names_are_read(given: object, found: dict[str, str]) -> None:
    assert read_labels(given) == found


@pytest.mark.parametrize("given", [(3.25,), (1, 2, 3), "x", 3, (True, "x"), (float("nan"), 2), (0.1, 2)])
def test_sizes_that_are_none(given: object) -> None:
    with pytest.raises(UsageError):
        read_size(given)
