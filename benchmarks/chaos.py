"""Random sequences of kills against a grid: what is stored is never lost, and the same command goes on.

python benchmarks/chaos.py                         20 sequences
python benchmarks/chaos.py --sequences 200 --seed 1
python benchmarks/chaos.py --only 17               sequence 17 alone, as it was

A sequence is a grid of 8 to 24 short runs, two packs at a time, and up to four strokes at random moments. The victims
are the command itself, its process group, a worker (the process that forks a child for every pack), or a child; the
strokes are SIGKILL, SIGTERM, SIGINT (of the command and of its group, as Ctrl-C is) and SIGSTOP with SIGCONT after a
while. A command that ends before its grid is complete is given again, as a user would. After each command: its exit
code is a documented one or the signal that ended it, its last words are no traceback, every row that was stored is
still there, and every file reads. At the end the grid is complete, and every run is a result, or a crash where its
child was killed.

Linux: processes are found in /proc. Nothing outside a temporary folder is touched, and no process but its own.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from mibench.store.folders import load_runs
from mibench.store.maintenance import verify

MARK = "MIBENCH_CHAOS"
LIMIT = 240.0  # seconds for one command; more is a hang
MOST_COMMANDS = 8
VICTIMS = ("command", "group", "worker", "worker", "child")  # workers twice: their death is the subject
STROKES = ("SIGKILL", "SIGKILL", "SIGTERM", "SIGINT", "SIGSTOP")


@dataclasses.dataclass(frozen=True)
class Stroke:
    """One signal, that many seconds after a command has begun its work."""

    victim: str
    signal: str
    after: float


@dataclasses.dataclass
class Outcome:
    """What a sequence came to."""

    number: int
    runs: int
    commands: list[int] = dataclasses.field(default_factory=list)  # exit codes; minus a signal's number
    struck: list[str] = dataclasses.field(default_factory=list)
    crashed: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)


class Command:
    """A `mibench run`, whose processes carry a mark in their environment."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.errors = (folder / "stderr.txt").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mibench", "run", *arguments],
            cwd=folder,
            env={**os.environ, MARK: self.mark, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            start_new_session=True,
        )

    def relatives(self) -> dict[str, list[int]]:
        """Find the command's live processes by what they are."""
        parents: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state, parent = (path / "stat").read_text().rpartition(") ")[2].split()[:2]
                if state != "Z" and f"{MARK}={self.mark}".encode() in (path / "environ").read_bytes():
                    parents[int(path.name)] = int(parent)
        found: dict[str, list[int]] = {"command": [], "worker": [], "child": []}
        for pid in sorted(parents):
            generation, ancestor = 0, pid
            while ancestor != self.process.pid and ancestor in parents:
                generation, ancestor = generation + 1, parents[ancestor]
            if ancestor == self.process.pid and generation < len(found):
                found[("command", "worker", "child")[generation]].append(pid)
        return {**found, "all": sorted(parents)}

    def last_words(self) -> str:
        """Return the end of what it wrote to stderr."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-2000:].strip()

    def hit(self, stroke: Stroke, draws: random.Random) -> bool:
        """Strike a victim, where there is one at this moment."""
        number = getattr(signal, stroke.signal)
        relatives = self.relatives()
        if stroke.victim == "group":
            send = [(os.killpg, self.process.pid)] if relatives["command"] else []
        else:
            pids = relatives[stroke.victim]
            send = [(os.kill, draws.choice(pids))] if pids else []
        for function, pid in send:
            with contextlib.suppress(ProcessLookupError):
                function(pid, number)
                if stroke.signal == "SIGSTOP":
                    time.sleep(draws.uniform(0.1, 1.5))
                    function(pid, signal.SIGCONT)
        return bool(send)

    def survivors(self, seconds: float) -> int:
        """Give the processes that are left time to end, and count those that do not."""
        deadline = time.monotonic() + seconds
        while (left := len(self.relatives()["all"])) and time.monotonic() < deadline:
            time.sleep(0.2)
        return left

    def finish(self) -> int | None:
        """Wait for the end, and return the exit code; None after too long, when all of it is killed."""
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            for pid in self.relatives()["all"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            return None


def grid_of(draws: random.Random) -> tuple[list[str], int]:
    """Draw a grid of 8 to 24 runs, as arguments, and how many they are."""
    levels, batches, seeds = draws.randint(1, 2), draws.randint(2, 3), draws.randint(4, 4)
    arguments = ["--task", "gaussian20d:dim=2", "--estimator", "nwj", "--critic", "separable", "--hidden", "1x16"]
    arguments += [word for level in range(levels) for word in ("--mi", str(level + 1))]
    arguments += [word for n in range(batches) for word in ("--batch", str(8 * 2**n))]
    arguments += ["--seeds", str(seeds), "--steps", str(draws.choice((100, 300, 1000))), "--jobs", "2"]
    return arguments, levels * batches * seeds


def strokes_of(draws: random.Random) -> list[Stroke]:
    """Draw up to four strokes, in the order of time; the pauses are counted from one to the next."""
    return [
        Stroke(draws.choice(VICTIMS), draws.choice(STROKES), draws.choice((0.05, 0.3, 1.0, 3.0)) * draws.random())
        for _ in range(draws.randint(1, 4))
    ]


def documented(code: int | None) -> bool:
    """Whether an exit code is 0, 1 (failed runs), 130 (Ctrl-C), or the signal that a stroke sends."""
    return code in (0, 1, 130, 143, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)


def play(seed: int, number: int) -> Outcome:
    """Play one sequence; all that is random in it follows from the seed and its number."""
    draws = random.Random(f"{seed}/{number}")
    arguments, runs = grid_of(draws)
    outcome = Outcome(number, runs)
    stored: set[str] = set()
    strokes = strokes_of(draws)
    with tempfile.TemporaryDirectory(prefix="mibench-chaos-") as name:
        folder = Path(name)
        for attempt in range(MOST_COMMANDS):
            command = Command([*arguments, *(["--retry-failed"] if attempt else [])], folder)
            if strokes:
                time.sleep(draws.uniform(0.5, 4.0))  # from the imports on
            while strokes and command.process.poll() is None:
                stroke = strokes.pop(0)
                time.sleep(stroke.after)
                if command.hit(stroke, draws):
                    outcome.struck.append(f"{stroke.signal[3:]}:{stroke.victim}")
            code = command.finish()
            words = command.last_words()
            if code is None:
                outcome.problems.append(f"command {attempt} hung for {LIMIT:g} s")
            elif not documented(code):
                outcome.problems.append(f"command {attempt} ended with exit code {code}: {words}")
            if "Traceback" in words:
                outcome.problems.append(f"command {attempt} printed a traceback: {words}")
            if "installation" in words:
                outcome.problems.append(f"command {attempt} blames the installation: {words}")
            outcome.commands.append(-99 if code is None else code)
            if left := command.survivors(20):  # a worker that is still importing torch looks up when it has done so
                outcome.problems.append(f"command {attempt} left {left} processes behind")
            command.errors.close()
            if not (folder / "results").exists():
                continue
            rows = load_runs(folder / "results")
            results = set(rows.loc[rows["status"].isin(["ok", "diverged"]), "run_id"])
            if lost := stored - results:
                outcome.problems.append(f"command {attempt} lost {len(lost)} runs that were stored")
            stored = results
            outcome.crashed = int((rows["status"] == "crashed").sum())
            for finding in verify(folder / "results"):
                if "temporary" not in str(finding):
                    outcome.problems.append(f"command {attempt}: {finding}")
            if code in (0, 1) and len(rows) == runs and not strokes:
                break
        if len(stored) + outcome.crashed != runs:
            outcome.problems.append(f"{len(stored)} of {runs} runs are stored after {len(outcome.commands)} commands")
    return outcome


def main() -> None:
    """Play the sequences and say what they came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="play this sequence alone")
    given = parser.parse_args()
    numbers = range(given.sequences) if given.only is None else [given.only]
    codes: collections.Counter[int] = collections.Counter()
    runs = commands = problems = 0
    for number in numbers:
        outcome = play(given.seed, number)
        codes.update(outcome.commands)
        runs, commands, problems = (
            runs + outcome.runs,
            commands + len(outcome.commands),
            problems + bool(outcome.problems),
        )
        print(
            f"{number:4} {outcome.runs:3} runs  codes {outcome.commands}  {' '.join(outcome.struck) or '-'}"
            + (f"  {outcome.crashed} crashed" if outcome.crashed else ""),
            flush=True,
        )
        for problem in outcome.problems:
            print(f"     {problem}", flush=True)
    print(f"{len(numbers)} sequences, {runs} runs, {commands} commands with exit codes {dict(sorted(codes.items()))}")
    print(f"{problems} sequences with problems")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
