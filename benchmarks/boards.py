"""How often a board's 95 % intervals cover and its tests tell equal methods apart, on 500 simulated boards a row.

python -m benchmarks.boards            from the root of the repository: the table, minutes
"""

from __future__ import annotations

import time

import numpy as np

from tests.support.simulated_boards import CORRELATIONS, FAMILIES, LEVELS, METHODS, SEEDS, simulate


def main() -> None:
    print(f"{METHODS} equal methods, {LEVELS} levels a family, {SEEDS} seeds")
    print("own effects  families  correlation  over      told apart  covered  seconds")
    for skewed in (False, True):
        for families in FAMILIES:
            for correlation in CORRELATIONS:
                began = time.perf_counter()
                over, apart, covered = simulate(correlation, families, np.random.default_rng(0), skewed=skewed)
                print(
                    f"{'skewed' if skewed else 'normal':11}  {families:8}  {correlation:11}  {over:8}  {apart:10.1%}  "
                    f"{covered:7.1%}  {time.perf_counter() - began:7.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
