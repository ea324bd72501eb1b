"""Estimators of other programs: what they are handed, what is made of their answers, and that nothing stays of them."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mibench
from mibench.core.answers import read_answer
from mibench.core.errors import CommandError, UsageError
from mibench.core.guarded import LONGEST, Limits, output_of
from mibench.core.outside_estimator import OutsideEstimator
from mibench.core.processes import python_command
from mibench.core.registry import ESTIMATORS
from mibench.running.runner import run
from tests.support.processes import needs_proc, processes_with, wait_until

X = np.arange(12.0).reshape(6, 2) / 7
Y = X[:, :1] ** 2


def outside(code: str, *, bare: bool = True, files: Sequence[str] = ("{x}", "{y}"), **attributes: Any) -> Any:
    """An estimator whose command is a line of Python; ``bare`` without packages, which starts at once."""
    command = (sys.executable, "-I", *(["-S"] if bare else []), "-c", code, *files)
    return type("Mine", (OutsideEstimator,), {"command": command, **attributes})()


def test_a_text_program_is_handed_every_digit_and_may_answer_in_bits() -> None:
    code = (
        "import sys; x, y = (open(f).read().split() for f in sys.argv[1:]); print('progress');"
        'print(\'{"value": %s, "unit": "bits", "interval": [%s, %s]}\' % (x[3], x[0], y[-1]))'
    )
    answer = outside(code, passes="text").answer(X, Y)
    assert answer.value == X[1, 1] * math.log(2)
    assert answer.interval == (0.0, Y[-1, 0] * math.log(2))
    assert answer.unit == "bits"


@pytest.mark.parametrize(
    ("passes", "files", "read"),
    [
        ("npy", ("{x}", "{y}"), "import numpy as np; x, y = map(np.load, sys.argv[1:])"),
        (
            "arrow",
            ("{pairs}",),
            "import pyarrow as pa; t = pa.ipc.open_file(sys.argv[1]).read_all().to_pandas();"
            "x, y = t[['x0', 'x1']].to_numpy(), t[['y0']].to_numpy()",
        ),
    ],
)
def test_files_hold_the_sample(passes: str, files: Sequence[str], read: str) -> None:
    check = "assert x.shape == (6, 2) and y.shape == (6, 1) and x.dtype == y.dtype == 'f8'"
    say = "import json; print(json.dumps({'value': x[4, 1] + 10 * y[5, 0], 'unit': 'nats'}))"
    answer = outside(f"import sys; {read}; {check}; {say}", bare=False, files=files, passes=passes).answer(X, Y)
    assert answer.value == X[4, 1] + 10 * Y[5, 0]


def test_parameters_that_are_numbers_stand_in_the_command() -> None:
    class Scaled(OutsideEstimator):
        """The parameter times ten."""

        command = (
            "awk",
            'BEGIN { printf "{\\"value\\": %s0, \\"unit\\": \\"nats\\"}\\n", ARGV[1] }',
            "{k}",
            "{x}",
            "{y}",
        )
        k: int = 3

    assert [one.answer(X, Y).value for one in (Scaled(), Scaled(k=7))] == [30.0, 70.0]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "command is annotated": (
        {"command": ("a", "{x}", "{y}"), "__annotations__": {"command": "tuple[str, ...]"}},
        "'command' is annotated",
    ),
    "a text for a shell": ({"command": "a {x} {y}"}, "must be a list of texts"),
    "a parameter is the program": (
        {"command": ("{k}", "{x}", "{y}"), "k": 1, "__annotations__": {"k": int}},
        "names the program",
    ),
    "a parameter is free text": (
        {"command": ("a", "{k}", "{x}", "{y}"), "k": "b", "__annotations__": {"k": str}},
        "free text",
    ),
    "no sample": ({"command": ("a", "{x}")}, "lacks the sample, {y}"),
    "unknown files": ({"command": ("a", "{x}", "{y}"), "passes": "csv"}, "use one of npy, arrow, text"),
    "no time": ({"command": ("a", "{x}", "{y}"), "seconds": 0}, "use a number above 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_classes_through_which_a_grid_could_name_a_command_are_refused(name: str) -> None:
    attributes, sentence = REFUSED[name]
    with pytest.raises(UsageError, match=sentence):
        type("Mine", (OutsideEstimator,), attributes)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("", "printed nothing"),
        ("0.3", "ended with '0.3'"),
        ("[" * 100_000, "let it end with"),
        ('{"value": "0.3", "unit": "nats"}', "value '0.3', which is no number"),
        ('{"value": true, "unit": "nats"}', "value True, which is no number"),
        ('{"value": NaN, "unit": "nats"}', "value nan, which is no number"),
        ('{"unit": "nats"}', "value None, which is no number"),
        ('{"value": 0.3}', 'unit None; answer in "nats" or "bits"'),
        ('{"value": 0.3, "unit": "normalised"}', "from which no nats can be had"),
        ('{"value": 0.3, "unit": "nats", "interval": [1, 0]}', "interval from 1 to 0"),
        ('{"value": 0.3, "unit": "nats", "interval": 1}', r"give \[low, high\]"),
        ('{"value": 0.3, "unit": "nats", "error": 1}', "the key 'error'"),
    ],
)
def test_what_is_no_answer_is_said_in_a_sentence(output: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        read_answer(output, "Mine")


def test_an_infinite_value_is_a_number() -> None:
    assert read_answer('{"value": -Infinity, "unit": "bits"}', "Mine").value == -math.inf


@needs_proc
@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        ("import time; time.sleep(60)", "timeout", "gave no answer within 2 seconds and was ended"),
        ("import sys; sys.exit('oh')", "crashed", "ended with exit code 1; it said: oh"),
        ("import os; os.abort()", "crashed", "was killed by signal 6"),
        ("bytearray(2**34)", "crashed", "with exit code 1, within the 1 GiB that it may take; it said: MemoryError"),
        (f"print('x' * {LONGEST + 1}); import time; time.sleep(60)", "crashed", f"printed more than {LONGEST} bytes"),
    ],
)
def test_a_command_that_fails_is_a_sentence(mark: str, code: str, status: str, sentence: str) -> None:
    seconds = 2 if status == "timeout" else 60
    with pytest.raises(CommandError, match=sentence) as raised:
        outside(code, seconds=seconds, memory=1).answer(X, Y)
    assert raised.value.status == status


def test_a_command_that_does_not_exist_is_a_sentence() -> None:
    made = type("Mine", (OutsideEstimator,), {"command": ("/no/such", "{x}", "{y}")})()
    with pytest.raises(CommandError, match="cannot be started: '/no/such': No such file"):
        made.answer(X, Y)


FORKING = """
import os, time
for leaves in (0, 1):
    if os.fork() == 0:
        leaves and os.setsid()
        os.fork()
        time.sleep(60)
print('{"value": 1, "unit": "nats"}')
"""


@needs_proc
def test_processes_that_left_the_commands_group_are_killed_too(mark: str) -> None:
    assert outside(FORKING).answer(X, Y).value == 1


@needs_proc
def test_a_command_ends_with_the_process_that_asked(mark: str, tmp_path: Path) -> None:
    asker = subprocess.Popen(python_command("tests.support.asks_for_a_command", str(tmp_path)), start_new_session=True)
    wait_until((tmp_path / "started").exists)
    assert len(processes_with(mark)) == 3  # the asker, the guard and the command
    os.killpg(asker.pid, signal.SIGKILL)
    asker.wait()


PLUGIN = """
import mibench


def outside(name, code):
    command = ("{python}", "-I", "-S", "-c", code, "{x}", "{y}")
    seconds = 5 if name == "hangs" else 60
    body = {"__doc__": name, "__module__": __name__, "command": command, "seconds": seconds, "memory": 1}
    mibench.register_estimator(name)(type(name.capitalize(), (mibench.OutsideEstimator,), body))


outside("hangs", "import time; time.sleep(60)")
outside("garbage", "print('hello')")
outside("exits", "import sys; print('oh', file=sys.stderr); sys.exit(3)")
outside("eats", "[bytearray(2**28) for _ in range(10**6)]")
outside("forks", '''
import os, time
if not os.fork():
    os.setsid()
    time.sleep(60)
print('{"value": 1, "unit": "bits"}')
''')
"""


@needs_proc
@pytest.mark.usefixtures("fresh_registries", "kept_arithmetic")
def test_bad_commands_are_rows_and_the_grid_goes_on(tmp_path: Path, mark: str) -> None:
    plugin = tmp_path / "outside.py"
    plugin.write_text(PLUGIN)
    rows = run(
        task="gaussian20d:dim=1",
        mi=0.5,
        samples=100,
        seeds=1,
        estimator=["cca", "hangs", "garbage", "exits", "eats", "forks"],
        results=tmp_path / "r",
        plugins=[plugin],
    ).set_index("estimator")
    good = {"cca": "ok", "forks": "ok"}
    bad = {"hangs": "timeout", "garbage": "crashed", "exits": "crashed", "eats": "crashed"}
    assert rows["status"].to_dict() == good | bad
    wanted = '{"value": 0.32, "unit": "nats"} on a line'
    assert rows["error"].dropna().to_dict() == {
        "hangs": "the command of Hangs gave no answer within 5 seconds and was ended",
        "garbage": f"the command of Garbage ended with 'hello'; let it end with {wanted}",
        "exits": "the command of Exits ended with exit code 3; it said: oh",
        "eats": "the command of Eats ended with exit code 1, within the 1 GiB that it may take; it said: MemoryError",
    }
    assert rows.at["forks", "estimate_test"] == math.log(2)
    assert rows.at["cca", "estimate_test"] == pytest.approx(0.5, abs=0.3)


BY_AWK = """
import mibench


@mibench.register_estimator("by-awk")
class ByAwk(mibench.OutsideEstimator):
    command = ("awk", "-f", "{here}/one.awk", "{x}", "{y}")
"""


@pytest.mark.usefixtures("fresh_registries")
def test_files_beside_a_plug_in_are_part_of_its_code(tmp_path: Path) -> None:
    plugin = tmp_path / "outside.py"
    plugin.write_text(BY_AWK)
    codes = []
    for program in ("BEGIN { print 1 }", "BEGIN { print 2 }"):
        (tmp_path / "one.awk").write_text(program)
        mibench.load_plugins([plugin], strict=True)
        codes.append(ESTIMATORS.entry("by-awk").code)
    assert codes[0] != codes[1]


def test_this_interpreters_own_paths_are_not_handed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    code = "import os; print(os.environ.get('PYTHONPATH'), os.environ['OURS'], os.getcwd())"
    limits, command = Limits(seconds=60, memory=4), [sys.executable, "-S", "-c", code]
    said = output_of(command, folder=tmp_path, environment={"OURS": "1"}, limits=limits, owner="Mine")
    assert said.split() == ["None", "1", str(tmp_path)]
