"""What the documentation takes from elsewhere when it is built, so that everything is written once.

Notable:

- ``<!-- table: columns runs -->`` and the like become tables made from the code: see `TABLES`.
- Figures are those of reports/claims. Pages link to them there, which is right in the repository too, and the site is
  given a copy.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer.models
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from mibench.cli.app import app
from mibench.ranking.columns import COLUMNS, TRACKS
from mibench.store.columns import TABLES as STORED
from mibench.store.columns import Column

_ROOT = Path(__file__).parents[1]
_TABLE = re.compile(r"<!-- table: ([a-z ]+) -->")
_VALUES: Mapping[Any, str] = {int: "N", float: "X", Path: "PATH"}
_FIGURE = re.compile(r"\(\.\./(reports/[\w/-]+\.png)\)")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the tables of a page, and add the figures that it shows to the site's files."""
    for path in dict.fromkeys(_FIGURE.findall(markdown)):
        if files.get_file_from_path(path) is None:
            files.append(File.generated(config, path, abs_src_path=str(_ROOT / path)))
    return _TABLE.sub(lambda match: TABLES[match[1]](), _FIGURE.sub(r"(\1)", markdown))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [header, ["---"] * len(header), *([_escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Keep what Markdown would read as markup, but for code."""
    parts = re.split(r"(`[^`]*`)", text)
    plain = [part if part.startswith("`") else re.sub(r"([\[\]<>*_])", r"\\\1", part) for part in parts]
    return "".join(plain).replace("|", r"\|")


def stored_columns(columns: Sequence[Column]) -> str:
    """Make the table of a stored table's columns."""
    return table(("column", "type", "meaning"), ([f"`{c.name}`", c.type, c.doc] for c in columns))


def named(header: str, meanings: Mapping[str, str]) -> str:
    """Make a table of names and what they mean."""
    return table((header, "meaning"), ([f"`{name}`", text] for name, text in meanings.items()))


def commands() -> str:
    """Write every command: what it does, how it is called, its arguments and options."""
    return "\n\n".join(_described(name, function) for name, function in sorted(_walk("mibench", app)))


def purposes() -> str:
    """Make the table of what users come for, and the commands for it, in the order of the help."""
    found: dict[str, list[str]] = {}
    for one in (*app.registered_commands, *app.registered_groups):
        found.setdefault(one.rich_help_panel, []).append(f"`{one.name}`")
    return table(("to", "commands"), ([purpose.lower(), ", ".join(names)] for purpose, names in found.items()))


def _walk(prefix: str, one: typer.Typer) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every command with its full name."""
    for command in one.registered_commands:
        if command.callback is not None:
            yield f"{prefix} {command.name or command.callback.__name__.replace('_', '-')}", command.callback
    for group in one.registered_groups:
        if group.typer_instance is not None:
            yield from _walk(f"{prefix} {group.name}", group.typer_instance)


def _described(name: str, function: Callable[..., Any]) -> str:
    places, options = [], []
    hints = typing.get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        annotation, info = typing.get_args(hints[parameter.name])[:2]
        if isinstance(info, typer.models.ArgumentInfo):
            many = _is_list(annotation)
            place = info.metavar or parameter.name.upper() + ("..." if many else "")
            required = parameter.default is inspect.Parameter.empty
            places.append((place if required else f"[{place}]", _meaning(info, parameter, many=False)))
        else:
            options.append((_option(info, parameter, annotation), _meaning(info, parameter, many=_is_list(annotation))))
    usage = " ".join([name, *(place for place, _ in places), *(["[OPTIONS]"] if options else [])])
    parts = [f"## {name}", " ".join((function.__doc__ or "").split()), f"```text\n{usage}\n```"]
    rows = [(f"`{place}`", text) for place, text in places] + options
    return "\n\n".join([*parts, *([table(("argument or option", "meaning"), rows)] if rows else [])])


def _is_list(annotation: Any) -> bool:
    return any(typing.get_origin(one) is list for one in (annotation, *typing.get_args(annotation)))


def _option(info: Any, parameter: inspect.Parameter, annotation: Any) -> str:
    declared = (info.default, *(info.param_decls or ()))  # inside Annotated the first name takes the default's place
    names = [one for one in declared if isinstance(one, str)] or [f"--{parameter.name.replace('_', '-')}"]
    (kind,) = [one for one in typing.get_args(annotation) or (annotation,) if one is not type(None)]
    value = "" if kind is bool else f" {info.metavar or _VALUES.get(kind, 'TEXT')}"
    return ", ".join(f"`{name}{value}`" for name in names)


def _meaning(info: Any, parameter: inspect.Parameter, *, many: bool) -> str:
    text = re.sub(r" *\\\[default: (.*)\]", r" Default: \1.", info.help or "")
    if parameter.default not in (None, False, inspect.Parameter.empty):
        text += f" Default: `{parameter.default}`."
    return text + (" May be repeated." if many else "")


TABLES: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "purposes": purposes,
    "tracks": lambda: named("track", TRACKS),
    "columns leaderboard": lambda: named("column", COLUMNS),
    "columns runs": lambda: stored_columns(STORED["runs"]),
    "columns curves": lambda: stored_columns(STORED["curves"]),
    "columns sessions": lambda: stored_columns(STORED["sessions"]),
}
"""What stands for each mark in a page."""
