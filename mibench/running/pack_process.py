"""The process of one pack, forked by a worker: trains, stores, reports, ends.

Notable: failure is data. Whatever a plug-in does, the worker gets a message or an exit code, never an exception.
"""

from __future__ import annotations

import contextlib
import datetime
import faulthandler
import importlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from mibench.core.errors import CommandError, MibenchError, StoreWriteError
from mibench.running.messages import Job, Message, send

if TYPE_CHECKING:
    from mibench.experiments.specs import RunSpec

_ERROR_LENGTH = 8000  # characters kept of a traceback
_PR_SET_PDEATHSIG = 1


def train_in_child(job: Job, report: int, output: int, worker: int) -> NoReturn:
    """Train a pack, store it and report; never returns, whatever a plug-in does."""
    try:
        os.setpgid(0, 0)
        _die_with(worker)
        _redirect(output)
        message = _outcome(job, lambda **said: send(report, {**said, "memory": peak_memory()}))
        with contextlib.suppress(OSError):
            send(report, message)
    finally:
        os._exit(0)


def _outcome(job: Job, say: Callable[..., None]) -> Message:
    try:
        return {"done": _train_and_store(job, say)}
    except StoreWriteError as error:
        return {"failed": "storage", "error": str(error)}
    except CommandError as error:  # the sentence says it all: the traceback is of mibench's own code
        return {"failed": error.status, "error": str(error), "memory": peak_memory()}
    except BaseException:  # a plug-in may raise anything, SystemExit included: failure is data
        return {"failed": "crashed", "error": traceback.format_exc()[-_ERROR_LENGTH:], "memory": peak_memory()}


def _train_and_store(job: Job, say: Callable[..., None]) -> int:
    from mibench.core.plugins import load_plugins
    from mibench.core.settings import process_settings, refuse_changes
    from mibench.core.version import __version__
    from mibench.experiments.code import Beginning, further_codes, with_further
    from mibench.experiments.specs import RunSpec
    from mibench.store.parquet import curves_table, write_pack
    from mibench.training.loop import train_pack
    from mibench.training.precision import configure_process

    beginning, settings = Beginning.now(), process_settings()
    load_plugins(job.plugins, strict=True)
    for module in job.modules:
        importlib.import_module(module)
        refuse_changes(settings, f"module '{module}'")
    configure_process(job.device)
    specs = [RunSpec.from_json(text) for text in job.specs]
    codes = dict(zip((spec.run_id for spec in specs), job.codes, strict=True))
    _expect_code(specs, codes)
    with _settings_kept() if any(codes.values()) else contextlib.nullcontext():
        results = train_pack(
            specs, device=job.device, progress=lambda steps: say(progress=steps), known=lambda known: say(known=known)
        )
    further = further_codes(specs, beginning) if any(codes.values()) else {}
    facts = {
        "session_id": job.session_id,
        "mibench_version": __version__,
        "finished_at": datetime.datetime.now(datetime.UTC),
        "peak_rss_mb": peak_memory(),
    }
    codes = {run: with_further(code, further) for run, code in codes.items()}
    rows = [{**row, **facts, "code": codes[result.spec.run_id]} for result in results for row in result.rows]
    curves = curves_table({result.spec.run_id: result.curve for result in results})
    write_pack(job.folder, job.stem, rows, curves)
    return len(results)


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    """Refuse settings that components change while they train, also where something else fails by them."""
    from mibench.core.settings import process_settings, refuse_changes

    before = process_settings()
    try:
        yield
    finally:
        refuse_changes(before, "a component of these runs")


def _expect_code(specs: Sequence[RunSpec], planned: Mapping[str, str | None]) -> None:
    """Refuse runs whose components from outside are other code here than where they were planned."""
    from mibench.experiments.code import codes_of

    here = codes_of(specs)
    for run, code in planned.items():
        if (found := here.get(run)) != code:
            raise MibenchError(
                f"the code from outside has changed since this run was planned: it was {code}, and is {found} here; "
                "give the same command again"
            )


def peak_memory(usage: resource.struct_rusage | None = None) -> float:
    """Return the peak resident memory of this process, or of one that has ended, MB."""
    peak = (usage or resource.getrusage(resource.RUSAGE_SELF)).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, kilobytes elsewhere


def _redirect(output: int) -> None:
    """Send what the child and its libraries print to the worker, which keeps the end of it."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(output)
    faulthandler.enable()  # a segmentation fault leaves a traceback in that output


def _die_with(worker: int) -> None:
    """Ask Linux to kill this process when the worker is killed; elsewhere only a worker that lives on can do it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != worker:
            os._exit(1)
