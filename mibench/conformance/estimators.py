"""Conformance checks of estimators: everything that the engine, the reports and the leaderboard rely on."""

from __future__ import annotations

from mibench.conformance.bounds import check_any_critic, check_better, check_exact
from mibench.conformance.findings import Check, Failed, Finding, check_docstring, run_checks
from mibench.conformance.samples import SAMPLE_CHECKS
from mibench.conformance.stacking import check_pure, check_rows, check_runs, check_shapes, check_stacked, check_state
from mibench.conformance.values import check_ceiling, check_finite, check_gradient
from mibench.core.estimator import Estimator, SampleEstimator
from mibench.core.parameters import join_name


def check_estimator(estimator: Estimator) -> list[Finding]:
    """Check everything that the engine, the reports and the leaderboard rely on.

    Parameters
    ----------
    estimator
        An instance, with the parameters that are to be checked. One that takes a sample has checks of its own.

    Returns
    -------
    list of Finding
        In the order of the checks; where the kind or the shapes are wrong, the others are left out.
    """
    name = join_name(type(estimator).__name__, estimator.params())
    if isinstance(estimator, SampleEstimator):
        return run_checks(f"estimator {name}", estimator, SAMPLE_CHECKS, gates=3)
    return run_checks(f"estimator {name}", estimator, CHECKS, gates=3)


def _check_kind(estimator: Estimator) -> str:
    kind = getattr(estimator, "kind", None)
    if kind not in ("lower", "upper", "plug-in"):
        raise Failed(f"kind is {kind!r}; state 'lower', 'upper' or 'plug-in' in the class")
    return f"{kind}"


CHECKS: tuple[Check[Estimator], ...] = (
    ("docstring", check_docstring),
    ("kind", _check_kind),
    ("shapes", check_shapes),
    ("stacked equals single", check_stacked),
    ("runs are not mixed", check_runs),
    ("pure", check_pure),
    ("state", check_state),
    ("blocks", check_rows),
    ("gradient", check_gradient),
    ("exact critic", check_exact),
    ("any critic", check_any_critic),
    ("better critic", check_better),
    ("ceiling", check_ceiling),
    ("finite", check_finite),
)
"""In the order in which they run."""
