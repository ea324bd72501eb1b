"""The sample-size figure: test values by size of the fixed sample, and a sentence where there are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mibench.core.errors import UsageError
from mibench.figures.sample_size import sample_size
from tests.support.rows import make


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


def test_samplers_and_batch_sizes_are_not_averaged_and_whole_samples_stand_beside_all() -> None:
    runs = fixed(("nwj",))
    other = runs.assign(run_id=runs["run_id"] + "-s", negatives="derangement", estimate_test=0.0)
    larger = runs.assign(run_id=runs["run_id"] + "-b", batch=256, estimate_test=1.0)
    whole = runs.assign(run_id=runs["run_id"] + "-k", estimator="ksg", critic="none", negatives="none", hidden=None,
                        own_critic=1, own_negatives=1, lr=None, patience=None, steps=1, window=1,
                        batch=runs["samples"].astype(int), estimate_test=1.75)  # fmt: skip
    figure, table, caption, _ = sample_size(pd.concat([runs, other, larger, whole], ignore_index=True), pd.DataFrame())
    assert [ax.get_title(loc="left").split("\n")[1] for ax in figure.axes] == [
        "shuffle · N = 64", "shuffle · N = 256", "derangement · N = 64"
    ]  # fmt: skip
    trained = table[table["estimator"] == "nwj"].round(6)
    means = {key: cell.tolist() for key, cell in trained.groupby(["negatives", "batch"])["mean"]}
    assert means == {("derangement", 64): [0, 0], ("shuffle", 64): [1.5, 1.9], ("shuffle", 256): [1, 1]}
    assert table.loc[table["estimator"] == "ksg", "mean"].tolist() == [1.75] * 6
    assert "ksg (none)" in caption


def test_titles_of_a_second_row_stay_clear_of_the_labels_above() -> None:
    parts = [fixed().assign(negatives=name) for name in ("shuffle", "derangement", "cyclic", "independent")]
    figure, *_ = sample_size(
        pd.concat([part.assign(run_id=part["run_id"] + str(i)) for i, part in enumerate(parts)], ignore_index=True),
        pd.DataFrame(),
    )
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    label = figure.axes[0].xaxis.label.get_window_extent(renderer)
    title = figure.axes[3]._left_title.get_window_extent(renderer)
    assert figure.axes[3].get_position().y1 < figure.axes[0].get_position().y0
    assert title.y1 < label.y0


def test_runs_on_fresh_pairs_are_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="--samples"):
        sample_size(*make())
