"""Views of axes that outliers cannot stretch, what lies outside them, and labels moved apart along them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def view(values: npt.ArrayLike, anchors: npt.ArrayLike, optional: npt.ArrayLike = ()) -> tuple[float, float]:
    """Limits of an axis that outliers cannot stretch.

    The 1st to 99th percentile of the finite values, cut to the anchors' range once more beyond the anchors, which are
    always in view. Optional anchors (a truth far above every estimate) are in view where they at most double it.

    Parameters
    ----------
    values
        What is drawn; may hold NaN, infinities and numbers of any size.
    anchors, optional
        Lines drawn beside them.
    """
    data = np.asarray(values, dtype=np.float64)
    data = data[np.isfinite(data)]
    fixed = np.append(np.asarray(anchors, dtype=np.float64), 0.0)
    fixed = fixed[np.isfinite(fixed)]
    low, high = float(fixed.min()), float(fixed.max())
    more = np.asarray(optional, dtype=np.float64)
    more = more[np.isfinite(more)]
    top = float(np.clip(np.percentile(data, 99), low, None)) if data.size else high
    near = more[more <= 2 * max(high, min(top, 4 * max(high, 1.0)))]
    low, high = min([low, *near]), max([high, *near])
    span = max(high - low, 1.0)
    if data.size:
        first, last = np.percentile(data, [1, 99])
        low, high = min(low, max(first, low - span)), max(high, min(last, high + span))
    room = 0.06 * max(high - low, 1e-9)
    return low - room, high + room


def outside(values: npt.ArrayLike, limits: tuple[float, float]) -> tuple[int, int]:
    """Count finite values outside the limits, and values that are not finite."""
    data = np.asarray(values, dtype=np.float64)
    finite = data[np.isfinite(data)]
    return int(((finite < limits[0]) | (finite > limits[1])).sum()), int(data.size - finite.size)


def drawable(values: npt.ArrayLike, limits: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Values fit for a renderer: just beyond the view where they lie outside it, NaN (a gap) where not finite."""
    data = np.asarray(values, dtype=np.float64)
    span = limits[1] - limits[0]
    return np.where(np.isfinite(data), np.clip(data, limits[0] - span, limits[1] + span), np.nan)


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart until neighbours are a gap from each other, as near to their places as that allows."""
    order = np.argsort(places, kind="stable")
    gap = min(gap, (high - low) / max(len(order) - 1, 1))
    steps = gap * np.arange(len(order))
    # Without the gaps the labels only have to stay in order: isotonic regression by pooling neighbours.
    pools: list[list[float]] = []
    for place in np.asarray(places, dtype=np.float64)[order] - steps:
        pools.append([float(place)])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    level = np.array([float(np.mean(pool)) for pool in pools for _ in pool])
    out = np.empty(len(order))
    out[order] = np.clip(level, low, high - (steps[-1] if len(steps) else 0.0)) + steps
    return [float(v) for v in out]
