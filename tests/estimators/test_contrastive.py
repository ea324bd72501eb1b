"""ESS scheduling: what a step does to beta, what is held and what runs away, and that a run is its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from mibench.core.errors import UsageError
from mibench.core.lookup import get_estimator
from mibench.core.registry import ESTIMATORS
from mibench.core.scores import Scores, effective_sample_size
from mibench.estimators.contrastive import Contrastive
from mibench.experiments.grid import resolve
from mibench.training.components import Run
from mibench.training.evaluation import evaluate_pool
from mibench.training.loop import Loop, RunResult, train_pack
from mibench.training.objective import Objective
from mibench.training.pack import Pack

pytestmark = pytest.mark.usefixtures("one_thread", "small_pools")

FAMILY = ("alpha-cpc", "alpha-ml-cpc", "flatnce", "holder-flatnce", "infonce", "ml-cpc", "vince")
SETUP = {"task": "gaussian20d", "mi": 8, "critic": "cosine:scale=20", "batch": 32, "hidden": "1x64", "seeds": 1}


def scores(runs: int = 3, n: int = 32, m: int = 31) -> Scores:
    g = torch.Generator().manual_seed(1)
    return Scores.from_pairs(torch.randn(runs, n, generator=g) + 2, 2 * torch.randn(runs, n, m, generator=g))


def trained(**options: Any) -> list[RunResult]:
    return train_pack(resolve({**SETUP, "steps": 500, "window": 200, "every": 5, "lr": 1e-3, **options}))


def test_the_family_is_every_estimator_that_derives_from_the_base() -> None:
    names = {e.name for e in ESTIMATORS.entries() if issubclass(ESTIMATORS.get(e.name), Contrastive)}
    assert names == set(FAMILY)


@pytest.mark.parametrize("name", FAMILY)
def test_a_step_moves_beta_by_the_rate_towards_the_target(name: str) -> None:
    given = scores()
    now = effective_sample_size(given)
    for sign, up in (("corrected", 1.05), ("printed", 0.95)):
        for target, factor in ((float(now.min()) - 0.01, up), (float(now.max()) + 0.01, 2 - up)):
            estimator = get_estimator(name, ess=target, ess_rate=0.05, ess_sign=sign)
            state = torch.full((3, 1), math.log(0.5))
            _, after = estimator.stateful_loss(given, state)
            torch.testing.assert_close(after, state + math.log(factor))


@pytest.mark.parametrize("name", FAMILY)
def test_loss_and_estimate_are_those_of_the_scaled_critic(name: str) -> None:
    given, state = scores(), torch.full((3, 1), math.log(0.25))
    scheduled, plain = get_estimator(name, ess=0.3), get_estimator(name)
    scaled, shaped = Scores(0.25 * given.pos, 0.25 * given.neg), scheduled.transform(given, state)
    torch.testing.assert_close(scheduled.estimate(shaped), plain.estimate(scaled))
    torch.testing.assert_close(scheduled.stateful_loss(shaped, state)[0], plain.loss(scaled))
    assert plain.state_size == 0


def test_extras_and_weights_are_not_scaled() -> None:
    given = scores(1)
    extra, weights = Scores(given.pos + 1, given.neg + 1), given.neg + 2
    both = Scores(given.pos, given.neg, {"baseline": extra}, weights)
    shaped = get_estimator("infonce:ess=0.3").transform(both, torch.full((1, 1), 3.0))
    assert torch.equal(shaped.extras["baseline"].pos, extra.pos)
    assert shaped.log_weights is weights


def test_alpha_and_beta_move_side_by_side() -> None:
    given = scores()
    schedule = {"alpha": 0.5, "alpha_start": 5.0, "alpha_steps": 4}
    for name in ("alpha-cpc", "alpha-ml-cpc"):
        both, beta, alpha = (get_estimator(name, **o) for o in ({"ess": 0.3, **schedule}, {"ess": 0.3}, schedule))
        states = [torch.tensor([e.initial_state()] * 3) for e in (both, beta, alpha)]
        for _ in range(3):
            shaped = both.transform(given, states[0])
            loss, states[0] = both.stateful_loss(shaped, states[0])
            _, states[1] = beta.stateful_loss(shaped, states[1])
            expected, states[2] = alpha.stateful_loss(shaped, states[2])
            assert torch.equal(loss, expected)
        assert torch.equal(states[0], torch.cat(states[1:], 1))
        assert states[0][0, 1] == 3


def test_targets_are_held_and_the_printed_sign_runs_away() -> None:
    names = [f"{name}:ess={target}" for name in ("infonce", "flatnce") for target in (0.15, 0.3, 0.6)]
    for result in trained(estimator=names):
        target = dict(result.spec.estimator_params)["ess"]
        started = result.curve["step"] > 250
        assert np.abs(result.curve["ess"][started] - target).max() < 0.05
        assert result.rows[0]["ess"] == pytest.approx(target, abs=0.01)
        assert 0.1 < result.rows[0]["inverse_temperature"] < 0.8
    above, below = (r.rows[0] for r in trained(estimator=[f"infonce:ess={t},ess_sign=printed" for t in (0.1, 0.6)]))
    assert above["ess"] > 0.95
    assert above["inverse_temperature"] == pytest.approx(0.99**500, rel=1e-3)
    assert below["ess"] < 0.05
    assert below["inverse_temperature"] > 100


@pytest.mark.parametrize("batch", [32, 20])
def test_a_scheduled_run_is_the_same_alone_and_in_a_pack(batch: int) -> None:
    names = [f"{name}:ess=0.3" for name in FAMILY] + ["infonce", "alpha-cpc:ess=0.2,alpha_start=5,alpha_steps=9"]
    options = {"steps": 40, "window": 10, "batch": batch}
    together = trained(estimator=names, **options)
    for name, result in zip(names, together, strict=True):
        (alone,) = trained(estimator=name, **options)
        for column in ("estimate_train", "estimate_fresh", "estimate_fresh_large", "ess", "inverse_temperature"):
            assert alone.rows[0][column] == result.rows[0][column]
        assert np.array_equal(alone.curve["ess"], result.curve["ess"])
    assert [r.rows[0]["inverse_temperature"] is None for r in together] == [name == "infonce" for name in names]


def test_a_pool_by_rows_agrees_with_the_whole_at_the_last_beta() -> None:
    specs = resolve({**SETUP, "estimator": "ml-cpc:ess=0.6", "steps": 50, "window": 10})
    run = Run.from_spec(specs[0])
    pack = Pack([run], torch.device("cpu"))
    Loop(pack).train()
    x, y = run.tasks[0].sample(200, torch.Generator().manual_seed(0))
    transform = pack.objective.transform(0)
    (by_rows,) = evaluate_pool(pack.scorer, 0, [run.estimator], x, y, block=37, transform=transform)
    (plain,) = evaluate_pool(pack.scorer, 0, [run.estimator], x, y)
    matrix = pack.scorer.block(pack.scorer.prepare(0, x, y), 0, 200).double()
    beta = pack.objective.inverse_temperature(0)
    assert beta is not None
    assert beta < 0.8
    assert by_rows == pytest.approx(
        float(get_estimator("ml-cpc").estimate(Scores.from_matrix(beta * matrix))), rel=1e-5
    )
    assert abs(by_rows - plain) > 0.1


def test_the_recorded_ess_is_that_of_the_scaled_scores() -> None:
    estimators = [get_estimator("infonce:ess=0.9"), get_estimator("infonce")]
    objective = Objective(estimators, 32, all_pairs=True, device=torch.device("cpu"))
    raw = 3 * torch.randn(2, 32, 32, generator=torch.Generator().manual_seed(0))
    for _ in range(20):
        objective.step(raw, {})
    beta = objective.inverse_temperature(0)
    assert beta == pytest.approx(0.99**20)
    scaled = torch.stack((beta * raw[0], raw[1]))
    torch.testing.assert_close(objective.effective_sample_size(raw), effective_sample_size(Scores.from_matrix(scaled)))


def test_a_default_that_is_spelt_out_is_the_same_run() -> None:
    assert get_estimator("infonce:ess=0.3") == get_estimator("infonce:ess=0.3,ess_rate=0.01,ess_sign=corrected")


@pytest.mark.parametrize("name", FAMILY)
def test_a_grid_refuses_rows_that_cannot_have_the_target(name: str) -> None:
    grid = {"task": "gaussian20d", "mi": 2, "estimator": f"{name}:ess=0.3", "steps": 10}
    with pytest.raises(UsageError, match=r"0\.3 needs more than 3\.33333 negatives in a row, but there are 1; use"):
        resolve({**grid, "negatives": "shuffle"})
    with pytest.raises(UsageError, match=r"0\.3 needs more than 3\.33333 negatives in a row, but there are 3; use"):
        resolve({**grid, "negatives": "independent:m=3"})
    assert resolve({**grid, "negatives": "independent:m=4"})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("ess=0", r"ess must lie in \(0, 1\], not 0"),
        ("ess=1.5", r"ess must lie in \(0, 1\], not 1.5"),
        ("ess=0.3,ess_rate=1", r"ess_rate must lie in \(0, 1\), not 1"),
        ("ess=0.3,ess_rate=0", r"ess_rate must lie in \(0, 1\), not 0"),
        ("ess_rate=0.1", "give ess too"),
        ("ess_sign=printed", "give ess too"),
        ("ess=0.3,ess_sign=wrong", "'wrong' is none of corrected, printed"),
    ],
)
def test_bad_parameters_are_refused(params: str, message: str) -> None:
    for name in ("infonce", "holder-flatnce", "alpha-cpc"):
        with pytest.raises(UsageError, match=message):
            get_estimator(f"{name}:{params}")
