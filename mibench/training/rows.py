"""Rows of the runs table, made from a trained pack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

from mibench.core.estimator import SampleEstimator, as_arrays
from mibench.core.task import Task
from mibench.experiments.specs import RunSpec, params_json
from mibench.store.columns import empty_row
from mibench.training.dataset import fixed_sample
from mibench.training.evaluation import SAMPLE_POOL, Pool, choose_pool, evaluate_pairs, evaluate_pool, predicted_optimum
from mibench.training.pack import Pack
from mibench.training.precision import matmul_mode
from mibench.training.regimes import Regime
from mibench.training.representation import representation_columns
from mibench.training.series import WIDE_IQR, Series, find_divergence, summarise


def spec_columns(spec: RunSpec) -> dict[str, Any]:
    """Columns that a specification alone fills; the same for a run that gave no result."""
    names: dict[str, Any] = {}
    for what in ("task", "estimator", "critic", "negatives"):
        name, _, version = getattr(spec, what).rpartition("-v")
        names |= {what: name, f"{what}_version": int(version)}
        names[f"{what}_params"] = params_json(getattr(spec, f"{what}_params"))
    return {
        **names,
        **{name: getattr(spec, name) for name in ("hidden", "activation", "dropout", "regime", "batch", "steps")},
        **{name: getattr(spec, name) for name in ("lr", "weight_decay", "precision", "window", "every", "seed")},
        **{name: getattr(spec, name) for name in ("samples", "patience")},
        "optimiser": None if spec.lr is None else spec.optimiser,
        "protocol": spec.protocol,
        "run_id": spec.run_id,
        "schedule": json.dumps(list(spec.schedule)),
        "unit": "nats",
        "spec": spec.canonical,
    }


def result_row(
    pack: Pack, regime: Regime, r: int, stair: int, facts: Mapping[str, Any], fresh: Series
) -> dict[str, Any]:
    """One row of the runs table: a trained run at the end of a stair.

    Parameters
    ----------
    pack
        The trained pack.
    regime
        What its runs were trained on.
    r
        The run's place in it.
    stair
        The stair that has just ended.
    facts
        The columns of `mibench.training.facts.facts_of` for it.
    fresh
        Estimates on the final fresh batches, nats.
    """
    run, task = pack.runs[r], pack.runs[r].tasks[stair]
    spec, history = run.spec, pack.history
    span = regime.span(r, stair)
    start, stop = span.start, span.reported
    estimates, losses = history.estimates(r, start, span.end), history.losses(r, start, span.end)
    window_start = max(start, stop - spec.window)
    window, own = summarise(history.estimates(r, window_start, stop)), regime.columns(r)
    truth = facts["mi_true"]
    excess_counts = facts["kind"] != "upper" and pack.optimiser is not None
    divergence = find_divergence(estimates, losses, truth, excess_counts=excess_counts)
    return empty_row(
        "runs",
        **spec_columns(spec),
        **facts,
        **_fresh_columns(fresh),
        **_pool_columns(pack, r, task, stair, fresh),
        **own,
        **_outcome_columns(pack, r, task, stair),
        **_warning_columns(pack, r, task, stair),
        status="diverged" if divergence else "ok",
        estimate_train=window.mean,
        estimate_train_median=window.median,
        estimate_train_sd=window.sd,
        estimate_train_iqr=window.iqr,
        bias=own.get("estimate_test", window.mean) - truth,
        fixed_points=history.fixed_points(r, window_start, stop),
        predicted_optimum=predicted_optimum(task, run.sampler, spec.batch, spec.run_id, stair),
        ess=history.ess(r, window_start, stop),
        inverse_temperature=pack.objective.inverse_temperature(r),
        nonfinite_steps=history.nonfinite(r, start, span.end),
        diverged_at=start + divergence.step if divergence else None,
        divergence=divergence.reason if divergence else None,
        wide=int(window.iqr > WIDE_IQR),
        steps_done=span.end,
        seconds_per_step=history.training_seconds / history.steps_done / len(pack.runs),
        pack_size=len(pack.runs),
        device=pack.device.type,
        threads=torch.get_num_threads(),
        matmul_mode=matmul_mode(),
        torch_version=torch.__version__,
    )


def _fresh_columns(fresh: Series) -> dict[str, Any]:
    """Statistics of the final fresh batches; nothing where there are none."""
    if not fresh.size:
        return {}
    final = summarise(fresh)
    return {"estimate_fresh": final.mean, "estimate_fresh_median": final.median, "estimate_fresh_sd": final.sd}


def _outcome_columns(pack: Pack, r: int, task: Task, stair: int) -> dict[str, Any]:
    """What the task measures beside information, and the codes that it has the run keep."""
    run, generator = pack.runs[r], pack.stream(pack.runs[r], "labelled", stair)
    return representation_columns(task, run.estimator, run.spec.batch, pack.scorer, r, generator)


def _warning_columns(pack: Pack, r: int, task: Task, stair: int) -> dict[str, Any]:
    """What an estimator that takes a sample says of the fixed one, or of a fresh batch; nothing of others."""
    run = pack.runs[r]
    if not isinstance(run.estimator, SampleEstimator):
        return {}
    batch = run.spec.samples is None
    pairs = task.sample(run.spec.batch, pack.stream(run, "pool", stair)) if batch else fixed_sample(run)
    return {"warnings": json.dumps(list(run.estimator.warnings(*as_arrays(*pairs))), ensure_ascii=False)}


def _pool_columns(pack: Pack, r: int, task: Task, stair: int, fresh: Series) -> dict[str, Any]:
    """The estimate on a large fresh pool with clean negatives; the fresh batches where they have all there are."""
    run = pack.runs[r]
    per_row = run.sampler.per_row(run.spec.batch)
    if isinstance(run.estimator, SampleEstimator):
        if not run.estimator.takes_pool:
            return {}
        pair_stream = pack.stream(run, "pool", stair)
        size, negatives, value = SAMPLE_POOL, 0, run.estimator.value(*task.sample(SAMPLE_POOL, pair_stream))
    elif run.sampler.exhaustive:
        size, negatives, value = fresh.size * run.spec.batch, per_row, float(fresh.mean())
    else:
        cheap, paired = run.critic.cheap_pool, run.sampler.paired_pool
        pool = choose_pool(run.estimator, per_row=per_row, cheap=cheap, paired=paired)
        size, negatives, value = pool.pairs, pool.negatives, _pool_estimate(pack, r, task, stair, pool)
    return {"estimate_fresh_large": value, "fresh_pool": size, "fresh_pool_negatives": negatives}


def _pool_estimate(pack: Pack, r: int, task: Task, stair: int, pool: Pool) -> float:
    run, generator = pack.runs[r], pack.stream(pack.runs[r], "pool", stair)
    x, y = (side.to(pack.scorer.dtype) for side in task.sample(pool.pairs, generator))
    extras, transform = pack.extras, pack.objective.transform(r)
    if pool.negatives == 1:
        return evaluate_pairs(pack.scorer, r, run.estimator, x, y, generator, extras=extras, transform=transform)
    return evaluate_pool(pack.scorer, r, [run.estimator], x, y, extras=extras, transform=transform)[0]
