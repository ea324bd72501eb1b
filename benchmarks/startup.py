"""Processor time of commands that answer at once, in fresh processes, and their ratio to a bare interpreter.

python benchmarks/startup.py              the median of 11 runs of each, in turns
python benchmarks/startup.py --than PATH  beside another interpreter's mibench: the ratios of medians
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys

COMMANDS = (["--help"], ["run", "--help"], ["list"])
ROUNDS = 11


def cpu_seconds(command: list[str]) -> float:
    """Return the processor time of a process, which a busy machine stretches less than the clock."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--than", help="another Python, whose mibench is measured in turns with this one")
    given = parser.parse_args()
    pythons = [sys.executable, *([given.than] if given.than else [])]
    bare = statistics.median(cpu_seconds([sys.executable, "-c", "pass"]) for _ in range(ROUNDS))
    for command in COMMANDS:
        times: list[list[float]] = [[] for _ in pythons]
        for _ in range(ROUNDS):
            for place, python in enumerate(pythons):
                times[place].append(cpu_seconds([python, "-m", "mibench", *command]))
        medians = [statistics.median(found) for found in times]
        ratio = f", {medians[0] / medians[1]:.2f} of the other's" if given.than else ""
        print(f"mibench {' '.join(command):12} {medians[0]:.2f} s, {medians[0] / bare:.0f} bare interpreters{ratio}")


if __name__ == "__main__":
    main()
