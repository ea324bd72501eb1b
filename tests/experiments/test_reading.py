"""Options become typed values in one pass, whether some run has a use for them or not."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from mibench.core.errors import UsageError
from mibench.experiments.grid import read_grid, resolve
from mibench.experiments.options import BUDGETS, DEFAULTS, OPTION_NAMES
from mibench.experiments.reading import Combination, Options, read_options
from mibench.experiments.specs import Hidden
from mibench.experiments.values import NATS_PER_BIT, as_stored

BASE = {"task": "gaussian20d", "mi": 5, "estimator": "nwj", "seeds": 1}


def test_what_is_read_has_types_and_one_form() -> None:
    read = read_options({
        "estimator": ["nwj", " smile : tau = 5 "], "mi": ["2bits", 3], "batch": "6.4e1", "hidden": "2X8",
        "dropout": ["0.5/0.5", ".5/0.25"], "lr": 1, "seed": ["7", 3.0], "optimiser": "sgd:momentum=.9",
    })  # fmt: skip
    assert [(name.name, dict(name.params)) for name in read.estimator] == [("nwj", {}), ("smile", {"tau": "5"})]
    assert read.mi == (2 * NATS_PER_BIT, 3.0)
    assert (read.batch, read.hidden, read.lr, read.seeds) == ((64,), (Hidden(2, 8),), (1.0,), (7, 3))
    assert [as_stored(value) for value in (*read.dropout, *read.hidden)] == ["0.5", "0.5/0.25", "2x8"]
    assert read.optimiser == ("sgd:momentum=0.9",)
    given = {"estimator", "mi", "batch", "hidden", "dropout", "lr", "seeds", "optimiser"}
    left = {f.name for f in dataclasses.fields(Options)} - given - {"budget"}
    assert {getattr(read, name) for name in left} == {()}
    assert read.budget == BUDGETS[DEFAULTS["budget"]]


def test_every_option_has_a_place_among_the_typed_values() -> None:
    fields = {f.name for f in dataclasses.fields(Options)}
    assert fields == {*OPTION_NAMES} - {"seed"}
    order = [name for name in OPTION_NAMES if name not in ("mi", "schedule", "seed", "seeds", "budget")]
    assert [f.name for f in dataclasses.fields(Combination)] == order


@pytest.mark.parametrize(("options", "message"), [
    ({"critic": "oracle", "hidden": "8"}, "hidden '8' does not parse"),
    ({"critic": "oracle", "lr": 0}, "lr must be a finite number above 0, not 0"),
    ({"critic": "bilinear", "dropout": 1}, r"dropout must lie in \[0, 1\), not 1"),
    ({"estimator": "ksg", "precision": "x"}, "unknown precision 'x'"),
    ({"estimator": "ksg", "optimiser": "x"}, "unknown optimiser 'x'"),
    ({"steps": 10, "seeds": 1, "budget": "standart"}, "unknown budget 'standart'; did you mean 'standard'"),
])  # fmt: skip
def test_a_value_is_checked_even_where_no_run_has_a_use_for_it(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve({**BASE, **options})


def test_an_option_of_many_values_is_read_once_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []

    class Text(str):
        def split(self, *args: Any) -> list[str]:  # type: ignore[override]  # what a reader of dropout does
            read.append(str(self))
            return super().split(*args)

    rates = [Text("0.1"), Text("0.2/0.3")]
    assert len(resolve({**BASE, "dropout": rates, "batch": [8, 16], "lr": [0.1, 0.2], "seeds": 2})) == 16
    assert read == ["0.1", "0.2/0.3"]


def test_counts_of_runs_need_no_runs() -> None:
    read = read_options({**DEFAULTS, **BASE, "batch": [8, 16], "mi": [1, 2, 3], "seeds": 10**12})
    assert read.count == 6 * 10**12
    assert len(list(read.combinations())) == 2


def test_a_grid_is_read_without_torch_and_without_a_registered_estimator() -> None:
    grid = read_grid({"task": "gaussian20d", "estimator": "my-bound", "exclude": [{"batch": "8"}]})
    assert ([p.estimator[0].text for p in grid.products], grid.excluded[0].batch) == (["my-bound"], (8,))
    code = (
        "import sys; from mibench.experiments.grid import load_grid, read_grid; read_grid(load_grid('gosch-2')); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", sorted(set(OPTION_NAMES)))
@pytest.mark.parametrize("value", ["", " "])
def test_text_without_a_character_is_no_value(name: str, value: str) -> None:
    for given in (value, [value]):
        with pytest.raises(UsageError, match=r"is empty; give it a value|takes (one name|how many), not a list"):
            read_options({name: given})


def test_a_budget_that_is_not_run_is_read_all_the_same() -> None:
    base = {"task": "gaussian20d", "estimator": "nwj"}
    for table, message in (
        (3, "'paper' must be a table of options"),
        ({"budget": 3}, "budget must be one of the words quick, standard, paper, not 3"),
        ({"steps": "many"}, "steps must be a whole number"),
        ({"include": [{"batch": ""}]}, "option 'batch' is empty"),
    ):
        with pytest.raises(UsageError, match=message):
            read_grid({**base, "paper": table})
