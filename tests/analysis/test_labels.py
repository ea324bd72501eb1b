"""Names of components in tables: plain where they are what everybody means, versioned where they are not."""

from __future__ import annotations

import pandas as pd
import pytest

from mibench.analysis.labels import shown_names, with_labels
from tests.support.rows import make


def rows(*, estimator: str = "nwj", **columns: object) -> pd.DataFrame:
    return make(estimators=(estimator,), negatives=("shuffle",), batches=(64,), levels=(2.0,), seeds=1, **columns)[0]


@pytest.mark.parametrize(("estimator", "version", "label"), [
    ("nwj", 1, "nwj"), ("nwj", 2, "nwj-v2"), ("mine-own", 1, "mine-own"), ("mine-own", 2, "mine-own"),
])  # fmt: skip
def test_a_version_is_shown_where_it_is_not_the_built_in_one(estimator: str, version: int, label: str) -> None:
    found = rows(estimator=estimator, estimator_version=version)
    assert list(shown_names(found, "estimator")) == list(with_labels(found)["estimator_label"]) == [label]


def test_a_version_is_shown_where_several_occur() -> None:
    both = pd.concat([rows(estimator="mine-own"), rows(estimator="mine-own", estimator_version=2)], ignore_index=True)
    assert list(shown_names(both, "estimator")) == ["mine-own-v1", "mine-own-v2"]
    assert list(with_labels(both)["estimator_label"]) == ["mine-own-v1", "mine-own-v2"]
