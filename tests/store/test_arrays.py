"""Arrow arrays that are made without pandas: as pyarrow makes them, of whatever they are given."""

from __future__ import annotations

import datetime
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.store.arrays import array_from, array_of

INTEGERS = st.integers(-(2**63), 2**63 - 1)
TIMES = st.datetimes(timezones=st.just(datetime.UTC))
PLAIN: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(st.characters(exclude_categories=["Cs"])),
    pa.float64(): st.floats() | st.integers(-(2**53), 2**53),
    pa.int64(): INTEGERS,
    pa.timestamp("us", tz="UTC"): TIMES,
}


def expect_same(found: pa.Array, expected: pa.Array) -> None:
    """Expect two arrays to be one, NaN included."""
    found.validate(full=True)
    assert found.type == expected.type
    assert found.null_count == expected.null_count
    assert list(map(repr, found.to_pylist())) == list(map(repr, expected.to_pylist()))


@pytest.mark.parametrize("kind", PLAIN, ids=str)
@given(data=st.data())
def test_plain_values_make_the_array_that_pyarrow_makes(kind: pa.DataType, data: st.DataObject) -> None:
    values = data.draw(st.lists(PLAIN[kind] | st.none(), max_size=20))
    expect_same(array_from(values, kind), pa.array(values, kind))


OTHER: list[tuple[list[Any], pa.DataType]] = [
    ([1.0, None], pa.int64()),
    ([np.int64(3), np.float64(0.5), np.float32(0.1)], pa.float64()),
    ([True], pa.float64()),
    ([b"bytes"], pa.string()),
    ([datetime.datetime(2026, 1, 1)], pa.timestamp("us", tz="UTC")),
    ([datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))], pa.timestamp("us", "UTC")),
    ([True, None], pa.bool_()),
]


@pytest.mark.parametrize(("values", "kind"), OTHER)
def test_other_values_are_left_to_pyarrow(values: list[Any], kind: pa.DataType) -> None:
    expect_same(array_from(values, kind), pa.array(values, kind))


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1, pa.string()), ("a", pa.float64()), (2**53 + 1, pa.float64()), (2**63, pa.int64()), ("\ud800", pa.string())],
)
def test_what_pyarrow_refuses_is_refused_alike(value: object, kind: pa.DataType) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011
        pa.array([value], kind)
    with pytest.raises(expected.type):
        array_from([value], kind)


@pytest.mark.parametrize(
    "values",
    [
        np.array([0.5, math.nan, math.inf]),
        np.arange(3),
        np.arange(6.0)[::2],
        np.array([], np.float64),
        np.array([1.5], np.float32),
        np.array([True]),
        np.array(["text"]),
    ],
    ids=lambda values: f"{values.dtype}-{len(values)}",
)
def test_numpy_arrays_keep_type_and_values(values: np.ndarray) -> None:
    expect_same(array_of(values), pa.array(values))


STORE = """
import datetime, sys
import numpy as np
from mibench.store.parquet import curves_table, write_pack
class Version(str): pass  # as torch's is
points = {"run_id": np.array(["a", "a"]), "step": np.array([1, 2]), "estimate_train": np.array([0.5, np.nan])}
curves = curves_table({"a": points})
now = datetime.datetime.now(datetime.UTC)
row = {"run_id": "a", "stair": 0, "ceiling": np.float64(0.5), "error": None, "finished_at": now}
row["torch_version"] = Version("2.13.0")
write_pack(sys.argv[1], "stem", [row], curves)
sys.exit("pandas" in sys.modules)
"""


def test_a_pack_is_stored_without_pandas(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", STORE, str(tmp_path)], check=False).returncode == 0
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
