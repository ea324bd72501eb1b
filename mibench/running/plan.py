"""What is to be done: which runs of a grid are stored already, and the packs of those that are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mibench.core.errors import UsageError, shown
from mibench.core.numbers import as_whole
from mibench.core.registry import ESTIMATORS
from mibench.experiments.specs import RunSpec
from mibench.running.packs import Pack, pack
from mibench.store.folders import statuses


@dataclasses.dataclass(frozen=True)
class Plan:
    """The runs of a grid by what is known of them, and the packs to train."""

    done: Pack
    new: Pack
    failed: Pack
    packs: tuple[Pack, ...]
    retry_failed: bool = False
    memory: float | None = None
    """Bytes that the largest pack's process needs, about; None where nobody asked."""

    @property
    def specs(self) -> Pack:
        """All runs of the plan."""
        return self.done + self.new + self.failed

    @property
    def todo(self) -> int:
        """Number of runs to train."""
        return sum(map(len, self.packs))

    @property
    def work(self) -> int:
        """Steps x runs to train: the total of a progress bar."""
        return sum(spec.steps for pack in self.packs for spec in pack)

    def __str__(self) -> str:
        """Return the line to show: ``480 runs: 312 done, 160 new, 8 failed before (--retry-failed)``."""
        parts = [f"{len(self.done)} done", f"{len(self.new)} new"]
        if self.failed:
            hint = "tried again" if self.retry_failed else "--retry-failed"
            parts.append(f"{len(self.failed)} failed before ({hint})")
        count = len(self.specs)
        return f"{count} run{'' if count == 1 else 's'}: {', '.join(parts)}"

    @property
    def note(self) -> str:
        """Say which estimators take training batches for samples, in a sentence; empty where none does."""
        from mibench.core.estimator import SampleEstimator

        on_batches = [spec for spec in self.specs if spec.samples is None]
        taking = {e for e in {s.estimator for s in on_batches} if issubclass(ESTIMATORS.get(e), SampleEstimator)}
        if not taking:
            return ""
        entries = dict.fromkeys(ESTIMATORS.entry(s.estimator) for s in on_batches if s.estimator in taking)
        names = [ESTIMATORS.shown_name(entry.name, entry.version) for entry in entries]
        sizes = sorted({s.batch for s in on_batches if s.estimator in taking})
        verb = "takes" if len(names) == 1 else "take"
        return (
            f"{', '.join(names)} {verb} each batch of {' or '.join(map(str, sizes))} pairs as a sample: "
            "give --samples for a fixed one"
        )


def make_plan(
    specs: Sequence[RunSpec],
    folder: str | Path,
    *,
    retry_failed: bool = False,
    shard: tuple[int, int] | None = None,
    jobs: int = 1,
    device: str = "cpu",
) -> Plan:
    """Compare a grid with a results folder and pack what is missing.

    Parameters
    ----------
    specs
        The runs of the grid; each id once.
    folder
        The results folder; it need not exist.
    retry_failed
        Train again what is stored as crashed or timed out.
    shard
        ``(i, n)``, i from 1: only the i-th of n parts of the grid, for the i-th of n machines.
    jobs
        Workers: where possible there are at least as many packs.
    device
        ``"cpu"`` or ``"cuda"``; decides how large packs are.

    Raises
    ------
    UsageError
        For a shard that does not exist.
    StoreError
        Where the results folder holds a file that cannot be read.
    """
    specs = specs if shard is None else in_shard(specs, shard)
    stored = statuses(folder)
    groups: dict[str, list[RunSpec]] = {"done": [], "new": [], "failed": []}
    for spec in specs:
        status, rows = stored.get(spec.run_id, ("new", spec.stairs))
        groups["new" if rows < spec.stairs else status].append(spec)
    todo = groups["new"] + (groups["failed"] if retry_failed else [])
    packs = pack(todo, jobs=jobs, device=device)
    return Plan(tuple(groups["done"]), tuple(groups["new"]), tuple(groups["failed"]), packs, retry_failed=retry_failed)


def read_shard(text: str) -> tuple[int, int]:
    """Read ``"3/40"`` as (3, 40), or raise `UsageError`."""
    first, slash, second = text.partition("/")
    part, parts = (as_whole(number) if number.isdecimal() else None for number in (first, second))
    if not slash or part is None or parts is None:
        raise UsageError(f"shard '{shown(text)}' does not parse; write I/N, for example 3/40")
    return part, parts


def in_shard(specs: Sequence[RunSpec], shard: tuple[int, int]) -> list[RunSpec]:
    """Return the runs of part i of n; a run's part depends on its id and n only.

    Raises
    ------
    UsageError
        Where i is not in 1..n, and for what is no pair of whole numbers.
    """
    if not (isinstance(shard, tuple | list) and len(shard) == 2 and all(type(number) is int for number in shard)):
        raise UsageError(f"shard must be two whole numbers, not {shown(shard, repr)}; write (3, 40) for part 3 of 40")
    part, parts = shard
    if not 1 <= part <= parts:
        raise UsageError(
            f"shard {shown(part)}/{shown(parts)} does not exist; write I/N with I from 1 to N, for example 1/4"
        )
    return [spec for spec in specs if int(spec.run_id, 16) % parts == part - 1]
