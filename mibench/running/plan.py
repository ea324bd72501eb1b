"""What is to be done: which runs of a grid are stored already, and the packs of those that are not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mibench.core.errors import UsageError, shown
from mibench.core.numbers import as_integer, as_whole
from mibench.core.processor import has_bfloat16_units
from mibench.core.registry import ESTIMATORS
from mibench.experiments.code import code_now, codes_of
from mibench.experiments.specs import RunSpec
from mibench.running.packs import Pack, pack
from mibench.store.folders import Stored, statuses


@dataclasses.dataclass(frozen=True)
class Plan:
    """The runs of a grid by what is known of them, and the packs to train."""

    done: Pack
    new: Pack
    failed: Pack
    packs: tuple[Pack, ...]
    retry_failed: bool = False
    changed: Pack = ()
    """Stored results whose components from outside are not the code that they are now."""

    edited: tuple[str, ...] = ()
    """Those components, as ``estimator mine-v1``."""

    retrain: bool = False
    codes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By run id the code from outside that runs are trained with; see `mibench.experiments.code.codes_of`."""

    memory: float | None = None
    """Bytes that the largest pack's process needs, about; None where nobody asked."""

    device: str = "cpu"
    """Where runs are trained: ``cpu`` or ``cuda``."""

    @property
    def specs(self) -> Pack:
        """All runs of the plan."""
        return self.done + self.new + self.failed + self.changed

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
        if self.changed:
            parts.append(f"{len(self.changed)} by other code ({'trained again' if self.retrain else '--retrain'})")
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

    @property
    def speed_note(self) -> str:
        """Say that bfloat16 gains no time here, in a sentence; empty where it does, and where no run is in it."""
        if has_bfloat16_units(self.device) or not any(
            spec.precision == "bfloat16" for pack in self.packs for spec in pack
        ):
            return ""
        return (
            "precision bfloat16 will not be faster than float32: this processor has neither AMX nor AVX512_BF16; "
            "float32 products of rounded numbers give the same"
        )


def make_plan(
    specs: Sequence[RunSpec],
    folder: str | Path,
    *,
    retry_failed: bool = False,
    retrain: bool = False,
    shard: tuple[int, int] | str | None = None,
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
        Train again what is stored as crashed or timed out; what failed by other code is in any case.
    retrain
        Train again what is stored by other code: components from outside that were edited under their versions.
    shard
        ``(i, n)`` or ``"i/n"``, i from 1: only the i-th of n parts of the grid, for the i-th of n machines.
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
    stored = statuses(folder, [spec.run_id for spec in specs])
    codes = codes_of(specs)
    groups: dict[str, list[RunSpec]] = {"done": [], "new": [], "failed": [], "changed": []}
    for spec in specs:
        groups[_group(spec, stored.get(spec.run_id), codes.get(spec.run_id))].append(spec)
    todo = groups["new"] + (groups["failed"] if retry_failed else []) + (groups["changed"] if retrain else [])
    packs = pack(todo, jobs=jobs, device=device, codes=codes)
    done, new, failed, changed = (tuple(groups[name]) for name in ("done", "new", "failed", "changed"))
    past = {spec.run_id: stored[spec.run_id].code for spec in changed}
    edited = _edited((code, code_now(codes.get(run), code)) for run, code in past.items())
    return Plan(done, new, failed, packs, retry_failed, changed, edited, retrain, codes, device=device)


def _group(spec: RunSpec, stored: Stored | None, code: str | None) -> str:
    """Say what is known of a run."""
    if stored is None or stored.rows < spec.stairs:
        return "new"
    if stored.code == code_now(code, stored.code):
        return stored.status
    return "changed" if stored.status == "done" else "new"  # what failed may have been mended


def _edited(codes: Iterable[tuple[str | None, str | None]]) -> tuple[str, ...]:
    """Name the components in which the code that was stored and the one of now differ."""
    pairs = [tuple(json.loads(code or "{}") for code in pair) for pair in codes]
    return tuple(sorted({name for a, b in pairs for name in {*a, *b} if a.get(name) != b.get(name)}))


def check_code(plan: Plan) -> None:
    """Refuse a plan of runs that other code than today's has made, where they are not to be trained again.

    Raises
    ------
    UsageError
        Which names the components, and the choices.
    """
    if not plan.changed or plan.retrain:
        return
    runs = "1 stored run was" if len(plan.changed) == 1 else f"{len(plan.changed)} stored runs were"
    raise UsageError(
        f"{runs} trained by other code of {', '.join(plan.edited)} than there is now; raise its version to keep both, "
        "or add --retrain (retrain=True) to train them again"
    )


def read_shard(text: str) -> tuple[int, int]:
    """Read ``"3/40"`` as (3, 40), or raise `UsageError`."""
    first, slash, second = text.partition("/")
    part, parts = (as_whole(number) if number.isdecimal() else None for number in (first, second))
    if not slash or part is None or parts is None:
        raise UsageError(f"shard '{shown(text)}' does not parse; write I/N, for example 3/40")
    return part, parts


def in_shard(specs: Sequence[RunSpec], shard: tuple[int, int] | str) -> list[RunSpec]:
    """Return the runs of part i of n; a run's part depends on its id and n only.

    Raises
    ------
    UsageError
        Where i is not in 1..n, and for what is no pair of whole numbers.
    """
    pair = read_shard(shard) if isinstance(shard, str) else shard
    part, parts = map(as_integer, pair) if isinstance(pair, tuple | list) and len(pair) == 2 else (None, None)
    if part is None or parts is None:
        raise UsageError(f"shard must be two whole numbers, not {shown(shard, repr)}; write (3, 40) for part 3 of 40")
    if not 1 <= part <= parts:
        raise UsageError(
            f"shard {shown(part)}/{shown(parts)} does not exist; write I/N with I from 1 to N, for example 1/4"
        )
    return [spec for spec in specs if int(spec.run_id, 16) % parts == part - 1]
