"""What a run's critic has learnt as a representation: probes of its codes of x, and the codes themselves.

Notable: taken once at the end of a stair from random streams of its own, so that nothing else moves. The same probes
read x itself: without that baseline an accuracy says nothing of the code.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor

from mibench.core.estimator import Estimator
from mibench.core.scorer import Scorer
from mibench.core.task import Task
from mibench.training.facts import plain_number

POINTS = 2000
"""Labelled points that a probe is trained on, and as many that it is tested on, where the task has them."""

KEPT_POINTS = 400
"""Held-out points whose codes are kept with the run."""

_MOST_COLUMNS = 3
_DIGITS = 5


def representation_columns(
    task: Task, estimator: Estimator, batch: int, scorer: Scorer, run: int, generator: torch.Generator
) -> dict[str, Any]:
    """Columns ``outcomes`` and ``codes`` of a run; none where the task has neither labels nor outcomes of its own.

    Parameters
    ----------
    task, estimator, batch
        Of the run.
    scorer, run
        The critic: one run of a pack.
    generator
        The only source of randomness.
    """
    own = task.outcomes(estimator, batch)
    outcomes: dict[str, float | None] = {name: _outcome(task, name, value) for name, value in own.items()}
    columns: dict[str, Any] = {}
    if task.has_labels:
        train, test = (task.labelled(POINTS, generator, held_out=held_out) for held_out in (False, True))
        outcomes |= {f"x_{name}": value for name, value in _probed(task, train, test).items()}
        outcomes["points"] = len(test[0])
        code, held_out_code = (scorer.codes(run, x.to(scorer.dtype)) for x, _ in (train, test))
        if code is not None and held_out_code is not None:
            probed = _probed(task, (code, train[1]), (held_out_code, test[1]))
            outcomes |= {f"code_{name}": value for name, value in probed.items()}
            if code.shape[1] <= _MOST_COLUMNS:
                columns["codes"] = _kept(test, held_out_code)
    return columns | ({"outcomes": json.dumps(outcomes, sort_keys=True)} if outcomes else {})


def _outcome(task: Task, name: str, value: float) -> float:
    """A number that JSON can hold; NaN stays, an outcome that is not there."""
    return value if isinstance(value, int | float) else plain_number(f"task {type(task).__name__}", name, value)


def _probed(task: Task, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> dict[str, float | None]:
    """Held-out accuracy by probe; None where a diverged critic's codes are not finite."""
    from mibench.training.probes import probe_accuracy  # few tasks have labels, and every worker imports this module

    if not (train[0].isfinite().all() and test[0].isfinite().all()):
        return dict.fromkeys(task.probes)
    arrays = [(x.cpu().numpy(), label.cpu().numpy()) for x, label in (train, test)]
    return {probe: probe_accuracy(arrays[0], arrays[1], probe=probe).value for probe in task.probes}


def _kept(test: tuple[Tensor, Tensor], code: Tensor) -> str:
    """The first held-out points as JSON, numbers to five significant digits; null for what is not finite."""
    x, label = (side[:KEPT_POINTS].cpu() for side in test)
    return json.dumps(
        {"label": label.tolist(), "x": _rows(x), "code": _rows(code[:KEPT_POINTS].cpu())}, separators=(",", ":")
    )


def _rows(points: Tensor) -> list[list[float | None]]:
    finite = points.isfinite().tolist()
    return [
        [float(f"{value:.{_DIGITS}g}") if good else None for value, good in zip(row, mask, strict=True)]
        for row, mask in zip(points.tolist(), finite, strict=True)
    ]
