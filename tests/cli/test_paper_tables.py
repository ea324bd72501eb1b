"""Boards as tables for a paper: what they hold, what is escaped, and that LaTeX takes them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mibench.cli.app import main
from mibench.cli.terminal.boards import error_sentences, show_ranking
from mibench.cli.terminal.paper_tables import latex_tables, latex_text, markdown_tables
from mibench.ranking.boards import Ranking, rank_methods
from tests.support.boards import rows

SPECIAL = "a&b%$#_{}~^\\|<>`'\""


def ranking(**names: float) -> Ranking:
    return rank_methods(rows({"nwj": 0.1, SPECIAL: 0.4, "dv": 0.9, **names}))


def cells(text: str) -> list[list[str]]:
    """Cells of the rows of all tables in LaTeX, headers included."""
    return [re.split(r" (?<!\\)& ", line.removesuffix(r" \\")) for line in text.splitlines() if line.endswith(r"\\")]


def test_a_row_holds_what_the_board_holds_and_the_newcomer_is_bold() -> None:
    found = ranking()
    header, first, _, constant, last, zero = cells(latex_tables(found, newcomer="dv"))
    best = found.boards[0].table.iloc[0]
    assert header[:5] == ["rank", "could be", "method", "error", r"95 \% interval"]
    assert header[5:] == ["log error", "by log", "bias", "variance", "group"]
    assert first[:4] == ["1", "1", "nwj", f"{best['error']:.3f}"]
    assert first[4] == f"{best['error_low']:.3f} to {best['error_high']:.3f}"
    assert first[5:7] == [f"{best['log_error']:.3f}", "1"]
    assert first[7] == f"$-${-best['bias']:.2f}"
    assert all(cell.startswith(r"\textbf{") for cell in last)
    assert last[2] == r"\textbf{dv}"
    assert [row[:3] for row in (constant, zero)] == [["", "", "(constant)"], ["", "", "(zero)"]]


def test_the_caption_is_what_the_terminal_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = ranking()
    show_ranking(found)
    said = capsys.readouterr().out
    sentences = error_sentences(found.boards)
    assert sentences in said
    assert latex_text(sentences[1:]) in latex_tables(found)
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{Lower bounds"):
        assert latex_tables(found).count(rule) == 1


def test_special_signs_of_latex_are_escaped() -> None:
    escaped = latex_text(SPECIAL)
    for sign in "&%#_{}":
        assert f"\\{sign}" in escaped
    assert r"\textasciitilde{}\textasciicircum{}\textbackslash{}$|$$<$$>$\textasciigrave{}" in escaped


def test_markdown_has_pipes_escaped_and_as_many_cells_in_every_row() -> None:
    text = markdown_tables(ranking(), newcomer="dv")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line.replace(r"\\", ""))) for line in table} == {11}
    assert "| **dv** |" in table[-2]
    assert r"\|estimate - truth\|" in text


def test_the_command_prints_tables_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--latex", "--track", "upper"]) == 0
    out, err = capfd.readouterr()
    assert not err
    text = re.sub(r"^%.*\n", "", out, flags=re.MULTILINE).strip()
    assert text.startswith(r"\begin{table*}")
    assert text.endswith(r"\end{table*}")
    assert main(["leaderboard", "--markdown", "--track", "upper"]) == 0
    assert capfd.readouterr().out.startswith("**Upper bounds")


@pytest.mark.parametrize("columns", ["onecolumn", "twocolumn"])
def test_latex_takes_it_and_it_fits_the_page(columns: str, tmp_path: Path) -> None:
    if not (program := shutil.which("pdflatex")):
        pytest.skip("pdflatex is not installed")
    found = ranking(**{"smile:" + "tau=5," * 20: 0.2})
    tables = latex_tables(found, boards=found.boards * 60, newcomer=SPECIAL, notes=["50 % of\nit"])
    packages = re.findall(r"^% (\\usepackage\S+) ", tables, re.MULTILINE)
    head = rf"\documentclass[{columns}]{{article}}"
    document = [head, *packages, r"\begin{document}", tables, r"\end{document}"]
    (tmp_path / "paper.tex").write_text("\n".join(document), encoding="utf-8")
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "Float too large" not in done.stdout
    assert (tmp_path / "paper.pdf").exists()
