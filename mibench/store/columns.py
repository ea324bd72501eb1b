"""Every column of the stored tables, documented once; the Parquet schema and the docs are made from this list."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

SCHEMA_VERSION = 3
"""Version of the tables' layout, written into every file's metadata. Files of earlier ones are read: what they lack is
null."""

ColumnType = Literal["string", "float64", "int64", "timestamp"]
Status = Literal["ok", "diverged", "timeout", "crashed"]

RESULT_STATUSES: tuple[Status, ...] = ("ok", "diverged")
"""Statuses of runs that ended with a result; divergence is one."""

FAILURE_STATUSES: tuple[Status, ...] = ("timeout", "crashed")
"""Statuses of runs that ended without a result; they are tried again with ``--retry-failed``."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column: its name, its type, and what it means with its unit. All may be null where a run gave no value.

    ``since`` is the schema version that brought it.
    """

    name: str
    type: ColumnType
    doc: str
    since: int = 1


RUNS: tuple[Column, ...] = (
    Column("run_id", "string", "first 32 hex digits of the sha256 of the canonical specification"),
    Column("stair", "int64", "index of the MI level in a staircase, from 0; 0 for constant MI"),
    Column("task", "string", "task name without version"),
    Column("task_version", "int64", "version of the task"),
    Column("task_params", "string", "task parameters as JSON, defaults included; without mi in a staircase"),
    Column("dim_x", "int64", "columns of x"),
    Column("dim_y", "int64", "columns of y"),
    Column("schedule", "string", "MI levels of a staircase as JSON, nats; [] for constant MI"),
    Column("mi_true", "float64", "true mutual information of this row, nats"),
    Column("mi_method", "string", "how the truth is known: closed-form, quadrature, enumeration, monte-carlo"),
    Column("mi_se", "float64", "standard error of the truth, nats; 0 where exact"),
    Column("unit", "string", "unit of every information column: nats"),
    Column("estimator", "string", "estimator name without version"),
    Column("estimator_version", "int64", "version of the estimator"),
    Column("estimator_params", "string", "estimator parameters as JSON, defaults included"),
    Column("kind", "string", "lower, upper or plug-in, also that of a bound that does not hold under the sampler"),
    Column("ceiling", "float64", "largest value that the estimator can take on a training batch, nats; inf if none"),
    Column("critic", "string", "critic name without version"),
    Column("critic_version", "int64", "version of the critic"),
    Column("own_critic", "int64", "1 where the estimator brought its critic, in place of the grid's; else 0"),
    Column("critic_params", "string", "critic parameters as JSON, defaults included"),
    Column("hidden", "string", "hidden layers, depth x width; null where the critic has none"),
    Column("activation", "string", "activation of the hidden layers; null where the critic has none"),
    Column("dropout", "string", "dropout probability, or one per hidden layer joined by '/'; null as above"),
    Column("negatives", "string", "negative sampler without version"),
    Column("negatives_version", "int64", "version of the negative sampler"),
    Column(
        "own_negatives", "int64", "1 where the estimator brought its negative sampler, in place of the grid's; else 0"
    ),
    Column("negatives_params", "string", "negative sampler's parameters as JSON, defaults included"),
    Column("n_negatives", "int64", "negatives per row of the training batch, M"),
    Column("fixed_points", "float64", "positive pairs among a batch's negatives, mean over the window"),
    Column(
        "capped_by_sampler",
        "int64",
        "1 where positives among the negatives cap the estimates: the next two columns apply; else 0",
    ),
    Column(
        "predicted_ceiling",
        "float64",
        "cap that the sampler puts on NWJ and DV: log(N / k) with k positive "
        "pairs expected among N negatives, nats; inf for clean samplers",
    ),
    Column(
        "predicted_optimum",
        "float64",
        "value of the best critic for NWJ and DV under this sampler, "
        "E[log r - log(1 - k/N + (k/N) r)], nats; null where the density ratio is unknown or the sampler proposes",
    ),
    Column(
        "regime",
        "string",
        "stream: fresh pairs at every step; dataset: a fixed sample, 60 percent of which is trained on, 20 percent "
        "chooses when to stop, and 20 percent gives the value; estimators that take a sample get all of it",
    ),
    Column("samples", "int64", "pairs in the fixed sample, n; null in regime stream"),
    Column("batch", "int64", "batch size N; n for estimators that take a fixed sample as a whole"),
    Column("steps", "int64", "training steps asked for, all stairs together; in regime dataset the most that are done"),
    Column("optimiser", "string", "adam, sgd or sgd:momentum=...; null for critics without parameters"),
    Column("lr", "float64", "learning rate; null as above"),
    Column("weight_decay", "float64", "the optimiser's L2 penalty; null as above"),
    Column(
        "precision",
        "string",
        "float32; bfloat16: hidden activations and the critic's matrix products are in bfloat16, with sums in float32; "
        "bfloat16-products: the products' inputs alone are rounded to it; float16-scores, bfloat16-scores: loss and "
        "gradient are computed in that precision",
    ),
    Column(
        "window",
        "int64",
        "steps at the end of a stair that the training estimates are taken over; in regime dataset steps up to "
        "stopped_at, or as many as there are",
    ),
    Column("every", "int64", "steps between two points of the curve, which in regime dataset are the checkpoints"),
    Column(
        "patience",
        "int64",
        "checkpoints without a lower validation loss after which a run stops; null in regime stream, and where nothing "
        "is trained on a fixed sample",
    ),
    Column("seed", "int64", "seed; all randomness of a run derives from its id, which holds the seed"),
    Column("protocol", "int64", "version of the training and evaluation protocol"),
    Column("status", "string", "ok, diverged (a result), timeout or crashed"),
    Column(
        "estimate_test",
        "float64",
        "regime dataset: mean estimate over whole batches of the test part, taken once with the parameters of "
        "stopped_at, nats; of estimators that take a sample the value on all n pairs",
    ),
    Column(
        "estimate_validation",
        "float64",
        "regime dataset: mean estimate over whole batches of the validation part at stopped_at, nats; it was chosen, "
        "so that it is biased",
    ),
    Column(
        "validation_loss",
        "float64",
        "regime dataset: the lowest validation loss, that at stopped_at (for a surrogate loss, minus the estimate): "
        "tells settings of one estimator apart without the truth; null in rows of earlier versions",
        since=3,
    ),
    Column(
        "stopped_at",
        "int64",
        "regime dataset: step of the checkpoint with the lowest validation loss, whose parameters are reported (for a "
        "surrogate loss, the highest estimate)",
    ),
    Column("estimate_train", "float64", "mean estimate over the training batches of the window, nats"),
    Column("estimate_train_median", "float64", "median over the same batches, nats"),
    Column("estimate_train_sd", "float64", "standard deviation over the same batches, nats"),
    Column("estimate_train_iqr", "float64", "interquartile range over the same batches, nats"),
    Column(
        "estimate_fresh",
        "float64",
        "mean estimate over fresh batches of the training size at the end of the stair, same sampler, nats; in regime "
        "dataset also new draws from the task, whose mean the test value estimates",
    ),
    Column("estimate_fresh_median", "float64", "median over the same fresh batches, nats"),
    Column("estimate_fresh_sd", "float64", "standard deviation over the same fresh batches, nats"),
    Column("estimate_fresh_large", "float64", "estimate on one large fresh pool with clean negatives, nats"),
    Column("fresh_pool", "int64", "pairs in that pool"),
    Column("fresh_pool_negatives", "int64", "negatives per row in that pool"),
    Column("bias", "float64", "estimate_train - mi_true, in regime dataset estimate_test - mi_true, nats"),
    Column("ess", "float64", "effective share of a row's negatives, mean over the window's checkpoints, in [1/M, 1]"),
    Column(
        "inverse_temperature",
        "float64",
        "factor on the critic's scores at the end of the stair, where the estimator moves one; null elsewhere",
    ),
    Column(
        "outcomes",
        "string",
        "what a task measures beside information, as JSON: accuracy on held-out points of probes that read labels off "
        "the critic's code of x (code_linear, code_mlp) and off x itself (x_linear, x_mlp), number of held-out points "
        "(points), and what else the task names; null where it has none",
    ),
    Column(
        "codes",
        "string",
        "held-out labelled points with their codes, as JSON with the keys label, x and code; null where the critic "
        "gives no codes of at most 3 numbers, or the task no labels",
    ),
    Column("nonfinite_steps", "int64", "steps of the stair whose estimate or loss was not finite"),
    Column(
        "diverged_at",
        "int64",
        "step at which divergence was established, counted from the run's start; null where it was not",
    ),
    Column(
        "divergence",
        "string",
        "why: non-finite, median (three windows in a row with a median over truth + 2; not for upper bounds nor where "
        "nothing is trained), or collapse (under -100)",
    ),
    Column("wide", "int64", "1 where the interquartile range of the window is over 5 nats, else 0"),
    Column("steps_done", "int64", "training steps done when the row was made, all stairs so far"),
    Column("seconds", "float64", "wall time of the run: its pack's time divided by the pack's runs"),
    Column("seconds_per_step", "float64", "training time per step and run, without the evaluations"),
    Column("pack_size", "int64", "runs trained together with this one"),
    Column("peak_rss_mb", "float64", "peak resident memory of the worker process, MB"),
    Column("device", "string", "cpu or cuda"),
    Column("threads", "int64", "threads of the worker process"),
    Column(
        "matmul_mode",
        "string",
        "float32 matrix products: highest (torch's default kernels) or medium (others, faster on some processors, "
        "taken where a probe finds them at float32 accuracy)",
    ),
    Column("torch_version", "string", "version of torch"),
    Column("mibench_version", "string", "version of mibench"),
    Column("session_id", "string", "invocation that made the row; see the sessions table"),
    Column("finished_at", "timestamp", "when the row was made, UTC"),
    Column("error", "string", "traceback, signal or limit of a failed run; null otherwise"),
    Column(
        "warnings",
        "string",
        "of estimators that take a sample, what a reader of the value has to know, such as that numbers are equal: a "
        "JSON list of sentences on the fixed sample, or on a fresh batch; null for other estimators",
        since=3,
    ),
    Column("spec", "string", "canonical JSON of the specification, from which run_id is made"),
    Column(
        "code",
        "string",
        "components that are not mibench's own with the code that trained the run, as JSON: sha256 of a plug-in's file "
        "and of what it imports, or an installed package with its version; null where all are mibench's own",
        since=2,
    ),
)

CURVES: tuple[Column, ...] = (
    Column("run_id", "string", "as in runs"),
    Column("step", "int64", "training steps done"),
    Column("stair", "int64", "as in runs"),
    Column("mi_true", "float64", "true mutual information at this step, nats"),
    Column("estimate_train", "float64", "mean estimate over the training batches since the previous point, nats"),
    Column("estimate_train_median", "float64", "median over the same batches, nats"),
    Column(
        "estimate_fresh",
        "float64",
        "estimate on one fresh batch of the training size; in regime dataset the validation value, nats",
    ),
    Column("ess", "float64", "effective share of a row's negatives on the point's training batch"),
    Column("loss", "float64", "mean training loss since the previous point"),
)

SESSIONS: tuple[Column, ...] = (
    Column("session_id", "string", "identifier of one invocation"),
    Column("started_at", "timestamp", "start of the invocation, UTC"),
    Column("command", "string", "the command line, or the name of the Python function"),
    Column("plugins", "string", "plug-in files with their sha256, as JSON"),
    Column("hostname", "string", "name of the machine"),
    Column("platform", "string", "operating system and architecture"),
    Column("cpu", "string", "processor model, with family, stepping and vector extensions where they are known"),
    Column("cores", "int64", "processors available"),
    Column("gpu", "string", "CUDA device, null without one"),
    Column("python_version", "string", "version of Python"),
    Column("packages", "string", "versions of the packages that numbers depend on, as JSON"),
    Column("mibench_version", "string", "version of mibench"),
)

_COMPONENTS = ("task", "estimator", "critic", "negatives")

LISTED: tuple[str, ...] = (
    *("run_id", "stair", "status", "finished_at", "code", "batch", "warnings"),
    *(f"{name}{part}" for name in _COMPONENTS for part in ("", "_version")),
)
"""Columns of runs that a plan compares and a listing counts."""

RANKED: tuple[str, ...] = (
    *("run_id", "stair", "seed", "status", "session_id", "regime", "mi_true", "mi_se", "kind", "ceiling", "seconds"),
    *("own_critic", "own_negatives", "n_negatives", "capped_by_sampler", "predicted_ceiling"),
    *("predicted_optimum", "estimate_test"),
    *("estimate_train", "estimate_train_median", "estimate_train_sd", "estimate_fresh_sd"),
    *("schedule", "samples", "precision", "protocol", "warnings"),
    *(f"{name}{part}" for name in _COMPONENTS for part in ("", "_version", "_params")),
    *("hidden", "activation", "dropout", "lr", "weight_decay", "optimiser"),
    *("batch", "steps", "window", "every", "patience", "validation_loss"),
)
"""Columns of runs that boards are made of."""

TABLES: dict[str, tuple[Column, ...]] = {"runs": RUNS, "curves": CURVES, "sessions": SESSIONS}


def unknown_columns(table: str, names: Iterable[str]) -> list[str]:
    """Return the names that are no columns of a table, sorted."""
    return sorted(set(names) - {c.name for c in TABLES[table]})


def empty_row(table: str, **values: Any) -> dict[str, Any]:
    """Return a row with every column of the table, null where no value is given.

    Raises
    ------
    KeyError
        For a value whose column does not exist.
    """
    if unknown := unknown_columns(table, values):
        raise KeyError(f"{table} has no column {', '.join(unknown)}")
    return {c.name: values.get(c.name) for c in TABLES[table]}
