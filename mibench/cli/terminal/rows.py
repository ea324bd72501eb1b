"""Stored rows: the results of a run, and what a results folder holds."""

from __future__ import annotations

import re
import shlex
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mibench.cli.terminal.console import console, say, show_table
from mibench.cli.terminal.numbers import number_text, span_text

if TYPE_CHECKING:
    import pandas as pd

_MOST_LINES = 60
"""A table of results is cut here; the rows are in the store."""

_MOST_REASONS = 5
"""Reasons of failed runs that are said after a run; the command named beside them lists all."""

_NUMBER = re.compile(r"\d+")

_AVERAGED = ("estimate_test", "estimate_train_median", "estimate_train", "estimate_train_sd", "estimate_fresh", "bias")
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
    _say_warnings(labelled)
    for option in ("critic", "negatives"):
        names = rows.assign(**{name: shown_names(rows, name) for name in ("estimator", option)})
        own = names[rows[f"own_{option}"] == 1].groupby("estimator")[option].first()
        if len(own):
            brought = ", ".join(f"{estimator} {component}" for estimator, component in own.items())
            console().print(f"in place of the grid's {option}, estimators brought their own: {brought}")


def _say_warnings(labelled: pd.DataFrame) -> None:
    """Print what estimators that take a sample say of it, each kind of sentence once, by its first run."""
    from mibench.analysis.sample_warnings import warnings_of

    said: dict[tuple[str, str], str] = {}
    for estimator, group in labelled.groupby("estimator_label", sort=False):
        for sentence in chain.from_iterable(warnings_of(group)):
            said.setdefault((str(estimator), _NUMBER.sub("", sentence)), sentence)
    for (estimator, _), sentence in said.items():
        say(f"{estimator} warns: {sentence}")


def _configuration(group: pd.DataFrame) -> dict[str, str]:
    """Cells of one line: values of several seeds are the mean over seeds, spreads the mean of the runs' own."""
    from mibench.analysis.sample_warnings import warnings_of

    first, warned = group.iloc[0], len(warnings_of(group))
    means = {name: _mean(group, name) for name in _AVERAGED}
    statuses = group["status"].value_counts()
    return {
        "task": first["task_label"],
        "true MI": number_text(first["mi_true"], ".3g"),
        "estimator": first["estimator_label"],
        "kind": first["kind"] if isinstance(first["kind"], str) else "",
        "N": str(int(first["batch"])),
        "n": number_text(first["samples"], ".0f"),
        "critic": first["critic_label"],
        "negatives": first["negatives_label"],
        "setup": first["setup"],
        "seeds": str(group["seed"].nunique()),
        "test": number_text(means["estimate_test"]),
        "median": number_text(means["estimate_train_median"]),
        "mean ± sd": _pair(means["estimate_train"], means["estimate_train_sd"]),
        "fresh": number_text(means["estimate_fresh"]),
        "bias": number_text(means["bias"], "+.2f"),
        "ceiling": number_text(first["ceiling"]),
        "cap": number_text(first["predicted_ceiling"]) if _sampler_caps(first) else "",
        "warned": str(warned or ""),
        "status": ", ".join(f"{count} {status}" for status, count in statuses.items()),
    }


def _mean(group: pd.DataFrame, name: str) -> float:
    """Mean of what is there; of infinities on both sides it is NaN."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        return float(group[name].astype("float64").mean())


def _sampler_caps(row: pd.Series) -> bool:
    """Whether the sampler's ceiling, and not a lower one of the estimator's own, is what caps a row."""
    return bool(row["capped_by_sampler"] == 1 and not row["ceiling"] < row["predicted_ceiling"])


def _pair(mean: Any, sd: Any) -> str:
    return f"{number_text(mean)} ± {number_text(sd)}" if number_text(mean) else ""


def show_contents(rows: pd.DataFrame) -> None:
    """Print what a results folder holds: a line per task, estimator, critic and sampler.

    Parameters
    ----------
    rows
        Rows of the runs table: their ids, statuses, warnings, batch sizes, and the components' names and versions.
    """
    from mibench.analysis.labels import COMPONENTS, shown_names
    from mibench.analysis.sample_warnings import warnings_of

    runs = rows.drop_duplicates("run_id", keep="last")
    runs, by = runs.assign(**{name: shown_names(runs, name) for name in COMPONENTS}), list(COMPONENTS)
    lines = []
    for names, group in runs.groupby(by):
        statuses = group["status"].value_counts()
        counts = [str(statuses.get(status, 0)) for status in ("ok", "diverged", "timeout", "crashed")]
        counts.append(str(len(warnings_of(group))))
        batches = span_text(int(group["batch"].min()), int(group["batch"].max()))
        lines.append([*map(str, names), batches, str(len(group)), *counts])
    columns = (*by, "N", "runs", "ok", "diverged", "timeout", "crashed", "warned")
    show_table(columns, lines, numbers=columns[4:])


def show_failed(rows: pd.DataFrame) -> None:
    """Print the runs of a results folder that failed, each with its reason.

    Parameters
    ----------
    rows
        Rows of the runs table: the columns of labels, ids, seeds, batch sizes, statuses and errors.
    """
    from mibench.analysis.failures import failed_runs
    from mibench.analysis.labels import COMPONENTS, plural, with_labels

    failed = failed_runs(with_labels(rows))
    names = {**{f"{name}_label": name for name in COMPONENTS}, "batch": "N"}
    columns = ["run_id", *names, "seed", "status", "reason"]
    print(f"{plural(len(failed), 'run')} of {rows['run_id'].nunique():,} failed")
    if len(failed):
        lines = ([str(cell) for cell in line] for line in failed[columns].itertuples(index=False, name=None))
        show_table([names.get(column, column) for column in columns], lines, numbers=("N", "seed"))


def say_failures(rows: pd.DataFrame, results: Path) -> None:
    """Print why runs failed, the most frequent reason first; nothing where none did."""
    from mibench.analysis.failures import failure_reasons
    from mibench.analysis.labels import plural

    reasons = failure_reasons(rows)
    for reason in reasons.head(_MOST_REASONS).to_dict("records"):
        ended = "ran out of time" if reason["status"] == "timeout" else reason["status"]
        say(f"{plural(reason['count'], 'run')} {ended}: {reason['reason']}")
    if len(reasons):
        others = f" and {plural(len(reasons) - _MOST_REASONS, 'other reason')}" if len(reasons) > _MOST_REASONS else ""
        say(f"run by run{others}: mibench results ls --failed{_results_option(results)}")


def say_crowded(results: Path) -> None:
    """Print how a folder of very many files is made quick to read, where it is one."""
    from mibench.store.paths import compaction_hint

    if hint := compaction_hint(results):
        print(hint, flush=True)


def say_next(rows: pd.DataFrame, results: Path) -> None:
    """Print where the rows lie and, where there is something to draw, a command that draws it."""
    if rows.empty:
        return
    import numpy as np

    from mibench.analysis.labels import plural
    from mibench.analysis.metrics import final_estimates, finished, is_staircase, with_truth

    count, done = plural(rows["run_id"].nunique(), "run"), finished(rows)
    if done.empty:
        print(f"{count} in {results / 'runs'}, none of them with a result")
        return
    print(f"{count} in {results / 'runs'}, curves in {results / 'curves'}")
    drawn = with_truth(done)
    if drawn.empty:
        return
    several = drawn["batch"].nunique() > 1 and np.isfinite(final_estimates(drawn)).any()
    figure = "staircase" if is_staircase(drawn).any() else "saturation" if several else "curves"
    print(f"next: mibench report {figure}{_results_option(results)}")


def _results_option(results: Path) -> str:
    """The option that names a folder to the next command; empty for the folder that needs none."""
    return "" if str(results) == "results" else f" --results {shlex.quote(str(results))}"
