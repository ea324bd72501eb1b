"""The command line: a thin face of the Python interface.

Notable: nothing heavy is imported at module level, so that ``--help``, ``list`` and completion answer at once. Every
error that the user can mend is one sentence on stderr: exit code 2 for bad input, 1 where runs failed or could not be
stored, 130 after Ctrl-C.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mibench.cli import completion as names
from mibench.core.errors import MibenchError, UnknownNameError, UsageError, did_you_mean
from mibench.core.parameters import split_name
from mibench.core.plugins import load_plugins
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS, Entry, Registry, broken
from mibench.core.version import __version__
from mibench.ranking.columns import REFERENCE
from mibench.store.columns import FAILURE_STATUSES

if TYPE_CHECKING:
    from mibench.running.plan import Plan

app = typer.Typer(
    name="mibench",
    help="Measure mutual-information estimators: train critics over grids, keep every run, report bias and saturation.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
results_app = typer.Typer(help="Look after a results folder.")
app.add_typer(results_app, name="results")

# typer does not export the base of its errors about arguments; BadParameter is one of them.
_ArgumentError: type[Exception] = typer.BadParameter.__mro__[1]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    args
        Arguments; those of the process by default.
    """
    command = typer.main.get_command(app)
    try:
        code = command.main(args=args, prog_name="mibench", standalone_mode=False)
    except MibenchError as error:
        return _complain(str(error), error.exit_code)
    except _ArgumentError as error:
        message = error.format_message().rstrip(".") if hasattr(error, "format_message") else str(error)
        return _complain(f"{message}; see 'mibench --help'", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    if code == 130:
        return _complain("interrupted; the same command goes on with what is missing", 130)
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    """Write one line to stderr, whatever the message's own line breaks."""
    print(f"mibench: {' '.join(message.split())}", file=sys.stderr)
    return code


Many = list[str] | None
Plugins = Annotated[Many, typer.Option("--plugin", metavar="PATH", help="Python file or folder with more components.")]
Results = Annotated[Path, typer.Option("--results", help="The results folder.")]


def _option(name: str, text: str, completion: Callable[[str], list[str]] | None = None) -> Any:
    return typer.Option(
        name, help=text, autocompletion=completion, rich_help_panel="Grid (repeat an option for a product)"
    )


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command("run")
def run_command(
    grid: Annotated[
        str | None,
        typer.Argument(help="TOML file or shipped grid; options replace its own.", autocompletion=names.of_grid),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="A suite; with --estimator, that one on it.", autocompletion=names.of_suite)
    ] = None,
    task: Annotated[Many, _option("--task", "Task, for example gaussian20d:dim=10.", names.in_registry(TASKS))] = None,
    mi: Annotated[Many, _option("--mi", "True mutual information in nats, or as 2bits.")] = None,
    schedule: Annotated[Many, _option("--schedule", "A staircase of MI levels: 2,4,6,8,10.")] = None,
    estimator: Annotated[
        Many, _option("--estimator", "Estimator, as nwj or smile:tau=5.", names.in_registry(ESTIMATORS))
    ] = None,
    batch: Annotated[Many, _option("--batch", "Batch size N.  \\[default: 64]")] = None,
    samples: Annotated[Many, _option("--samples", "Pairs in a fixed sample, to split and train on in epochs.")] = None,
    critic: Annotated[Many, _option("--critic", "Critic.  \\[default: joint]", names.in_registry(CRITICS))] = None,
    hidden: Annotated[Many, _option("--hidden", "Hidden layers, depth x width.  \\[default: 2x256]")] = None,
    activation: Annotated[Many, _option("--activation", "relu or elu.  \\[default: relu]")] = None,
    dropout: Annotated[Many, _option("--dropout", "Dropout, one rate or one a layer: 0.5/0.3.  \\[default: 0]")] = None,
    weight_decay: Annotated[Many, _option("--weight-decay", "The optimiser's L2 penalty.  \\[default: 0]")] = None,
    precision: Annotated[Many, _option("--precision", "Arithmetic.  \\[default: float32]", names.of_precision)] = None,
    negatives: Annotated[
        Many, _option("--negatives", "Negative sampler.  \\[default: the estimator's]", names.in_registry(NEGATIVES))
    ] = None,
    optimiser: Annotated[
        Many, _option("--optimiser", "adam, sgd or sgd:momentum=0.9.  \\[default: adam]", names.of_optimiser)
    ] = None,
    steps: Annotated[Many, _option("--steps", "Steps of training, stairs together.  \\[default: the budget's]")] = None,
    lr: Annotated[Many, _option("--lr", "Learning rate.  \\[default: 5e-4]")] = None,
    seeds: Annotated[str | None, _option("--seeds", "How many seeds: 0, 1, ...  \\[default: the budget's]")] = None,
    seed: Annotated[Many, _option("--seed", "A seed by its number.")] = None,
    window: Annotated[Many, _option("--window", "Last steps of a stair that estimates are taken over.")] = None,
    every: Annotated[Many, _option("--every", "Steps between two points of a curve.")] = None,
    patience: Annotated[Many, _option("--patience", "Points without gain that stop a run on a fixed sample.")] = None,
    budget: Annotated[str | None, _option("--budget", "quick, standard or paper: steps and seeds.")] = None,
    plugin: Plugins = None,
    results: Results = Path("results"),
    jobs: Annotated[int | None, typer.Option(help="Worker processes.  \\[default: one per processor]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    timeout: Annotated[float, typer.Option(help="Seconds after which a run is killed.")] = 3600.0,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed runs again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    shard: Annotated[str | None, typer.Option(help="Only part I of N of the grid: 3/40.")] = None,
    engine: Annotated[str, typer.Option(help="local or dask.")] = "local",
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
) -> None:
    """Train the runs of a grid that are not stored yet; the same command again goes on where it stopped."""
    from mibench.cli import terminal
    from mibench.experiments.options import OPTION_NAMES
    from mibench.experiments.suite import requested_runs
    from mibench.running.plan import read_shard
    from mibench.running.runner import execute, rows_of
    from mibench.store.sessions import available_cores

    given = {name: value for name, value in locals().items() if name in OPTION_NAMES and value}
    if schedule:
        given["schedule"] = [one.split(",") for one in schedule]
    load_plugins(plugin or (), strict=True)
    part = read_shard(shard) if shard else None
    specs = requested_runs(grid, suite, given)
    with terminal.progress_bar() as progress:

        def show_plan(plan: Plan) -> None:
            print(plan, flush=True)
            if not dry_run:
                progress(0, plan.work)

        outcome = execute(
            specs,
            results=results,
            jobs=available_cores() if jobs is None else jobs,
            device=device,
            timeout=timeout,
            retry_failed=retry_failed,
            shard=part,
            dry_run=dry_run,
            engine=engine,
            scheduler=scheduler,
            command=shlex.join(["mibench", *sys.argv[1:]]),
            on_plan=show_plan,
            on_progress=progress,
        )
    if dry_run:
        return
    rows = rows_of(outcome.plan.specs, results)
    terminal.show_results(rows)
    terminal.say_next(rows, results)
    if rows["status"].isin(FAILURE_STATUSES).any():
        raise typer.Exit(1)


@app.command("list")
def list_command(
    what: Annotated[
        str | None,
        typer.Argument(help="tasks, estimators, critics, negatives, grids or suites.", autocompletion=names.of_list),
    ] = None,
    plugin: Plugins = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what there is, with one line on each."""
    from mibench.cli import terminal
    from mibench.experiments.grid import shipped_grids
    from mibench.experiments.suite import shipped_suites

    if what is not None and what not in names.LISTS:
        raise UsageError(f"there is no list of '{what}'{did_you_mean(what, names.LISTS)}")
    load_plugins(plugin or ())
    entries = {
        name: registry.entries(all_versions=True) for name, registry in names.REGISTRIES.items() if what in (None, name)
    }
    grids = shipped_grids() if what in (None, "grids") else []
    suites = shipped_suites() if what in (None, "suites") else []
    if as_json:
        listed: dict[str, Any] = {name: [_as_json(e) for e in found] for name, found in entries.items()}
        if grids:
            listed["grids"] = [{"name": g.name, "summary": g.summary, "path": str(g.path)} for g in grids]
        if suites:
            listed["suites"] = [{"id": s.id, "summary": s.summary, "path": str(s.path)} for s in suites]
        print(json.dumps({**listed, "broken": [dataclasses.asdict(b) for b in broken()]}, indent=2))
        return
    for name, found in entries.items():
        terminal.show_entries(name, found)
    if grids:
        terminal.show_table(("grids", "summary"), [(grid.name, grid.summary) for grid in grids])
    if suites:
        terminal.show_table(("suites", "version", "summary"), [(s.name, f"v{s.version}", s.summary) for s in suites])
    terminal.show_broken(broken())


def _as_json(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, **dataclasses.asdict(entry)}


@app.command("info")
def info_command(
    name: Annotated[
        str, typer.Argument(help="Name, for example nwj, smile:tau=1 or standard.", autocompletion=names.of_anything)
    ],
    plugin: Plugins = None,
) -> None:
    """Say all about one component or suite: its docstring, parameters and ceiling, or its tasks and runs."""
    from mibench.cli import terminal
    from mibench.experiments.suite import shipped_suites

    load_plugins(plugin or ())
    plain, _ = split_name(name)
    found = [registry for registry in names.REGISTRIES.values() if _holds(registry, plain)]
    suites = [suite for suite in shipped_suites() if name in (suite.name, suite.id)]
    if not (found or suites):
        known = [n for registry in names.REGISTRIES.values() for e in registry.entries() for n in (e.name, *e.aliases)]
        raise UnknownNameError("name", plain, [*known, *names.of_suite("")], "see 'mibench list'")
    for registry in found:
        terminal.show_component(registry, name)
    for suite in suites:
        terminal.show_suite(suite)


def _holds(registry: Registry[Any], name: str) -> bool:
    try:
        registry.entry(name)
    except UnknownNameError:
        return False
    return True


@app.command("check")
def check_command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Python files or folders of plug-ins.")],
) -> None:
    """Check that plug-ins keep what the engine and the reports rely on."""
    from mibench.cli import terminal
    from mibench.testing import check_plugin

    findings = [finding for path in paths for finding in check_plugin(path)]
    terminal.show_findings(findings)
    failed = sum(not finding.passed for finding in findings)
    print(f"{len(findings) - failed} checks passed, {failed} failed")
    if failed:
        raise typer.Exit(1)


@app.command("report")
def report_command(
    names: Annotated[Many, typer.Argument(help="Figures, all or claims.", autocompletion=names.of_figure)] = None,
    results: Results = Path("results"),
    output: Annotated[Path, typer.Option(help="Where figures and tables go.")] = Path("reports"),
    where: Annotated[Many, typer.Option(metavar="COLUMN=VALUE,...", help="Only these rows, as batch=64,128.")] = None,
    grid: Annotated[str | None, typer.Option(help="Only the rows of this grid.", autocompletion=names.of_grid)] = None,
) -> None:
    """Draw figures from stored rows, each with its table and caption, and a page that shows them all."""
    from mibench.report.conditions import read_conditions
    from mibench.report.page import PAGE
    from mibench.report.reports import draw_reports

    conditions = read_conditions(where or ())
    done = draw_reports(names or ["all"], results=results, output=output, where=conditions, grid=grid)
    if not any(result.files for result in done):
        raise UsageError("; ".join(dict.fromkeys(result.reason for result in done)))
    for result in done:
        if result.reason:
            print(f"no {result.name}: {result.reason}")
        for file in result.files:
            print(file)
    print(output / PAGE)


@app.command("leaderboard")
def leaderboard_command(
    results: Annotated[Path | None, typer.Option(help="A results folder.  \\[default: the published one]")] = None,
    suite: Annotated[str | None, typer.Option(help="Only the rows of a suite.", autocompletion=names.of_suite)] = None,
    track: Annotated[str | None, typer.Option(help="lower, plug-in, upper or dataset.  \\[default: all]")] = None,
    by: Annotated[
        str | None, typer.Option(help="A board for each family, regime (MI below and above log N) or sampler.")
    ] = None,
    reference: Annotated[str, typer.Option(help="Estimator whose cost is 1.")] = REFERENCE,
    wins: Annotated[bool, typer.Option("--wins", help="Print who wins against whom as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, every cell included.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the boards as CSV.")] = False,
) -> None:
    """Rank estimators by their error, with intervals, and with groups that cannot be told apart."""
    from mibench.cli import boards as ranking_output
    from mibench.ranking.boards import Options, rank_methods
    from mibench.ranking.rows import read_ranking_rows

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; give one of them")
    options = Options(track=track, by=by, reference=reference)
    rows = read_ranking_rows(results, suite)
    ranking = rank_methods(rows.runs, dataclasses.replace(options, seeds=rows.seeds))
    if as_json:
        print(ranking_output.ranking_json(ranking, note=rows.note))
    elif as_csv:
        print(ranking_output.ranking_csv(ranking), end="")
    else:
        ranking_output.show_ranking(ranking, wins=wins, note=rows.note)


@app.command("compare")
def compare_command(
    plugin: Annotated[Path | None, typer.Argument(help="The newcomer's file.")] = None,
    estimator: Annotated[
        str | None,
        typer.Option(help="Its name, with parameters perhaps.", autocompletion=names.in_registry(ESTIMATORS)),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="Suite to rank on, or its file.", autocompletion=names.of_suite)
    ] = "standard",
    published: Annotated[
        Path | None, typer.Option(help="Results folder of the others.  \\[default: the published one]")
    ] = None,
    results: Results = Path("results"),
    output: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("reports/compare"),
    jobs: Annotated[int | None, typer.Option(help="Worker processes.  \\[default: one per processor]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Rank a newcomer by running only it: its rank with interval and group, where it wins and loses, and a page."""
    from mibench.cli import terminal
    from mibench.cli.comparison import comparison_json, show_comparison, write_comparison_page
    from mibench.ranking.newcomers import compare
    from mibench.store.sessions import available_cores

    with terminal.progress_bar() as progress:
        comparison = compare(
            plugin,
            estimator=estimator,
            suite=suite,
            published=published,
            results=results,
            jobs=available_cores() if jobs is None else jobs,
            on_plan=lambda plan: print(plan, flush=True, file=sys.stderr if as_json else sys.stdout),
            on_progress=progress,
        )
    page = write_comparison_page(comparison, output, shlex.join(["mibench", *sys.argv[1:]]))
    if as_json:
        print(comparison_json(comparison))
    else:
        show_comparison(comparison)
        print(page)
    if comparison.failed:
        raise typer.Exit(1)


@results_app.command("ls")
def results_ls(results: Results = Path("results")) -> None:
    """List what a results folder holds."""
    from mibench.cli import terminal
    from mibench.store.folders import load_runs

    terminal.show_contents(load_runs(results))


@results_app.command("merge")
def results_merge(
    sources: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Results folders to copy from.")],
    results: Results = Path("results"),
) -> None:
    """Copy into a results folder what others hold and it lacks."""
    from mibench.store.maintenance import merge

    merged = merge(results, sources)
    print(f"{merged.runs} runs in {merged.packs} packs and {merged.sessions} sessions were copied to {results}")


@results_app.command("compact")
def results_compact(results: Results = Path("results")) -> None:
    """Turn the many files of a results folder into few."""
    from mibench.store.maintenance import compact

    done = compact(results)
    print(f"{done.files_before} files became {done.files_after}; {done.duplicates} copies of runs were dropped")


@results_app.command("publish")
def results_publish(
    target: Annotated[Path, typer.Argument(help="The folder to publish.")],
    results: Results = Path("results"),
    suite: Annotated[
        str, typer.Option(help="Suite whose rows are copied.", autocompletion=names.of_suite)
    ] = "standard",
) -> None:
    """Copy a suite's rows into a folder to publish: curves thinned, machines and folders unnamed."""
    from mibench.ranking.publication import publish

    done = publish(results, target, suite)
    print(
        f"{done.runs} runs with {done.points} points of their curves, {done.size / 1e6:.1f} MB, were copied to {target}"
    )
    if done.missing:
        print(done.missing)


@results_app.command("verify")
def results_verify(
    results: Results = Path("results"),
    recompute: Annotated[
        int | None, typer.Option(metavar="N", help="Train N runs, drawn at random, again and compare every number.")
    ] = None,
    run: Annotated[Many, typer.Option(metavar="ID", help="Train this run again and compare.")] = None,
    plugin: Plugins = None,
) -> None:
    """Name every file and row of a results folder that is not as it should be."""
    from mibench.store.maintenance import verify

    load_plugins(plugin or (), strict=True)
    problems = verify(results)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in {results}" if problems else f"{results} is in order")
    if problems or not _comes_out_again(results, recompute, run or []):
        raise typer.Exit(1)


def _comes_out_again(results: Path, count: int | None, run_ids: list[str]) -> bool:
    """Train runs again, some drawn and some named, say how each came out, and tell whether all did as they must."""
    if count is None and not run_ids:
        return True
    import numpy as np

    from mibench.running.recomputing import all_as_they_must, draw_runs, recompute
    from mibench.store.folders import load_runs
    from mibench.store.sessions import available_cores

    drawn = [] if count is None else draw_runs(load_runs(results), count, np.random.default_rng())
    done = recompute(results, list(dict.fromkeys([*run_ids, *drawn])), jobs=available_cores())
    for one in done:
        print(one)
    return all_as_they_must(done)
