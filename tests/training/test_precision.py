"""Half precision: what is rounded and what is not, and FlatNCE's claim on the gradient near saturation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mibench.core.critic import Architecture, Critic
from mibench.core.estimator import Estimator, SampleEstimator
from mibench.core.lookup import get_estimator
from mibench.core.registry import ESTIMATORS
from mibench.core.scorer import Shape, as_scores
from mibench.core.scores import Scores
from mibench.critics.bilinear import Bilinear
from mibench.critics.cosine import Cosine
from mibench.critics.dot_products import DotScorer
from mibench.critics.joint import Joint
from mibench.critics.kernels import add_product_, affine, product
from mibench.critics.separable import Separable
from mibench.estimators.instance_discrimination import InstanceEstimator
from mibench.experiments import options
from mibench.experiments.specs import RunSpec
from mibench.running.packs import pack_key
from mibench.training.components import Run
from mibench.training.loop import Loop, train_pack
from mibench.training.objective import Objective
from mibench.training.pack import Pack
from mibench.training.precision import PRECISIONS, Precision
from tests.support.runs import specs_over

pytestmark = pytest.mark.usefixtures("one_thread", "small_pools")

HALF = {torch.float16: 0.02, torch.bfloat16: 0.15}  # relative error of a gradient
SCORING = [e.name for e in ESTIMATORS.entries() if not issubclass(ESTIMATORS.get(e.name), SampleEstimator)]
NAMES = [*SCORING, "infonce:ess=0.3", "alpha-cpc:alpha_start=3,alpha_steps=9"]
ON_PAIRS = [name for name in NAMES if not issubclass(ESTIMATORS.get(name.partition(":")[0]), InstanceEstimator)]


specs_of = specs_over({"task": "gaussian20d", "mi": 4, "hidden": "2x64", "seeds": 1, "steps": 30, "window": 10})


def raw_scores(estimator: Estimator, *, all_pairs: bool, n: int = 64) -> tuple[Tensor, dict[str, Tensor]]:
    g = torch.Generator().manual_seed(0)
    shape = (3, n, n) if all_pairs else (3, n + n * 4)
    return 2 * torch.randn(shape, generator=g), {e.name: torch.randn(shape, generator=g) for e in estimator.extras}


def test_names_stand_for_something() -> None:
    assert tuple(PRECISIONS) == options.PRECISIONS
    assert PRECISIONS[options.DEFAULTS["precision"]] == Precision()
    rounded = [name for name, precision in PRECISIONS.items() if precision.products is not None]
    assert tuple(rounded) == options.PRODUCT_PRECISIONS


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("all_pairs", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_losses_are_half_and_estimates_those_of_the_rounded_scores(
    name: str, all_pairs: bool, dtype: torch.dtype
) -> None:
    estimator = get_estimator(name)
    raw, extras = raw_scores(estimator, all_pairs=all_pairs)

    def objective(dtype: torch.dtype | None) -> Objective:
        return Objective([estimator] * 3, 64, all_pairs=all_pairs, device=torch.device("cpu"), dtype=dtype)

    half, full = objective(dtype), objective(None)
    loss, estimate, gradients = half.step(raw, extras)
    assert torch.equal(loss, loss.to(dtype).float())
    rounded = {extra: values.to(dtype).float() for extra, values in extras.items()}
    _, expected, references = full.step(raw.to(dtype).float(), rounded)
    torch.testing.assert_close(estimate, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(half.evaluate(raw, extras)[1], full.evaluate(raw.to(dtype).float(), rounded)[1])
    for gradient, reference in zip(gradients, references, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - reference).norm() <= HALF[dtype] * reference.norm()
    assert all(state.dtype == torch.float32 for state in half.states)


def test_pools_are_rounded_too() -> None:
    plain, scheduled = get_estimator("infonce"), get_estimator("infonce:ess=0.3")
    objective = Objective([plain, scheduled], 64, all_pairs=True, device=torch.device("cpu"), dtype=torch.float16)
    pool = Scores(torch.tensor([1.0001]), torch.tensor([[2.0001, 70000.0]]))
    for run in (0, 1):
        transform = objective.transform(run)
        assert transform is not None
        found = transform(pool)
        assert found.pos.dtype == torch.float32
        assert (found.pos.tolist(), found.neg.tolist()) == ([1.0], [[2.0, math.inf]])


@pytest.mark.parametrize(
    "given",
    [
        {"precision": "float16-scores", "critic": "separable", "estimator": ON_PAIRS, "negatives": "independent:m=4"},
        {"precision": "bfloat16-scores", "critic": "cosine", "batch": 20, "estimator": ["dv", "mine", "js"]},
        {"precision": "bfloat16-products", "critic": "separable", "estimator": ["nwj", "js", "tuba"]},
        {"precision": "bfloat16-products", "critic": "cosine", "batch": 20, "negatives": "independent:m=5"},
        {"precision": "bfloat16-products", "critic": "joint", "batch": 48, "negatives": "all-pairs"},
        {"precision": "bfloat16-products", "critic": "bilinear", "negatives": "shuffle"},
        {"precision": "bfloat16-products", "critic": "joint", "dropout": 0.3},
        {"precision": "float16-scores", "critic": "oracle", "estimator": ["nwj", "js", "infonce"]},
        {"precision": "bfloat16", "critic": "separable", "estimator": ["nwj", "js", "tuba"]},
        {"precision": "bfloat16", "critic": "siamese", "batch": 15, "activation": "elu", "hidden": "3x32"},
        {"precision": "bfloat16", "critic": "cosine", "batch": 20, "negatives": "independent:m=5"},
        {"precision": "bfloat16", "critic": "joint", "batch": 80, "negatives": "all-pairs"},
        {"precision": "bfloat16", "critic": "joint", "batch": 15, "activation": "elu", "hidden": "3x32", "mi": [2, 4]},
        {"precision": "bfloat16", "critic": "bilinear", "negatives": "shuffle"},
        {"precision": "bfloat16", "critic": "joint", "dropout": 0.3},
        {"precision": "bfloat16", "critic": "separable", "estimator": ["barber-agakov", "doe"], "mi": [2, 4]},
    ],
    ids=lambda given: "-".join(str(v) for v in given.values())[:60],
)
def test_a_run_is_the_same_alone_and_in_a_pack(given: dict[str, Any]) -> None:
    few = {"steps": 10, "window": 5, "every": 5}  # every step after one that differs differs too
    specs = specs_of(**{"estimator": ["infonce", "js", "dv"], **few, **given})
    packs: dict[Any, list[RunSpec]] = {}
    for spec in specs:
        packs.setdefault(pack_key(spec), []).append(spec)
    assert any(len(members) > 1 for members in packs.values())
    for members in packs.values():
        together = train_pack(members)
        for place in {0, len(members) - 1}:
            (alone,) = train_pack([members[place]])
            for column in ("estimate_train", "estimate_fresh", "estimate_fresh_large", "ess"):
                assert alone.rows[0][column] == together[place].rows[0][column]
            assert math.isfinite(alone.rows[0]["estimate_fresh_large"])


def test_products_round_their_inputs_and_nothing_else() -> None:
    g = torch.Generator().manual_seed(0)
    a, b, bias = (torch.randn(2, *shape, generator=g) for shape in ((8, 64), (64, 32), (1, 32)))
    exact = a.bfloat16().double() @ b.bfloat16().double()
    close = {"rtol": 1e-5, "atol": 1e-5}  # of a sum in float32, far below the rounding of the inputs
    torch.testing.assert_close(product(a, b, dtype=torch.bfloat16).double(), exact, **close)
    assert (product(a, b).double() - exact).abs().max() > 1e-3
    torch.testing.assert_close(
        affine(bias, a, b, a.new_empty(2, 8, 32), dtype=torch.bfloat16).double(), exact + bias, **close
    )
    total = bias.expand(2, 8, 32).clone()
    add_product_(total, a, b, dtype=torch.bfloat16)
    torch.testing.assert_close(total.double(), exact + bias, **close)


CRITICS = [
    (Separable(embed=8), (5, 5)),
    (Separable(embed=8), (5, 3)),
    (Cosine(embed=8, scale=7.0), (5, 5)),
    (Bilinear(), (5, 3)),
    (Joint(), (5, 3)),
]


@pytest.mark.parametrize("negatives", ["all-pairs", "three"])
@pytest.mark.parametrize(("critic", "dims"), CRITICS)
def test_critics_with_rounded_products(critic: Critic, dims: tuple[int, int], negatives: str) -> None:
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(2, 64, dim, generator=g) for dim in dims)
    index = None if negatives == "all-pairs" else torch.randint(64, (2, 64, 3), generator=g)
    found = []
    for products in (torch.bfloat16, None):
        shape = Shape(2, 64, 64, *dims, torch.device("cpu"), products)
        scorer = critic.build(shape, Architecture(depth=2, width=32, activation="elu"), [Estimator()] * 2)
        for run in (0, 1):
            scorer.initialise(run, torch.Generator().manual_seed(run))
        raw = scorer.forward(x, y, index, train=True)
        scorer.backward(torch.randn(raw.shape, generator=torch.Generator().manual_seed(1)))
        found.append((raw.clone(), scorer.gradients.clone()))
        matrix = torch.stack([scorer.block(scorer.prepare(r, x[r], y[r]), 0, 64) for r in (0, 1)])
        pairs = torch.stack([scorer.pairs(r, x[r], y[r]) for r in (0, 1)])
        pos = as_scores(raw, 64, all_pairs=index is None).pos
        # A float32 sum in another order may tip a later rounding to bfloat16.
        tolerance = {"rtol": 1e-5, "atol": 1e-5 if products is None else 2e-2 * float(raw.std())}
        torch.testing.assert_close(pairs, pos, **tolerance)
        torch.testing.assert_close(matrix.diagonal(dim1=1, dim2=2), pos, **tolerance)
    for half, full in zip(*found, strict=True):
        assert 1e-4 < (half - full).norm() / full.norm() < 0.03


def test_the_product_of_two_embeddings_is_rounded() -> None:
    shape = Shape(1, 64, 64, 5, 5, torch.device("cpu"), torch.bfloat16)
    scorer = Separable().build(shape, Architecture(depth=1, width=32), [Estimator()])
    assert isinstance(scorer, DotScorer)
    scorer.initialise(0, torch.Generator().manual_seed(0))
    raw = scorer.forward(*torch.randn(2, 1, 64, 5, generator=torch.Generator().manual_seed(1)), None, train=True)
    g, h = (side.bfloat16().double() for side in scorer._embedded)
    torch.testing.assert_close(raw.double(), g @ h.transpose(1, 2), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", options.PRODUCT_PRECISIONS)
def test_weights_and_adam_stay_in_float32(precision: str) -> None:
    (spec,) = specs_of(precision=precision, critic="separable", estimator="js", lr=1e-6)
    pack = Pack([Run.from_spec(spec)], torch.device("cpu"))
    before = pack.scorer.parameters.clone()
    Loop(pack).train()
    assert pack.scorer.parameters.dtype == torch.float32
    moved = pack.scorer.parameters - before
    assert 0 < moved.abs().max() < 1e-4
    assert (pack.scorer.parameters.bfloat16() == before.bfloat16()).double().mean() > 0.9  # what bfloat16 would lose


def test_the_exact_critic_has_scores_and_no_products() -> None:
    plain, products = specs_of(critic="oracle", estimator="infonce", precision=["float32", "float16-scores"])
    assert (plain.precision, products.precision) == ("float32", "float16-scores")
    for precision in options.PRODUCT_PRECISIONS:
        assert specs_of(critic="oracle", estimator="infonce", precision=precision) == [plain]


def test_what_takes_a_sample_has_nothing_to_round() -> None:
    given = {"estimator": "ksg", "precision": list(PRECISIONS)}
    assert [spec.precision for spec in specs_of(**given)] == ["float32"]


def test_an_overflow_is_a_diverged_row() -> None:
    options = {"critic": "cosine:scale=1e6", "estimator": "infonce", "negatives": "all-pairs"}
    full, half = (train_pack(specs_of(**options, precision=p))[0].rows[0] for p in ("float32", "float16-scores"))
    assert full["nonfinite_steps"] == 0
    assert (half["status"], half["divergence"], half["nonfinite_steps"]) == ("diverged", "non-finite", 30)


def saturated(n: int = 4, m: int = 8) -> tuple[Tensor, Tensor]:
    """Rows in float16 whose positive has the share ``p_ii = 1 - 1e-4``, which float16 does not tell from 1."""
    gap = math.log(1e-4 / m)
    return torch.full((n,), 0.0, dtype=torch.float16), torch.full((n, m), gap, dtype=torch.float16)


def test_near_saturation_a_softmax_in_float16_loses_the_positives_gradient() -> None:
    pos, neg = saturated()
    logits = torch.cat((pos.unsqueeze(1), neg), 1).requires_grad_()
    loss = torch.nn.functional.cross_entropy(logits, torch.zeros(len(pos), dtype=torch.long))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[:, 0].any()  # 1 - p_ii is 0
    torch.testing.assert_close(gradient[:, 1:].float().sum(1), torch.full((4,), 1e-4 / 4), rtol=0.05, atol=0)


@pytest.mark.parametrize(("name", "expected"), [("infonce", 1e-4 / 4), ("flatnce", 1 / 4)])
def test_near_saturation_infonce_and_flatnce_keep_both_gradients(name: str, expected: float) -> None:
    pos, neg = (tensor.requires_grad_() for tensor in saturated())
    loss = get_estimator(name).loss(Scores(pos, neg))
    of_pos, of_neg = torch.autograd.grad(loss, (pos, neg))
    torch.testing.assert_close(-of_pos.float(), torch.full((4,), expected), rtol=0.05, atol=0)
    torch.testing.assert_close(of_neg.float().sum(1), torch.full((4,), expected), rtol=0.05, atol=0)


def test_beyond_that_infonce_underflows_and_flatnce_does_not() -> None:
    pos, neg = saturated()
    lost, kept = (
        torch.autograd.grad(get_estimator(name).loss(Scores(p, q)), (p, q))
        for name in ("infonce", "flatnce")
        for p, q in [(pos.clone().requires_grad_(), (neg - 8).requires_grad_())]
    )
    assert not lost[1].any()
    assert (kept[1] > 0.03).all()
    assert (kept[0] == -0.25).all()


def test_infonce_and_flatnce_train_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mibench.training.evaluation.CHEAP_POOL", 2**12)  # the two differ on large pools only
    options = {"mi": 8, "critic": "cosine:scale=20", "batch": 32, "estimator": ["infonce", "flatnce"], "steps": 400}
    ends = []
    for precision in ("float32", "float16-scores"):
        runs = train_pack(specs_of(**options, hidden="1x64", lr=1e-3, window=100, precision=precision))
        infonce, flatnce = (run.rows[0] for run in runs)
        for row in (infonce, flatnce):
            assert (row["status"], row["nonfinite_steps"], row["precision"]) == ("ok", 0, precision)
        assert infonce["estimate_fresh_large"] < flatnce["estimate_fresh_large"]
        ends.append((infonce["estimate_train"], flatnce["estimate_train"]))
    assert ends[1] == pytest.approx(ends[0], abs=0.15)  # other data; runs of one precision differ by 0.05
