"""Estimators of data that repeat, and of ranks: loops over their definitions, scikit-learn, units, and labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import digamma
from scipy.stats import norm
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.metrics import mutual_info_score

from mibench.core.errors import UsageError
from mibench.core.estimator import SampleEstimator
from mibench.core.lookup import get_estimator

Array = NDArray[np.float64]
N = 300


def value(name: str, x: Array, y: Array) -> float:
    estimator = get_estimator(name)
    assert isinstance(estimator, SampleEstimator)
    return estimator.value(torch.from_numpy(x), torch.from_numpy(y))


def draw() -> dict[str, tuple[Array, Array]]:
    g = np.random.default_rng(0)
    x = g.normal(size=(N, 2))
    y = x[:, :1] + g.normal(size=(N, 1))
    label = g.integers(0, 4, size=(N, 1)).astype(float)
    some = np.where(g.random((N, 1)) < 0.5, y, 0.0)
    return {
        "numbers": (x, y),
        "whole numbers": (np.rint(2 * x), np.rint(2 * y)),
        "a label": (label, 0.5 * label + g.random((N, 1))),
        "labels": (label, np.where(g.random((N, 1)) < 0.3, 0.0, label)),
        "half a point, half numbers": (x, some),
    }


DATA = draw()
TEN = np.random.default_rng(1).integers(0, 10, size=(1000, 1)).astype(float)


def farthest(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max())


def mixed_in_loops(x: Array, y: Array, k: int) -> float:
    total, n = 0.0, len(x)
    for i in range(n):
        near_x, near_y = ([farthest(side[i], side[j]) for j in range(n)] for side in (x, y))
        joint = [max(pair) for pair in zip(near_x, near_y, strict=True)]
        reach = sorted(joint)[k]
        if reach == 0:
            neighbours, n_x, n_y = (sum(d == 0 for d in near) for near in (joint, near_x, near_y))
        else:
            neighbours, (n_x, n_y) = k, (sum(d < reach for d in near) for near in (near_x, near_y))
        total += float(digamma(neighbours) - digamma(n_x) - digamma(n_y))
    return math.log(n) + total / n


def label_in_loops(labels: list[float], numbers: Array, k: int) -> float:
    kept = [i for i, label in enumerate(labels) if labels.count(label) > 1]
    total = 0.0
    for i in kept:
        everywhere = [farthest(numbers[i], numbers[j]) for j in kept]
        own = sorted(d for d, j in zip(everywhere, kept, strict=True) if labels[j] == labels[i])
        reach = own[min(k, len(own) - 1)]
        neighbours, m = (sum(d <= reach for d in distances) - 1 for distances in (own, everywhere))
        total += float(digamma(neighbours) - digamma(len(own)) - digamma(m))
    return float(digamma(len(kept))) + total / len(kept)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("data", DATA)
def test_ksg_mixed_is_its_algorithm(data: str, k: int) -> None:
    x, y = DATA[data]
    assert value(f"ksg-mixed:scale=none,k={k}", x, y) == pytest.approx(mixed_in_loops(x, y, k), abs=1e-10)


@pytest.mark.parametrize("k", [1, 3, 400])
@pytest.mark.parametrize("data", ["whole numbers", "a label", "labels"])
def test_ksg_label_is_its_formula(data: str, k: int) -> None:
    x, y = DATA[data]
    label, numbers = (y, x) if data == "whole numbers" else (x, y)  # y has one column of whole numbers, x has two
    rows = [tuple(row) for row in label]
    labels = [float(rows.index(row)) for row in rows]
    assert value(f"ksg-label:scale=none,k={k}", x, y) == pytest.approx(label_in_loops(labels, numbers, k), abs=1e-10)
    assert value(f"ksg-label:k={k}", y, x) == value(f"ksg-label:k={k}", x, y)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_ksg_mixed_is_that_of_scikit_learn_on_numbers_that_do_not_repeat(k: int) -> None:
    """Without coinciding points it is variant 1 of KSG, but for its ``log n`` in place of ``psi(n)``."""
    g = np.random.default_rng(2)
    x = g.normal(size=(N, 1))
    y = x**2 + x + g.normal(size=(N, 1))
    (theirs,) = mutual_info_regression(x, y[:, 0], n_neighbors=k, random_state=0)
    expected = theirs + math.log(N) - float(digamma(N))
    assert value(f"ksg-mixed:scale=standard,k={k}", x, y) == pytest.approx(expected, abs=1e-9)
    assert value(f"ksg-mixed:scale=standard,k={k}", x, 1e6 * y) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_ksg_label_is_that_of_scikit_learn_on_numbers_that_do_not_repeat(k: int) -> None:
    label, numbers = DATA["a label"]
    label = label.copy()
    label[0] = 9.0  # alone
    (theirs,) = mutual_info_classif(numbers, label[:, 0].astype(int), n_neighbors=k, random_state=0)
    assert value(f"ksg-label:scale=standard,k={k}", label, numbers) == pytest.approx(theirs, abs=1e-6)


def test_discrete_is_the_plug_in_of_scikit_learn() -> None:
    x, y = DATA["labels"]
    plain = mutual_info_score(x[:, 0], y[:, 0])
    assert value("discrete:miller_madow=false", x, y) == pytest.approx(plain, abs=1e-12)
    cells = len(np.unique(np.hstack((x, y)), axis=0))
    correction = (len(np.unique(x)) + len(np.unique(y)) - cells - 1) / (2 * N)
    assert value("discrete", x, y) == pytest.approx(plain + correction, abs=1e-12)


@pytest.mark.parametrize("name", ["ksg-mixed", "ksg-label", "discrete"])
def test_a_copy_of_ten_labels_has_their_entropy(name: str) -> None:
    assert value(name, TEN, TEN) == pytest.approx(math.log(10), abs=0.05)


@pytest.mark.parametrize("name", ["ksg-label", "ksg-mixed"])
def test_a_label_and_a_number_have_what_they_share(name: str) -> None:
    label, numbers = DATA[
        "a label"
    ]  # three quarters of the numbers are possible under two labels, the others under one
    assert value(name, label, numbers) == pytest.approx(math.log(4) - 0.75 * math.log(2), abs=0.12)


@pytest.mark.parametrize("scale", ["rank", "standard"])
@pytest.mark.parametrize(("name", "data"), [("ksg-mixed", "half a point, half numbers"), ("ksg-label", "a label")])
def test_units_do_not_matter(name: str, data: str, scale: str) -> None:
    x, y = DATA[data]
    name = f"{name}:scale={scale}"
    assert value(name, x, 1e6 * y) == pytest.approx(value(name, x, y), abs=1e-9)
    assert value(name, 1e-6 * x, y) == pytest.approx(value(name, x, y), abs=1e-9)


def test_the_gaussian_copula_sees_ranks_alone() -> None:
    x, y = DATA["numbers"]
    places = [np.argsort(np.argsort(column)) for column in np.hstack((x, y)).T]
    normal = np.stack([norm.ppf((place + 0.5) / N) for place in places], 1)
    expected = value("cca:corrected=true", normal[:, :2], normal[:, 2:])
    assert value("gaussian-copula", x, y) == pytest.approx(expected, abs=1e-10)
    assert value("gaussian-copula", x**3, np.exp(y)) == pytest.approx(expected, abs=1e-10)
    shifted = np.round(y)
    assert value("gaussian-copula", x[::-1].copy(), shifted[::-1].copy()) == pytest.approx(
        value("gaussian-copula", x, shifted), abs=1e-10
    )


def test_what_is_no_label_is_refused() -> None:
    x, y = DATA["numbers"]
    with pytest.raises(UsageError, match=f"the side with fewer has {N} different rows of {N}, fewer than five of each"):
        value("ksg-label", x, y)
    label, numbers = DATA["a label"]
    with pytest.raises(UsageError, match=f"y has {N} different rows of {N}, .* use 'ksg' on numbers, or 'ksg-label'"):
        value("discrete", label, numbers)
    for name in ("ksg-mixed", "ksg-label"):
        with pytest.raises(UsageError, match="k must be at least 1"):
            get_estimator(f"{name}:k=0")


@pytest.mark.parametrize("name", ["ksg-mixed", "ksg-label", "gaussian-copula", "discrete"])
def test_constants_tell_nothing(name: str) -> None:
    labels = np.repeat(np.arange(N / 10), 10)[:, None]
    assert value(name, labels, np.ones((N, 2))) == pytest.approx(0.0, abs=0.01)
