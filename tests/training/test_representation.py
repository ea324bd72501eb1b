"""Representations: one encoder for both sides, descent with momentum, shared negatives, probes and kept codes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import mibench
from mibench.core.critic import Architecture
from mibench.core.errors import UsageError
from mibench.core.scorer import Shape
from mibench.critics.dot_products import DotScorer, gradient_of_pool, gradient_of_rows, inner_products
from mibench.critics.module import ModuleScorer
from mibench.critics.siamese import Siamese
from mibench.experiments.grid import resolve
from mibench.training.components import Run
from mibench.training.dataset import regime_of
from mibench.training.history import History
from mibench.training.loop import train_pack
from mibench.training.pack import Pack
from mibench.training.representation import KEPT_POINTS, POINTS, representation_columns

SPIRALS = {
    "task": "double-spirals:points=512", "estimator": "infonce", "critic": "siamese:embed=2", "hidden": "2x16",
    "batch": 32, "steps": 20, "seeds": 1, "window": 10, "every": 10,
}  # fmt: skip


def test_the_stacked_encoder_has_the_values_and_gradients_of_the_plain_module() -> None:
    shape = Shape(runs=2, batch=8, pool=11, dim_x=3, dim_y=3, device=torch.device("cpu"))
    stacked = DotScorer(shape, hidden=(2, 16), embed=2, shared=True)
    plain = ModuleScorer(shape, lambda: Siamese(embed=2).module(3, 3, Architecture(2, 16)))
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 8, 3, generator=generator), torch.randn(2, 11, 3, generator=generator)
    index = torch.arange(8, 11).expand(2, 8, 3)
    for run in range(2):
        plain.initialise(run, torch.Generator().manual_seed(run))
        linears = [layer for layer in plain._modules[run].g if isinstance(layer, nn.Linear)]
        for linear, layer in zip(stacked._towers[0].linears, linears, strict=True):
            linear.weight[run, : layer.in_features, : layer.out_features] = layer.weight.T.detach()
            linear.bias[run, 0, : layer.out_features] = layer.bias.detach()
    raw, other = (scorer.forward(x, y, index, train=True) for scorer in (stacked, plain))
    torch.testing.assert_close(raw, other)
    gradient = torch.randn(raw.shape, generator=generator)
    stacked.backward(gradient)
    plain.backward(gradient)
    for run in range(2):
        linears = [layer for layer in plain._modules[run].g if isinstance(layer, nn.Linear)]
        for linear, layer in zip(stacked._towers[0].linears, linears, strict=True):
            assert layer.weight.grad is not None
            got = linear.weight_gradient[run, : layer.in_features, : layer.out_features]
            torch.testing.assert_close(got, layer.weight.grad.T, rtol=1e-4, atol=1e-5)


def test_shared_negatives_give_what_listed_ones_give() -> None:
    generator = torch.Generator().manual_seed(2)
    g, h = torch.randn(2, 4, 32, generator=generator), torch.randn(2, 9, 32, generator=generator)
    shared = torch.tensor([4, 6, 8]).expand(2, 4, 3)
    listed = shared.contiguous()
    torch.testing.assert_close(inner_products(g, h, shared), inner_products(g, h, listed))
    gradient = torch.randn(2, 4 + 12, generator=generator)
    torch.testing.assert_close(gradient_of_rows(gradient, h, shared), gradient_of_rows(gradient, h, listed))
    torch.testing.assert_close(gradient_of_pool(gradient, g, 9, shared), gradient_of_pool(gradient, g, 9, listed))


def test_fixed_points_among_shared_negatives_are_those_of_their_rows() -> None:
    shared = torch.tensor([[[1, 2, 9], [9, 9, 9]]]).unsqueeze(2).expand(1, 2, 4, 3)  # (R, steps, N, M)
    history = History(1, 2, torch.device("cpu"))
    history.count_fixed_points(0, shared)
    counts = [history.fixed_points(0, step, step + 1) for step in range(2)]
    history.count_fixed_points(0, shared.contiguous())
    assert counts == [history.fixed_points(0, step, step + 1) for step in range(2)] == [2.0, 0.0]


def test_descent_takes_the_steps_of_its_definition() -> None:
    (spec,) = resolve({**SPIRALS, "optimiser": "sgd:momentum=0.9", "lr": 0.01, "weight_decay": 0.1})
    pack = Pack([Run.from_spec(spec)], torch.device("cpu"))
    parameters, velocity = pack.scorer.parameters.clone(), torch.zeros_like(pack.scorer.parameters)
    feed = regime_of(pack).training_feed(0).block(3)
    for step in range(3):
        pack.step(feed.step(step))
        velocity = 0.9 * velocity + pack.scorer.gradients + 0.1 * parameters
        parameters = parameters - 0.01 * velocity
        torch.testing.assert_close(pack.scorer.parameters, parameters)


@pytest.mark.parametrize("bad", ["sgd:momentum=1", "adam:momentum=0.9", "rmsprop", "sgd:nesterov=1", "sgd:momentum=x"])
def test_optimisers_that_do_not_exist_are_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="optimiser"):
        resolve({**SPIRALS, "optimiser": bad})


def test_the_optimiser_is_part_of_the_id_and_adam_leaves_ids_as_they_were() -> None:
    plain, adam, sgd = (resolve({**SPIRALS, **o})[0] for o in ({}, {"optimiser": "adam"}, {"optimiser": "sgd"}))
    assert plain.run_id == adam.run_id != sgd.run_id
    assert "optimiser" not in plain.canonical
    assert resolve({**SPIRALS, "critic": "oracle", "optimiser": "sgd"})[0].optimiser == "adam"


def test_a_siamese_critic_needs_equal_sides() -> None:
    with pytest.raises(UsageError, match="as many columns of x as of y"):
        resolve({**SPIRALS, "task": "digits-label"})
    with pytest.raises(UsageError, match="sees both sides whole"):
        resolve({**SPIRALS, "task": "gaussian20d:dim=4", "estimator": "hybrid"})


@pytest.mark.usefixtures("small_pools")
def test_a_run_keeps_codes_and_probes_with_the_baseline() -> None:
    (spec,) = resolve(SPIRALS)
    (result,) = train_pack([spec])
    outcomes, codes = (json.loads(result.rows[0][name]) for name in ("outcomes", "codes"))
    assert set(outcomes) == {"x_linear", "code_linear", "points"}
    assert outcomes["points"] == POINTS
    assert 0.3 < outcomes["x_linear"] < 0.75  # the arms are interleaved: a line through the plane does not part them
    assert np.shape(codes["x"]) == np.shape(codes["code"]) == (KEPT_POINTS, 2)
    assert set(codes["label"]) == {0, 1}
    task = mibench.get_task("double-spirals", points=512)
    curve = {tuple(float(f"{v:.5g}") for v in point) for point in task.curve.tolist()}
    assert {tuple(point) for point in codes["x"]} <= curve  # points of the curve, without noise


@pytest.mark.usefixtures("small_pools")
def test_kept_codes_are_those_of_the_trained_encoder() -> None:
    (spec,) = resolve(SPIRALS)
    pack = Pack([Run.from_spec(spec)], torch.device("cpu"))
    task = pack.runs[0].tasks[0]
    columns = representation_columns(task, pack.runs[0].estimator, 32, pack.scorer, 0, torch.Generator().manual_seed(3))
    kept = json.loads(columns["codes"])
    module = Siamese(embed=2).module(2, 2, Architecture(2, 16))
    linears = [layer for layer in module.g if isinstance(layer, nn.Linear)]
    for linear, layer in zip(pack.scorer._towers[0].linears, linears, strict=True):
        layer.weight.data = linear.weight[0, : layer.in_features, : layer.out_features].T.clone()
        layer.bias.data = linear.bias[0, 0, : layer.out_features].clone()
    codes = module.g(torch.tensor(kept["x"]))
    np.testing.assert_allclose(kept["code"], codes.detach().numpy(), atol=1e-4)


def test_codes_that_are_not_finite_are_nulls_and_not_probed() -> None:
    (spec,) = resolve(SPIRALS)
    pack = Pack([Run.from_spec(spec)], torch.device("cpu"))
    pack.scorer.parameters.fill_(torch.nan)
    task = pack.runs[0].tasks[0]
    columns = representation_columns(task, pack.runs[0].estimator, 32, pack.scorer, 0, torch.Generator().manual_seed(3))
    assert json.loads(columns["outcomes"])["code_linear"] is None
    assert json.loads(columns["codes"])["code"][0] == [None, None]


@pytest.mark.usefixtures("small_pools")
def test_tasks_without_labels_have_neither() -> None:
    (result,) = train_pack(resolve({**SPIRALS, "task": "gaussian20d:dim=2", "mi": 1.0}))
    assert result.rows[0]["outcomes"] is None
    assert result.rows[0]["codes"] is None


@pytest.mark.usefixtures("small_pools")
def test_probes_of_digits_are_tested_on_the_other_half() -> None:
    task = mibench.get_task("digits-v-information", code=2)
    (train, _), (test, _) = (task.labelled(2000, torch.Generator(), held_out=held_out) for held_out in (False, True))
    assert len(train) + len(test) == 1797
    assert not {tuple(row) for row in train.tolist()} & {tuple(row) for row in test.tolist()}


@pytest.mark.usefixtures("small_pools")
def test_the_binary_pair_brings_what_to_expect_of_a_batch() -> None:
    options = {"task": "binary-exact", "critic": "oracle", "negatives": "all-pairs", "batch": 3, "seeds": 1}
    names = ["alpha-cpc:alpha=0.5", "infonce", "ml-cpc", "nwj"]
    results = train_pack(resolve({**options, "estimator": names, "steps": 4000, "window": 4000}))
    assert results[-1].rows[0]["outcomes"] is None
    for result in results[:-1]:
        (row,) = result.rows
        outcomes = json.loads(row["outcomes"])
        error = (outcomes["variance"] / 4000) ** 0.5
        assert abs(row["estimate_train"] - outcomes["expected"]) < 4 * error
    assert round(json.loads(results[0].rows[0]["outcomes"])["expected"], 4) == 0.7174


def test_workers_do_not_import_what_only_probes_and_reports_need() -> None:
    code = "import sys, mibench.training; sys.exit(bool({'scipy', 'sklearn', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
