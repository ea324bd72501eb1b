"""Widths of text in inches, measured by the font and not by a renderer, and captions wrapped to them."""

from __future__ import annotations

import textwrap

from matplotlib.cbook import is_math_text
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from mibench.figures.style.look import current_look
from mibench.figures.style.theme import FONT

CAPTION_SIZE = 7.5
_CHARACTER = 0.515 * CAPTION_SIZE / 72  # inches; mean width in DejaVu Sans


def text_width(text: str, size: float) -> float:
    """Inches that a line of text takes at a font size."""
    font = FontProperties(family=current_look().settings.get("font.family", FONT), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=bool(is_math_text(text)))[0]) / 72


def wrap(text: str, inches: float) -> str:
    """Wrap every paragraph of a caption to a width."""
    return "\n".join(line for part in text.split("\n") for line in _wrap_paragraph(part, inches))


def _wrap_paragraph(text: str, inches: float) -> list[str]:
    """Fill lines with as many characters as fit on average, and with fewer where a line of wide ones would not fit."""
    for characters in range(int(inches / _CHARACTER), 20, -2):
        lines = textwrap.wrap(text, characters)
        if all(1.03 * text_width(line, CAPTION_SIZE) <= inches for line in lines):  # pixels round letters up
            return lines
    return lines
