"""Images of a page: a figure's file as a data URI, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from typing import Any

from PIL import Image

from mibench.report.files import DPI, pixels
from mibench.report.result import ReportResult

_LARGEST_SVG, _ALL_SVG = 400_000, 7_000_000
"""Bytes of an SVG, beyond which a browser takes noticeably long to paint it, and of all SVGs together."""
_LEAST = 0.62
"""Share of its natural width that a figure is not shrunk below; narrower screens scroll it."""


def images_of(results: Sequence[ReportResult]) -> dict[str, dict[str, Any]]:
    """The image of every figure by its name: SVG where that is small and the page stays light, else PNG.

    Of a figure that is written as neither it is a link to its file.
    """
    total, images = 0, {}
    files = {result.name: {file.suffix: file for file in result.files} for result in results}
    drawings = {name: suffixes[".svg"].stat().st_size for name, suffixes in files.items() if ".svg" in suffixes}
    for name in sorted(files, key=lambda name: drawings.get(name, 0)):
        found = files[name]
        svg, png = (found[form].read_bytes() if form in found else b"" for form in (".svg", ".png"))
        total += len(svg)
        small = len(svg) <= _LARGEST_SVG and total <= _ALL_SVG
        if svg and (small or not png):
            images[name] = _image(svg, "svg+xml", _png_size(png) if png else _svg_size(svg))
        elif png:
            images[name] = _image(png, "png", _png_size(png))
        else:
            images[name] = {"link": found[".pdf"].name}
    return images


def _image(content: bytes, kind: str, size: tuple[int, int]) -> dict[str, Any]:
    """An image as a data URI, with the size at which it was drawn, in CSS pixels."""
    width, height = size
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return {"link": "", "uri": uri, "width": width, "height": height, "least": round(_LEAST * width)}


def _png_size(png: bytes) -> tuple[int, int]:
    """Size of a PNG in CSS pixels, by the dots per inch that it names."""
    with Image.open(io.BytesIO(png)) as image:
        dpi = round(image.info.get("dpi", (DPI, DPI))[0])
    width, height = pixels(png)
    return round(width * 96 / dpi), round(height * 96 / dpi)


def _svg_size(svg: bytes) -> tuple[int, int]:
    """Size of a drawing of matplotlib's in CSS pixels, of which it holds points."""
    points = [re.search(rf'<svg [^>]*\b{side}="([\d.]+)pt"', svg.decode()) for side in ("width", "height")]
    width, height = (round(float(found[1]) * 96 / 72) if found else 0 for found in points)
    return width, height
