"""The same numbers in whatever form: one pair."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch

from mibench.estimation.pairs import Pair, read_pair
from tests.support.paths import ROOT
from tests.support.samples import numbers

# Multiples of 1/8, which every float type and decimal text holds exactly.
X = np.round(numbers(40, 3, seed=1) * 8) / 8
Y = np.round(numbers(40, 1, seed=2) * 8) / 8
NAMES = ["a", "b", "c"]


class Exported:
    """A table or column of a package that is not known here, as polars' are: it exports an Arrow stream."""

    def __init__(self, held: Any, **attributes: Any) -> None:
        self._held = held
        vars(self).update(attributes)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._held.__arrow_c_stream__(requested_schema)


def same(pair: Pair) -> bool:
    return np.array_equal(pair.x.values, X) and np.array_equal(pair.y.values, Y)


def arrow_table() -> pa.Table:
    return pa.table({name: X[:, at] for at, name in enumerate(NAMES)})


OBJECTS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "arrays": lambda: (X, Y),
    "one dimension": lambda: (X, Y[:, 0]),
    "float32": lambda: (X.astype(np.float32), Y.astype(np.float32)),
    "float16": lambda: (X.astype(np.float16), Y.astype(np.float16)),
    "big-endian": lambda: (X.astype(">f8"), Y.astype(">f4")),
    "columns first": lambda: (np.asfortranarray(X), Y),
    "every second row": lambda: (np.repeat(X, 2, 0)[::2], Y),
    "long doubles": lambda: (X.astype(np.longdouble), Y),
    "tensors": lambda: (torch.from_numpy(X).requires_grad_(), torch.from_numpy(Y)),
    "bfloat16": lambda: (torch.from_numpy(X), torch.from_numpy(Y).float().bfloat16()),
    "lists": lambda: (X.tolist(), Y[:, 0].tolist()),
    "tuples": lambda: (tuple(map(tuple, X.tolist())), Y.tolist()),
    "list of arrays": lambda: (list(X), list(Y)),
    "list of tensors": lambda: (list(torch.from_numpy(X)), list(torch.from_numpy(Y[:, 0]))),
    "frame": lambda: (pd.DataFrame(X, columns=NAMES), pd.Series(Y[:, 0], name="y")),
    "nullable": lambda: (pd.DataFrame(X).astype("Float64"), pd.Series(Y[:, 0]).astype("double[pyarrow]")),
    "sparse": lambda: (pd.DataFrame(X).astype(pd.SparseDtype("float", 0.0)), Y),
    "dictionary": lambda: ({name: X[:, at].tolist() for at, name in enumerate(NAMES)}, Y),
    "structured": lambda: (np.array(list(map(tuple, X.tolist())), [(name, "f8") for name in NAMES]), Y),
    "masked": lambda: (np.ma.masked_array(X), Y),
    "objects": lambda: (X.astype(object), Y),
    "Arrow": lambda: (arrow_table(), pa.chunked_array([Y[:, 0]])),
    "decimals": lambda: (arrow_table(), pa.chunked_array([pa.array(Y[:, 0]).cast(pa.decimal128(10, 3))])),
    "other tables": lambda: (
        Exported(arrow_table(), columns=NAMES),
        Exported(pa.chunked_array([Y[:, 0]]), name="y"),
    ),
}


@pytest.mark.parametrize("form", OBJECTS)
def test_objects_are_read(form: str) -> None:
    x, y = OBJECTS[form]()
    assert same(read_pair(x, y))


def write_text(path: Path, sign: str = ",", names: bool = True) -> None:
    pd.DataFrame(np.hstack((X, Y)), columns=[*NAMES, "y"]).to_csv(path, sep=sign, index=False, header=names)


TEXTS: dict[str, tuple[str, str, bool]] = {
    "comma": ("data.csv", ",", True),
    "semicolon": ("data.csv", ";", True),
    "tab": ("data.tsv", "\t", True),
    "no header": ("data.csv", ",", False),
    "capitals": ("DATA.CSV", ",", True),
}


@pytest.mark.parametrize("form", TEXTS)
def test_text_is_read_by_names_or_by_numbers(form: str, tmp_path: Path) -> None:
    name, sign, names = TEXTS[form]
    write_text(tmp_path / name, sign, names)
    x, y = ("a,b,c", "y") if names else ("0,1,2", "3")
    assert same(read_pair(tmp_path / name, columns_x=x, columns_y=y))
    assert same(read_pair(str(tmp_path / name), columns_x=x.split(","), columns_y=[y]))


def test_numbers_name_columns_as_numbers_too(tmp_path: Path) -> None:
    write_text(tmp_path / "data.csv", names=False)
    assert same(read_pair(tmp_path / "data.csv", columns_x=[0, np.int64(1), "2"], columns_y=3))


def test_columns_come_in_the_order_of_the_choice(tmp_path: Path) -> None:
    write_text(tmp_path / "data.csv")
    pair = read_pair(tmp_path / "data.csv", columns_x="c, a", columns_y="y")
    assert pair.x.columns == ("c", "a")
    assert np.array_equal(pair.x.values, X[:, [2, 0]])


def test_quoted_cells_and_names_are_read(tmp_path: Path) -> None:
    rows = "".join(f'"{x:.3f}","size {at % 2}, or ""so""\nmore"\r\n' for at, x in enumerate(X[:, 0]))
    (tmp_path / "data.csv").write_bytes(b"\xef\xbb\xbf" + f'"height, cm","its\nkind"\r\n{rows}'.encode())
    pair = read_pair(tmp_path / "data.csv", columns_x='"height, cm"', columns_y=["its\nkind"])
    assert np.array_equal(pair.x.values[:, 0], X[:, 0])
    assert pair.y.labels == ('size 0, or "so"\nmore', 'size 1, or "so"\nmore')


HEADERS = {"a,b": True, "1,2": False, "1.5,red": False, "true,red": False, ",b": True, "nan,2": False, "NA,red": False}


@pytest.mark.parametrize("line", HEADERS)
def test_a_first_line_without_values_is_a_header(line: str, tmp_path: Path) -> None:
    rows = "".join(f"{at}.5,{'red' if 'red' in line or 'b' in line else at % 7}\n" for at in range(30))
    (tmp_path / "data.csv").write_text(f"{line}\n{rows}")
    from mibench.estimation.files import open_file

    assert open_file(tmp_path / "data.csv").named is HEADERS[line]


def test_a_stated_header_is_believed(tmp_path: Path) -> None:
    write_text(tmp_path / "data.csv", names=False)
    pair = read_pair(tmp_path / "data.csv", columns_x=[f"{X[0, 1]}"], columns_y=[f"{Y[0, 0]}"], header=True)
    assert pair.report.rows_given == 39
    write_text(tmp_path / "data.csv", names=True)
    with pytest.raises(Exception, match="holds text"):
        read_pair(tmp_path / "data.csv", columns_x="0", columns_y="3", header=False)


def test_a_column_of_text_is_inferred_from_all_of_it(tmp_path: Path) -> None:
    whole = "".join(f"{at % 5},{at}\n" for at in range(300_000))  # more than pyarrow looks at by itself
    (tmp_path / "data.csv").write_text(f"y,x\n{whole}2.5,0.25\n")
    pair = read_pair(tmp_path / "data.csv", columns_x="x", columns_y="y", y_kind="continuous")
    assert (pair.x.values[-1, 0], pair.y.values[-1, 0]) == (0.25, 2.5)


def test_binary_files_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y.astype(">f4"))
    np.savez(tmp_path / "both.npz", x=X, y=Y)
    np.savez(tmp_path / "others.npz", first=X, second=Y[:, 0], third=np.zeros(3))
    table = arrow_table().append_column("y", pa.array(Y[:, 0]))
    pa.parquet.write_table(table, tmp_path / "data.parquet")
    pa.feather.write_feather(table, tmp_path / "data.feather")
    pa.feather.write_feather(table, tmp_path / "data.arrow", compression="uncompressed")
    with pa.ipc.new_stream(tmp_path / "stream.arrow", table.schema) as stream:
        stream.write_table(table)
    assert same(read_pair(tmp_path / "x.npy", tmp_path / "y.npy"))
    assert same(read_pair(tmp_path / "both.npz"))
    assert same(read_pair(tmp_path / "others.npz", columns_x="first", columns_y="second"))
    assert same(read_pair(tmp_path / "x.npy", Y))
    for name in ("data.parquet", "data.feather", "data.arrow", "stream.arrow"):
        assert same(read_pair(tmp_path / name, columns_x="a,b,c", columns_y="y")), name


def test_an_index_stored_beside_the_columns_is_none_of_them(tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=NAMES).sample(frac=1.0, random_state=0)
    frame.to_parquet(tmp_path / "x.parquet")
    assert read_pair(tmp_path / "x.parquet", Y).x.columns == tuple(NAMES)


def test_a_table_with_columns_x_and_y_needs_no_choice() -> None:
    pair = read_pair({"y": Y[:, 0], "x": X[:, 0]})
    assert np.array_equal(pair.x.values[:, 0], X[:, 0])
    assert np.array_equal(pair.y.values, Y)


def test_whole_numbers_of_every_type_are_one_label() -> None:
    whole = np.arange(60) % 4
    expected = read_pair(numbers(), whole).y
    for form in ("i1", ">i4", "u8", "f4", ">f8", "O"):
        found = read_pair(numbers(), whole.astype(form)).y
        assert np.array_equal(found.values, expected.values), form
        assert found.labels == expected.labels == ("0", "1", "2", "3"), form


def test_importing_the_room_loads_no_heavy_package() -> None:
    code = "import sys, mibench.estimation.pairs; sys.exit(bool({'torch', 'pandas', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_reading_arrays_loads_no_torch() -> None:
    code = (
        "import sys, numpy as np; from mibench.estimation.pairs import read_pair; "
        "read_pair(np.arange(50) ** 1.5, np.sin(np.arange(50))); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
