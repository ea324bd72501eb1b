"""Trying plug-ins in a process of their own: a file that ends its process on import ends that one, and is broken.

Notable:

- The process is a fork of this one, which has torch imported: the plug-ins would import it too, in seconds.
- One process tries all files. Only where it dies, or does not come to an end, is each tried in its own, to know which
  one it was. What is found is remembered by `mibench.core.plugins`, which then does not import such a file.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import selectors
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mibench.core.errors import MibenchError
from mibench.core.plugins import judge, loaded_plugins, plugin_files
from mibench.core.probe_process import try_files

LIMIT = 60.0
"""Seconds that an import may take."""

_POLL = 0.05  # seconds between two looks at whether the process lives
_READ = 2**17  # bytes, more than a pipe holds
_LAST_WORDS = 300  # bytes kept of what a plug-in printed


def probe_plugins(paths: Iterable[str | Path]) -> None:
    """Import plug-ins in another process first, and mark as broken those that end it, hang, or interrupt.

    Parameters
    ----------
    paths
        Files or folders, as of `mibench.core.plugins.load_plugins`.

    Raises
    ------
    UsageError
        As `mibench.core.plugins.plugin_files`.
    MibenchError
        Where no process can be started.
    """
    found = dict.fromkeys(file for given in paths for file in plugin_files(given))
    files = [file for file in found if str(file) not in loaded_plugins()]
    if files:
        judge(dict.fromkeys(files))  # what was found of them before is forgotten
        importlib.import_module("mibench.core.estimator")  # and with it torch
        judge(_verdicts(files))


def _verdicts(files: Sequence[Path]) -> dict[Path, str | None]:
    """Return how each file ended oddly; None where it did not."""
    probe = _Probe(files)
    ended = probe.watch()
    if ended is None:
        return {file: probe.errors.get(str(file)) for file in files}
    if len(files) == 1:
        return {files[0]: ended}
    return {file: verdict for one in files for file, verdict in _verdicts([one]).items()}


class _Probe:
    """One process that imports files, and the watch over it."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.errors: dict[str, str | None] = {}
        self._count = len(files)
        self._limit = LIMIT
        self._report, report_end = os.pipe()
        self._output, output_end = os.pipe()
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()  # or the other process would say it again
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which wait and hold no lock
                self._pid = os.fork()
        except OSError as error:
            os.close(self._report)
            os.close(self._output)
            raise MibenchError(f"no process can be started to try plug-ins in: {error.strerror}") from error
        else:
            if self._pid == 0:
                try_files(files, report_end, output_end, self._limit)
        finally:
            os.close(report_end)
            os.close(output_end)

    def watch(self) -> str | None:
        """Wait for the end and say how it ended before all files were imported; None where all were."""
        with contextlib.closing(_Reader(self._report, self._output)) as reader:
            code = None
            try:
                code = self._wait(reader)
            finally:
                if code is None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended
                        os.killpg(self._pid, signal.SIGKILL)
                    os.waitpid(self._pid, 0)
            reader.read(0)  # what was said before the end
        for line in reader.report.splitlines():
            message: Mapping[str, str | None] = json.loads(line)
            self.errors[str(message["ended"])] = message["error"]
        if len(self.errors) == self._count:
            return None
        last = " ".join(reader.output.decode(errors="replace").split())
        said = f"; it printed: {last}" if last else ""
        return f"{_how(code)}{said}"

    def _wait(self, reader: _Reader) -> int | None:
        """Return the exit code; None where the time is over."""
        deadline = time.monotonic() + self._limit
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            reader.read(_POLL)
        return None


def _how(code: int | None) -> str:
    if code is None:
        return f"it was still being imported after {LIMIT:g} seconds"
    if code < 0:
        return f"it was killed by signal {-code} ({signal.strsignal(-code)}) while it was imported"
    return f"it left the process with exit code {code} while it was imported"


class _Reader:
    """Reads two pipes as they fill: all of the report, and of the output the end."""

    def __init__(self, report: int, output: int) -> None:
        self.report, self.output = b"", b""
        self._report = report
        self._descriptors = (report, output)
        self._selector = selectors.DefaultSelector()
        for descriptor in (report, output):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def read(self, timeout: float) -> None:
        """Take what is there, waiting for it at most so many seconds."""
        for descriptor in self._ready(timeout):
            data = os.read(descriptor, _READ)
            if not data:
                self._selector.unregister(descriptor)
            elif descriptor == self._report:
                self.report += data
            else:
                self.output = (self.output + data)[-_LAST_WORDS:]

    def close(self) -> None:
        self._selector.close()
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _ready(self, timeout: float) -> Iterator[int]:
        return (key.fd for key, _ in self._selector.select(timeout))
