from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mibench import __version__
from mibench.cli.app import main
from mibench.experiments.grid import shipped_grids
from tests.support.paths import SUPPORT

SMALL = ["--mi", "1", "--hidden", "1x8", "--batch", "16", "--steps", "20", "--seeds", "1"]
TINY = [*SMALL, "--jobs", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registries: None) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mibench(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    done = subprocess.run(
        [sys.executable, "-m", "mibench", *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == code, done.stderr
    return done


def test_run_from_an_empty_folder_then_again(capfd: pytest.CaptureFixture[str]) -> None:
    command = ["run", "--task", "gaussian20d", "--estimator", "nwj", "--estimator", "infonce", *TINY]
    done = mibench(*command)
    lines = done.stdout.splitlines()
    assert lines[0] == "2 runs: 0 done, 2 new"
    assert lines[-1] == "next: mibench report curves"
    assert lines[-2] == "2 runs in results/runs, curves in results/curves"
    rows = pd.read_parquet("results/runs")  # pandas alone
    assert sorted(rows["estimator"]) == ["infonce", "nwj"]
    assert set(rows["status"]) == {"ok"}
    for cell in ("gaussian20d", "infonce", "all-pairs", "2.77", "1 ok"):  # log 16 = 2.77 caps InfoNCE
        assert cell in done.stdout
    assert main(command) == 0
    assert capfd.readouterr().out.startswith("2 runs: 2 done, 0 new\n")
    assert rows.equals(pd.read_parquet("results/runs"))


def test_what_estimators_bring_in_place_of_the_grids_components_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--task", "gaussian20d:dim=2", "--estimator", "cca", "--estimator", "doe", *TINY]) == 0
    out = capfd.readouterr().out
    assert "in place of the grid's critic, estimators brought their own: cca none, doe conditional-gaussian" in out
    assert "in place of the grid's negatives, estimators brought their own: cca none" in out


def test_run_reads_a_grid_file_and_options_beside_it_win(capfd: pytest.CaptureFixture[str]) -> None:
    Path("grid.toml").write_text('task = "gaussian20d"\nestimator = ["nwj", "dv"]\nmi = [1, 2, 3]\nbatch = 16\n')
    assert main(["run", "grid.toml", "--mi", "1", "--mi", "2bits", "--seeds", "3", "--dry-run"]) == 0
    plan, memory = capfd.readouterr().out.splitlines()
    assert plan == "12 runs: 0 done, 12 new"
    assert memory.startswith("each worker process needs up to ")
    assert not Path("results").exists()


@pytest.mark.parametrize(("options", "count"), [
    (["--schedule", "2,4,6", "--schedule", "1,2"], 2),
    (["--mi", "2", "--batch", "8", "--batch", "16", "--negatives", "shuffle", "--negatives", "derangement"], 4),
    (["--mi", "2", "--seed", "5", "--seed", "7"], 2),
    (["--mi", "2", "--budget", "paper"], 5),
    (["--mi", "2", "--seeds", "100", "--shard", "1/1"], 100),
])  # fmt: skip
def test_options_are_a_product(options: list[str], count: int, capfd: pytest.CaptureFixture[str]) -> None:
    seeds = [] if {"--seed", "--seeds", "--budget"} & set(options) else ["--seeds", "1"]
    assert main(["run", "--task", "gaussian20d", "--estimator", "nwj", "--dry-run", *options, *seeds]) == 0
    assert capfd.readouterr().out.startswith(f"{count} runs: 0 done, {count} new")


def test_shards_share_a_grid(capfd: pytest.CaptureFixture[str]) -> None:
    counts = []
    for shard in ("1/3", "2/3", "3/3"):
        main(["run", "--task", "gaussian20d", "--estimator", "nwj", "--seeds", "10", "--dry-run", "--shard", shard])
        counts.append(int(capfd.readouterr().out.split()[0]))
    assert sum(counts) == 50
    assert min(counts) > 0


@pytest.mark.parametrize("grid", [grid.name for grid in shipped_grids()])
def test_shipped_grids_run_by_name(grid: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", grid, "--dry-run"]) == 0
    assert " new\n" in capfd.readouterr().out


def test_a_run_that_raises_is_a_row_and_exit_code_1(
    capfd: pytest.CaptureFixture[str], write_plugin: Callable[..., Path]
) -> None:
    path = write_plugin(name="wrong")
    path.write_text(path.read_text().replace("return scores", "raise ValueError('no')\n        return scores"))
    both = ["--estimator", "nwj", "--estimator", "wrong"]
    command = ["run", "--task", "gaussian20d", *both, "--plugin", str(path), *TINY]
    assert main(command) == 1
    out = capfd.readouterr().out
    assert "1 crashed" in out
    assert "1 ok" in out
    rows = pd.read_parquet("results/runs").set_index("estimator")
    assert rows["status"].to_dict() == {"nwj": "ok", "wrong": "crashed"}
    assert "ValueError: no" in rows["error"]["wrong"]
    assert main(command) == 1  # still not all of the grid has a result
    assert capfd.readouterr().out.startswith("2 runs: 1 done, 0 new, 1 failed before (--retry-failed)")


def test_report_and_results_commands(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--task", "gaussian20d", "--estimator", "nwj", *TINY, "--batch", "32"])
    capfd.readouterr()
    assert main(["report", "saturation", "--where", "batch=16,32"]) == 0
    files = [Path(line) for line in capfd.readouterr().out.splitlines()]
    assert {file.suffix for file in files} == {".png", ".svg", ".csv", ".md", ".html"}
    assert all(file.stat().st_size for file in files)
    assert main(["report", "saturation", "staircase"]) == 0
    assert "no staircase: " in capfd.readouterr().out
    assert main(["results", "ls"]) == 0
    assert "16 to 32" in capfd.readouterr().out
    assert main(["results", "merge", "results", "--results", "other"]) == 0
    assert capfd.readouterr().out.startswith("2 runs in ")
    assert main(["results", "compact", "--results", "other"]) == 0
    assert main(["results", "verify", "--results", "other"]) == 0
    assert capfd.readouterr().out.endswith("other is in order\n")
    assert len(list(Path("other/runs").glob("*.parquet"))) == 1


def test_verify_names_a_file_that_is_truncated_and_exits_with_1(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--task", "gaussian20d", "--estimator", "nwj", *TINY])
    capfd.readouterr()
    file = next(Path("results/runs").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:100])
    assert main(["results", "verify"]) == 1
    assert file.name in capfd.readouterr().out


def test_list_shows_every_kind_with_summaries(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capfd.readouterr().out
    for name in ("gaussian20d", "nwj, mine-f", "separable", "all-pairs", "staircase", "NWJ bound: mean p"):
        assert name in out
    assert "origin" not in out
    assert main(["list", "negatives"]) == 0
    assert "gaussian20d" not in capfd.readouterr().out


def test_list_as_json_is_machine_readable(
    elsewhere: Path, capfd: pytest.CaptureFixture[str], write_plugin: Callable[..., Path]
) -> None:
    assert main(["list", "estimators", "--json", "--plugin", str(write_plugin())]) == 0
    listed = json.loads(capfd.readouterr().out)
    assert listed.keys() == {"estimators", "broken"}
    zero = next(entry for entry in listed["estimators"] if entry["name"] == "zero")
    assert zero["id"] == "zero-v1"
    assert zero["origin"] == str(elsewhere / "plugin.py")


def test_list_shows_where_plug_ins_come_from_and_which_are_broken(
    elsewhere: Path, capfd: pytest.CaptureFixture[str], write_plugin: Callable[..., Path]
) -> None:
    write_plugin()
    (elsewhere / "wreck.py").write_text("import no_such_module\n")
    assert main(["list", "estimators", "--plugin", str(elsewhere)]) == 0
    out = capfd.readouterr().out
    assert str(elsewhere / "plugin.py") in out.replace("\n", "")
    assert "wreck.py: ModuleNotFoundError: No module named 'no_such_module'" in out


def test_info_says_all_about_a_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "infonce"]) == 0
    out = capfd.readouterr().out
    for text in ("infonce-v1 (estimator, lower)", "van den Oord", "4.1589", "0.6931", "infonce.py"):  # log 64, log 2
        assert text in out
    assert main(["info", "smile:tau=1"]) == 0
    assert "'tau': 1.0" in capfd.readouterr().out
    for name in ("gaussian20d", "separable", "shuffle"):
        assert main(["info", name]) == 0
        assert f"{name}-v1" in capfd.readouterr().out


def test_check_passes_a_good_plug_in_and_fails_a_wrong_one(
    capfd: pytest.CaptureFixture[str], write_plugin: Callable[..., Path]
) -> None:
    good = SUPPORT / "plugins" / "good.py"
    assert main(["check", str(good)]) == 0
    assert ", 0 failed" in capfd.readouterr().out
    assert main(["check", str(write_plugin())]) == 1  # the constant 0 cannot be trained
    out = capfd.readouterr().out
    assert "FAILED" in out
    assert "check the sign" in out


def test_help_and_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"{__version__}\n"
    assert main([]) == 0
    overview = capfd.readouterr().out
    assert "Usage: mibench" in overview
    for command in ("run", "list", "info", "check", "report", "results"):
        assert main([command, "--help"]) == 0
        assert f"Usage: mibench {command}" in capfd.readouterr().out


@pytest.mark.parametrize(
    "command", ["--help", "list", "list --json", "run --help", "results --help", "estimate --help"]
)
def test_help_and_list_import_neither_torch_nor_pandas(command: str) -> None:
    code = (
        f"import sys; from mibench.cli.app import main; main({command.split()!r}); "
        "sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_completion_knows_names() -> None:
    code = (
        "import os, sys; os.environ.update(_MIBENCH_COMPLETE='complete_bash', COMP_WORDS='mibench run --estimator nw', "
        "COMP_CWORD='3'); from mibench.cli.app import main; main([])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["nwj"]


def test_ctrl_c_exits_with_130_and_says_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mibench.running.runner.execute", interrupt)
    assert main(["run", "--task", "gaussian20d", "--estimator", "nwj"]) == 130
    assert "interrupted; what was stored before stays" in capfd.readouterr().err


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from mibench.cli.terminal.progress import progress_bar

    clock = iter([0.0, 10.0, 31.0, 40.0, 62.0, 100.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with progress_bar() as progress:
        for done in (10, 31, 40, 62, 100):
            progress(done, 100)
    assert capfd.readouterr().err.splitlines() == [
        "31% done after 0:31, about 1:09 left",
        "62% done after 1:02, about 0:38 left",
    ]


def test_help_shows_the_defaults(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    words = " ".join(capfd.readouterr().out.replace("│", " ").split())
    assert "Batch size N. [default: 64]" in words
    assert "[default: one per processor]" in words


def test_list_and_check_name_every_plug_in_that_ends_oddly(
    elsewhere: Path, capfd: pytest.CaptureFixture[str], write_plugin: Callable[..., Path]
) -> None:
    endings = {
        "a": ("raise GeneratorExit", "GeneratorExit (line 1)"),
        "b": ("raise KeyboardInterrupt", "KeyboardInterrupt (line 1)"),
        "c": ("import os; os._exit(0)", "it left the process with exit code 0 while it was imported"),
        "d": ("import os; os.kill(os.getpid(), 9)", "it was killed by signal 9 (Killed) while it was imported"),
    }
    for name, (code, _) in endings.items():
        (elsewhere / f"{name}.py").write_text(code)
    write_plugin("z.py")
    assert main(["list", "estimators", "--json", "--plugin", str(elsewhere)]) == 0
    listed = json.loads(capfd.readouterr().out)
    assert {Path(b["origin"]).stem: b["error"] for b in listed["broken"]} == {n: e for n, (_, e) in endings.items()}
    assert "zero-v1" in {entry["id"] for entry in listed["estimators"]}
    assert main(["check", *(f"{name}.py" for name in endings)]) == 1
    out = capfd.readouterr().out
    for _, error in endings.values():
        assert f"cannot be imported: {error}" in out
    assert "0 checks passed, 4 failed" in out


def test_list_without_plug_ins_starts_no_process() -> None:
    code = (
        "import sys; from mibench.cli.app import main; main(['list', '--json']); "
        "sys.exit('mibench.core.probing' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_the_plan_says_who_takes_batches_for_samples(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--task", "gaussian20d", "--estimator", "ksg", *TINY, "--dry-run"]) == 0
    *plan, memory = capfd.readouterr().out.splitlines()
    assert plan == [
        "1 run: 0 done, 1 new",
        "ksg takes each batch of 16 pairs as a sample: give --samples for a fixed one",
    ]
    assert memory.startswith("each worker process needs up to ")


def test_what_opens_very_many_files_says_first_how_they_become_few(
    elsewhere: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["run", "--task", "gaussian20d", "--estimator", "nwj", *TINY]
    assert main([*command, "--batch", "32"]) == 0
    assert "compact" not in capfd.readouterr().out
    hint = (
        "the runs of 'results' lie in 2 files; 'mibench results compact --results results' turns them into one, "
        "which is read much faster"
    )
    monkeypatch.setattr("mibench.store.paths.MANY", 0)
    for again in (["results", "ls", "--failed"], ["report", "curves"]):
        assert main(again) == 0
        assert capfd.readouterr().out.splitlines()[0] == hint
    for at_once in ([*command, "--batch", "32", "--dry-run"], ["results", "ls"]):
        assert main(at_once) == 0
        assert "compact" not in capfd.readouterr().out
