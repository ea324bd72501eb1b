"""The tracks and the columns of the leaderboard, documented once."""

from __future__ import annotations

from collections.abc import Mapping

TUNED = "tuned"
"""What stands as regime of rows whose setting was chosen, which are ranked on a track of their own."""

TRACKS: Mapping[str, str] = {
    "lower": "lower bounds, fresh pairs at every step",
    "plug-in": "plug-ins, fresh pairs at every step",
    "upper": "upper bounds, fresh pairs at every step",
    "dataset": "fixed samples",
    TUNED: "fixed samples, settings chosen blind",
}
"""The tracks, and what is ranked in them. A method is a plug-in where any of its runs is no bound. Settings that are
chosen blind are those that an estimator's own validation loss prefers; see `mibench.ranking.tuning`."""

FIXED_SAMPLES = ("dataset", TUNED)
"""Tracks on fixed samples, which are regimes of rows too: methods of any kind. On fresh pairs the kind is the track."""

REFERENCE = "nwj-v1"
"""The estimator that seconds are relative to where nothing is said, with its version: no other takes its place."""

ESTIMATOR, BASELINE = "estimator", "baseline"
"""What a row of a board is of, as its column ``role`` has it."""

OVER_FAMILIES, OVER_SEEDS = "families", "seeds"
"""What intervals and tests of a board are over, as its column ``over`` has it."""

COLUMNS: Mapping[str, str] = {
    "track": "lower, plug-in, upper, dataset or tuned",
    "part": "all; a family (tasks that differ in true MI alone); below or above log N, by true MI and batch size; a "
    "negative sampler",
    "role": "estimator; or baseline, an answer that needs none and has no rank: (zero) is always 0, (constant) the "
    "single number that is best on the other families, on a board of one family on the other tasks",
    "rank": "by error, 1 the least; equal errors share a rank",
    "best_rank": "rank if only methods count as better that were told apart",
    "worst_rank": "rank if only methods count as worse that were told apart",
    "group": "methods that share a letter cannot be told apart at 5 %: paired t tests over what `over` says, Holm's "
    "correction",
    "method": "estimator, with version and parameters where they tell methods apart",
    "estimator": "name without version",
    "estimator_version": "version of the estimator",
    "estimator_params": "parameters as JSON, defaults included",
    "given": "what the estimator is told, or takes for granted, that others have to learn; empty where nothing is, or "
    "where a plug-in is not loaded",
    "error": "mean of |estimate - truth| / max(truth, 1 nat), of each run at most 1; families count equally, in each "
    "its tasks",
    "error_low": "low end of its 95 % interval: over families a studentised bootstrap, over seeds Student's t",
    "error_high": "high end",
    "log_error": "mean of |log((1 + estimate) / (1 + truth))|, an estimate below 0 counting as 0, of each run at most "
    "what answering 0 scores or log 2; averaged like the error",
    "log_error_low": "low end of its interval, made as that of the error",
    "log_error_high": "high end",
    "log_rank": "rank by log_error; groups and the ranks left open are by the error",
    "over": "what intervals and tests are over: families, as a sample of those that one might meet; or seeds, the "
    "tasks being what they are",
    "bias": "mean of estimate - truth, nats, of the runs that held",
    "variance": "variance of the estimate between seeds, nats², of the runs that held",
    "batch_variance": "variance of the estimate between batches, nats², of the runs that held",
    "saturation": "estimate over the least of true MI, ceiling and the sampler's cap, of the runs that held",
    "violations": "share of the runs whose mean is on the wrong side of the truth by over 3 standard errors; of bounds",
    "diverged": "share of the runs whose ranked value is not finite, over 100 nats below 0, or, but for upper bounds, "
    "over 100 nats above the truth",
    "failed": "share of the runs that crashed or ran out of time",
    "warned": "share of the runs that say something of their sample that a reader has to know; of estimators that take "
    "a sample, in rows of schema 3 and later",
    "monotonicity": "Kendall's tau between true MI and mean estimate, mean over families",
    "seconds": "seconds of a run; in track tuned of all settings that were tried",
    "cost": "seconds of a run over those of the reference in the same cells and invocation, geometric mean",
    "estimator_part": "mean of what the exact critic reads - truth, nats; under a sampler that caps, of the best one's "
    "value; empty where rows of the exact critic are lacking",
    "critic_gap": "mean of estimate - what that critic reads, nats; estimator_part and this are the bias",
    "stopped_by": "cause of most of the error, found by rule; `mibench leaderboard --explain` says more",
    "win_rate": "share of tasks won against another method, mean over the others; ties count half",
    "families": "families of tasks on the board: tasks that differ in true MI alone are one",
    "tasks": "tasks on the board",
    "cells": "cells on the board",
    "runs": "runs of the method on the board",
    "imputed_runs": "of them those without a finite value, which count as the largest error",
    "imputed_cells": "cells that hold such a run",
    "stands_in": "cells that the runs of another one stand for: the method brings its own critic or sampler",
}
"""The columns of a board, and what they mean."""
