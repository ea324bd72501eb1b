"""Plug-ins that end oddly on import: broken, each with how it ended, and nothing else stops."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import mibench
from mibench.core import probing
from mibench.core.errors import MibenchError, PluginError
from mibench.core.faults import describe_error, fault_of
from mibench.core.plugins import load_plugins, loaded_plugins
from mibench.core.probing import probe_plugins
from mibench.core.registry import ESTIMATORS, broken

pytestmark = pytest.mark.usefixtures("fresh_registries")

RAISING = {
    "raise GeneratorExit('early')": "GeneratorExit: early (line 1)",
    "raise KeyboardInterrupt": "KeyboardInterrupt (line 1)",
    "raise type('Odd', (BaseException,), {})('own')": "Odd: own (line 1)",
    "raise type('Falsy', (BaseException,), {'__bool__': lambda self: False})('no')": "Falsy: no (line 1)",
    "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})": "Mute: an error without a message (line 1)",
}
ENDING = {
    "import os; os._exit(0)": "it left the process with exit code 0 while it was imported",
    "print('bye'); import os; os._exit(7)": (
        "it left the process with exit code 7 while it was imported; it printed: bye"
    ),
    "import os; os.kill(os.getpid(), 9)": "it was killed by signal 9 (Killed) while it was imported",
    "import os; os.killpg(0, 9)": "it was killed by signal 9 (Killed) while it was imported",
    "import signal; signal.raise_signal(signal.SIGINT)": "KeyboardInterrupt (line 1)",
}


def write(folder: Path, code: str, name: str = "odd.py") -> Path:
    path = folder / name
    path.write_text(code, encoding="utf-8")
    return path


@pytest.mark.parametrize(("code", "error"), RAISING.items())
def test_whatever_a_plug_in_raises_it_is_broken(code: str, error: str, tmp_path: Path) -> None:
    path = write(tmp_path, code)
    load_plugins([path])
    assert [(b.origin, b.error) for b in broken()] == [(str(path), error)]
    with pytest.raises(PluginError) as raised:
        load_plugins([path], strict=True)
    assert str(raised.value) == f"plug-in '{path}' cannot be imported: {error}"
    assert loaded_plugins() == ()


@pytest.mark.parametrize(("code", "error"), ENDING.items())
def test_what_ends_a_process_ends_that_of_the_probe(code: str, error: str, tmp_path: Path) -> None:
    path = write(tmp_path, code)
    probe_plugins([path])
    load_plugins([path])
    assert [(b.origin, b.error) for b in broken()] == [(str(path), error)]


def test_one_that_ends_the_process_is_found_among_others(tmp_path: Path, write_plugin: Callable[..., Path]) -> None:
    write_plugin("a.py", "zero-a")
    write(tmp_path, "import os; os._exit(0)", "b.py")
    write_plugin("c.py", "zero-c")
    probe_plugins([tmp_path])
    load_plugins([tmp_path])
    assert [b.origin for b in broken()] == [str(tmp_path / "b.py")]
    assert {"zero-a", "zero-c"} <= set(mibench.list_estimators())


def test_plug_ins_that_behave_share_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    fork = os.fork

    def counted() -> int:
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(probing.os, "fork", counted)
    write(tmp_path, "x = 1", "a.py")
    write(tmp_path, "raise ValueError('in both')", "b.py")
    write(tmp_path, "raise GeneratorExit", "c.py")
    probe_plugins([tmp_path, tmp_path / "a.py"])
    load_plugins([tmp_path])
    assert len(started) == 1
    assert [b.error for b in broken()] == ["ValueError: in both (line 1)", "GeneratorExit (line 1)"]
    probe_plugins([tmp_path / "a.py"])
    assert len(started) == 1  # what is loaded is not tried


def test_one_that_never_ends_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LIMIT", 0.5)
    path = write(tmp_path, "print('waiting', flush=True)\nwhile True: pass")
    probe_plugins([path])
    with pytest.raises(PluginError, match=r"it was still being imported after 0\.5 seconds; it printed: waiting"):
        load_plugins([path], strict=True)


def test_a_plug_in_that_was_mended_is_loaded(tmp_path: Path) -> None:
    path = write(tmp_path, "import os; os._exit(0)")
    probe_plugins([path])
    write(tmp_path, "x = 1")
    probe_plugins([path])
    load_plugins([path], strict=True)
    assert loaded_plugins() == (str(path),)


def test_a_probe_that_does_not_start_is_no_fault_of_the_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(probing.os, "fork", fork)
    descriptors = Path("/proc/self/fd")
    before = len([*descriptors.glob("*")])
    with pytest.raises(MibenchError, match="no process can be started to try plug-ins in"):
        probe_plugins([write(tmp_path, "x = 1")])
    assert len([*descriptors.glob("*")]) == before


def test_a_real_interrupt_is_passed_on_and_leaves_nothing_behind(write_plugin: Callable[..., Path]) -> None:
    path = write_plugin()
    path.write_text(path.read_text(encoding="utf-8") + "\nimport time; time.sleep(60)\n", encoding="utf-8")
    timer = threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        load_plugins([path])
    assert "zero" not in mibench.list_estimators()
    assert broken() == []
    assert signal.getsignal(signal.SIGINT) is before


def test_faults_of_another_thread_are_faults_too() -> None:
    found: list[BaseException | None] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    thread = threading.Thread(target=lambda: found.append(fault_of(interrupt)))
    thread.start()
    thread.join()
    assert [describe_error(error) for error in found if error is not None] == ["KeyboardInterrupt"]


@pytest.mark.parametrize("error", [GeneratorExit("a"), KeyboardInterrupt("a"), SystemExit("a")])
def test_entry_points_may_raise_anything(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise error

    point = SimpleNamespace(value="elsewhere:Bound", load=load)
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: [point] if group == "mibench.estimators" else []
    )
    monkeypatch.setattr(ESTIMATORS, "_entry_points_loaded", False)
    assert "nwj" in mibench.list_estimators()
    assert [b.error for b in broken()] == [f"{type(error).__name__}: a"]
