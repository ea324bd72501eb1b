"""The command line; see `benchmarks.estimation`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one a job; read when torch is imported

from benchmarks.estimation.characteristics import as_text, characteristics
from benchmarks.estimation.records import DataSet
from benchmarks.estimation.runner import ESTIMATES, load, run
from benchmarks.estimation.test_bed import SERIES, data_sets
from mibench.core.errors import UsageError

ESTIMATOR = "mibench.estimation.estimate:estimate"


def chosen(options: argparse.Namespace) -> list[DataSet]:
    """Return the data sets that the options ask for."""
    return [
        data
        for data in data_sets()
        if data.series in options.series
        and (options.n is None or data.n in options.n)
        and options.half in ("all", data.half)
        and (options.draws is None or data.number < options.draws)
        and (options.family is None or data.law.family in options.family)
    ]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimation", description=__doc__)
    parser.add_argument("--estimator", default=ESTIMATOR, help="module:function, called as f(x, y, seed=, quick=)")
    parser.add_argument("--half", choices=("seen", "unseen", "all"), default="all")
    parser.add_argument("--series", nargs="+", choices=SERIES, default=list(SERIES))
    parser.add_argument("--family", nargs="+", help="families; all unless told")
    parser.add_argument("--n", nargs="+", type=int, help="rows; all sizes unless told")
    parser.add_argument("--draws", type=int, help="draws of a series at most; all unless told")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--quick", action="store_true", help="the estimate's quick way")
    parser.add_argument("--out", type=Path, default=Path("results/estimation"), help="folder of the tables")
    parser.add_argument("--list", action="store_true", help="name the data sets, and run none")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, and run nothing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Run what is missing and print the table."""
    options = _options(arguments)
    wanted = chosen(options)
    if options.list:
        for data in wanted:
            print(f"{data.half:7} {data.name}: {data.law.truth:.4f} nats")
        return
    if not options.table:
        run(wanted, options.estimator, options.out, jobs=options.jobs, quick=options.quick)
    estimates = load(options.out, ESTIMATES)
    estimates = estimates[estimates["name"].isin([data.name for data in wanted])]
    print(as_text(estimates))
    characteristics(estimates).to_csv(options.out / "characteristics.csv", index=False)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UsageError as error:
        sys.exit(f"error: {error}")
