"""Progress of work: on a terminal a bar; elsewhere (a file, a pipe, CI) a plain line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from mibench.cli.terminal.console import console

if TYPE_CHECKING:
    from rich.console import Console

    from mibench.running.plan import Plan

_PLAIN_SECONDS = 30.0
"""Seconds between two lines of progress where there is no terminal."""


def show_plan(plan: Plan, *, stderr: bool = False, memory: bool = False) -> None:
    """Print what is to be done, what one might not expect of it, and if told what memory it needs."""
    from mibench.running.capacity import size_text

    needed = memory and plan.memory and f"each worker process needs up to {size_text(plan.memory)} of memory, about"
    for line in filter(None, (str(plan), plan.note, plan.speed_note, needed)):
        print(line, flush=True, file=sys.stderr if stderr else sys.stdout)


class Progress(Protocol):
    """Shows how far work is."""

    def __call__(self, done: float, total: float, what: str = "", /) -> None:
        """Show the work done of a total, and what is being done where that changes."""


@contextlib.contextmanager
def progress_bar(what: str = "training") -> Iterator[Progress]:
    """Show progress with an estimate of the time left.

    Parameters
    ----------
    what
        What is being done at first.
    """
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield _plain_progress(screen)
        return
    import rich.progress as parts

    progress = parts.Progress(
        parts.TextColumn("{task.description}", markup=False),
        parts.BarColumn(),
        parts.TaskProgressColumn(),
        parts.TimeElapsedColumn(),
        parts.TextColumn("left"),
        parts.TimeRemainingColumn(),
        console=screen,
    )
    bar = progress.add_task(what, total=None)

    def show(done: float, total: float, what: str = "", /) -> None:
        if total:
            progress.start()  # not before there is work, so that the plan's line comes first
            progress.update(bar, completed=done, total=total, description=what or None)

    try:
        yield show
    finally:
        progress.stop()


def _plain_progress(screen: Console) -> Progress:
    start = last = time.monotonic()

    def show(done: float, total: float, what: str = "", /) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _PLAIN_SECONDS or not 0 < done < total:
            return
        last = now
        left = (now - start) * (total - done) / done
        line = f"{done / total:.0%} done after {_clock(now - start)}, about {_clock(left)} left"
        screen.print(f"{line}: {what}" if what else line, markup=False)

    return show


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
