"""Bad calls of the Python interface: an error of mibench with one sentence, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

import mibench
from tests.support.bad_calls import CALLS, NAMES


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registries: None) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("call", CALLS)
def test_a_bad_call_is_one_sentence(call: str, workplace: Path) -> None:
    with pytest.raises(mibench.MibenchError) as error:
        eval(call, dict(NAMES))
    assert CALLS[call] in str(error.value)
    assert "\n" not in str(error.value)
    assert {path.name for path in workplace.rglob("*")} == {"file", "folder"}


def test_a_file_with_a_byte_order_mark_is_read(workplace: Path) -> None:
    grid = workplace / "grid.toml"
    grid.write_bytes(b'\xef\xbb\xbftask = "gaussian20d"\nestimator = "nwj"\n')
    assert mibench.run(grid, dry_run=True, results="folder").empty
