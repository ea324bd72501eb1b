"""Components as specifications hold them: the same bytes whichever way a setting is written, then and now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS, Registry
from mibench.experiments.components import REGISTRIES, stored
from mibench.experiments.specs import RunSpec, params_from_json, params_json
from mibench.store.folders import load_runs
from tests.support.paths import ROOT


@pytest.mark.parametrize("registry", [TASKS, ESTIMATORS, CRITICS, NEGATIVES], ids=lambda registry: registry.what)
def test_defaults_of_built_ins_have_the_bytes_of_the_same_values_written_out(registry: Registry[Any]) -> None:
    for entry in registry.entries(all_versions=True):
        built = registry.create(entry.id)
        name, params = stored(registry, built)
        assert name == entry.id
        assert params == built.params() == registry.get(entry.id)().params()
        as_text = {key: str(value) for key, value in params}
        assert params_json(registry.create(entry.id, as_text).params()) == params_json(params)


@pytest.mark.parametrize("folder", ["results/standard", "results/claims"])
def test_published_rows_are_built_again_with_the_bytes_and_the_ids_that_they_were_stored_with(folder: str) -> None:
    rows = load_runs(Path(ROOT, folder)).drop_duplicates("run_id")
    for text, run_id in zip(rows["spec"], rows["run_id"], strict=True):
        assert RunSpec.from_json(text).run_id == run_id
    for option, registry in REGISTRIES.items():
        columns = rows[[option, f"{option}_version", f"{option}_params"]]
        if option == "task":  # whose level is a stair's where there are several
            columns = columns[rows["schedule"] == "[]"]
        for name, version, text in columns.drop_duplicates().itertuples(index=False):
            component = registry.create(f"{name}-v{version}", dict(params_from_json(text)))
            assert stored(registry, component) == (f"{name}-v{version}", params_from_json(text))
            assert params_json(component.params()) == text
