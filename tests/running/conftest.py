"""Tests of workers start their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support.processes import MARK, processes_with, wait_until


@pytest.fixture(scope="module", autouse=True)
def kept_workers() -> None:
    """Keep none."""


@pytest.fixture(scope="module", autouse=True)
def small_pools_of_workers() -> None:
    """Leave pools as they are: scripts beside the tests have the same."""


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Mark this process's descendants; at the end none is left."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(MARK, value)
    yield value
    wait_until(lambda: not processes_with(value), 5)
    assert processes_with(value) == []
