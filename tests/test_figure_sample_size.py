"""The sample-size figure: test values by size of the fixed sample, and a sentence where there are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from rows import make

from mibench.errors import UsageError
from mibench.figure_sample_size import sample_size


def fixed(estimators: tuple[str, ...] = ("nwj", "ksg")) -> pd.DataFrame:
    """Rows on samples of 1,000 and 4,000 pairs, 0.5 and 0.1 nats below the truth, seeds 0.02 apart."""
    parts = []
    for n, gap in ((1000, 0.5), (4000, 0.1)):
        runs, _ = make(estimators=estimators, negatives=("shuffle",), batches=(64,), levels=(2.0,), seeds=2)
        runs["run_id"] = runs["run_id"] + f"-{n}"
        runs["regime"], runs["samples"], runs["patience"] = "dataset", float(n), 10.0
        runs["estimate_test"] = runs["mi_true"] - gap + 0.02 * (runs["seed"] - 0.5)
        parts.append(runs)
    return pd.concat(parts, ignore_index=True)


def test_means_stand_over_the_sizes_of_the_samples() -> None:
    runs = fixed()
    figure, table, caption, _ = sample_size(runs, pd.DataFrame())
    assert dict(zip(table["samples"], table["mean"].round(6), strict=True)) == {1000.0: 1.5, 4000.0: 1.9}
    half = 12.706204736 * 0.01  # Student t with one degree of freedom, of two values 0.02 apart
    np.testing.assert_allclose(table["high"] - table["mean"], half, rtol=1e-6)
    (panel,) = figure.axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ["1,000", "4,000"]
    assert panel.get_ylabel() == "test value, nats"
    assert "fixed samples of n = 1,000, 4,000 pairs" in caption
    again = sample_size(runs.sample(frac=1, random_state=1), pd.DataFrame()).table
    pd.testing.assert_frame_equal(table, again)


def test_runs_on_fresh_pairs_are_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="--samples"):
        sample_size(*make())
