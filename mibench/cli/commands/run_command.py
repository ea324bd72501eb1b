"""``mibench run``: train what a grid or a suite lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mibench.cli import completion
from mibench.cli.options import Jobs, Many, Plugins, Results, Retrain, RetryFailed, given_command
from mibench.cli.plugins import load_tried_plugins
from mibench.cli.registration import command
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS

if TYPE_CHECKING:
    from mibench.experiments.specs import RunSpec
    from mibench.running.plan import Plan


def _option(name: str, text: str, complete: Callable[[str], list[str]] | None = None) -> Any:
    return typer.Option(
        name, help=text, autocompletion=complete, rich_help_panel="Grid (repeat an option for a product)"
    )


@command("run", place=10, purpose="Measure")
def run_command(
    grid: Annotated[
        str | None,
        typer.Argument(help="TOML file or shipped grid; options replace its own.", autocompletion=completion.of_grid),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="A suite; with --estimator, that one on it.", autocompletion=completion.of_suite)
    ] = None,
    task: Annotated[
        Many, _option("--task", "Task, for example gaussian20d:dim=10.", completion.in_registry(TASKS))
    ] = None,
    mi: Annotated[Many, _option("--mi", "True mutual information in nats, or as 2bits.")] = None,
    schedule: Annotated[Many, _option("--schedule", "A staircase of MI levels: 2,4,6,8,10.")] = None,
    estimator: Annotated[
        Many, _option("--estimator", "Estimator, as nwj or smile:tau=5.", completion.in_registry(ESTIMATORS))
    ] = None,
    batch: Annotated[Many, _option("--batch", "Batch size N.  \\[default: 64]")] = None,
    samples: Annotated[Many, _option("--samples", "Pairs in a fixed sample, to split and train on in epochs.")] = None,
    critic: Annotated[Many, _option("--critic", "Critic.  \\[default: joint]", completion.in_registry(CRITICS))] = None,
    hidden: Annotated[Many, _option("--hidden", "Hidden layers, depth x width.  \\[default: 2x256]")] = None,
    activation: Annotated[Many, _option("--activation", "relu or elu.  \\[default: relu]")] = None,
    dropout: Annotated[Many, _option("--dropout", "Dropout, one rate or one a layer: 0.5/0.3.  \\[default: 0]")] = None,
    weight_decay: Annotated[Many, _option("--weight-decay", "The optimiser's L2 penalty.  \\[default: 0]")] = None,
    precision: Annotated[
        Many,
        _option("--precision", "Arithmetic, as bfloat16.  \\[default: float32]", completion.of_precision),
    ] = None,
    negatives: Annotated[
        Many,
        _option("--negatives", "Negative sampler.  \\[default: the estimator's]", completion.in_registry(NEGATIVES)),
    ] = None,
    optimiser: Annotated[
        Many, _option("--optimiser", "adam, sgd or sgd:momentum=0.9.  \\[default: adam]", completion.of_optimiser)
    ] = None,
    steps: Annotated[Many, _option("--steps", "Steps of training, stairs together.  \\[default: the budget's]")] = None,
    lr: Annotated[Many, _option("--lr", "Learning rate.  \\[default: 5e-4]")] = None,
    seeds: Annotated[Many, _option("--seeds", "How many seeds: 0, 1, ...  \\[default: the budget's]")] = None,
    seed: Annotated[Many, _option("--seed", "A seed by its number.")] = None,
    window: Annotated[Many, _option("--window", "Last steps of a stair that estimates are taken over.")] = None,
    every: Annotated[Many, _option("--every", "Steps between two points of a curve.")] = None,
    patience: Annotated[Many, _option("--patience", "Points without gain that stop a run on a fixed sample.")] = None,
    budget: Annotated[Many, _option("--budget", "quick, standard or paper: steps and seeds.")] = None,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="The runs with the exact critic in place of a trained one, where there is one."),
    ] = False,
    plugin: Plugins = None,
    results: Results = Path("results"),
    jobs: Jobs = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    timeout: Annotated[float, typer.Option(help="Seconds after which a run is killed.")] = 3600.0,
    retry_failed: RetryFailed = False,
    retrain: Retrain = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    shard: Annotated[str | None, typer.Option(help="Only part I of N of the grid: 3/40.")] = None,
    engine: Annotated[str, typer.Option(help="local or dask.")] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; else this machine is one.")
    ] = None,
) -> None:
    """Train the runs of a grid that are not stored yet; the same command again goes on where it stopped."""
    from mibench.cli.terminal.progress import progress_bar, show_plan
    from mibench.cli.terminal.rows import say_failures, say_next, show_results
    from mibench.experiments.options import OPTION_NAMES
    from mibench.experiments.suite import requested_runs
    from mibench.running.plan import read_shard
    from mibench.running.runner import execute, rows_of
    from mibench.store.columns import FAILURE_STATUSES
    from mibench.store.paths import check_results
    from mibench.store.sessions import available_cores

    given = {name: value for name, value in locals().items() if name in OPTION_NAMES and value not in (None, [])}
    for name in ("seeds", "budget"):
        if name in given and len(given[name]) == 1:  # one value each; of several none is to be dropped unseen
            (given[name],) = given[name]
    if schedule:
        given["schedule"] = [one.split(",") for one in schedule]
    check_results(results)
    load_tried_plugins(plugin, strict=True)
    part = None if shard is None else read_shard(shard)
    specs = requested_runs(grid, suite, given)
    if exact:
        specs = _with_exact_critic(specs)
    with progress_bar() as progress:

        def begin(plan: Plan) -> None:
            show_plan(plan, memory=dry_run)
            if not dry_run:
                progress(0, plan.work)

        outcome = execute(
            specs,
            results=results,
            jobs=jobs if jobs is not None else available_cores() if scheduler is None else 1,
            device=device,
            timeout=timeout,
            retry_failed=retry_failed,
            retrain=retrain,
            shard=part,
            dry_run=dry_run,
            engine=engine,
            scheduler=scheduler,
            command=given_command(),
            on_plan=begin,
            on_progress=progress,
        )
    if dry_run:
        return
    rows = rows_of(outcome.plan.specs, results)
    show_results(rows)
    say_failures(rows, results)
    say_next(rows, results)
    if rows["status"].isin(FAILURE_STATUSES).any():
        raise typer.Exit(1)


def _with_exact_critic(specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Return the exact-critic counterparts of runs, and say in a line who has none."""
    from mibench.cli.terminal.console import say
    from mibench.experiments.exact import exact_counterparts

    counterparts = exact_counterparts(specs)
    if counterparts.left_out:
        say(f"left out: {'; '.join(counterparts.left_out)}")
    return list(counterparts.specs)
