"""Calling code from outside, which may raise anything: what it raised is a fault of its own, a real Ctrl-C is none.

Notable: a plug-in can raise KeyboardInterrupt by itself. The user's comes with the signal SIGINT, which is watched for
while the code runs.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType


def fault_of(work: Callable[[], object]) -> BaseException | None:
    """Call a function and return what it raised; None where it returned.

    Raises
    ------
    KeyboardInterrupt
        Where the user has pressed Ctrl-C meanwhile.
    """
    with _watched_interrupts() as interrupted:
        try:
            work()
        except BaseException as error:  # GeneratorExit, SystemExit, and whatever else code may derive
            if interrupted():
                raise KeyboardInterrupt from error
            return error
    return None


class OutsideError(Exception):
    """Code from outside has raised what is no `Exception`, as SystemExit; the message says what."""


@contextlib.contextmanager
def exceptions_alone() -> Iterator[None]:
    """Around code from outside: raise what is no `Exception` as an `OutsideError`, which a reader of faults expects.

    Raises
    ------
    OutsideError
        Where something else than an `Exception` was raised.
    KeyboardInterrupt
        Where the user has pressed Ctrl-C meanwhile.
    """
    with _watched_interrupts() as interrupted:
        try:
            yield
        except Exception:
            raise
        except BaseException as error:
            if interrupted():
                raise KeyboardInterrupt from error
            raise OutsideError(_said_by(error)) from error


@contextlib.contextmanager
def _watched_interrupts() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGINT has come."""
    previous = signal.getsignal(signal.SIGINT)
    # Only the main thread is interrupted by signals, and only it may set what they do.
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield lambda: False
        return
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        previous(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, previous)


def describe_error(error: BaseException, file: Path | None = None) -> str:
    """Type and message in one line, and the line of the file from which the error came."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{_said_by(error)}{f' (line {lines[-1]})' if lines else ''}"


def place_error(error: BaseException, file: Path | None) -> str:
    """As `describe_error`, for who does not know the file: it is named; where it has no part in it, the last one is."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if frame.filename == str(file)), frames[-1] if frames else None)
    return f"{_said_by(error)}{f' ({Path(frame.filename).name}, line {frame.lineno})' if frame else ''}"


def _said_by(error: BaseException) -> str:
    if isinstance(error, OutsideError):
        return str(error)
    try:
        message = " ".join(str(error).split())
    except BaseException:  # an error of a plug-in need not know how to say what it is
        message = "an error without a message"
    return f"{type(error).__name__}{': ' if message else ''}{message}"
