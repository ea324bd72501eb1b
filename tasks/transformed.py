"""Any task seen through invertible maps of its two sides: the same mutual information, another shape.

Notable: maps are composed in the parameters, ``x=normal-cdf+spiral``, so that no combination needs a class of its own.
Pairs are made and inverted in float64, whatever the base draws.
"""

from __future__ import annotations

import dataclasses
import functools

from torch import Generator, Tensor

from mibench.core.errors import UsageError
from mibench.core.parameters import join_name
from mibench.core.registry import TASKS, register_task
from mibench.core.task import Task, Truth
from mibench.tasks.gaussian import Gaussian20D
from mibench.tasks.transforms import NO_MAP, Map, read_maps


@dataclasses.dataclass(frozen=True)
class Parts:
    """A task and the maps of its two sides, in the order in which they are applied."""

    base: Task
    x: tuple[Map, ...] = ()
    y: tuple[Map, ...] = ()

    @classmethod
    def of(cls, base: Task, x: str = NO_MAP, y: str = NO_MAP, *, label: str) -> Parts:
        """Read the maps by name: ``Parts.of(base, "normal-cdf+spiral", "normal-cdf", label="task 'transformed'")``.

        Raises
        ------
        UsageError
            For unknown maps, and for values that a map does not take.
        """
        maps_x = read_maps(x, "x", base.dim_x, f"{label}, x")
        return cls(base, maps_x, read_maps(y, "y", base.dim_y, f"{label}, y"))


class TransformedTask(Task):
    """Base of the tasks that are another one seen through maps; a subclass implements `make_parts`."""

    def make_parts(self) -> Parts:
        """Return the other task and the maps of its two sides."""
        raise NotImplementedError

    @functools.cached_property
    def parts(self) -> Parts:
        """The other task and the maps of its two sides, made once."""
        return self.make_parts()

    def __post_init__(self) -> None:
        self.parts  # noqa: B018  # refuses what does not fit together

    @property
    def mi(self) -> float:
        """The base's mutual information, nats."""
        return self.parts.base.mi

    @property
    def mi_se(self) -> float:
        """The base's standard error of the truth, nats."""
        return self.parts.base.mi_se

    @property
    def mi_method(self) -> Truth:  # type: ignore[override]  # read from instances only, and the base decides
        """How the base's truth is known."""
        return self.parts.base.mi_method

    @property
    def dim_x(self) -> int:
        """Columns of x after its maps."""
        return self.parts.x[-1].dim_out if self.parts.x else self.parts.base.dim_x

    @property
    def dim_y(self) -> int:
        """Columns of y after its maps."""
        return self.parts.y[-1].dim_out if self.parts.y else self.parts.base.dim_y

    @property
    def has_log_ratio(self) -> bool:
        """Whether the base's exact critic exists."""
        return self.parts.base.has_log_ratio

    @property
    def has_entropy_x(self) -> bool:
        """Whether the base's entropy of x is known, and no map changes it."""
        return not self.parts.x and self.parts.base.has_entropy_x

    @property
    def entropy_x(self) -> float:
        """The base's entropy of x, nats, where x has no map; see `Task.entropy_x`."""
        return self.parts.base.entropy_x if not self.parts.x else super().entropy_x

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw n pairs of the base and map them, float64; see `Task.sample`."""
        x, y = (side.double() for side in self.parts.base.sample(n, generator))
        for step in self.parts.x:
            x = step.forward(x)
        for step in self.parts.y:
            y = step.forward(y)
        return x, y

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """The base's log density ratio at the points that were mapped to these; see `Task.log_ratio`."""
        x, y = x.double(), y.double()
        for step in reversed(self.parts.x):
            x = step.inverse(x)
        for step in reversed(self.parts.y):
            y = step.inverse(y)
        return self.parts.base.log_ratio(x, y)


@register_task("transformed")
class Transformed(TransformedTask):
    """Another task through invertible maps of x and of y: the information of the other, in another shape.

    For example ``transformed:base=student-t:dof=1:mi=2,x=asinh,y=asinh``. The log ratio is the base's at the points
    that the maps came from.

    Parameters
    ----------
    base
        The other task, its parameters joined by colons: ``normal-pairs:mi=4:dim_x=3:dim_y=3``. Kept in one spelling,
        with its version and all its parameters.
    x, y
        Maps of x and of y, in the order in which they are applied, joined by ``+``: ``normal-cdf``, ``half-cube``,
        ``cube``, ``asinh``, ``wiggly``, ``spiral`` and ``mixing`` (a fixed orthogonal matrix), and after
        ``normal-cdf`` also ``bimodal`` and ``swiss-roll``; ``identity`` for none. Wiggly, spiral and bimodal differ
        between x and y.

    Source: Czyz et al. (2023): the invariance of mutual information, and the maps.
    """

    base: str = "normal-pairs-v1"
    x: str = "asinh"
    y: str = "asinh"

    def __post_init__(self) -> None:
        base = self.parts.base
        # frozen: the one spelling that ids are made of replaces the user's
        object.__setattr__(self, "base", join_name(TASKS.id_of(base), base.params()).replace(",", ":"))

    def make_parts(self) -> Parts:
        """Read the parameters; see `TransformedTask.make_parts`."""
        name, colon, rest = self.base.partition(":")
        if issubclass(TASKS.get(name), Transformed):
            raise UsageError("task 'transformed': base cannot be another 'transformed'; join its maps by '+' instead")
        return Parts.of(TASKS.create(name + colon + rest.replace(":", ",")), self.x, self.y, label="task 'transformed'")


@register_task("gaussian20d-cubic")
class GaussianCubic(TransformedTask):
    """The Gaussian pairs of gaussian20d with y cubed elementwise, after a fixed orthogonal mixing if told.

    ``y' = (Q y)^3`` with Q the identity or a fixed orthogonal matrix. The log ratio is that of `gaussian20d` at
    ``y = Q^T y'^(1/3)``.

    Parameters
    ----------
    mi
        Mutual information, nats, at least 0.
    dim
        Number of pairs d, at least 1.
    mix
        Whether y is mixed before it is cubed.

    Source: Poole et al. (2019), section 3; Song and Ermon (2020), section 6.1.
    """

    mi: float = 10.0
    dim: int = 20
    mix: bool = False

    default_levels = (2.0, 4.0, 6.0, 8.0, 10.0)

    def make_parts(self) -> Parts:
        """A `gaussian20d` and the maps of its y; see `TransformedTask.make_parts`."""
        base = Gaussian20D(mi=self.mi, dim=self.dim)
        return Parts.of(base, y="mixing+cube" if self.mix else "cube", label="task 'gaussian20d-cubic'")
