"""Values of the nearest-neighbour estimators beside those of public implementations, on the same samples, as a table.

python benchmarks/public_implementations.py [--mixed mixed.py] [--jidt infodynamics.jar]

Packages that are not installed are skipped. Those of the published table, beside mibench in an environment of their
own, since some ask for older packages: pip install infomeasure==0.6.3 npeet-plus==0.2.0 entropy-estimators==0.0.2
infopy-estimators==0.1.3 libksg==0.0.4 ennemi==1.5.0 benchmark-mi==0.1.3 jax==0.4.31 jaxlib==0.4.31 jpype1==1.7.1. The
files are the code of the authors of mixed KSG, https://github.com/wgao9/mixed_KSG (commit ab38e2e), and the library of
https://github.com/jlizier/jidt (commit d773508, 1.6.1), for which Java is needed.

Notable: the packages get columns that are already of the scale that mibench's estimator takes, brought to it here by
scipy, so that what is compared is the estimator. Where a value is known to differ, the rule that makes it so is applied
here too, to all distances, and `unexplained` is what is left of the difference then; noise that is drawn anew at each
call cannot be repeated.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import digamma, ndtri
from scipy.stats import rankdata

import mibench
from mibench.core.estimator import SampleEstimator
from mibench.training.precision import configure_process

Array = NDArray[np.float64]
Estimate = Callable[[Array, Array], float]
N, K = 500, 3
EQUAL = 1e-6
"""Nats: less is no difference."""


# Samples

HEAVY, ROUNDED, RARE = "heavy tails", "four labels, y rounded to 0.5", "four labels, one alone, one twice"
COLUMNS = "four labels, two columns"


@dataclass(frozen=True)
class Sample:
    """Pairs, x (n, dim_x) and y (n, dim_y), and the scale that their columns are brought to; a label is x."""

    name: str
    x: Array
    y: Array
    scale: str = "rank"

    @property
    def dim(self) -> int:
        """Columns of the wider side."""
        return max(int(self.x.shape[1]), int(self.y.shape[1]))


def draw_numbers(g: np.random.Generator) -> Iterator[Sample]:
    x = g.normal(size=(N, 1))
    yield Sample("normal pair of 0.51 nats", x, 0.8 * x + 0.6 * g.normal(size=(N, 1)), "standard")
    x = g.standard_t(2, size=(N, 1))
    yield Sample(HEAVY, x, x**2 + g.standard_t(2, size=(N, 1)))
    x = g.normal(size=(N, 2))
    yield Sample(
        "two columns and three", x, x[:, :1] ** 2 + x.sum(1, keepdims=True) + g.normal(size=(N, 3)), "standard"
    )


def draw_mixed(g: np.random.Generator) -> Iterator[Sample]:
    x = g.normal(size=(N, 1))
    yield Sample("numbers", x, x + g.normal(size=(N, 1)), "standard")
    yield Sample("half of y is 0", x, np.where(g.random((N, 1)) < 0.5, 0.0, x + g.normal(size=(N, 1))))
    labels = g.integers(0, 10, size=(N, 1)).astype(float)
    yield Sample("ten labels, y = x", labels, labels)
    yield Sample("a label and two columns", labels, labels + g.normal(size=(N, 2)))


def draw_labels(g: np.random.Generator) -> Iterator[Sample]:
    label = g.integers(0, 4, size=(N, 1)).astype(float)
    y = label + g.normal(size=(N, 1))
    yield Sample("four labels", label, y)
    rare = label.copy()
    rare[:3] = [[7.0], [8.0], [8.0]]
    yield Sample(RARE, rare, y)
    yield Sample(ROUNDED, label, np.round(2 * y) / 2)
    yield Sample(COLUMNS, label, label + g.normal(size=(N, 2)))


# Columns of one scale, by other means than mibench's


def as_ranks(columns: Array) -> Array:
    """A normal's quantiles at the mean ranks, those of mirrored ranks of the same size to the last bit."""
    below = rankdata(columns, axis=0) - 0.5
    above = len(columns) - below
    return np.asarray(np.sign(above - below) * ndtri(np.minimum(below, above) / len(columns)))


def as_standard(columns: Array) -> Array:
    return np.asarray((columns - columns.mean(0)) / columns.std(0))


SCALES = {"rank": as_ranks, "standard": as_standard}


# What is known to make values differ


def distances(side: Array, metric: str = "chebyshev") -> Array:
    return np.asarray(cdist(side, side, metric))


def psi_of_counts(near: NDArray[np.bool_]) -> float:
    return float(np.mean(digamma(near.sum(1))))


def first_variant(x: Array, y: Array, edge: bool = False, short: float = 0.0) -> float:
    """Variant 1 of KSG.

    Parameters
    ----------
    x, y
        Shape (n, dim_x) and (n, dim_y).
    edge
        Whether points at the distance of the k-th neighbour are counted too.
    short
        What that distance is taken to be less.
    """
    d_x, d_y = distances(x), distances(y)
    reach = np.sort(np.maximum(d_x, d_y), 1)[:, K, None] - short
    near = [(d <= reach) if edge else (d < reach) for d in (d_x, d_y)]
    return float(digamma(len(x)) + digamma(K)) - sum(map(psi_of_counts, near))


def with_the_edge(x: Array, y: Array) -> float:
    return first_variant(x, y, edge=True)


def with_the_edge_less_one_in_k(x: Array, y: Array) -> float:
    return with_the_edge(x, y) - 1 / K


def with_k_neighbours(x: Array, y: Array) -> float:
    """Variant 2 with k neighbours, of those that are equally far the first ones."""
    sides = distances(x), distances(y)
    neighbours = np.maximum(*sides).argsort(1, kind="stable")[:, : K + 1]
    reaches = (np.take_along_axis(d, neighbours, 1).max(1, keepdims=True) for d in sides)
    counts = ((d <= reach).sum(1) - 1 for d, reach in zip(sides, reaches, strict=True))
    return float(digamma(len(x)) + digamma(K) - 1 / K - sum(np.mean(digamma(count)) for count in counts))


def noise_of_scikit_learn(columns: Array, random: np.random.RandomState) -> Array:
    columns = columns / columns.std(0)
    size = 1e-10 * np.maximum(1, np.abs(columns).mean(0))
    return np.asarray(columns + size * random.standard_normal(columns.shape))


def with_noise(x: Array, y: Array) -> float:
    random = np.random.RandomState(0)
    return first_variant(noise_of_scikit_learn(x, random), noise_of_scikit_learn(y, random))


def noise_of_ennemi(columns: Array, random: np.random.Generator) -> Array:
    return as_standard(columns) + random.normal(0, 1e-10, columns.shape)


def with_noise_and_short(x: Array, y: Array) -> float:
    random = np.random.default_rng(2718281828)
    return first_variant(noise_of_ennemi(x, random), noise_of_ennemi(y, random), short=1e-12)


def of_euclidean_neighbours(x: Array, y: Array) -> float:
    """Variant 1 with the farther coordinate of the k-th Euclidean neighbour as the distance, by libksg's arithmetic.

    Sums run in the order of y, and ``x + distance`` is what others are compared with, where rounding may pass the
    neighbour itself. Where that is beyond the largest number one point too many is counted.
    """
    sides, near = [], []
    for side in (x, y):
        ordered = side[y[:, 0].argsort()]
        ordered = ordered - ordered.cumsum()[-1] / len(x)
        sides.append(ordered / np.sqrt((ordered**2).cumsum()[-1] / len(x)))
    d_x, d_y = map(distances, sides)
    neighbour = np.hypot(d_x, d_y).argsort(1)[:, K, None]
    reach = np.take_along_axis(np.maximum(d_x, d_y), neighbour, 1)
    for side in sides:
        within = (side - reach < side.T) & (side + reach > side.T)
        near.append(np.hstack((within, side + reach > side.max())))
    return float(digamma(len(x)) + digamma(K)) - sum(map(psi_of_counts, near))


def of_labels(label: Array, numbers: Array, metric: str = "chebyshev", rare: bool = False, short: float = 0.0) -> float:
    """Ross's formula with k as given, and the points strictly nearer, the point itself among them, as m.

    Parameters
    ----------
    label, numbers
        Shape (n, 1) and (n, d).
    metric
        Of the numbers.
    rare
        Whether k stays k for points with fewer others of their label, all points being near them, or becomes these.
    short
        What the distance of the k-th neighbour is taken to be less.
    """
    same = label == label.T
    if not rare:
        kept = same.sum(1) > 1
        same, numbers = same[kept][:, kept], numbers[kept]
    d, sizes = distances(numbers, metric), same.sum(1)
    own = np.sort(np.where(same, d, np.inf), 1)
    k = np.full(len(d), K) if rare else np.minimum(K, sizes - 1)
    near = d < np.take_along_axis(own, k[:, None], 1) - short
    return float(digamma(len(d)) + np.mean(digamma(k) - digamma(sizes))) - psi_of_counts(near)


def of_rare_labels(label: Array, numbers: Array) -> float:
    return of_labels(label, numbers, rare=True)


def of_euclidean_labels(label: Array, numbers: Array) -> float:
    return of_labels(label, numbers, metric="euclidean")


def of_labels_with_noise(label: Array, numbers: Array) -> float:
    return of_labels(label, noise_of_scikit_learn(numbers, np.random.RandomState(0)))


def of_labels_with_noise_and_short(label: Array, numbers: Array) -> float:
    return of_labels(label, noise_of_ennemi(numbers, np.random.default_rng(2718281828)), short=1e-12)


# Public implementations


@dataclass(frozen=True)
class Difference:
    """Why a value differs: in words, and the rule that gives the other value; None where it draws at random."""

    reason: str
    rule: Estimate | None = None


PARTED = "noise parts equal distances by chance, and ranks have many"
TIES = "noise parts equal numbers by chance, where all that are as far count here, in k too"
SHORT = "; counts end 1e-12 short of the k-th neighbour"
PARTED_SHORT, TIES_SHORT = PARTED + SHORT, TIES + SHORT
EDGE = Difference("counts points at the distance of the k-th neighbour, which equation 8 leaves out", with_the_edge)
NO_SECOND = Difference(
    "no variant 2: one distance for both sides, and the point itself in the counts, yet 1/k taken off",
    with_the_edge_less_one_in_k,
)
EUCLIDEAN = Difference("the k-th neighbour is the Euclidean one; counts at the upper end", of_euclidean_neighbours)
FEW = Difference("a label of k points or fewer has all points near, and one alone stays in", of_rare_labels)
K_OF_EQUAL = Difference("of neighbours that are equally far as many as make k, here all of them", with_k_neighbours)
EUCLIDEAN_NUMBERS = Difference("Euclidean distances of several columns, largest differences here", of_euclidean_labels)


@dataclass(frozen=True)
class Implementation:
    """A public implementation of one of our estimators.

    Parameters
    ----------
    ours
        Our estimator, with the options that are not the scale and k.
    package, call
        The distribution's name, and what is called in it.
    estimate
        The value, nats, of columns of one scale.
    most_columns
        Of a side, that it takes.
    differences
        Those known, by the name of a sample; "" for the samples not named.
    """

    ours: str
    package: str
    call: str
    estimate: Estimate
    most_columns: int = 9
    differences: dict[str, Difference] = field(default_factory=dict)

    def difference(self, sample: Sample) -> Difference | None:
        """The one known for this sample."""
        return self.differences.get(sample.name, self.differences.get(""))


def scikit_learn() -> Iterator[Implementation]:
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    def numbers(x: Array, y: Array) -> float:
        return float(mutual_info_regression(x, y[:, 0], n_neighbors=K, random_state=0)[0])

    def labels(x: Array, y: Array) -> float:
        return float(mutual_info_classif(y, x[:, 0].astype(int), n_neighbors=K, random_state=0)[0])

    yield Implementation(
        "ksg", "scikit-learn", "mutual_info_regression", numbers, 1, {HEAVY: Difference(PARTED, with_noise)}
    )
    yield Implementation(
        "ksg-label", "scikit-learn", "mutual_info_classif", labels, 1, {ROUNDED: Difference(TIES, of_labels_with_noise)}
    )


def infomeasure() -> Iterator[Implementation]:
    import infomeasure

    def variant(which: int) -> Estimate:
        def estimate(x: Array, y: Array) -> float:
            options = {"approach": "ksg", "k": K, "ksg_id": which, "noise_level": 0, "base": "e"}
            return float(infomeasure.mutual_information(x, y, **options))

        return estimate

    yield Implementation("ksg", "infomeasure", "ksg_id=1", variant(1))
    yield Implementation("ksg:variant=2", "infomeasure", "ksg_id=2", variant(2), differences={"": NO_SECOND})


def npeet_plus() -> Iterator[Implementation]:
    import npeet_plus

    def numbers(x: Array, y: Array) -> float:
        return float(npeet_plus.mi(x, y, k=K, base=np.e))

    yield Implementation("ksg", "npeet-plus", "mi", numbers, differences={HEAVY: Difference(PARTED)})


def entropy_estimators() -> Iterator[Implementation]:
    from entropy_estimators import continuous

    def numbers(x: Array, y: Array) -> float:
        return float(continuous.get_mi(x, y, k=K))

    yield Implementation("ksg", "entropy-estimators", "get_mi", numbers, differences={"": EDGE})


def infopy_estimators() -> Iterator[Implementation]:
    from infopy.estimators import CCMIEstimator, CDMIRossEstimator, MixedMIEstimator

    def of(kind: Any) -> Estimate:
        return lambda x, y: float(kind(n_neighbors=K).estimate(x, y))

    def labels(x: Array, y: Array) -> float:
        return float(CDMIRossEstimator(n_neighbors=K).estimate(y, x))

    known = {ROUNDED: Difference(TIES), COLUMNS: EUCLIDEAN_NUMBERS}
    yield Implementation(
        "ksg", "infopy-estimators", "CCMIEstimator", of(CCMIEstimator), differences={HEAVY: Difference(PARTED)}
    )
    yield Implementation("ksg-mixed", "infopy-estimators", "MixedMIEstimator", of(MixedMIEstimator))
    yield Implementation("ksg-label", "infopy-estimators", "CDMIRossEstimator", labels, differences=known)


def libksg() -> Iterator[Implementation]:
    from libKSG import KSG

    def numbers(x: Array, y: Array) -> float:
        return float(KSG().mi(x[:, 0], y[:, 0], k=K)) * math.log(2)  # given in bits

    yield Implementation("ksg", "libksg", "KSG.mi", numbers, 1, {"": EUCLIDEAN})


def ennemi() -> Iterator[Implementation]:
    import ennemi

    def numbers(x: Array, y: Array) -> float:
        return float(ennemi.estimate_mi(y[:, 0], x[:, 0], k=K, max_threads=1)[0, 0])

    def labels(x: Array, y: Array) -> float:
        return float(ennemi.estimate_mi(x[:, 0], y[:, 0], k=K, discrete_y=True, max_threads=1)[0, 0])

    parted = {HEAVY: Difference(PARTED_SHORT, with_noise_and_short)}
    known = {RARE: FEW, ROUNDED: Difference(TIES_SHORT, of_labels_with_noise_and_short)}
    yield Implementation("ksg", "ennemi", "estimate_mi", numbers, 1, parted)
    yield Implementation("ksg-label", "ennemi", "estimate_mi", labels, 1, known)


def benchmark_mi() -> Iterator[Implementation]:
    from bmi.estimators import KSGEnsembleFirstEstimator

    def numbers(x: Array, y: Array) -> float:
        options = {"neighborhoods": (K,), "standardize": False, "metric_x": "chebyshev"}
        return float(KSGEnsembleFirstEstimator(**options).estimate(x, y))

    yield Implementation("ksg", "benchmark-mi", "KSGEnsembleFirstEstimator", numbers)


def code_of_the_authors(path: Path) -> Iterator[Implementation]:
    """Mixed KSG from the file, whose mixture of spaces and tabs Python no longer reads."""
    names: dict[str, Any] = {}
    exec(path.read_text().expandtabs(8), names)

    def mixed(x: Array, y: Array) -> float:
        return float(names["Mixed_KSG"](x, y, k=K))

    yield Implementation("ksg-mixed", "mixed_KSG", "Mixed_KSG", mixed)


def jidt(path: Path) -> Iterator[Implementation]:
    """Both variants of KSG from the library of the file."""
    import jpype

    jpype.startJVM(classpath=[str(path)])
    calculators = jpype.JPackage("infodynamics.measures.continuous.kraskov")

    def variant(which: int) -> Estimate:
        def estimate(x: Array, y: Array) -> float:
            calculator = getattr(calculators, f"MutualInfoCalculatorMultiVariateKraskov{which}")()
            options = {"k": K, "NOISE_LEVEL_TO_ADD": 0, "NORMALISE": "false", "NUM_THREADS": 1}
            for name, setting in options.items():
                calculator.setProperty(name, str(setting))
            calculator.initialise(x.shape[1], y.shape[1])
            calculator.setObservations(*(jpype.JArray(jpype.JDouble, 2)(side.tolist()) for side in (x, y)))
            return float(calculator.computeAverageLocalOfObservations())

        return estimate

    yield Implementation("ksg", "JIDT", "Kraskov1", variant(1))
    yield Implementation("ksg:variant=2", "JIDT", "Kraskov2", variant(2), differences={HEAVY: K_OF_EQUAL})


PACKAGES = {
    "scikit-learn": scikit_learn,
    "infomeasure": infomeasure,
    "npeet-plus": npeet_plus,
    "entropy-estimators": entropy_estimators,
    "infopy-estimators": infopy_estimators,
    "libksg": libksg,
    "ennemi": ennemi,
    "benchmark-mi": benchmark_mi,
}


# The table


def our_value(name: str, x: Array, y: Array) -> float:
    estimator = mibench.get_estimator(name)
    assert isinstance(estimator, SampleEstimator)
    return estimator.value(torch.from_numpy(x), torch.from_numpy(y))


def row(implementation: Implementation, sample: Sample, versions: dict[str, str]) -> str:
    """A line of the table; the columns of `ksg-label`'s label stay as they are."""
    ours = implementation.ours
    name = f"{ours}{',' if ':' in ours else ':'}scale={sample.scale},k={K}"
    scale = SCALES[sample.scale]
    x, y = sample.x if ours == "ksg-label" else scale(sample.x), scale(sample.y)
    mine, theirs = our_value(name, sample.x, sample.y), implementation.estimate(x, y)
    difference, known = theirs - mine, implementation.difference(sample)
    left, reason = "", ""
    if abs(difference) > EQUAL:
        reason = known.reason if known else "unknown"
        left = f"{theirs - known.rule(x, y):.0e}" if known and known.rule else "not repeated"
    package = f"{implementation.package} {versions[implementation.package]}, {implementation.call}"
    return f"| {name} | {package} | {sample.name} | {mine:.6f} | {theirs:.6f} | {difference:+.0e} | {left} | {reason} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixed", type=Path, help="mixed.py of the authors of mixed KSG")
    parser.add_argument("--jidt", type=Path, help="infodynamics.jar of JIDT")
    arguments = parser.parse_args()
    configure_process()
    implementations: list[Implementation] = []
    versions = {"mixed_KSG": "by its authors", "JIDT": "by its authors"}
    for package, described in PACKAGES.items():
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            print(f"{package} is not installed: skipped.")
        else:
            implementations += described()
    for file, read in ((arguments.mixed, code_of_the_authors), (arguments.jidt, jidt)):
        if file:
            implementations += read(file)
    g = np.random.default_rng(0)
    samples = {"ksg": list(draw_numbers(g)), "ksg-mixed": list(draw_mixed(g)), "ksg-label": list(draw_labels(g))}
    print("\n| ours | public | sample | our value | theirs, nats | difference | unexplained | reason |")
    print("|---|---|---|---|---|---|---|---|")
    for implementation in sorted(implementations, key=lambda each: each.ours):
        for sample in samples[implementation.ours.partition(":")[0]]:
            if sample.dim <= implementation.most_columns:
                print(row(implementation, sample, versions))


if __name__ == "__main__":
    main()
