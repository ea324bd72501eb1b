"""Probes of a representation: how well a simple classifier reads labels off it, on rows that it has not seen."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mibench.core.errors import UsageError
from mibench.core.intervals import wilson_interval

Probe = Literal["linear", "mlp"]
_WIDTH = 128
_MOST_EPOCHS = 1000


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Share of held-out rows that a probe labels rightly.

    Parameters
    ----------
    value
        The share.
    low, high
        Its interval by Wilson (1927) at the confidence asked for: over held-out rows, the probe taken as it is.
    n
        Number of held-out rows.
    """

    value: float
    low: float
    high: float
    n: int


def probe_accuracy(
    train: tuple[ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike],
    *,
    probe: Probe = "linear",
    seed: int = 0,
    confidence: float = 0.95,
) -> Accuracy:
    """Train a probe on labelled representations and count what it gets right on others.

    Parameters
    ----------
    train, test
        Representations (n, d) and labels (n,); columns are standardised by the training rows.
    probe
        ``linear``: logistic regression; ``mlp``: a perceptron with two hidden layers of 128, both scikit-learn's with
        its own settings otherwise.
    seed
        Of the perceptron's initial weights and batches.
    confidence
        Level of the interval.

    Raises
    ------
    UsageError
        Where a side has no rows or values that are not finite, the sides differ in columns, numbers of rows and labels
        differ, or all training labels are one.

    Source: the evaluation of Gosch (2020), figure 5.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    (x, y), (x_test, y_test) = _rows(*train), _rows(*test)
    if x.shape[1] != x_test.shape[1]:
        columns = f"{x.shape[1]} columns to train on and {x_test.shape[1]} to be tested on"
        raise UsageError(f"a probe has {columns}; give equally many")
    if len(np.unique(y)) < 2:
        raise UsageError("a probe has one label to learn; give rows of two or more")
    if probe == "linear":
        classifier = LogisticRegression(max_iter=_MOST_EPOCHS)
    else:
        classifier = MLPClassifier((_WIDTH, _WIDTH), max_iter=_MOST_EPOCHS, random_state=seed)
    model = make_pipeline(StandardScaler(), classifier).fit(x, y)
    right = int((model.predict(x_test) == y_test).sum())
    return Accuracy(right / len(y_test), *wilson_interval(right, len(y_test), confidence), len(y_test))


def _rows(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rows, labels = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.int64)
    if rows.ndim != 2 or labels.shape != rows.shape[:1] or not len(labels):
        shapes = f"{rows.shape} and {labels.shape}"
        raise UsageError(
            f"a probe needs representations (n, d) and labels (n,), not {shapes}; give a row for each label"
        )
    if not np.isfinite(rows).all():
        raise UsageError("a probe's representations hold values that are not finite; leave those rows out")
    return rows, labels
