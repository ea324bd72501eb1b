"""Bad input through the real command: exit code 2, one sentence on stderr, nothing written, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mibench.cli.app import main

RUN = ("run", "--task", "gaussian20d", "--estimator", "nwj")
DIGITS = "9" * 5000  # more than Python converts to an integer
CUT = "9" * 40 + "..."

# Arguments, and a part of the sentence.
CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "board of nothing": (("leaderboard", "--results", "nowhere"), "there is no results folder 'nowhere'"),
    "comparison with nothing": (
        ("compare", "--estimator", "nwj", "--published", "nowhere"), "there is no results folder 'nowhere'",
    ),
    "publication of nothing": (("results", "publish", "new"), "there is no results folder 'results' to publish from"),
    "compaction of nothing": (("results", "compact"), "there is no results folder 'results' to compact"),
    "publication of an unknown suite": (
        ("results", "publish", "new", "--results", "folder", "--suite", "standart"), "did you mean 'standard'",
    ),
    "publication into a file": (
        ("results", "publish", "typo.toml", "--results", "folder"), "cannot be written to, since it is a file",
    ),
    "reports into a file": (
        ("report", "--results", "folder", "--output", "typo.toml"),
        "folder of reports 'typo.toml' cannot be written to, since it is a file; name another with --output",
    ),
    "comparison into a file": (("compare", "--estimator", "nwj", "--output", "typo.toml/x"), "'typo.toml' is a file"),
    "results that are a file": (("results", "ls", "--results", "typo.toml"), "'typo.toml' is a file; name a folder"),
    "verify of a device": (("results", "verify", "--results", "/dev/null"), "'/dev/null' is a device; name a folder"),
    "grid that never ends": (("run", "/dev/zero"), "grid '/dev/zero' is a device; give a TOML file of at most 1 MB"),
    "report on a grid that never ends": (
        ("report", "--results", "folder", "--grid", "/dev/zero"), "grid '/dev/zero' is a device",
    ),
    "plug-in that never ends": (("check", "/dev/zero"), "it is a device; give a Python file of at most 1 MB"),
    "newcomer that never ends": (("compare", "/dev/zero"), "it is a device; give a Python file of at most 1 MB"),
    "plug-in that is no plug-in": ((*RUN, "--plugin", "/dev/zero"), "it is a device; give a Python file"),
    "plug-in that leaves": (
        (*RUN, "--plugin", "leaves.py"), "cannot be imported: it left the process with exit code 0 while",
    ),
    "plug-in that ends a generator": ((*RUN, "--plugin", "raises.py"), "cannot be imported: GeneratorExit: early"),
    "newcomer that leaves": (("compare", "leaves.py"), "it left the process with exit code 0 while it was imported"),
    "verify with a plug-in that leaves": (
        ("results", "verify", "--results", "folder", "--plugin", "leaves.py"), "it left the process with exit code 0",
    ),
    "budget that is a number": (("run", "budget.toml"), "must be one of the words quick, standard, paper, not 3"),
    "budget that is a number and replaced": (("run", "budget.toml", "--budget", "quick"), "budget must be one of"),
    "budget that is a table": (("run", "budgets.toml"), "budget must be one of the words quick, standard, paper"),
    "budget's table that is a number": (("run", "quick.toml"), "'quick' in grid 'quick.toml' must be a table"),
    "budget's table with a number for a budget": (("run", "paper.toml"), "budget must be one of the words"),
    "budget's table with a budget in it": (("run", "within.toml"), "holds another budget, 'quick'; write [quick]"),
    "budget's table that would never be read": (("run", "standard.toml"), "[standard] in grid 'standard.toml' must"),
    "empty option of a file": (("run", "blank.toml"), "option 'critic' is empty; give it a value or leave it out"),
}  # fmt: skip

FILES = {
    "leaves.py": b"import os\nos._exit(0)\n",
    "raises.py": b"raise GeneratorExit('early')\n",
    **{
        f"{name}.toml": b'task = "gaussian20d"\nestimator = "nwj"\n' + more
        for name, more in {
            "budget": b"budget = 3\n",
            "budgets": b"[budget]\nquick = 3\n",
            "quick": b"quick = 3\n",
            "paper": b"[paper]\nbudget = 3\n",
            "within": b"[paper.quick]\nsteps = 10\n",
            "standard": b"[standard]\nbudget = 3\n",
            "blank": b'critic = ""\n',
        }.items()
    },
    "broken.py": b"1 / 0\n",
    "syntax.toml": b'task = "gaussian20d\n',
    "typo.toml": b'task = "gaussian20d"\nestimator = "nwj"\nbacth = 64\n',
    "table.toml": b'task = "gaussian20d"\nestimator = "nwj"\n[[exclude]]\nestimater = "nwj"\n',
    "nested.toml": b'task = "gaussian20d"\nestimator = "nwj"\n[batch]\nn = 64\n',
    "empty.toml": b'task = "gaussian20d"\nestimator = "nwj"\nbatch = []\n',
    "deep.toml": b"batch = " + b"[" * 3000 + b"]" * 3000 + b"\n",
    "digits.toml": f'task = "gaussian20d"\nestimator = "nwj"\nbatch = {DIGITS}\n'.encode(),
    "hexadecimal.toml": f'task = "gaussian20d"\nestimator = "nwj"\nbatch = 0x{DIGITS}\n'.encode(),
    "listed.toml": f'task = "gaussian20d"\nestimator = "nwj"\nbatch = [[0x{DIGITS}]]\n'.encode(),
    "version.toml": f"suite.version = 0x{DIGITS}\n".encode(),
    "binary.toml": b"\xff\xfe\x00",
    "nothing.toml": b'task = "gaussian20d"\nestimator = "nwj"\n[[exclude]]\nestimator = "nwj-v1"\n',
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registries: None) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    return tmp_path


def expect_one_sentence(code: int, out: str, err: str, part: str, folder: Path) -> None:
    assert code == 2, err
    assert err.count("\n") == 1, err
    assert err.startswith("mibench: ")
    assert part in err
    assert "Traceback" not in err
    assert ": 0 done" not in out or "cannot be written" in err or "No such" in err  # refused before the plan
    assert sorted(p.name for p in folder.rglob("*") if p.suffix != ".pyc" and p.name != "__pycache__") == sorted(
        [*FILES, "folder"]
    )


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_sentence(case: str, workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments, part = CASES[case]
    code = main(arguments)
    out, err = capfd.readouterr()
    expect_one_sentence(code, out, err, part, workplace)


@pytest.mark.parametrize(
    "case", ["unknown estimator", "batch 1", "grid with a typo", "unknown option", "report of nothing"]
)
def test_bad_input_to_a_fresh_process(case: str, workplace: Path) -> None:
    arguments, part = CASES[case]
    done = subprocess.run([sys.executable, "-m", "mibench", *arguments], capture_output=True, text=True, check=False)
    expect_one_sentence(done.returncode, done.stdout, done.stderr, part, workplace)


EMPTY = {
    "run": ("task", "mi", "schedule", "estimator", "batch", "samples", "critic", "hidden", "activation", "dropout",
            "weight-decay", "precision", "negatives", "optimiser", "steps", "lr", "seeds", "seed", "window", "every",
            "patience", "budget", "suite", "plugin", "results", "device", "shard", "engine", "scheduler"),
    "report": ("results", "output", "where", "grid"),
    "leaderboard": ("results", "suite", "track", "by", "reference"),
    "compare": ("estimator", "suite", "published", "results", "output"),
    "list": ("plugin",),
    "results ls": ("results",),
    "results verify": ("results", "run", "plugin"),
}  # fmt: skip


@pytest.mark.parametrize(("command", "option"), [(c, o) for c, options in EMPTY.items() for o in options])
def test_an_option_that_is_given_has_a_value(
    command: str, option: str, workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start = RUN if command == "run" else tuple(command.split())
    for words in ((f"--{option}", ""), (f"--{option}=",)):
        code = main([*start, *words])
        out, err = capfd.readouterr()
        expect_one_sentence(code, out, err, f"option '--{option}' is empty; give it a value or leave it out", workplace)


def test_an_argument_that_is_given_is_something(workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in (["run", ""], ["check", ""], ["results", "merge", ""]):
        code = main(arguments)
        expect_one_sentence(code, *capfd.readouterr(), "an argument is empty", workplace)


ABSENT = {
    "results": ["report", "leaderboard", "results ls", "results compact", "results verify", "results publish new"],
    "published": ["compare --estimator nwj"],
}


@pytest.mark.parametrize(
    "command",
    [
        *(f"{command} --{option} nowhere" for option, commands in ABSENT.items() for command in commands),
        "results merge nowhere",
        "report --results folder --output typo.toml",
        "report --results folder --grid nowhere",
        "leaderboard --suite nowhere",
    ],
)
def test_what_is_not_there_is_said_before_anything_heavy_is_imported(command: str, workplace: Path) -> None:
    code = (
        f"import sys; from mibench.cli.app import main; assert main({command.split()!r}) == 2; "
        "print({'pandas', 'matplotlib', 'torch', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("target", ["/proc/results", "/dev/null/results"])
def test_a_results_folder_that_cannot_be_written_to(
    target: str, workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if not os.path.exists(Path(target).parent):  # noqa: PTH110  # pathlib raises below a device
        pytest.skip(f"this system has no {Path(target).parent}")
    code = main([*RUN, "--mi", "1", "--steps", "10", "--results", target])
    out, err = capfd.readouterr()
    assert "cannot be written to" in err
    expect_one_sentence(code, out, err, "name another with --results", workplace)
