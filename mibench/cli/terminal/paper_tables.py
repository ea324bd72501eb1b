"""Boards as tables for a paper: LaTeX with booktabs, and Markdown as GitHub reads it.

Notable: cells and sentences are those of the table on the terminal (`mibench.cli.terminal.boards`), so that a paper and
the terminal cannot say different things. What is printed is the whole of what goes into the paper: what is to be known
beside it stands in comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mibench.cli.terminal.boards import (
    NO_BOARD,
    UNITS,
    diverged_sentence,
    error_sentences,
    filled,
    heading,
    imputed_sentence,
    left_out_sentences,
    lines_of,
)
from mibench.core.errors import UsageError
from mibench.ranking.sentences import GIVEN, baselines_sentence, coincident_sentence, given_sentence
from mibench.report.files import markdown_lines

if TYPE_CHECKING:
    import pandas as pd

    from mibench.ranking.boards import Board, Ranking

_COLUMNS = ("rank", "could be", "method", "error", "95 % interval", "log error", "by log", "bias", "variance", "group")
_TEXT = ("method", "group")
"""Columns that are aligned to the left."""

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    **{sign: f"${sign}$" for sign in "|<>"},  # which the usual encoding prints as other signs
    "†": r"\textdagger{}",
    "²": r"\textsuperscript{2}",
    "\N{MINUS SIGN}": "$-$",
}
_LAYOUT = "\\centering\n\\scriptsize\n\\setlength{\\tabcolsep}{2.5pt}\n\\setlength{\\belowcaptionskip}{4pt}"
"""So that ten columns fit the text of a page where names are short, and the caption does not touch the rule below."""

_FITTED = ("\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%\n", "}")
"""Around a table, which is made smaller where it is wider than the text of a page yet, and left alone elsewhere."""

_PREAMBLE = (
    r"\usepackage{booktabs,graphicx} goes into the preamble. Tables are as wide as the page: in a paper of two columns "
    "they stand at the top of both."
)

_WAITING = 24
"""Tables after which those that wait for a place are put on pages: LaTeX gives up where fifty and more wait."""

_SIGNED = re.compile(r"([+-])(?=\d)")
_POWER = re.compile(r"([+-]?[\d.]+)e([+-])0*(\d+)")
_MARKUP = re.compile(r"([\\`*_\[\]<>|~$#])")


def latex_tables(
    ranking: Ranking, *, boards: Sequence[Board] = (), newcomer: str = "", notes: Sequence[str] = ()
) -> str:
    """Write boards as LaTeX, a table with a caption each.

    Parameters
    ----------
    ranking
        As from `mibench.ranking.rank_methods`.
    boards
        Which of its boards; all by default.
    newcomer
        Method that is printed in bold.
    notes
        Sentences that become comments.

    Raises
    ------
    UsageError
        Where there is no board.
    """
    chosen = _chosen(ranking, boards)
    tables = [_latex_table(board, newcomer) for board in chosen]
    for place in reversed(range(_WAITING, len(tables), _WAITING)):
        tables.insert(place, r"\clearpage")
    said = [_PREAMBLE, *filter(None, (*notes, *_notes(ranking)))]
    comments = [f"% {' '.join(sentence.split())}" for sentence in said]
    return "\n\n".join(["\n".join(comments), *tables])


def markdown_tables(
    ranking: Ranking, *, boards: Sequence[Board] = (), newcomer: str = "", notes: Sequence[str] = ()
) -> str:
    """Write boards as Markdown, a heading and a table each, and below how they are read; arguments as `latex_tables`.

    Raises
    ------
    UsageError
        Where there is no board.
    """
    chosen, parts = _chosen(ranking, boards), []
    for board in chosen:
        columns, lines = _cells(board)
        rows = [
            [f"**{markdown_text(line[c])}**" if _is_of(line, newcomer) else markdown_text(line[c]) for c in columns]
            for line in lines
        ]
        right = [name not in _TEXT for name in columns]
        parts += [f"**{markdown_text(_sentence(heading(board)))}**", "\n".join(markdown_lines(columns, right, rows))]
    said = [*_explained(chosen), *filter(None, (*notes, *_notes(ranking)))]
    return "\n\n".join([*parts, *(markdown_text(_sentence(sentence)) for sentence in said)])


def latex_text(text: str) -> str:
    """Write text as LaTeX prints it: its special signs escaped, a minus between words, quotes that open as such."""
    escaped = "".join(_LATEX.get(sign, sign) for sign in text).replace(" - ", " $-$ ")
    return re.sub(r"(?<![\w}])'(?=\w)", "`", escaped)


def markdown_text(text: str) -> str:
    """Write text as Markdown shows it, in a table too."""
    return _MARKUP.sub(r"\\\1", text)


def _chosen(ranking: Ranking, boards: Sequence[Board]) -> Sequence[Board]:
    if not ranking.boards:
        raise UsageError(NO_BOARD)
    return boards or ranking.boards


def _cells(board: Board) -> tuple[list[str], list[dict[str, str]]]:
    """The columns that a board's table has, and its cells as text."""
    lines = lines_of(board)
    there = filled(lines)
    return [name for name in _COLUMNS if name in there], lines


def _is_of(line: Mapping[str, str], method: str) -> bool:
    """Whether a row of cells as text is a method's."""
    return line["method"].removesuffix(f" {GIVEN}") == method


def _explained(boards: Sequence[Board]) -> list[str]:
    sentences = (error_sentences(boards), baselines_sentence(boards), UNITS)
    return list(filter(None, (*sentences, given_sentence(boards), imputed_sentence(boards), diverged_sentence(boards))))


def _notes(ranking: Ranking) -> list[str]:
    return [*left_out_sentences(ranking), coincident_sentence(ranking), ranking.note]


def _sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def _latex_table(board: Board, newcomer: str) -> str:
    import pandas as pd

    columns, lines = _cells(board)
    write = {name: latex_text if name in _TEXT else _latex_number for name in columns}
    frame = pd.DataFrame([{latex_text(name): write[name](line[name]) for name in columns} for line in lines])
    bold = [_is_of(line, newcomer) for line in lines]
    styler = frame.style.hide(axis="index").apply(_in_bold, axis="columns", subset=(bold, list(frame.columns)))
    caption = " ".join(_sentence(text) for text in (heading(board), *_explained([board])))
    part = "" if board.part == "all" else "-" + re.sub(r"\W+", "-", board.part)
    written = styler.to_latex(
        hrules=True,
        column_format="".join("l" if name in _TEXT else "r" for name in columns),
        position="htbp",
        position_float="centering",
        caption=latex_text(caption),
        label=f"tab:mibench-{board.track}{part}",
    )
    tabular = written[written.index(r"\begin{tabular}") : written.index(r"\end{table}")].rstrip()
    fitted = written.replace(tabular, tabular.join(_FITTED)).replace("{table}", "{table*}")
    return fitted.rstrip().replace(r"\centering", _LAYOUT, 1)


def _in_bold(row: pd.Series) -> list[str]:
    return ["textbf:--rwrap;"] * len(row)


def _latex_number(text: str) -> str:
    """Write numbers with a minus sign in place of a hyphen, and powers of ten as such."""
    power = _POWER.fullmatch(text)
    if power:
        sign = power[2].removeprefix("+")
        return f"${power[1]} \\cdot 10^{{{sign}{power[3]}}}$"
    return _SIGNED.sub(r"$\1$", latex_text(text))
