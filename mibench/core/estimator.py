"""What an estimator is: the base classes that estimators derive from, and what may stand beside their critic.

An estimator is one class in one file. Its annotated fields are its parameters, its docstring's first line is what
``mibench list`` shows, and the decorator gives it its versioned name.
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.errors import UsageError
from mibench.core.parameters import Parametrised
from mibench.core.scores import Scores

Kind = Literal["lower", "upper", "plug-in"]
Side = Literal["x", "y"]
Sees = Literal["x", "y", "pair", "y pair", "constant", "entropy of x", "uniform", "similarity of codes"]
"""What an `Extra` is a function of, densities aside."""
SeesOfY = Literal["all", "first half of y"]


@dataclasses.dataclass(frozen=True)
class Density:
    """A parametric density that is trained: ``log q`` of one side given the other, or given nothing, nats.

    Parameters
    ----------
    of
        The side that it is a density of.
    given
        The side that it is conditioned on; None for a marginal, whose parameters are plain numbers.
    family
        ``gaussian`` (independent columns), or ``softmax`` over one-hot columns.
    mean
        What maps the given side to the mean, or to the logits: an ``mlp`` of the run's hidden layers, or ``linear``.
    variance
        Of a Gaussian: from the ``network`` beside the mean, ``learned`` numbers, or a fixed number.
    """

    of: Side
    given: Side | None
    family: Literal["gaussian", "softmax"] = "gaussian"
    mean: Literal["mlp", "linear"] = "mlp"
    variance: Literal["network", "learned"] | float = "network"


@dataclasses.dataclass(frozen=True)
class Extra:
    """A scalar function of the pair that an estimator needs beside the critic; its values travel like scores.

    Parameters
    ----------
    name
        What `Scores.extra` asks for.
    of
        What it is a function of: ``x`` or ``y`` alone (a baseline, an MLP of the run's hidden layers), the ``pair`` (a
        second critic of the run's kind), the ``y pair`` ``(y_i, y'_ij)`` (the same kind, on the row's own y in place of
        x), a trained ``constant``, which starts at 0, or the log of a `Density`. Not trained are the task's ``entropy
        of x``, ``uniform``: fresh random numbers in [0, 1) for every pair, and the ``similarity of codes`` that the
        critic keeps of the row's own y and the pair's y.
    exact
        Multiple of the log density ratio that is optimal beside the exact critic: 0 for a baseline, -1 for a function
        that learns ``-log r``. Beside the exact critic log r stands for every conditional log density less that of
        the marginal, so that a conditional `Density` has 1, and a marginal one and an entropy have 0.
    """

    name: str
    of: Sees | Density
    exact: float


class Estimator(Parametrised):
    """A functional of critic scores: a loss to minimise and an estimate to report, both in nats.

    A subclass states `kind` and implements either

    - `rows` and `reduce`, so that pools of any size can be evaluated block by block, or
    - `estimate` alone, where the value is no function of per-row statistics.

    `loss` defaults to the negative estimate. All are pure functions of `Scores`: leading axes are runs and must never
    be mixed.
    """

    kind: ClassVar[Kind]
    """``lower``: a bound in expectation for every critic; ``upper``; or ``plug-in``: no bound. What is listed; see
    `kind_at`."""

    surrogate_loss: ClassVar[bool] = False
    """Whether the loss is of use for its gradient alone: a stop gradient leaves its value without a meaning. A step
    against the gradient must raise the estimate."""

    oracle_offset: ClassVar[float] = 0.0
    """The optimal critic minus the log density ratio, a constant in nats (1 for NWJ)."""

    capped_by_sampler: ClassVar[bool] = False
    """Whether the value of the best critic is that of Donsker-Varadhan and NWJ, so that positives among the negatives
    cap it: see `NegativeSampler.predicted_ceiling`."""

    default_negatives: ClassVar[str] = "shuffle-v1"
    """The negative sampler that a grid takes where the user names none."""

    critic_sees: ClassVar[SeesOfY] = "all"
    """Columns of y that the critic is given, rounded down; the extras and the exact critic are given all."""

    needs_marginal: ClassVar[bool] = False
    """Whether its negatives must come from p(y): samplers that propose others are refused."""

    given: ClassVar[str] = ""
    """What it is told, or takes for granted, that others have to learn: ``"entropy of x"``, ``"Gaussian x given y"``.
    Boards mark it. They know it without importing the class: write it into the body as plain text, and nothing where
    there is nothing."""

    coincides: ClassVar[tuple[str, ...]] = ()
    """Estimators whose loss, up to a constant, and estimate are the same functions of the scores: boards list one of
    the two. ``("js-v1",)``, or with what must hold, parameters of its own or the number of negatives in a row:
    ``("infonce-v1 where form=simplified",)``. Parameters that both have must be equal. Written as `given`, and not
    inherited: a subclass is another function."""

    # What follows may depend on parameters: a subclass overrides it by a class attribute or by a property.

    @property
    def uses_weights(self) -> bool:
        """Whether the bound holds for negatives from a proposal, by `Scores.log_weights`.

        Any other bound is recorded as a plug-in where the sampler proposes.
        """
        return False

    @property
    def extras(self) -> tuple[Extra, ...]:
        """What stands beside the critic; its values come with the scores, see `Scores.extra`."""
        return ()

    @property
    def own_critic(self) -> str | None:
        """Critic that takes the place of every trained one; None where any critic serves.

        For estimators whose scores are no free function of the pair but a density:
        ``"conditional-gaussian-v1:of=x"``.
        """
        return None

    @property
    def own_negatives(self) -> str | None:
        """Negative sampler that takes the place of every other; None where any serves."""
        return None

    def rows(self, scores: Scores) -> Tensor:
        """Per-row statistics, shape (..., N, k): all that `reduce` needs to know of a row's scores."""
        raise NotImplementedError

    def reduce(self, rows: Tensor) -> Tensor:
        """Turn the statistics of all rows, (..., N, k), into the estimate, shape (...), nats."""
        raise NotImplementedError

    def estimate(self, scores: Scores) -> Tensor:
        """The reported value, shape (...), nats."""
        return self.reduce(self.rows(scores))

    def loss(self, scores: Scores) -> Tensor:
        """What training minimises, shape (...)."""
        return -self.estimate(scores)

    def initial_state(self) -> tuple[float, ...]:
        """Numbers that a run starts with and carries from step to step (MINE's running average); none by default."""
        return ()

    @property
    def state_size(self) -> int:
        """How many numbers a run carries from step to step; 0 for a stateless loss."""
        return len(self.initial_state())

    def transform(self, scores: Scores, state: Tensor) -> Scores:
        """What loss and estimate are given instead of the scores, where a state shapes them (an inverse temperature).

        Parameters
        ----------
        scores
            Scores of a batch or a pool.
        state
            Shape (..., state_size), a row per run; on pools the state at the end of training.
        """
        return scores

    def inverse_temperature(self, state: Tensor) -> Tensor | None:
        """Factor that `transform` puts on the scores, shape (...); None where there is none. It is recorded.

        Parameters
        ----------
        state
            Shape (..., state_size), a row per run.
        """
        return None

    def stateful_loss(self, scores: Scores, state: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of one step and the state after it; only for estimators with an `initial_state`.

        Parameters
        ----------
        scores
            Scores of the step's batch, after `transform`.
        state
            Shape (..., state_size), a row per run.

        Returns
        -------
        loss, state
            Shapes (...) and (..., state_size); no gradient flows through the state.
        """
        return self.loss(scores), state

    def ceiling(self, n: int, m: int) -> float:
        """Largest value that the estimate can take on a batch, nats; ``inf`` where there is none.

        Parameters
        ----------
        n
            Batch size.
        m
            Classes: one positive and m - 1 negatives in every row.

        Raises
        ------
        UsageError
            Where the estimator is not defined on such batches; grids ask before any work.
        """
        return math.inf

    def kind_at(self, n: int, m: int) -> Kind:
        """Kind on batches of a size, for estimators that are a bound for some of their parameters or sizes only.

        Parameters
        ----------
        n, m
            Batch size and classes, as in `ceiling`.
        """
        return self.kind

    @property
    def by_rows(self) -> bool:
        """Whether pools can be evaluated block by block."""
        return type(self).rows is not Estimator.rows and type(self).estimate is Estimator.estimate


class SampleEstimator(Estimator):
    """An estimator that takes a finite sample of pairs and trains no critic; a subclass implements `of_arrays`.

    There are no scores: a batch of N pairs is a sample of N, and every step of a run evaluates a fresh one.
    """

    takes: ClassVar[Literal["numbers", "a label", "labels"]] = "numbers"
    """What a sample consists of: numbers on both sides, a label on one of them, or labels, which repeat."""

    gaussian_error: ClassVar[float] = 0.1
    """Nats by which a bivariate Gaussian at 0 or 1 nat may be missed at n = 2000; a bound may miss it by any amount on
    its own side."""

    takes_pool: ClassVar[bool] = True
    """Whether a run also evaluates it on a large fresh sample, beside its own; not where that takes too long."""

    own_critic = "none-v1"
    own_negatives = "none-v1"
    default_negatives = "none-v1"

    def of_arrays(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """Estimate from a sample, nats; pure, and the same for every order of the pairs.

        Parameters
        ----------
        x, y
            Finite numbers, (n, dim_x) and (n, dim_y), n at least `smallest_sample`; they must not be written to.
        """
        raise NotImplementedError

    def warnings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
        """Say what a reader of a sample's value has to know, a sentence each: that equal numbers move it, for one.

        Runs store it beside their value; by default there is nothing to say. What makes a value wrong is refused by
        `of_arrays` instead.

        Parameters
        ----------
        x, y
            As of `of_arrays`.
        """
        return ()

    def smallest_sample(self, dim_x: int, dim_y: int) -> int:
        """Pairs that a sample needs at least, 2 or more; grids refuse smaller batches before any work."""
        return 2

    def value(self, x: Tensor, y: Tensor) -> float:
        """Estimate from a sample of pairs, nats, computed in float64.

        Parameters
        ----------
        x, y
            Real numbers, (n, dim_x) and (n, dim_y), on any device.

        Raises
        ------
        UsageError
            Where the shapes or types are others, the sample is too small, or a number is not finite.
        """
        for side in (x, y):
            if not isinstance(side, Tensor) or side.is_complex():
                given = side.dtype if isinstance(side, Tensor) else type(side).__name__
                raise UsageError(f"a sample is two tensors of real numbers, not {given}; see torch.from_numpy")
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or 0 in x.shape[1:] + y.shape[1:]:
            shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
            raise UsageError(
                f"a sample of pairs has shapes (n, dim_x) and (n, dim_y), not {shapes}; give a row per pair"
            )
        if len(x) < (least := self.smallest_sample(x.shape[1], y.shape[1])):
            raise UsageError(
                f"a sample of {len(x)} pairs with {x.shape[1]} and {y.shape[1]} columns is too small for "
                f"{type(self).__name__}; give at least {least}"
            )
        if not (x.isfinite().all() and y.isfinite().all()):
            raise UsageError("the sample holds numbers that are not finite; leave out the pairs that they are in")
        return float(self.of_arrays(*as_arrays(x, y)))

    def estimate(self, scores: Scores) -> Tensor:
        """Refuse: there are no scores; see `value`."""
        raise TypeError(f"{type(self).__name__} takes a sample of pairs and no scores; call value(x, y)")

    def loss(self, scores: Scores) -> Tensor:
        """Refuse: nothing is minimised; see `value`."""
        raise TypeError(f"{type(self).__name__} trains nothing and has no loss; call value(x, y)")


def as_arrays(x: Tensor, y: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a sample as what `SampleEstimator.of_arrays` takes."""
    left, right = (side.detach().cpu().double().numpy() for side in (x, y))
    return left, right
