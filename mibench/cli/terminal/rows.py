"""Stored rows: the results of a run, and what a results folder holds."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibench.cli.terminal.console import console, show_table
from mibench.cli.terminal.numbers import number_text, span_text

if TYPE_CHECKING:
    import pandas as pd

_MOST_LINES = 60
"""A table of results is cut here; the rows are in the store."""

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
    from mibench.analysis.labels import shown_names, with_labels

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
        names = rows.assign(**{name: shown_names(rows, name) for name in ("estimator", option)})
        own = names[rows[f"own_{option}"] == 1].groupby("estimator")[option].first()
        if len(own):
            brought = ", ".join(f"{estimator} {component}" for estimator, component in own.items())
            console().print(f"in place of the grid's {option}, estimators brought their own: {brought}")


def _configuration(group: pd.DataFrame) -> dict[str, str]:
    """Cells of one line: values of several seeds are the mean over seeds, spreads the mean of the runs' own."""
    first = group.iloc[0]
    statuses = group["status"].value_counts()
    return {
        "task": first["task_label"],
        "true MI": number_text(first["mi_true"], ".3g"),
        "estimator": first["estimator_label"],
        "kind": first["kind"],
        "N": str(int(first["batch"])),
        "n": number_text(first["samples"], ".0f"),
        "critic": first["critic_label"],
        "negatives": first["negatives_label"],
        "setup": first["setup"],
        "seeds": str(group["seed"].nunique()),
        "test": number_text(group["estimate_test"].mean()),
        "median": number_text(group["estimate_train_median"].mean()),
        "mean ± sd": _pair(group["estimate_train"].mean(), group["estimate_train_sd"].mean()),
        "fresh": number_text(group["estimate_fresh"].mean()),
        "bias": number_text(group["bias"].mean(), "+.2f"),
        "ceiling": number_text(first["ceiling"]),
        "cap": number_text(first["predicted_ceiling"]) if _sampler_caps(first) else "",
        "status": ", ".join(f"{count} {status}" for status, count in statuses.items()),
    }


def _sampler_caps(row: pd.Series) -> bool:
    """Whether the sampler's ceiling, and not a lower one of the estimator's own, is what caps a row."""
    return bool(row["capped_by_sampler"] == 1 and not row["ceiling"] < row["predicted_ceiling"])


def _pair(mean: Any, sd: Any) -> str:
    return f"{number_text(mean)} ± {number_text(sd)}" if number_text(mean) else ""


def show_contents(rows: pd.DataFrame) -> None:
    """Print what a results folder holds: a line per task, estimator, critic and sampler."""
    from mibench.analysis.labels import COMPONENTS, shown_names

    runs = rows.drop_duplicates("run_id", keep="last")
    runs, by = runs.assign(**{name: shown_names(runs, name) for name in COMPONENTS}), list(COMPONENTS)
    lines = []
    for names, group in runs.groupby(by):
        statuses = group["status"].value_counts()
        counts = [str(statuses.get(status, 0)) for status in ("ok", "diverged", "timeout", "crashed")]
        batches = span_text(int(group["batch"].min()), int(group["batch"].max()))
        lines.append([*map(str, names), batches, str(len(group)), *counts])
    columns = (*by, "N", "runs", "ok", "diverged", "timeout", "crashed")
    show_table(columns, lines, numbers=columns[4:])


def say_crowded(results: Path) -> None:
    """Print how a folder of very many files is made quick to read, where it is one."""
    from mibench.store.paths import compaction_hint

    if hint := compaction_hint(results):
        print(hint, flush=True)


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
