"""What a plan's largest processes need of memory, against what the machine has: what cannot be held is not begun."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mibench.core.errors import UsageError
from mibench.core.faults import exceptions_alone
from mibench.core.registry import ESTIMATORS
from mibench.experiments.specs import RunSpec
from mibench.running.packs import Pack, pack_key

if TYPE_CHECKING:
    from mibench.core.estimator import Estimator
    from mibench.training.memory import Memory

WORKER = 300e6
"""Bytes of a worker process before it trains: the interpreter and torch."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check_memory(packs: Sequence[Pack], *, limit: float) -> float:
    """Refuse runs that no process can hold, and return what the largest pack's process needs, bytes.

    Parameters
    ----------
    packs
        The packs to train.
    limit
        Bytes that a process may have; see `machine_memory`.

    Raises
    ------
    UsageError
        Where a run alone needs more than the limit; the message has the estimate.
    """
    known: dict[Hashable, Memory] = {}
    estimator = functools.cache(lambda name, params: ESTIMATORS.create(name, dict(params)))
    largest = 0.0
    for pack in packs:
        held, passing = WORKER, 0.0
        for spec in pack:
            key = _key(spec, estimator(spec.estimator, spec.estimator_params))
            if key not in known:
                known[key] = _memory(spec)
                _refuse(spec, WORKER + sum(known[key]), limit)
            held, passing = held + known[key].held, max(passing, known[key].passing)
        largest = max(largest, held + passing)
    return largest


def _memory(spec: RunSpec) -> Memory:
    """What a run needs; nothing where a component does not say: what is wrong with it is for the run to say."""
    from mibench.training.memory import Memory, memory_of

    try:
        with exceptions_alone():
            held, passing = map(float, memory_of(spec))
    except UsageError:
        raise
    except Exception:
        return Memory(0.0, 0.0)
    return Memory(held, passing)


def _key(spec: RunSpec, estimator: Estimator) -> Hashable:
    """What the memory of a run depends on: all but its seed, its MI, and an estimator that asks for nothing beside."""
    params = tuple(param for param in spec.task_params if param[0] != "mi")
    return pack_key(spec), spec.task, params, estimator.extras, estimator.by_rows


def _refuse(spec: RunSpec, needed: float, limit: float) -> None:
    if needed > limit:
        sizes = [f"N = {spec.batch}", *([f"hidden {spec.hidden}"] if spec.hidden else [])]
        sizes += [f"samples {spec.samples}"] if spec.samples else []
        what = f"a run of {spec.task} with {spec.estimator} ({', '.join(sizes)})"
        raise UsageError(
            f"{what} needs about {size_text(needed)} of memory, and a process here may have {size_text(limit)}; use "
            "smaller dimensions, batches, hidden layers or samples"
        )


def machine_memory(device: str) -> float:
    """Return the bytes that a process may have: of the machine, a container or a limit; of a GPU on ``cuda``."""
    if device == "cuda":
        import torch

        return float(torch.cuda.get_device_properties(0).total_memory)
    return min(_limits())


def _limits() -> Iterable[float]:
    yield float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such limit, or the word "max"
            yield float(int(Path(path).read_text(encoding="ascii")))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        yield float(soft)


def size_text(size: float) -> str:
    """Write a number of bytes: ``1.2 GB``."""
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_UNITS[-1]}"
