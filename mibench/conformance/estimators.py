"""Conformance checks of estimators: everything that the engine, the reports and the leaderboard rely on."""

from __future__ import annotations

from mibench.conformance.bounds import check_any_critic, check_better, check_exact
from mibench.conformance.declared import check_declared, check_kind
from mibench.conformance.findings import Check, Finding, check_docstring, run_checks, subject_of
from mibench.conformance.samples import SAMPLE_CHECKS
from mibench.conformance.stacking import check_pure, check_rows, check_runs, check_shapes, check_stacked, check_state
from mibench.conformance.values import check_ceiling, check_finite, check_gradient
from mibench.core.estimator import Estimator, SampleEstimator


def check_estimator(estimator: Estimator) -> list[Finding]:
    """Check everything that the engine, the reports and the leaderboard rely on.

    Parameters
    ----------
    estimator
        An instance, with the parameters that are to be checked. One that takes a sample has checks of its own.

    Returns
    -------
    list of Finding
        In the order of the checks; where the kind, what is declared or the shapes are wrong, the others are left out.
    """
    subject = subject_of("estimator", estimator)
    if isinstance(estimator, SampleEstimator):
        return run_checks(subject, estimator, SAMPLE_CHECKS, gates=4)
    return run_checks(subject, estimator, CHECKS, gates=4)


CHECKS: tuple[Check[Estimator], ...] = (
    ("docstring", check_docstring),
    ("kind", check_kind),
    ("declared", check_declared),
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
