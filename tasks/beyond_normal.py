"""The 40 tasks of the Beyond Normal benchmark under their published ids.

Notable: none has a class of its own. Each is a row of `PUBLISHED`: a task of one of four families with the published
parameters, and the maps of its two sides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from mibench.core.errors import UsageError, did_you_mean
from mibench.core.registry import register_task
from mibench.core.task import Task
from mibench.tasks.additive import AdditiveNoise
from mibench.tasks.normal import NormalDense, NormalPairs
from mibench.tasks.student import StudentT
from mibench.tasks.transformed import Parts, TransformedTask
from mibench.tasks.transforms import NO_MAP


@dataclasses.dataclass(frozen=True)
class Published:
    """A published task: how its base is made, and the maps of its two sides as `Transformed` writes them."""

    base: Callable[[], Task]
    x: str = NO_MAP
    y: str = NO_MAP

    def through(self, maps: str) -> Published:
        """Put a map, or several joined by ``+``, on both sides of a task that has none."""
        return Published(self.base, maps, maps)


def _student(dim: int, dof: int) -> Published:
    """Identity dispersion: dependent through the common scale alone."""
    return Published(partial(StudentT.of_correlation, 0.0, dof=dof, dim_x=dim, dim_y=dim))


def _dense(dim: int) -> Published:
    return Published(partial(NormalDense.of_correlation, 0.5, dim_x=dim, dim_y=dim))


def _two_pairs(dim: int) -> Published:
    """X_i = E_i + 2 Z_i and Y_i = F_i + 2 Z_i, scaled to unit variance: correlation 4/5."""
    return Published(partial(NormalPairs.of_correlation, 0.8, dim_x=dim, dim_y=dim, pairs=2))


_BIVARIATE = Published(partial(NormalPairs.of_correlation, 0.75))

PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "1v1-normal-0.75": _BIVARIATE,
        "normal_cdf-1v1-normal-0.75": _BIVARIATE.through("normal-cdf"),
        "1v1-additive-0.1": Published(partial(AdditiveNoise.of_noise, 0.1)),
        "1v1-additive-0.75": Published(partial(AdditiveNoise.of_noise, 0.75)),
        "1v1-bimodal-0.75": _BIVARIATE.through("normal-cdf+bimodal"),
        "wiggly-1v1-normal-0.75": _BIVARIATE.through("wiggly"),
        "half_cube-1v1-normal-0.75": _BIVARIATE.through("half-cube"),
        "student-identity-1-1-1": _student(1, dof=1),
        "asinh-student-identity-1-1-1": _student(1, dof=1).through("asinh"),
        "swissroll_x-normal_cdf-1v1-normal-0.75": Published(_BIVARIATE.base, "normal-cdf+swiss-roll", "normal-cdf"),
        "multinormal-dense-2-2-0.5": _dense(2),
        "multinormal-dense-3-3-0.5": _dense(3),
        "multinormal-dense-5-5-0.5": _dense(5),
        "multinormal-dense-25-25-0.5": _dense(25),
        "multinormal-dense-50-50-0.5": _dense(50),
        "multinormal-sparse-2-2-2-2.0": _two_pairs(2),
        "multinormal-sparse-3-3-2-2.0": _two_pairs(3),
        "multinormal-sparse-5-5-2-2.0": _two_pairs(5),
        "multinormal-sparse-25-25-2-2.0": _two_pairs(25),
        "student-identity-2-2-1": _student(2, dof=1),
        "student-identity-2-2-2": _student(2, dof=2),
        "student-identity-3-3-2": _student(3, dof=2),
        "student-identity-3-3-3": _student(3, dof=3),
        "student-identity-5-5-2": _student(5, dof=2),
        "student-identity-5-5-3": _student(5, dof=3),
        "normal_cdf-multinormal-sparse-3-3-2-2.0": _two_pairs(3).through("normal-cdf"),
        "normal_cdf-multinormal-sparse-5-5-2-2.0": _two_pairs(5).through("normal-cdf"),
        "normal_cdf-multinormal-sparse-25-25-2-2.0": _two_pairs(25).through("normal-cdf"),
        "half_cube-multinormal-sparse-3-3-2-2.0": _two_pairs(3).through("half-cube"),
        "half_cube-multinormal-sparse-5-5-2-2.0": _two_pairs(5).through("half-cube"),
        "half_cube-multinormal-sparse-25-25-2-2.0": _two_pairs(25).through("half-cube"),
        "spiral-multinormal-sparse-3-3-2-2.0": _two_pairs(3).through("spiral"),
        "spiral-multinormal-sparse-5-5-2-2.0": _two_pairs(5).through("spiral"),
        "spiral-multinormal-sparse-25-25-2-2.0": _two_pairs(25).through("spiral"),
        "spiral-normal_cdf-multinormal-sparse-3-3-2-2.0": _two_pairs(3).through("normal-cdf+spiral"),
        "spiral-normal_cdf-multinormal-sparse-5-5-2-2.0": _two_pairs(5).through("normal-cdf+spiral"),
        "spiral-normal_cdf-multinormal-sparse-25-25-2-2.0": _two_pairs(25).through("normal-cdf+spiral"),
        "asinh-student-identity-2-2-1": _student(2, dof=1).through("asinh"),
        "asinh-student-identity-3-3-2": _student(3, dof=2).through("asinh"),
        "asinh-student-identity-5-5-2": _student(5, dof=2).through("asinh"),
    }
)
"""All published tasks by id, in the order of the benchmark's own list."""


def published_names() -> tuple[str, ...]:
    """Return the names of all tasks as `mibench.get_task` and grids take them, in the benchmark's order."""
    return tuple(f"beyond-normal:id={published}" for published in PUBLISHED)


@register_task("beyond-normal")
class BeyondNormal(TransformedTask):
    """One of the 40 tasks of the Beyond Normal benchmark, by its published id.

    ``beyond-normal:id=asinh-student-identity-2-2-1``. The families are `normal-pairs`, `normal-dense`, `student-t` and
    `additive-noise`, whose MI is a knob; the maps are those of `transformed`. The ids are those of the ``bmi`` package.

    Parameters
    ----------
    id
        ``1v1-normal-0.75``, plain or behind ``normal_cdf-``, ``wiggly-``, ``half_cube-`` or
        ``swissroll_x-normal_cdf-``; ``1v1-bimodal-0.75``; ``1v1-additive-0.1`` and ``1v1-additive-0.75`` (half-width).
        ``multinormal-dense-D-D-0.5`` for D = 2, 3, 5, 25 or 50 (dimensions of x and y, and correlation).
        ``multinormal-sparse-D-D-2-2.0`` for D = 2, 3, 5 or 25 (dimensions, pairs, and strength 2, that is correlation
        0.8), but for 2 also behind ``normal_cdf-``, ``half_cube-``, ``spiral-`` or ``spiral-normal_cdf-``.
        ``student-identity-D-D-V`` for D-D-V = 1-1-1, 2-2-1, 2-2-2, 3-3-2, 3-3-3, 5-5-2 or 5-5-3 (dimensions and degrees
        of freedom), and behind ``asinh-`` for 1-1-1, 2-2-1, 3-3-2 or 5-5-2.

    Source: Czyz, Grabowski, Vogt, Beerenwinkel and Marx (2023), Beyond Normal; github.com/cbg-ethz/bmi.
    """

    id: str = "1v1-normal-0.75"

    def make_parts(self) -> Parts:
        """Look the task up; see `TransformedTask.make_parts`."""
        if self.id not in PUBLISHED:
            hint = "the ids are those of the published list, for example 'student-identity-3-3-2'"
            raise UsageError(f"task 'beyond-normal': unknown id '{self.id}'{did_you_mean(self.id, PUBLISHED, hint)}")
        row = PUBLISHED[self.id]
        return Parts.of(row.base(), row.x, row.y, label="task 'beyond-normal'")
