"""Tests of workers start their own."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def kept_workers() -> None:
    """Keep none."""


@pytest.fixture(scope="module", autouse=True)
def small_pools_of_workers() -> None:
    """Leave pools as they are: scripts beside the tests have the same."""
