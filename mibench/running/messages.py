"""What the runner, its workers and their children tell each other: jobs, and messages of one JSON object a line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

Known = Mapping[str, Sequence[Mapping[str, Any]]]
"""What is known of runs without training them: by id, columns of each stair."""

Message = dict[str, Any]
"""What goes through the pipes: ``{"ready": pid}``, ``{"known": ...}``, what rows of runs that fail will hold,
``{"progress": steps}``, and last ``{"done": runs}`` or ``{"failed": status, "error": text}`` with the status crashed,
timeout, storage, killed, unstarted or broken; with ``memory``, the child's peak resident memory (MB), where it is
known."""

LAST = ("done", "failed")
"""Keys of the message that ends a job."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One pack to train and to store.

    Parameters
    ----------
    specs
        Canonical JSON of the runs.
    codes
        Of each run the code from outside that it was planned with, the column ``code``.
    plugins, modules
        Files to load and modules to import first: where components that are not mibench's come from.
    device
        ``"cpu"`` or ``"cuda"``.
    limit
        Seconds until the child is killed; ``inf`` for none.
    folder, stem, session_id
        Where the rows go; an absolute path.
    """

    specs: tuple[str, ...]
    codes: tuple[str | None, ...]
    plugins: tuple[str, ...]
    modules: tuple[str, ...]
    device: str
    limit: float
    folder: str
    stem: str
    session_id: str

    def to_json(self) -> str:
        """Write the job on one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_message(cls, message: Message) -> Job:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in message.items()}
        return cls(**values)


class Messages:
    """JSON lines from a file descriptor, read without blocking longer than one `os.read`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.closed = False
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self.descriptor

    def read(self) -> list[Message]:
        """Return the messages that one read completes; sets `closed` at the end of the stream."""
        data = os.read(self.descriptor, 65536)
        self.closed = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def drain(self) -> list[Message]:
        """Return all messages that are there; for a pipe whose writer is dead."""
        os.set_blocking(self.descriptor, False)
        found: list[Message] = []
        with contextlib.suppress(BlockingIOError):
            while not self.closed:
                found += self.read()
        return found


def send(descriptor: int, message: Message) -> None:
    """Write one message as a line."""
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]
