"""Threads that ask a registry for names in the same moment, before anything of it is loaded.

python -m tests.support.first_use 1000

A process of its own: modules are imported again in every round, which would leave two classes of one name in another.
Prints every round in which a thread did not get what it asked for, and how many rounds there were.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import mibench
from mibench.core.registry import BROKEN, CRITICS, ESTIMATORS, NEGATIVES, TASKS

REGISTRIES = (TASKS, ESTIMATORS, CRITICS, NEGATIVES)

POINTS = "[mibench.tasks]\nby-point = pointed_task:ByPoint\nbroken = no_such_package:Task\n"

PLUGIN = '''
import time

import mibench

def one():
    return later()

@mibench.register_task("by-point")
class ByPoint(mibench.Task):
    """A task of an installed package."""

    @property
    def mi(self):
        return one()

time.sleep(0.001)  # the class is known by now, and its module is not whole
mibench.list_tasks()  # waits for no thread that may wait for this module

def later():
    return 1.0
'''

ASKED: tuple[Callable[[], object], ...] = (
    lambda: mibench.get_task("gaussian20d", mi=1.0).mi,
    lambda: mibench.get_task("gaussian20d-v1", mi=1.0).mi,
    lambda: mibench.get_task("by-point").mi,
    lambda: importlib.import_module("pointed_task").one(),
    lambda: len([name for name in mibench.list_tasks() if name in ("by-point", "gaussian20d")]) / 2,
    lambda: mibench.get_estimator("ksg").ceiling(2, 1) * 0 + 1.0,
    lambda: mibench.get_estimator("nwj").oracle_offset,
    lambda: mibench.get_estimator("mine-f").oracle_offset,
)
"""What is asked for, each by a thread; the answer is 1."""


def main(rounds: int) -> int:
    """Ask in each round anew; return how many answers were wrong."""
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        sys.path.insert(0, folder)
        sys.setswitchinterval(1e-4)
        wrong = 0
        for number in range(rounds):
            forget()
            answers = ask()
            answers += [f"{b.origin}: {b.error}" for b in BROKEN[1:]]  # the one that is broken is named once
            for answer in answers:
                if answer != 1.0:
                    wrong += 1
                    print(f"round {number}: {answer!r}")
    print(f"{rounds} rounds of {len(ASKED)} threads, {wrong} wrong answers")
    return wrong


def install(folder: Path) -> None:
    """Make a package with entry points, of which one is broken."""
    (folder / "pointed_task.py").write_text(PLUGIN, encoding="utf-8")
    about = folder / "pointed_task-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pointed-task\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(POINTS, encoding="utf-8")


def forget() -> None:
    """Bring the registries to where they are in a fresh process."""
    BROKEN.clear()
    for registry in REGISTRIES:
        registry._entries, registry._classes = {}, {}
        registry._scanned = registry._entry_points_loaded = False
    asked = ("mibench.tasks.", "mibench.estimators.", "pointed_task")
    for name in [name for name in sys.modules if name.startswith(asked)]:
        del sys.modules[name]


def ask() -> list[object]:
    """Let all threads ask at once; return their answers, and what they raised in the place of one."""
    barrier = threading.Barrier(len(ASKED))
    answers: list[object] = [None] * len(ASKED)

    def ask_one(place: int) -> None:
        barrier.wait()
        try:
            answers[place] = ASKED[place]()
        except Exception as error:
            answers[place] = error

    threads = [threading.Thread(target=ask_one, args=(place,)) for place in range(len(ASKED))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])) > 0)
