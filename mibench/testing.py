"""Conformance checks for tasks, estimators, critics, negative samplers, and plug-ins that hold them.

Third parties run them with ``mibench check my_bound.py``, or in their own tests:

    from mibench.testing import check_estimator

    def test_my_bound():
        for finding in check_estimator(MyBound()):
            assert finding.passed, finding.sentence
"""

from __future__ import annotations

from mibench.conformance.critics import check_critic
from mibench.conformance.estimators import check_estimator
from mibench.conformance.findings import Finding
from mibench.conformance.plugins import check_plugin
from mibench.conformance.samplers import check_negatives
from mibench.conformance.tasks import check_task

__all__ = [
    "Finding",
    "check_critic",
    "check_estimator",
    "check_negatives",
    "check_plugin",
    "check_task",
]
