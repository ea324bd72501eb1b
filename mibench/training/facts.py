"""What a run's components say of it before it is trained, turned into what a row can hold.

Notable: this is the one place where a row takes values from a component's attributes. Whatever these are (a tensor, an
object, NaN, an exception), what can be stored is kept beside the fault, so that the row of a run that fails holds it.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, get_args

from mibench.core.errors import UsageError, shown
from mibench.core.estimator import Kind
from mibench.core.faults import fault_of
from mibench.core.numbers import LARGEST_WHOLE, as_float, as_integer
from mibench.core.parameters import split_name
from mibench.core.registry import CRITICS
from mibench.core.task import Task, Truth
from mibench.training.components import Run


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a run on one stair without training it.

    Parameters
    ----------
    columns
        Of the runs table; without those whose value no row can hold.
    fault
        What is wrong with the first of these, as an exception; None where all are there.
    """

    columns: dict[str, Any]
    fault: BaseException | None

    def checked(self) -> dict[str, Any]:
        """Return the columns where all are there, else raise the fault: a `UsageError`, or what a component raised."""
        if self.fault is not None:
            raise self.fault
        return self.columns


def facts_of(run: Run, stair: int) -> Facts:
    """Read what a run's components say of one stair; nothing that they do is raised."""
    columns: dict[str, Any] = {"stair": stair}
    faults = [_keep(columns, name, read, run, stair) for name, read in _READERS.items()]
    return Facts(columns, next((fault for fault in faults if fault is not None), None))


def _keep(
    columns: dict[str, Any], name: str, read: Callable[[Run, Task], Any], run: Run, stair: int
) -> BaseException | None:
    """Read one column; what is wrong with it is returned."""

    def keep() -> None:
        columns[name] = read(run, run.tasks[stair])

    return fault_of(keep)


# --- how a value is read ----------------------------------------------------------------------------------------


def plain_number(owner: str, name: str, value: object, *, at_least: float = -math.inf, finite: bool = False) -> float:
    """Return a number, of Python or NumPy, as a float.

    Parameters
    ----------
    owner, name
        Whose value it is, and what it is called: ``"task 'mine-v1'"``, ``"mi"``.
    value
        What was handed over.
    at_least, finite
        What it must be, besides a number that is not NaN.

    Raises
    ------
    UsageError
        For anything else; the message names the owner and the attribute.
    """
    number = as_float(value) if isinstance(value, numbers.Real) else math.nan
    if math.isnan(number) or number < at_least or (finite and math.isinf(number)):
        wanted = "a finite number" if finite else "a number"
        wanted += f" of at least {at_least:g}" if math.isfinite(at_least) else ""
        raise _unfit(owner, name, value, f"{wanted}, as a plain float")
    return number


def _whole(owner: str, name: str, value: object, at_least: int) -> int:
    number = as_integer(value)
    if number is None or not at_least <= number <= LARGEST_WHOLE:
        raise _unfit(owner, name, value, f"a whole number of at least {at_least}, as a plain int")
    return number


def _word(owner: str, name: str, value: object, known: tuple[str, ...]) -> str:
    if not (isinstance(value, str) and value in known):
        raise _unfit(owner, name, value, f"one of {', '.join(known)}")
    return value


def _unfit(owner: str, name: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"{owner}: {name} is {' '.join(shown(value, repr).split())}; it must be {wanted}")


# --- what is read ---------------------------------------------------------------------------------------------


def _of_task(run: Run) -> str:
    return f"task '{run.spec.task}'"


def _of_estimator(run: Run) -> str:
    return f"estimator '{run.spec.estimator}'"


def _of_sampler(run: Run) -> str:
    return f"negative sampler '{run.spec.negatives}'"


def _per_row(run: Run) -> int:
    return _whole(_of_sampler(run), "per_row", run.sampler.per_row(run.spec.batch), 0)


def _kind(run: Run) -> str:
    """Kind of a run's estimates: no bound where the negatives come from a proposal that nothing corrects for."""
    sampler, estimator = run.sampler, run.estimator
    if sampler.has_weights and not (estimator.uses_weights and sampler.full_support):
        return "plug-in"
    kind = estimator.kind_at(n=run.spec.batch, m=_per_row(run) + 1)
    return _word(_of_estimator(run), "kind", kind, get_args(Kind))


def _ceiling(run: Run) -> float:
    value = run.estimator.ceiling(n=run.spec.batch, m=_per_row(run) + 1)
    return plain_number(_of_estimator(run), "ceiling", value)


def _brings_critic(run: Run) -> bool:
    """Whether the estimator brought its critic; the exact one of the grid may stand in for it."""
    own = run.estimator.own_critic
    return own is not None and CRITICS.entry(split_name(own)[0]).id == run.spec.critic


_READERS: Mapping[str, Callable[[Run, Task], Any]] = {
    "dim_x": lambda run, task: _whole(_of_task(run), "dim_x", task.dim_x, 1),
    "dim_y": lambda run, task: _whole(_of_task(run), "dim_y", task.dim_y, 1),
    "mi_true": lambda run, task: plain_number(_of_task(run), "mi", task.mi, at_least=0, finite=True),
    "mi_method": lambda run, task: _word(_of_task(run), "mi_method", task.mi_method, get_args(Truth)),
    "mi_se": lambda run, task: plain_number(_of_task(run), "mi_se", task.mi_se, at_least=0, finite=True),
    "kind": lambda run, task: _kind(run),
    "ceiling": lambda run, task: _ceiling(run),
    "own_critic": lambda run, task: int(_brings_critic(run)),
    "own_negatives": lambda run, task: int(run.estimator.own_negatives is not None),
    "n_negatives": lambda run, task: _per_row(run),
    "capped_by_sampler": lambda run, task: int(bool(run.estimator.capped_by_sampler)),
    "predicted_ceiling": lambda run, task: plain_number(
        _of_sampler(run), "predicted_ceiling", run.sampler.predicted_ceiling(run.spec.batch)
    ),
}
"""How each column is read off the components, in the order in which faults are named."""
