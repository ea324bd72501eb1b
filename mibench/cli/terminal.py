"""What the commands print: tables, progress, and sentences.

Notable: on a terminal progress is a bar; elsewhere (a file, a pipe, CI) it is a plain line now and then. Imports of
rich and pandas stay inside the functions, so that ``--help`` is quick.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import itertools
import math
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibench.core.errors import UsageError
from mibench.core.parameters import join_name, split_name
from mibench.core.registry import ESTIMATORS, TASKS, Broken, Entry, Registry

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from mibench.conformance.findings import Finding
    from mibench.core.estimator import Estimator
    from mibench.experiments.suite import Suite

_PLAIN_SECONDS = 30.0
"""Seconds between two lines of progress where there is no terminal."""

_MOST_LINES = 60
"""A table of results is cut here; the rows are in the store."""

_PROSE = ("summary", "finding", "origin")
"""Columns that are broken into lines on a narrow terminal; the others never are."""

_WIDTH = 1000
"""Width where there is no terminal: cells are never broken, so that lines can be searched."""


def console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDTH)


def say(text: str) -> None:
    """Print a sentence, whole on one line, whatever brackets it holds."""
    console().print(text, markup=False, soft_wrap=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table.

    Parameters
    ----------
    columns
        Headers.
    rows
        Cells as text.
    numbers
        Headers of the columns that are aligned to the right.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns:
        prose = name in _PROSE
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold", no_wrap=not prose)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    screen = console()
    if not set(_PROSE) & set(columns):  # a terminal may wrap a line, but no number is cut
        screen.width = max(screen.width, screen.measure(table, options=screen.options.update(width=_WIDTH)).maximum)
    screen.print(table, crop=False)


def show_entries(kind: str, entries: Sequence[Entry]) -> None:
    """Print the components of one kind; where one comes from outside, with their origins."""
    kinds, origins = any(e.kind for e in entries), not all(map(_builtin, entries))
    columns = [kind, "version", *(["kind"] if kinds else []), "summary", *(["origin"] if origins else [])]
    rows = [
        [
            ", ".join((e.name, *e.aliases)),
            f"v{e.version}",
            *([e.kind or ""] if kinds else []),
            e.summary,
            *([("" if _builtin(e) else e.origin)] if origins else []),
        ]
        for e in entries
    ]
    show_table(columns, rows)


def _builtin(entry: Entry) -> bool:
    return entry.module.startswith("mibench.")


def show_broken(broken: Sequence[Broken]) -> None:
    """Print the plug-ins that could not be imported."""
    for plugin in broken:
        console().print(f"broken plug-in {plugin.origin}: {plugin.error}", style="red", markup=False, soft_wrap=True)


def show_findings(findings: Sequence[Finding]) -> None:
    """Print conformance findings, one table per component."""
    for subject in dict.fromkeys(f.subject for f in findings):
        rows = [("passed" if f.passed else "FAILED", f.check, f.sentence) for f in findings if f.subject == subject]
        show_table((subject, "check", "finding"), rows)


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Show progress with an estimate of the time left; yields a function of the work done and its total."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield _plain_progress(screen)
        return
    import rich.progress as parts

    progress = parts.Progress(
        parts.TextColumn("training"),
        parts.BarColumn(),
        parts.TaskProgressColumn(),
        parts.TimeElapsedColumn(),
        parts.TextColumn("left"),
        parts.TimeRemainingColumn(),
        console=screen,
    )
    bar = progress.add_task("training", total=None)

    def show(done: int, total: int) -> None:
        if total:
            progress.start()  # not before there is work, so that the plan's line comes first
            progress.update(bar, completed=done, total=total)

    try:
        yield show
    finally:
        progress.stop()


def _plain_progress(screen: Console) -> Callable[[int, int], None]:
    start = last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _PLAIN_SECONDS or not 0 < done < total:
            return
        last = now
        left = (now - start) * (total - done) / done
        screen.print(f"{done / total:.0%} done after {_clock(now - start)}, about {_clock(left)} left")

    return show


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_SETTINGS = ("task", "true MI", "kind", "N", "n", "critic", "negatives", "setup", "seeds")
"""Cells that are said once, above the table, where all lines share them."""


def show_results(rows: pd.DataFrame) -> None:
    """Print one line per configuration: its seeds' estimates, the truth, and what caps them.

    ``n`` is the size of a fixed sample and ``test`` the value on its test part, from which the bias follows there;
    ``ceiling`` is the estimator's own, ``cap`` what the sampler leaves of NWJ and Donsker-Varadhan.

    Parameters
    ----------
    rows
        Rows of the runs table.
    """
    from mibench.analysis.labels import with_labels

    labelled = with_labels(rows, ignore=("task_label", "critic_label", "samples"))  # columns of their own
    by = ["task_label", "mi_true", "estimator_label", "kind", "batch", "samples", "critic_label", "negatives_label"]
    by.append("setup")
    lines = [_configuration(group) for _, group in labelled.groupby(by, sort=False, dropna=False)]
    if not lines:
        return
    shared = {name for name in _SETTINGS if len({line[name] for line in lines}) == 1}
    print("\n" + ", ".join(f"{name} {lines[0][name]}" for name in _SETTINGS if name in shared and lines[0][name]))
    columns = [name for name in lines[0] if name not in shared and any(line[name] for line in lines)]
    numbers = [c for c in columns if c not in ("task", "estimator", "kind", "critic", "negatives", "setup", "status")]
    show_table(columns, ([line[c] for c in columns] for line in lines[:_MOST_LINES]), numbers=numbers)
    if len(lines) > _MOST_LINES:
        console().print(f"and {len(lines) - _MOST_LINES} more configurations")
    for option in ("critic", "negatives"):
        own = rows[rows[f"own_{option}"] == 1].groupby("estimator")[option].first()
        if len(own):
            brought = ", ".join(f"{estimator} {component}" for estimator, component in own.items())
            console().print(f"in place of the grid's {option}, estimators brought their own: {brought}")


def _configuration(group: pd.DataFrame) -> dict[str, str]:
    """Cells of one line: values of several seeds are the mean over seeds, spreads the mean of the runs' own."""
    first = group.iloc[0]
    statuses = group["status"].value_counts()
    return {
        "task": first["task_label"],
        "true MI": _number(first["mi_true"], ".3g"),
        "estimator": first["estimator_label"],
        "kind": first["kind"],
        "N": str(int(first["batch"])),
        "n": _number(first["samples"], ".0f"),
        "critic": first["critic_label"],
        "negatives": first["negatives_label"],
        "setup": first["setup"],
        "seeds": str(group["seed"].nunique()),
        "test": _number(group["estimate_test"].mean()),
        "median": _number(group["estimate_train_median"].mean()),
        "mean ± sd": _pair(group["estimate_train"].mean(), group["estimate_train_sd"].mean()),
        "fresh": _number(group["estimate_fresh"].mean()),
        "bias": _number(group["bias"].mean(), "+.2f"),
        "ceiling": _number(first["ceiling"]),
        "cap": _number(first["predicted_ceiling"]) if _sampler_caps(first) else "",
        "status": ", ".join(f"{count} {status}" for status, count in statuses.items()),
    }


def _sampler_caps(row: pd.Series) -> bool:
    """Whether the sampler's ceiling, and not a lower one of the estimator's own, is what caps a row."""
    return bool(row["capped_by_sampler"] == 1 and not row["ceiling"] < row["predicted_ceiling"])


def _number(value: Any, form: str = ".2f") -> str:
    import pandas as pd

    if value is None or pd.isna(value) or value in (float("inf"), float("-inf")):
        return "" if value != float("-inf") else "-inf"
    return format(value, form) if abs(value) < 1e4 else format(value, ".1e")


def _pair(mean: Any, sd: Any) -> str:
    return f"{_number(mean)} ± {_number(sd)}" if _number(mean) else ""


def show_contents(rows: pd.DataFrame) -> None:
    """Print what a results folder holds: a line per task, estimator, critic and sampler."""
    runs = rows.drop_duplicates("run_id", keep="last")
    by = ["task", "estimator", "critic", "negatives"]
    lines = []
    for names, group in runs.groupby(by):
        statuses = group["status"].value_counts()
        counts = [str(statuses.get(status, 0)) for status in ("ok", "diverged", "timeout", "crashed")]
        lines.append([*map(str, names), _span(group["batch"]), str(len(group)), *counts])
    columns = (*by, "N", "runs", "ok", "diverged", "timeout", "crashed")
    show_table(columns, lines, numbers=columns[4:])


def _span(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def say_next(rows: pd.DataFrame, results: Path) -> None:
    """Print where the rows lie and a command that shows them."""
    if rows.empty:
        return
    from mibench.analysis.labels import plural

    runs = rows.drop_duplicates("run_id")
    figure = "staircase" if rows["stair"].max() > 0 else "saturation" if runs["batch"].nunique() > 1 else "curves"
    option = "" if str(results) == "results" else f" --results {shlex.quote(str(results))}"
    print(f"{plural(len(runs), 'run')} in {results / 'runs'}, curves in {results / 'curves'}")
    print(f"next: mibench report {figure}{option}")


def show_component(registry: Registry[Any], text: str) -> None:
    """Print all about one component.

    Parameters
    ----------
    registry
        Where it is registered.
    text
        Its name as the user wrote it, parameters included.
    """
    name, written = split_name(text)
    entry, cls = registry.entry(name), registry.get(name)
    if written:
        registry.create(text)  # refuses parameters that do not fit
    kind = f", {entry.kind}" if entry.kind else ""
    print(f"{entry.id} ({registry.what}{kind})\n{entry.origin}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n")
    fields = [field for field in dataclasses.fields(cls) if field.init]
    if fields:
        show_table(("parameter", "type", "default"), [(f.name, str(f.type), _default(f)) for f in fields])
    if registry is ESTIMATORS:
        _show_ceilings(registry.create(text))


def show_suite(suite: Suite) -> None:
    """Print all about a suite: the comment that opens its file, its tasks with their MI, and its runs."""
    from mibench.analysis.labels import plural

    lines = itertools.takewhile(lambda line: line.startswith("#"), suite.path.read_text(encoding="utf-8").splitlines())
    print(f"{suite.id} (suite)\n{suite.path}\n\n" + "\n".join(line.removeprefix("#").strip() for line in lines) + "\n")
    levels: dict[str, list[str]] = {}
    for task in suite.tasks:
        params = tuple(param for param in task.params() if param[0] != "mi")
        levels.setdefault(join_name(TASKS.id_of(task), params), []).append(_number(task.mi, ".3g"))
    show_table(("task", "true MI, nats"), [(name, ", ".join(found)) for name, found in levels.items()])
    if suite.estimators:
        count = f"{plural(len(suite.specs()), 'run')} of {plural(len(suite.estimators), 'estimator')}"
        print(f"{count}: {', '.join(suite.estimators)}\n")
    print(f"another estimator on it: mibench run --suite {suite.name} --estimator NAME")


def _default(field: dataclasses.Field[Any]) -> str:
    return "required" if field.default is dataclasses.MISSING else str(field.default)


def _show_ceilings(estimator: Estimator) -> None:
    """Print what the estimate can reach at common batch sizes."""
    from mibench.core.estimator import SampleEstimator

    print(f"default negatives: {estimator.default_negatives}; parameters: {dict(estimator.params()) or 'none'}")
    sizes = (64, 128, 256, 512, 1024)
    layouts: dict[str, Callable[[int], int]] = {"one negative a row": lambda n: 2, "all pairs": lambda n: n}
    if isinstance(estimator, SampleEstimator):
        layouts = {"a sample of N pairs": lambda n: 1}
    rows = [(label, *(_ceiling(estimator, n, m(n)) for n in sizes)) for label, m in layouts.items()]
    headers = [f"N = {n}" for n in sizes]
    show_table(("ceiling, nats", *headers), rows, numbers=headers)


def _ceiling(estimator: Estimator, n: int, m: int) -> str:
    try:
        value = estimator.ceiling(n, m)
    except UsageError:
        return "undefined"
    return "none" if value == math.inf else f"{value:.4f}"
