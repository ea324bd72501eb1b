"""Samples that cannot be used: one sentence each, and no traceback of another library."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse

from mibench.core.errors import UsageError
from mibench.estimation.pairs import read_pair
from tests.support.samples import numbers

X, Y = numbers(40, 2), numbers(40, 1, seed=1)[:, 0]
TABLE = {"a": X[:, 0], "b": X[:, 1], "y": Y, "group": np.repeat(["p", "q"], 20)}

NAMES: dict[str, Any] = {
    "read": read_pair,
    "np": np,
    "pd": pd,
    "pa": pa,
    "sparse": scipy.sparse,
    "date": datetime.date,
    "X": X,
    "Y": Y,
    "T": TABLE,
}

CALLS: dict[str, str] = {
    # shapes and lengths
    "read(X, Y[:30])": "x has 40 rows and y has 30; give pairs, row by row",
    "read(X[:10], Y[:10])": "10 rows are too few to estimate anything; give at least 20",
    "read(X.T, Y[:2])": "x and y have 2 rows of 40 and 1 columns, and at least 20 rows are needed; transpose them",
    "read(X[:0], Y[:0])": "0 rows are too few",
    "read(np.zeros((40, 2, 2)), Y)": "x has 3 dimensions, shape (40, 2, 2); give one row a pair",
    "read(np.array(3.0), Y)": "x has no dimension, shape ()",
    "read(X[:, :0], Y)": "x has no columns, shape (40, 0)",
    "read([], Y)": "x is empty; give an array, a table, or the name of a file",
    "read([[1.0, 2.0], [3.0]], Y)": "the rows of x differ in length",
    "read([[1.0, 2.0], 3.0], Y)": "the rows of x differ in length",
    "read([[]] * 40, Y)": "x has rows without columns",
    "read(pd.DataFrame(index=range(40)), Y)": "x is a table without columns",
    "read({'a': [1, 2], 'b': [1]}, Y)": "x is no table of columns of one length",
    # contents
    "read(X * 1j, Y)": "column '0' of x holds complex numbers; give their real and imaginary parts as two columns",
    "read([1j] * 40, Y)": "column '0' of x holds complex numbers",
    "read(X, pd.date_range('2020', periods=40))": "column '0' of y holds dates or times; give them as numbers",
    "read(X, [date(2020, 1, 1)] * 40)": "column '0' of y holds dates or times",
    "read(X, pd.Series(['2020-01-02'] * 40))": "column '0' of y holds dates or times",
    "read(X, pd.timedelta_range('1s', periods=40))": "column '0' of y holds dates or times",
    "read(X, [{'a': 1}] * 40)": "column '0' of y holds objects (dict), neither numbers nor labels",
    "read([[[1.0, 2.0]]] * 40, Y)": "column '0' of x holds objects (list)",
    "read(X, pa.table({'l': [[1, 2]] * 40}))": "column 'l' of y holds objects (ndarray)",
    "read(X, [1, 'red'] * 20)": "column '0' of y holds text ('red') among other values; give one or the other",
    "read(X, ['1.5', '2', 'x', '3'] * 10)": "holds text ('x') where 30 of 40 values are numbers; correct it, or leave",
    "read(X, [f'name {at}' for at in range(40)])": "y has 40 different labels on 40 rows, fewer than 5 rows each; give",
    "read(X, Y, y_kind='label')": "fewer than 5 rows each; state the kind 'continuous' to take them as numbers",
    "read(X, T['group'], y_kind='continuous')": "y is to be continuous, and its column '0' holds labels; give numbers",
    "read(X, np.arange(40) + 2**60)": "holds whole numbers beyond 2^53, of which floats merge some",
    "read(X, np.ones(40))": "y is constant, which tells nothing of the other side; give one that varies",
    "read(np.ones((40, 3)), Y)": "every column of x is constant, which tells nothing",
    "read(X, ['a'] * 40)": "y is constant",
    "read(X, np.where(Y > 9, Y, np.nan))": "column '0' of y has no value in any row; leave it out",
    "read(X, np.where(np.arange(40) < 5, Y, np.nan))": "5 of 40 rows have all their values, and at least 20 are needed",
    "read(X, Y / 0)": "0 of 40 rows have all their values",
    "read(X, X[:, 1])": "column '1' of x and column '0' of y are equal, and so their mutual information is infinite",
    "read({'n': Y, 't': [f'{at % 10}x' for at in range(40)]}, X)": "x has 10 different labels on 40 rows, fewer than 5",
    "read({'n': np.arange(300) % 7 + .5, 't': [f'{at % 60}x' for at in range(300)]}, np.sin(np.arange(300)))":
        "column 't' of x has 60 labels, more than the 50 that can stand beside numbers",
    # kinds of objects
    "read(None, Y)": "x is None, no array or table; give an array, a table, or the name of a file",
    "read(3, Y)": "x is 3, no array or table",
    "read(X, {1.0, 2.0})": "y is {1.0, 2.0}, no array or table",
    "read(sparse.csr_array(X), Y)": "x is a sparse matrix; give its toarray()",
    "read(X, Y, x_kind='discrete')": "x cannot be of kind 'discrete'",
    "read(X, Y, y_kind='lable')": "y cannot be of kind 'lable'; did you mean 'label'?",
    "read(X, Y, y_kind=3)": "y cannot be of kind '3'",
    "read(X, Y, blocks=1)": "the rows of a block must be a whole number of at least 2, not 1",
    "read(X, Y, blocks=5)": "blocks of 5 rows are fewer than 10 on 40 rows; use at most 4 rows a block",
    "read(X, Y, blocks='many')": "the rows of a block must be a whole number of at least 2, not many",
    "read(pd.Series(Y), pd.Series(Y[::-1], index=range(39, -1, -1)))": "x and y have the same index in another order",
    # columns
    "read(T)": "the table is all that is given, and nothing says which of its columns are x; name them, or give y",
    "read(T, columns_x='a')": "nothing says which of its columns are y",
    "read(T, columns_x='a,c', columns_y='y')": "the table has no column 'c'; known: a, b, group, y",
    "read(T, columns_x='a', columns_y='grup')": "the table has no column 'grup'; did you mean 'group'?",
    "read(T, columns_x='a,y', columns_y='y')": "column 'y' is on both sides, and would be told to depend on itself",
    "read(T, columns_x='a,a', columns_y='y')": "column 'a' is named twice for x; name it once",
    "read(T, columns_x='a,,b', columns_y='y')": "a column of x has an empty name; write 'a,b,c'",
    "read(T, columns_x='', columns_y='y')": "a column of x has an empty name; write 'a,b,c', or leave the option out",
    "read(T, columns_x='\"a', columns_y='y')": "are no list of names; write 'a,b,c'",
    "read(T, columns_x=1.5, columns_y='y')": "the columns of x must be names or numbers, not 1.5",
    "read(T, columns_x=[None], columns_y='y')": "a column of x must be a name or a number, not None",
    "read(X, Y, columns_x='2')": "x has no column '2'; its columns are numbered 0 to 1",
    "read(X, Y, columns_y=1)": "y has no column '1'; it has one column, number 0",
    "read(pd.DataFrame(X, columns=['a', 'a']), Y, columns_x='a')": "x has 2 columns named 'a'; rename all but one",
    "read(pd.DataFrame(np.ones((40, 30))).add_prefix('c'), Y, columns_x='z')": "it has 30 others, the first 'c0'",
    # files
    "read('x.npx', Y)": "file 'x.npx' has a suffix that says nothing of its format; use one of .npy, .npz, .csv",
    "read('nowhere.npy', Y)": "there is no file 'nowhere.npy'",
    "read('folder', Y)": "'folder' is a folder; name a file",
    "read('', Y)": "the name of the file of x is empty; give one",
    "read('x' * 300, Y)": "cannot be looked up (File name too long)",
    "read('empty.csv', Y)": "file 'empty.csv' is empty; name another",
    "read('empty.npy', Y)": "file 'empty.npy' is empty; name another",
    "read('blank.csv', Y)": "file 'blank.csv' is empty; name another",
    "read('names.csv', Y)": "x has 0 rows and y has 40",
    "read('text.npy', Y)": "file 'text.npy' is no .npy file, whatever its suffix",
    "read('text.npz', Y)": "file 'text.npz' is no whole .npz file",
    "read('text.parquet', Y)": "file 'text.parquet' cannot be read (",
    "read('text.arrow', Y)": "file 'text.arrow' cannot be read (",
    "read('cut.npy', Y)": "file 'cut.npy' cannot be read (",
    "read('cut.npz', Y)": "file 'cut.npz' is no whole .npz file",
    "read('cut.parquet', Y)": "file 'cut.parquet' cannot be read (",
    "read('objects.npy', Y)": "file 'objects.npy' holds Python objects, which are not read; save numbers or text",
    "read('objects.npz', Y)": "file 'objects.npz' holds Python objects",
    "read('lengths.npz')": "x has 40 rows and y has 30",
    "read('lengths.npz', Y)": "the columns of x have 30 to 40 rows; give pairs",
    "read('three.npz', columns_x='x', columns_y='cube')": "array 'cube' of file 'three.npz' has 3 dimensions",
    "read('three.npz', columns_x='x', columns_y='lable')": "file 'three.npz' has no column 'lable'",
    "read('latin.csv', Y)": "file 'latin.csv' is not in UTF-8; save it in that encoding",
    "read('later.csv', Y)": "file 'later.csv' is not in UTF-8",
    "read('ragged.csv', Y)": "Expected 2 columns, got 3",
    "read('short.csv', Y)": "Expected 2 columns, got 1",
    "read('misprint.csv', Y)": "holds text ('?') where 39 of 40 values are numbers; correct it, or leave",
    "read('comma.csv', Y)": "column 'a' of x holds numbers with a decimal comma ('0,25'); write them with a",
    "read('dates.csv', Y)": "column 'day' of x holds dates or times",
    "read('twice.csv', Y, columns_x='a')": "file 'twice.csv' has 2 columns named 'a'; rename all but one",
    "read('x.npy', Y, header=True)": "file 'x.npy' is no CSV or TSV file, whose header could be stated",
}  # fmt: skip

ROWS = "".join(f"{at}.25,{at % 9}.5\n" for at in range(40))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    (folder / "folder").mkdir()
    texts = {
        **{"empty.csv": "", "empty.npy": "", "x.npx": "1", "blank.csv": "\n\n", "names.csv": "a,b\n"},
        **{f"text.{suffix}": "hello\n" * 20 for suffix in ("npy", "npz", "parquet", "arrow")},
        "ragged.csv": f"a,b\n{ROWS}1,2,3\n",
        "short.csv": f"a,b\n{ROWS}1\n",
        "misprint.csv": "a\n" + "".join(f"{at}.5\n" for at in range(39)) + "?\n",
        "comma.csv": "a;b\n" + "".join(f"{at},25;{at % 2}\n" for at in range(40)),
        "dates.csv": "day,b\n" + "".join(f"2020-01-{at % 28 + 1:02},{at}.5\n" for at in range(40)),
        "twice.csv": f"a,a\n{ROWS}",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "latin.csv").write_bytes("größe\n1\n2\n".encode("latin-1"))
    (folder / "later.csv").write_bytes(b"a,b\n" + b"1,red\n" * 100_000 + "1,größe\n".encode("latin-1"))
    np.save(folder / "x.npy", X)
    np.savez(folder / "x.npz", x=X, y=Y)
    np.savez(folder / "lengths.npz", x=X, y=Y[:30])
    np.savez(folder / "three.npz", x=X, label=Y, cube=np.zeros((40, 2, 2)))
    np.save(folder / "objects.npy", np.array([{}] * 40))
    np.savez(folder / "objects.npz", x=np.array([{}] * 40), y=Y)
    pd.DataFrame(X, columns=["a", "b"]).to_parquet(folder / "x.parquet")
    for suffix in ("npy", "npz", "parquet"):
        whole = (folder / f"x.{suffix}").read_bytes()
        (folder / f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_bad_sample_is_one_sentence(call: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError) as error:
        eval(call, dict(NAMES))
    assert CALLS[call] in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250
    assert error.value.exit_code == 2
