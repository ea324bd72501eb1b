"""Codes of digits: the autoencoder, the task on its codes, and probes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from mibench.core.errors import UsageError
from mibench.core.lookup import get_task
from mibench.tasks.autoencoder import train_autoencoder
from mibench.tasks.digits import load_digits
from mibench.tasks.digits_v_information import DigitsVInformation
from mibench.testing import check_task
from mibench.training.probes import probe_accuracy


def coded(**params: Any) -> DigitsVInformation:
    task = get_task("digits-v-information", **params)
    assert isinstance(task, DigitsVInformation)
    return task


def test_a_linear_decoder_s_information_is_at_most_that_of_principal_components_and_near_it() -> None:
    task = coded()
    images = task.images("train").images.double()
    variances = torch.linalg.eigvalsh(torch.cov(images.T, correction=0)).flip(0)
    v_information = task.autoencoder.v_information(images)
    assert 0.95 * variances[:8].sum() < v_information <= variances[:8].sum()
    assert v_information == pytest.approx(
        float(variances.sum()) - task.autoencoder.reconstruction_error(images), abs=1e-9
    )


def test_a_decoder_that_can_do_more_has_more_of_it_with_few_columns() -> None:
    linear, mlp = coded(), coded(decoder="mlp")
    for half in ("train", "test"):
        images = linear.images(half).images
        assert mlp.autoencoder.v_information(images) > linear.autoencoder.v_information(images) + 0.3


def test_training_again_gives_the_same_codes_and_leaves_global_randomness_alone() -> None:
    task = coded()
    images = task.images("train").images
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with torch.no_grad():  # as the engine's evaluations ask for samples
        again = train_autoencoder(images, decoder="linear", code=8, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(again.encode(images), task.codes("train")[0])


def test_halves_share_no_image_and_codes_of_the_first_are_standardised() -> None:
    task = coded()
    train, test = task.images("train"), task.images("test")
    assert (len(train.labels), len(test.labels)) == (899, 898)
    assert len(torch.cat((train.images, test.images)).unique(dim=0)) == 1797
    assert not torch.equal(train.images, coded(seed=1).images("train").images)
    codes, labels = task.codes("train")
    assert torch.equal(labels, train.labels)
    torch.testing.assert_close(codes.mean(0), torch.zeros(8), rtol=0, atol=1e-5)
    torch.testing.assert_close(codes.std(0, correction=0), torch.ones(8), rtol=0, atol=1e-5)


def test_pairs_are_codes_of_the_second_half_with_their_labels_and_the_information_is_the_label_s_entropy() -> None:
    task = coded()
    codes, labels = task.codes("test")
    p = labels.bincount().double() / 898
    assert len(codes.unique(dim=0)) == 898
    assert task.mi == pytest.approx(float(-(p * p.log()).sum()), abs=1e-12)
    assert task.normalised_mi == pytest.approx(1, abs=1e-12)
    x, y = task.sample(2000, torch.Generator().manual_seed(0))
    nearest = torch.cdist(x.double(), codes.double()).argmin(1)
    assert torch.equal(codes[nearest], x)
    assert torch.equal(y.argmax(1), labels[nearest])
    assert torch.equal(y.sum(1), torch.ones(2000))
    torch.testing.assert_close(task.log_ratio(x, y), -p.log()[labels[nearest]])
    assert (task.log_ratio(x, y.roll(1, 1)) == -math.inf).all()
    values, log_p = task.support_y()
    assert log_p.exp().tolist() == pytest.approx(p[values.argmax(1)].tolist())


def test_the_task_conforms_with_the_other_decoder() -> None:
    assert [finding for finding in check_task(coded(decoder="mlp")) if not finding.passed] == []


def test_probes_read_the_labels_of_new_images() -> None:
    task = coded()
    linear, mlp = (probe_accuracy(task.codes("train"), task.codes("test"), probe=p) for p in ("linear", "mlp"))
    assert linear.n == 898
    assert linear.low < linear.value < linear.high
    assert linear.value > 0.8
    assert mlp.low > linear.high


def test_a_linear_probe_cannot_read_an_exclusive_or_and_a_perceptron_can() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (1200, 2))
    labels = (points.prod(1) > 0).astype(int)
    train, test = (points[:800], labels[:800]), (points[800:], labels[800:])
    assert probe_accuracy(train, test).high < 0.7
    assert probe_accuracy(train, test, probe="mlp").low > 0.9


def test_the_interval_is_wilson_s() -> None:
    x = np.array([[-1.0], [1.0]] * 20)
    y = np.array([0, 1] * 20)
    accuracy = probe_accuracy((x, y), (x[:10], 1 - y[:10]))  # all wrong
    z2 = 1.959963984540054**2
    assert (accuracy.value, accuracy.n) == (0.0, 10)
    assert accuracy.low == pytest.approx(0, abs=1e-12)
    assert accuracy.high == pytest.approx(z2 / (10 + z2), rel=1e-6)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ((np.ones((4, 2)), np.ones(3)), (np.ones((4, 2)), np.ones(4))),
        ((np.ones((4, 2)), np.ones(4)), (np.ones((4, 3)), np.ones(4))),
        ((np.ones((4, 2)), np.ones(4)), (np.ones((0, 2)), np.ones(0))),
        ((np.ones(4), np.ones(4)), (np.ones((4, 2)), np.ones(4))),
        ((np.ones((4, 2)), np.ones(4)), (np.ones((4, 2)), np.ones(4))),
        ((np.ones((2, 2)), np.arange(2)), (np.full((4, 2), np.nan), np.ones(4))),
    ],
)
def test_rows_that_do_not_fit_are_refused_in_one_sentence(train: Any, test: Any) -> None:
    with pytest.raises(UsageError) as caught:
        probe_accuracy(train, test)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("params", [{"code": 0}, {"code": 65}, {"seed": -1}, {"decoder": "conv"}])
def test_parameters_out_of_range_are_refused_in_one_sentence(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        coded(**params)
    assert "\n" not in str(caught.value)


def test_images_are_read_once() -> None:
    assert load_digits() is load_digits()
