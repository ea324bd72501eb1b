"""Tuning blind: of every estimator, on every family of tasks, the setting that its own validation loss prefers.

Notable:

- Nothing here reads the truth, or an estimate: a setting is chosen by `validation_loss` alone, the loss by which a run
  on a fixed sample decides when to stop. Whoever has two arrays has that number too.
- Losses of two estimators are not comparable, and are not compared. Those of one estimator on one family are, whatever
  the critic: the batch, the sampler and the held-out pairs are the same.
- A setting with a run that has no finite loss (crashed, out of time, run away) comes after all that have them.
- What tuning costs stands on the board: the seconds of a tuned run are those of all settings that were tried.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd

from mibench.analysis.labels import with_labels
from mibench.core.errors import UsageError
from mibench.ranking.columns import TUNED
from mibench.ranking.matrix import CRITIC, LENGTHS, METHOD, TASK, TRAINED, WITHOUT_CRITIC, family_ids
from mibench.store.columns import RESULT_STATUSES

SETTING = [*CRITIC, *TRAINED]
"""Columns that a choice is made among."""

_UNIT = [*TASK, "samples", "seed"]
"""Columns of what every setting is tried on: one fixed sample."""


@dataclasses.dataclass(frozen=True)
class Tuned:
    """Rows whose settings were chosen.

    Parameters
    ----------
    runs
        A row per estimator, task and seed: that of the chosen setting, with regime `TUNED`, the columns `SETTING`
        emptied, so that estimators with different choices meet in one cell, and the seconds of all settings. Further
        columns say what was chosen: ``family`` and ``setting`` in words, empty where there was nothing to choose.
    choices
        A row per estimator and family: ``estimator``, ``estimator_version``, ``estimator_params``, ``family``,
        ``setting`` (in words), ``settings`` (how many were tried), ``validation_loss`` (mean of the chosen one),
        ``runner_up`` (that of the next best; NaN where there is none) and ``seconds`` (of all settings, all runs).
    """

    runs: pd.DataFrame
    choices: pd.DataFrame


def choose_settings(runs: pd.DataFrame) -> Tuned:
    """Choose, for every estimator and family of tasks, the setting with the least mean validation loss.

    The mean is over the family's tasks, each of them a mean over its seeds. Estimators that are not trained have no
    setting: their rows are kept as they are.

    Parameters
    ----------
    runs
        Rows of the runs table, all on fixed samples.

    Raises
    ------
    UsageError
        For rows on fresh pairs, which have no validation part, and for trained rows of which none has a validation
        loss, as those of earlier versions.
    """
    rows = runs.reset_index(drop=True)
    if (rows["samples"].isna()).any():
        raise UsageError(
            "settings are chosen by a validation loss, which runs on fresh pairs do not have; give samples"
        )
    trained = (rows["critic"] != WITHOUT_CRITIC).to_numpy(bool)
    lost = rows["validation_loss"].isna() & rows["status"].isin(RESULT_STATUSES)
    if trained.any() and lost[trained].all():
        raise UsageError("these rows have no validation loss to choose settings by; train them with this version")
    rows = rows.assign(family=family_ids(rows), setting=_settings(rows))
    kept, choices = [rows[~trained].assign(setting="")], []
    for (*method, family), tried in rows[trained].groupby([*METHOD, "family"], dropna=False, sort=True):
        losses = _losses(tried)
        best = losses.index[0]
        kept.append(_with_all_seconds(tried[tried["setting"] == best], tried))
        choices.append(
            {
                **dict(zip(METHOD, method, strict=True)),
                **{"family": family, "setting": best, "settings": len(losses)},
                **{"validation_loss": losses.iloc[0], "runner_up": losses.iloc[1] if len(losses) > 1 else math.nan},
                "seconds": tried["seconds"].sum(),
            }
        )
    return Tuned(_without_settings(pd.concat(kept)), pd.DataFrame(choices))


def _settings(rows: pd.DataFrame) -> pd.Series:
    """Name the setting of every row by what differs between settings, and a number where words would not do."""
    named = with_labels(rows, ignore=("task_label", "samples", "precision", *LENGTHS))["setup"]
    number = rows.groupby(SETTING, dropna=False, sort=True).ngroup()
    return named if (number.groupby(named).nunique() <= 1).all() else named + " (" + number.astype(str) + ")"


def _losses(tried: pd.DataFrame) -> pd.Series:
    """Mean validation loss of every setting, the best first; settings that lack a run, or its loss, last."""
    loss = tried["validation_loss"].where(tried["status"].isin(RESULT_STATUSES)).astype(float)
    table = tried.assign(loss=loss.where(np.isfinite(loss))).pivot_table(
        index=_UNIT, columns="setting", values="loss", aggfunc="mean", dropna=False, observed=True
    )
    lacking = table.isna().sum()
    means = table.groupby([name for name in _UNIT if name != "seed"], dropna=False).mean().mean()
    order = pd.DataFrame({"lacking": lacking, "mean": means}).rename_axis("setting").reset_index()
    order = order.sort_values(["lacking", "mean", "setting"], kind="stable")
    return order.set_index("setting")["mean"]


def _with_all_seconds(chosen: pd.DataFrame, tried: pd.DataFrame) -> pd.DataFrame:
    total = tried.groupby(_UNIT, dropna=False)["seconds"].sum()
    return chosen.assign(seconds=total.reindex(pd.MultiIndex.from_frame(chosen[_UNIT])).to_numpy())


def _without_settings(rows: pd.DataFrame) -> pd.DataFrame:
    """Empty the columns of the setting, so that all rows of a task and a sampler are one cell's."""
    trained = rows["critic"] != WITHOUT_CRITIC
    stands_in = {"critic": TUNED, "critic_version": 1, "critic_params": "{}"}  # what has a critic bears a name
    emptied = {name: rows[name].where(~trained, stands_in.get(name)) for name in SETTING}
    own = rows["own_critic"].where(~trained, 0)
    return rows.assign(**emptied, own_critic=own, regime=TUNED)
