"""Public packages as estimators: each file beside this one is the adapter of one, and runs in its environment.

Notable: the classes are made when one is asked for by its name, and are in no list of estimators: they need an
environment that `mibench packages install` makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from mibench.core import adapters
from mibench.core.adapters import Adapter
from mibench.core.errors import UsageError
from mibench.core.outside_estimator import OutsideEstimator
from mibench.core.registry import ESTIMATORS

_RUNNER = Path(adapters.__file__).with_name("adapter_process.py")


class PackageEstimator(OutsideEstimator):
    """A public package in its own environment, by its adapter: the value in nats, untuned."""

    kind = "plug-in"

    adapter: ClassVar[Adapter]

    def smallest_sample(self, dim_x: int, dim_y: int) -> int:
        """Ten pairs; refuses sides that the package does not take, and a package that is not installed."""
        if self.adapter.columns == "one" and max(dim_x, dim_y) > 1:
            raise UsageError(
                f"estimator '{self.adapter.name}' takes one column a side, not {dim_x} and {dim_y}; "
                "choose a task of one dimension"
            )
        adapters.refuse_missing(self.adapter)
        return 10


def register_package(name: str) -> None:
    """Enter the estimator of one package into the registry; nothing where it is there."""
    if ESTIMATORS.known(name, 1) is not None:
        return
    one, choices = adapters.adapter(name), cast("Any", Literal)
    said = f"Package: {one.release}, in an environment of its own.\nUnit: {one.unit}, which is converted to nats."
    body = {
        "__doc__": f"{one.description}\n\n{said}\nTreatment: {one.treatment}.",
        "__module__": __name__,
        "__annotations__": {"release": choices[one.version]},  # its version is part of a run's id
        "release": one.version,
        "adapter": one,
        "command": (str(one.interpreter), "-I", "-W", "ignore", str(_RUNNER), str(one.file), "{x}", "{y}"),
    }
    ESTIMATORS.register(name)(type(name, (PackageEstimator,), body))
