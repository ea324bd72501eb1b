"""Whether a suite's budget of steps is enough: how far losses still move at the end of training, family by family.

On fresh pairs every batch is held out until it is trained on, so that the training loss is a validation loss. What is
compared is its mean over the last fifth of the steps and over the fifth before it, in each run; a family's number is
the median over its estimators, and the estimator that still moves most stands beside it. On fixed samples training ends
by the validation loss itself: what is given is the share of runs that ended before their last epoch.

    python benchmarks/budget.py --results results/standard --suite standard
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import mibench
from mibench.analysis.cells import rows_of_suite
from mibench.experiments.suite import get_suite
from mibench.ranking.matrix import family_ids


def drift(curve: pd.DataFrame) -> float:
    """Fall of the mean loss from the last but one fifth of a curve's steps to the last."""
    share = curve["step"] / curve["step"].max()
    before, last = curve["loss"][(share > 0.6) & (share <= 0.8)], curve["loss"][share > 0.8]
    return float(before.mean() - last.mean())


def fresh_pairs(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """A row per family: steps, the median fall of the loss over estimators, and the one that falls most."""
    stream = runs[runs["regime"] == "stream"]
    falls = curves[curves["run_id"].isin(stream["run_id"])].groupby("run_id")[["step", "loss"]].apply(drift)
    by_run = stream.set_index("run_id").assign(fall=falls)
    by_run = by_run[np.isfinite(by_run["fall"]) & (by_run["status"] == "ok")]
    by_method = by_run.groupby(["family", "estimator"])["fall"].median().unstack()
    return pd.DataFrame(
        {
            "steps": stream.groupby("family")["steps"].max(),
            "median": by_method.median(axis=1),
            "90 %": by_method.quantile(0.9, axis=1),
            "most": by_method.max(axis=1),
            "by": by_method.idxmax(axis=1),
        }
    )


def fixed_samples(runs: pd.DataFrame) -> pd.Series:
    """Share of a family's trained runs that ended before their last epoch."""
    fixed = runs[(runs["regime"] == "dataset") & runs["patience"].notna()]
    return (fixed["steps_done"] < fixed["steps"]).groupby(fixed["family"]).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/standard"))
    parser.add_argument("--suite", default="standard")
    options = parser.parse_args()
    runs = rows_of_suite(mibench.load_runs(options.results), get_suite(options.suite).grid).runs
    runs = runs.assign(family=family_ids(runs))
    table = fresh_pairs(runs, mibench.load_curves(options.results, runs["run_id"]))
    table["ended early"] = fixed_samples(runs)
    print("| family | steps | median fall of the loss | 90 % | most | by | fixed samples that ended early |")
    print("|---|---|---|---|---|---|---|")
    for family, row in table.iterrows():
        falls = " | ".join(f"{row[name]:.3f}" for name in ("median", "90 %", "most"))
        print(f"| {family} | {row['steps']:,.0f} | {falls} | {row['by']} | {row['ended early']:.0%} |")


if __name__ == "__main__":
    main()
