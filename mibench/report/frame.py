"""What all pages have in common: one look, their scripts and styles, and the policy that lets nothing else in.

Notable: a page opens from a disk. Scripts and styles are inline, and its content security policy forbids the browser to
load anything else, and to run any script but the page's own, which it knows by their hashes. All text is escaped by the
template engine.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup

from mibench.report.files import ShortTable, cell_text, numeric_columns
from mibench.report.result import ReportResult

_ASSETS = Path(__file__).parent / "assets"


def render_page(template: str, scripts: Sequence[str] = (), **content: Any) -> str:
    """Fill in a template that extends ``frame.html.j2``, and return the page as HTML.

    Parameters
    ----------
    template
        Its file in ``assets/``.
    scripts
        Scripts in ``assets/`` that the page runs besides those that all pages do, in order.
    content
        What it shows.
    """
    first, last = _asset("theme.js"), [_asset(name) for name in ("page.js", *scripts)]
    policy = _policy([first, *last])
    return (
        _templates()
        .get_template(template)
        .render(css=_asset("page.css"), theme=first, scripts=last, policy=policy, **content)
    )


def figure_card(result: ReportResult, image: dict[str, Any]) -> dict[str, Any]:
    """Return what the template's card needs to show a figure.

    Parameters
    ----------
    image
        As `mibench.report.images.images_of` returns it.
    """
    caption = result.explanation.split("\n")
    return {
        "name": result.name,
        "anchor": f"figure-{quote(result.name, safe='')}",
        "title": result.title or result.name,
        "missing": result.missing,
        "image": image,
        "alt": _first_sentence(caption[0]),
        "source": "",
        "verdict": "",
        "caption": caption,
        "table": _table_cells(result.table or ShortTable(pd.DataFrame(), "")),
        "grid": "",
        "grid_text": "",
        "commands": [],
    }


def _first_sentence(text: str) -> str:
    match = re.match(r"(.+?[.!?])(\s|$)", text)
    return match[1] if match else text


def _table_cells(table: ShortTable) -> dict[str, Any]:
    """Header and cells as text, each with its class in the style sheet."""
    looks = ["right" if right else "" for right in numeric_columns(table.rows)]

    def cells(values: Iterable[str]) -> list[dict[str, str]]:
        return [{"text": text, "look": look} for text, look in zip(values, looks, strict=True)]

    rows = [cells(map(cell_text, row)) for row in table.rows.itertuples(index=False, name=None)]
    return {"header": cells(map(str, table.rows.columns)), "rows": rows, "note": table.note}


@functools.cache
def _asset(name: str) -> Markup:
    """A script or style, as it stands in the page."""
    return Markup((_ASSETS / name).read_text(encoding="utf-8"))


@functools.cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS), autoescape=True, undefined=jinja2.StrictUndefined
    )


def _policy(scripts: Iterable[str]) -> str:
    """Content security policy: nothing is loaded, images are inline, and only the page's own scripts run."""
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    parts = ["default-src 'none'", "img-src data:", "style-src 'unsafe-inline'", f"script-src {hashes}"]
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])
