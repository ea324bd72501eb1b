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
    "unknown task": (("run", "--task", "gausian20d", "--estimator", "nwj"), "did you mean 'gaussian20d'"),
    "unknown estimator": (("run", "--task", "gaussian20d", "--estimator", "nwk"), "did you mean 'nwj'?"),
    "unknown critic": ((*RUN, "--critic", "seperable"), "did you mean 'separable'?"),
    "unknown negatives": ((*RUN, "--negatives", "shufle"), "did you mean 'shuffle'?"),
    "no critic for an estimator that needs one": (
        (*RUN, "--critic", "none"), "critic 'none' gives no scores, which estimator 'nwj-v1' needs; use another critic",
    ),
    "no negatives for an estimator that needs them": (
        (*RUN, "--negatives", "none"),
        "negative sampler 'none' gives no negatives, which estimator 'nwj-v1' needs; use another sampler",
    ),
    "a batch that is too small a sample": (
        ("run", "--task", "gaussian20d", "--estimator", "cca", "--batch", "40"),
        "a batch of 40 is too small a sample of task 'gaussian20d' for estimator 'cca-v1'; use at least 41",
    ),
    "fewer pairs than neighbours": (
        ("run", "--task", "gaussian20d", "--estimator", "ksg:k=64"), "for estimator 'ksg-v1'; use at least 65",
    ),
    "a value that a critic has and the estimator has not": (
        ("run", "--task", "gaussian20d", "--estimator", "ksg", "--critic", "jont"), "did you mean 'joint'",
    ),
    "unknown version": (("run", "--task", "gaussian20d-v7", "--estimator", "nwj"), "did you mean 'gaussian20d-v1'"),
    "no task": (("run", "--estimator", "nwj"), "no task is given; name one with --task"),
    "no estimator": (("run", "--task", "gaussian20d"), "no estimator is given; name one with --estimator"),
    "negative mi": ((*RUN, "--mi", "-1"), "mi must be a finite number of at least 0, not -1"),
    "infinite mi": ((*RUN, "--mi", "inf"), "mi must be a finite number of at least 0"),
    "nan mi": ((*RUN, "--mi", "nan"), "mi 'nan' does not parse"),
    "mi in another unit": ((*RUN, "--mi", "3bans"), "write nats as '5' or bits as '2bits'"),
    "mi past double precision": ((*RUN, "--mi", "2000"), "past double precision; use at most 640 nats"),
    "mi and schedule": ((*RUN, "--mi", "2", "--schedule", "2,4"), "mi and schedule exclude each other"),
    "mi in the name and beside it": (
        ("run", "--task", "gaussian20d:mi=2", "--estimator", "nwj", "--mi", "3"), "the grid does too; give it once",
    ),
    "schedule of one level": ((*RUN, "--schedule", "4"), "schedule '4' has fewer than two levels"),
    "schedule that does not parse": ((*RUN, "--schedule", "2,,4"), "mi '' does not parse"),
    "schedule with a negative level": ((*RUN, "--schedule", "2,-4"), "mi must be a finite number of at least 0"),
    "steps that stairs cannot share": ((*RUN, "--schedule", "2,4,6", "--steps", "100"), "use a multiple of 3"),
    "batch 0": ((*RUN, "--batch", "0"), "batch must be a whole number of at least 2, not 0"),
    "batch 1": ((*RUN, "--batch", "1"), "batch must be a whole number of at least 2, not 1"),
    "batch that is no number": ((*RUN, "--batch", "many"), "batch must be a whole number of at least 2, not many"),
    "broken batch": ((*RUN, "--batch", "64.5"), "batch must be a whole number of at least 2, not 64.5"),
    "one bad value among good ones": ((*RUN, "--batch", "64", "--batch", "1"), "batch must be a whole number"),
    "hidden without a depth": ((*RUN, "--hidden", "256"), "hidden '256' does not parse; write depth x width"),
    "hidden of zero layers": ((*RUN, "--hidden", "0x256"), "hidden '0x256' does not parse"),
    "unknown activation": ((*RUN, "--activation", "relo"), "unknown activation 'relo'; did you mean 'relu'"),
    "dropout of 1": ((*RUN, "--dropout", "1"), "dropout must lie in [0, 1), not 1"),
    "dropout for too many layers": ((*RUN, "--dropout", "0.1/0.2/0.3"), "3 hidden layers, but there are 2"),
    "learning rate 0": ((*RUN, "--lr", "0"), "lr must be a finite number above 0, not 0"),
    "negative learning rate": ((*RUN, "--lr", "-0.1"), "lr must be a finite number above 0"),
    "unknown precision": ((*RUN, "--precision", "float16"), "unknown precision 'float16'; did you mean"),
    "negative weight decay": ((*RUN, "--weight-decay", "-1"), "weight_decay must be a finite number of at least 0"),
    "steps 0": ((*RUN, "--steps", "0"), "steps must be a whole number of at least 1"),
    "window longer than the run": ((*RUN, "--steps", "10", "--window", "11"), "use a shorter one"),
    "spacing longer than the run": ((*RUN, "--steps", "10", "--every", "11"), "use a smaller spacing"),
    "no seeds": ((*RUN, "--seeds", "0"), "seeds must be a whole number of at least 1"),
    "negative seed": ((*RUN, "--seed", "-1"), "seed must be a whole number of at least 0"),
    "seed past 63 bits": ((*RUN, "--seed", str(2**63)), "seed must be a whole number of at least 0"),
    "seed and seeds": ((*RUN, "--seed", "1", "--seeds", "2"), "seed and seeds exclude each other"),
    "too many runs": ((*RUN, "--seeds", "9999999"), "more than 1000000; split it"),
    "unknown budget": ((*RUN, "--budget", "standart"), "unknown budget 'standart'; did you mean 'standard'?"),
    "unknown parameter": (
        ("run", "--task", "gaussian20d", "--estimator", "smile:tua=5"), "no parameter 'tua'; did you mean 'tau'?",
    ),
    "parameter that is no number": (
        ("run", "--task", "gaussian20d", "--estimator", "smile:tau=x"), "parameter 'tau': 'x' is not a number",
    ),
    "parameter out of range": (("run", "--task", "gaussian20d", "--estimator", "smile:tau=0"), "tau must be above 0"),
    "parameter without a value": (
        ("run", "--task", "gaussian20d", "--estimator", "smile:tau"), "write parameters as 'smile:key=value",
    ),
    "dimension 0": (("run", "--task", "gaussian20d:dim=0", "--estimator", "nwj"), "dim must be at least 1"),
    "impossible permutation": (
        (*RUN, "--batch", "4", "--negatives", "shuffle:fixed=3"), "no permutation of 4 has exactly 3 fixed points",
    ),
    "unknown option": ((*RUN, "--bach", "64"), "No such option: --bach"),
    "option without a value": ((*RUN, "--batch"), "--batch"),
    "unknown command": (("rum",), "No such command 'rum'"),
    "jobs 0": ((*RUN, "--jobs", "0"), "jobs must be at least 1, not 0"),
    "jobs that are no number": ((*RUN, "--jobs", "two"), "Invalid value for '--jobs'"),
    "timeout 0": ((*RUN, "--timeout", "0"), "timeout must be a positive number of seconds"),
    "unknown device": ((*RUN, "--device", "gpu"), "unknown device 'gpu'"),
    "unknown engine": ((*RUN, "--engine", "dusk"), "unknown engine 'dusk'; did you mean 'dask'?"),
    "scheduler without dask": ((*RUN, "--scheduler", "tcp://x:1"), "add --engine dask"),
    "shard that does not parse": ((*RUN, "--shard", "3-40"), "shard '3-40' does not parse; write I/N"),
    "shard 0": ((*RUN, "--shard", "0/4"), "shard 0/4 does not exist"),
    "shard past the last": ((*RUN, "--shard", "5/4"), "shard 5/4 does not exist"),
    "plug-in that does not exist": ((*RUN, "--plugin", "nowhere.py"), "plug-in 'nowhere.py' does not exist"),
    "plug-in that breaks": ((*RUN, "--plugin", "broken.py"), "cannot be imported: ZeroDivisionError"),
    "grid that does not exist": (("run", "gosch-02"), "there is no grid 'gosch-02'; did you mean 'gosch-2'"),
    "grid that is a folder": (("run", "folder"), "grid 'folder' is a folder"),
    "grid that is no TOML": (("run", "syntax.toml"), "grid 'syntax.toml' is not valid TOML"),
    "grid with a typo": (("run", "typo.toml"), "unknown option 'bacth' in grid 'typo.toml'; did you mean 'batch'?"),
    "grid with a typo in a table": (("run", "table.toml"), "unknown option 'estimater' in [[exclude]]"),
    "grid with a table for a value": (("run", "nested.toml"), "option 'batch' takes a value or a list of values"),
    "grid with an empty list": (("run", "empty.toml"), "option 'batch' is an empty list"),
    "grid that is binary": (("run", "binary.toml"), "is not a text file"),
    "grid that excludes everything": (("run", "nothing.toml"), "every run of the grid is excluded"),
    "grid with a name too long": (("run", "x" * 5000), "cannot be read: File name too long"),
    "grid nested too deeply": (("run", "deep.toml"), "grid 'deep.toml'"),
    "results folder with a name too long": ((*RUN, "--results", "x" * 300), "cannot be read (File name too long)"),
    "results folder that is a file": ((*RUN, "--results", "typo.toml"), "typo.toml"),
    "version of thousands of digits": (
        ("run", "--task", f"gaussian20d-v{DIGITS}", "--estimator", "nwj"), "unknown task 'gaussian20d-v9999",
    ),
    "estimator's version of thousands of digits": (
        ("run", "--task", "gaussian20d", "--estimator", f"nwj-v{DIGITS}"), "unknown estimator 'nwj-v9999",
    ),
    "version of thousands of digits for info": (("info", f"nwj-v{DIGITS}"), "unknown name 'nwj-v9999"),
    "suite's version of thousands of digits": (("run", "--suite", f"quick-v{DIGITS}"), "unknown suite 'quick-v9999"),
    "width of thousands of digits": ((*RUN, "--hidden", f"1x{DIGITS}"), "hidden '1x9999"),
    "width past 63 bits": ((*RUN, "--hidden", f"1x{2**63}"), f"hidden '1x{2**63}' does not parse"),
    "depth of thousands of digits": ((*RUN, "--hidden", f"{DIGITS}x8"), f"hidden '{CUT}' does not parse"),
    "shard of thousands of digits": ((*RUN, "--shard", f"{DIGITS}/4"), f"shard '{CUT}' does not parse; write I/N"),
    "shards of thousands of digits": ((*RUN, "--shard", f"1/{DIGITS}"), "does not parse; write I/N"),
    "batch of thousands of digits": ((*RUN, "--batch", DIGITS), f"whole number of at least 2, not {CUT}"),
    "seed of thousands of digits": ((*RUN, "--seed", DIGITS), f"seed must be a whole number of at least 0, not {CUT}"),
    "seeds of thousands of digits": ((*RUN, "--seeds", DIGITS), f"whole number of at least 1, not {CUT}"),
    "mi of thousands of digits": ((*RUN, "--mi", DIGITS), "mi must be a finite number of at least 0, not inf"),
    "rate of thousands of digits": ((*RUN, "--lr", DIGITS), f"lr must be a finite number above 0, not {CUT}"),
    "dropout of thousands of digits": ((*RUN, "--dropout", DIGITS), f"dropout must lie in [0, 1), not {CUT}"),
    "jobs of thousands of digits": ((*RUN, "--jobs", DIGITS), "Invalid value for '--jobs'"),
    "parameter of thousands of digits": (
        ("run", "--task", f"gaussian20d:dim={DIGITS}", "--estimator", "nwj"), f"'dim': '{CUT}' is not a whole number",
    ),
    "parameter past 63 bits": (
        ("run", "--task", f"gaussian20d:dim={2**63}0", "--estimator", "nwj"), f"'{2**63}0' is too large; use at most",
    ),
    "grid with a number of thousands of digits": (
        ("run", "digits.toml"), "grid 'digits.toml' holds a number of thousands of digits; write at most 19",
    ),
    "suite with a number of thousands of digits": (
        ("run", "--suite", "digits.toml"), "suite 'digits' holds a number of thousands of digits; write at most 19",
    ),
    "grid with a hexadecimal number of thousands of digits": (
        ("run", "hexadecimal.toml"), "batch must be a whole number of at least 2, not a number of thousands of digits",
    ),
    "grid with such a number in a list of lists": (
        ("run", "listed.toml"), "takes a value or a list of values, not a number of thousands of digits",
    ),
    "suite with a hexadecimal version of thousands of digits": (
        ("run", "--suite", "version.toml"), "whole number of at least 1, not a number of thousands of digits",
    ),
    "unknown list": (("list", "estimator"), "there is no list of 'estimator'; did you mean 'estimators'?"),
    "unknown name for info": (("info", "nwk"), "did you mean 'nwj'"),
    "wrong parameter for info": (("info", "smile:tau=-1"), "tau must be above 0"),
    "check of nothing": (("check", "nowhere.py"), "plug-in 'nowhere.py' does not exist"),
    "report of nothing": (("report",), "there is no results folder 'results'"),
    "report without rows": (("report", "--results", "folder"), "holds no runs; make some with 'mibench run'"),
    "unknown report": (
        ("report", "saturaton", "--results", "folder"), "unknown report 'saturaton'; did you mean 'saturation'?",
    ),
    "condition that does not parse": (("report", "--where", "batch"), "write COLUMN=VALUE"),
    "results that do not exist": (("results", "ls"), "there is no results folder 'results'"),
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
    "merge of nothing": (("results", "merge", "nowhere", "--results", "other"), "nowhere"),
    "verify of nothing": (("results", "verify"), "results"),
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
