"""Accuracy of bfloat16: estimates trained in it against estimates trained in float32, cell by cell.

A cell is a level of gaussian20d, an estimator and a critic. Both precisions are trained with several seeds by mibench's
own runner, into a results folder: what is there is not trained again, so that the command goes on where it stopped.
Runs of two precisions have other data (a run's id seeds them), so that their means differ by chance too: the interval
is Welch's, at 95 percent. Cells whose means differ beyond it, and by more than 0.03 nats, are marked.

    python benchmarks/precision.py --results /tmp/precision            # train what is missing, and print the table
    python benchmarks/precision.py --results /tmp/precision --table    # the table of what is there
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pandas as pd
from scipy import stats

from mibench.core.errors import UsageError
from mibench.experiments.grid import resolve
from mibench.experiments.specs import RunSpec
from mibench.running.runner import execute, rows_of
from mibench.store.sessions import describe_session

LEVELS = (2, 5, 10, 30)
ESTIMATORS = ("infonce", "nwj", "js", "smile", "dv", "alpha-ml-cpc")
CRITICS = ("separable", "joint")
HIDDEN = {"separable": "2x256", "joint": "2x128"}
"""The joint critic passes every pair through its layers, 64 times the rows: it gets those of the published rows."""

SMALL = 0.03
"""Nats that means may differ by, whatever their interval."""


def runs_of(level: float, critic: str, precision: str, lengths: dict[str, int]) -> list[RunSpec]:
    """Runs of all estimators on one level: those that are trained together."""
    given = {"task": "gaussian20d", "mi": float(level), "estimator": list(ESTIMATORS), "critic": critic}
    return resolve({**given, "hidden": HIDDEN[critic], "precision": precision, "negatives": "all-pairs", **lengths})


def table(rows: pd.DataFrame, column: str) -> list[str]:
    """One line a cell, of those that have at least two results in both precisions."""
    lines = [
        f"{column}, nats: float32 and bfloat16 (results), their difference and its interval of 95 percent",
        "| critic | MI | estimator | float32 | bfloat16 | difference | +- | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (critic, level, estimator), cell in rows.groupby(["critic", "mi_true", "estimator"], sort=False):
        values = [cell.loc[cell["precision"] == p, column].dropna() for p in ("float32", "bfloat16")]
        if min(map(len, values)) < 2:
            continue
        full, half = values
        difference = half.mean() - full.mean()
        variances = full.var() / len(full), half.var() / len(half)
        error = math.sqrt(sum(variances))
        freedom = sum(variances) ** 2 / sum(v**2 / (len(x) - 1) for v, x in zip(variances, values, strict=True))
        width = float(stats.t.ppf(0.975, freedom)) * error if error else 0.0
        mark = "beyond" if abs(difference) > max(width, SMALL) else ""
        means = " | ".join(f"{x.mean():.3f} ({len(x)})" for x in values)
        lines.append(f"| {critic} | {level:g} | {estimator} | {means} | {difference:+.3f} | {width:.3f} | {mark} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="results folder, kept between calls")
    parser.add_argument("--separable-steps", type=int, default=3000)
    parser.add_argument("--joint-steps", type=int, default=1000, help="fewer, since a step costs more")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--critic", choices=CRITICS, action="append", help="only this one")
    options = parser.parse_args()
    steps = {"separable": options.separable_steps, "joint": options.joint_steps}
    cells = [
        runs_of(level, critic, precision, {"steps": steps[critic], "batch": options.batch, "seeds": options.seeds})
        for critic in options.critic or CRITICS
        for level in LEVELS
        for precision in ("float32", "bfloat16")
    ]
    for cell in [] if options.table else cells:
        execute(cell, results=options.results, jobs=options.jobs, device="cpu", command="benchmarks/precision.py")
        first = cell[0]
        print(f"done: {first.critic}, {first.precision}, {dict(first.task_params)['mi']:g} nats", flush=True)
    try:
        rows = rows_of([run for cell in cells for run in cell], options.results)
    except UsageError as error:
        raise SystemExit(str(error)) from error
    processor = describe_session("precision", (), "cpu")["cpu"]
    print(f"{processor}; layers {HIDDEN}, steps {steps}, all pairs of batches of {options.batch}")
    for column in ("estimate_train_median", "estimate_fresh_large"):
        print("", *table(rows, column), sep="\n")


if __name__ == "__main__":
    main()
