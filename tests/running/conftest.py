"""Tests of workers start their own."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def kept_workers() -> None:
    """Keep none."""
