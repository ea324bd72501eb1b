"""HTML for notebooks: lines and a table, everything escaped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape


def html_block(
    lines: Iterable[str], columns: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str]
) -> str:
    """Write lines, the first of them bold, and a table below.

    Parameters
    ----------
    lines
        Text.
    columns, rows
        Headers, and cells as text.
    right
        Headers of the columns that are aligned to the right.
    """
    first, *others = map(escape, lines)
    head = "".join(_cell("th", name, name in right) for name in columns)
    body = "".join(
        f"<tr>{''.join(_cell('td', text, name in right) for name, text in zip(columns, row, strict=True))}</tr>"
        for row in rows
    )
    said = "".join(f"<br>{line}" for line in others)
    return f"<p><b>{first}</b>{said}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, text: str, right: bool) -> str:
    return f'<{tag} style="text-align: {"right" if right else "left"}">{escape(text)}</{tag}>'
