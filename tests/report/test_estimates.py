"""The page of an estimate: what it says, what it holds back, and the rows that are kept where that is asked."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mibench.core.errors import UsageError
from mibench.estimation.pairs import read_pair
from mibench.report.estimates import write_estimate_page, write_rows
from tests.support.estimates import HOSTILE, bare_estimate, make_estimate

COMMAND = "mibench estimate x.npy y.npy --x 'a b'"
PICTURES = ["estimate-calibration", "estimate-growth", "estimate-members", "estimate-permutations"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page of an estimate that has every part."""
    made = tmp_path_factory.mktemp("estimate")
    assert write_estimate_page(make_estimate(), made, COMMAND) == made / "index.html"
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """What a reader reads, in one line."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_answer_comes_first_and_all_that_it_rests_on_after_it(page: str) -> None:
    estimate, text = make_estimate(), text_of(page)
    parts = [
        estimate.verdict, "1.226 nats", "1.128 to 1.324 nats", "that is 1.769 bits", "at least 1.101 nats",
        estimate.advice, "5,000 pairs, of which 4,000 were used", "infonce lower 1.150 1.091 to 1.209 4.850 limit",
        "rising failed", "the number still grows with the rows", estimate.rule, "seed 0", "101.4", COMMAND,
    ]  # fmt: skip
    places = [text.index(part) for part in parts[:8]]
    assert places == sorted(places)
    assert [part for part in parts if part not in text] == []


def test_names_of_columns_are_text_and_nothing_is_loaded(page: str) -> None:
    assert HOSTILE not in page
    assert HOSTILE in html.unescape(page)
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    hashes = re.findall(r"'sha256-([^']+)'", html.unescape(policy))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert hashes == [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert "DataTable" not in page


def test_the_folder_holds_the_page_and_the_pictures_and_no_row(folder: Path, page: str) -> None:
    expected = {f"{name}.{suffix}" for name in PICTURES for suffix in ("png", "svg", "csv", "md")} | {"index.html"}
    assert {path.name for path in folder.iterdir()} == expected
    assert page.count("<img ") == len(PICTURES)
    assert "No row of the data is stored with this page." in page


def test_what_is_missing_is_said_in_place_of_a_picture_whose_files_go(folder: Path, tmp_path: Path) -> None:
    for name in PICTURES:
        (tmp_path / f"{name}.png").write_bytes((folder / f"{name}.png").read_bytes())
    write_estimate_page(bare_estimate(), tmp_path, COMMAND, tmp_path / "rows.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    text = text_of((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert text.count("Not drawn: ") == len(PICTURES)
    assert "no value" in text
    assert "no lower limit" in text
    assert "nan" not in re.findall(r"\w+", text)
    assert "The rows that were used are stored beside this page: rows.npz" in text


def test_kept_rows_are_read_again_as_they_were_used(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    table = pd.DataFrame({"a": draws.normal(size=60), "b": draws.normal(size=60), "c": draws.choice(["u", "v"], 60)})
    table.loc[7, "a"] = np.nan
    pair = read_pair(table, columns_x="a,b", columns_y="c")
    path = write_rows(pair, tmp_path)
    with np.load(path) as arrays:
        assert arrays["row"].tolist() == [row for row in range(60) if row != 7]
    again = read_pair(path)
    assert np.array_equal(again.x.values, pair.x.values)
    assert (again.y.kind, again.y.labels) == ("label", ("u", "v"))
    assert np.array_equal(again.y.values, pair.y.values)
    assert np.array_equal(again.folds(5), pair.folds(5))


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="reports cannot be written to"):
        write_estimate_page(bare_estimate(), tmp_path / "file", COMMAND)
