"""Confidence intervals of counts."""

from __future__ import annotations


def wilson_interval(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Both ends of the interval of a share by Wilson (1927): of ``count`` among ``n``, at least 1."""
    from scipy.stats import binomtest  # which takes half a second to import, and workers import this package

    ends = binomtest(count, n).proportion_ci(confidence, method="wilson")
    return float(ends.low), float(ends.high)
