"""A suite: its tasks and runs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from mibench.cli.terminal.console import show_table
from mibench.cli.terminal.numbers import number_text
from mibench.core.parameters import join_name
from mibench.core.registry import TASKS

if TYPE_CHECKING:
    from mibench.experiments.suite import Suite


def show_suite(suite: Suite) -> None:
    """Print all about a suite: the comment that opens its file, its tasks with their MI, and its runs."""
    from mibench.analysis.labels import plural

    lines = itertools.takewhile(lambda line: line.startswith("#"), suite.path.read_text(encoding="utf-8").splitlines())
    print(f"{suite.id} (suite)\n{suite.path}\n\n" + "\n".join(line.removeprefix("#").strip() for line in lines) + "\n")
    levels: dict[str, list[str]] = {}
    for task in suite.tasks:
        params = tuple(param for param in task.params() if param[0] != "mi")
        levels.setdefault(join_name(TASKS.id_of(task), params), []).append(number_text(task.mi, ".3g"))
    show_table(("task", "true MI, nats"), [(name, ", ".join(found)) for name, found in levels.items()])
    if suite.estimators:
        count = f"{plural(len(suite.specs()), 'run')} of {plural(len(suite.estimators), 'estimator')}"
        print(f"{count}: {', '.join(suite.estimators)}\n")
    print(f"another estimator on it: mibench run --suite {suite.name} --estimator NAME")
