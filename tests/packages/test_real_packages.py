"""Installed packages answer in nats what a direct call gives after the unit's conversion.

They are asked where their environment is there; `make packages` makes all of them first.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from mibench.core.adapters import adapter, adapter_names, manifest_of
from mibench.core.answers import NATS_IN
from mibench.core.registry import ESTIMATORS
from mibench.packages.checks import normal_pairs

DIRECT = {
    "ennemi": ("import ennemi; value = ennemi.estimate_mi(y.ravel(), x.ravel())[0, 0]"),
    "entropy-estimators": ("from entropy_estimators import continuous; value = continuous.get_mi(x, y)"),
    "npeet-plus": ("import npeet_plus; value = npeet_plus.mi(x, y) * np.log(2)"),
    "scikit-learn": ("from sklearn.feature_selection import mutual_info_regression as f; value = f(x, y.ravel())[0]"),
}
"""How each package is called by who uses it by itself: ``value`` in nats."""


def test_every_package_is_called_directly() -> None:
    assert sorted(DIRECT) == adapter_names()


BOTH = """
import json, random, runpy, sys

import numpy as np

adapter_file, direct = sys.argv[1:]
estimate, samples, found = runpy.run_path(adapter_file)["estimate"], np.load("samples.npz"), []
for x, y in zip(samples["x"], samples["y"]):
    names = {"np": np, "x": x, "y": y}
    random.seed(0), np.random.seed(0)
    exec(direct, names)
    random.seed(0), np.random.seed(0)
    found.append((float(names["value"]), float(estimate(x, y))))
print(), print(json.dumps(found))
"""
"""Both values of every sample in one process of the package's environment: importing some packages takes seconds."""


@pytest.mark.parametrize("name", DIRECT)
def test_a_package_answers_what_a_direct_call_gives(name: str, tmp_path: Path) -> None:
    one = adapter(name)
    if (manifest := manifest_of(one)) is None:
        pytest.skip(f"{one.release} is not installed; 'make packages' installs all")
    assert manifest["error"] == ""
    samples = [normal_pairs(correlation, 2000, seed=seed) for correlation in (0.0, 0.6, 0.95) for seed in range(5)]
    np.savez(tmp_path / "samples.npz", x=[x for x, _ in samples], y=[y for _, y in samples])
    done = subprocess.run(
        [one.interpreter, "-I", "-W", "ignore", "-c", BOTH, str(one.file), DIRECT[name]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    direct, adapted = np.array(json.loads(done.stdout.splitlines()[-1])).T
    np.testing.assert_allclose(adapted * NATS_IN[one.unit], direct, rtol=0, atol=1e-9)
    whole = [ESTIMATORS.create(name).value(*map(torch.from_numpy, sample)) for sample in samples[::5]]
    np.testing.assert_allclose(whole, direct[::5], rtol=0, atol=1e-9)
