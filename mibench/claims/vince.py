"""Claim of VINCE (Wu et al., 2020), figure 1, on double spirals: the table of its rows, and the verdict they give.

Notable: the paper gives neither turns nor radius, so that a geometry is judged by itself. An accuracy says nothing of
a code until it is compared with that of the raw coordinates, which is paired: both probes see the same points.
"""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from mibench.analysis.comparisons import (
    Answer,
    Interval,
    Trend,
    above,
    below,
    both,
    difference,
    falls,
    interval,
    verdict_of,
)
from mibench.analysis.labels import listing, plural
from mibench.analysis.metrics import finished
from mibench.claims.judgement import Judgement, open_judgement

REPORTED_ETA, REPORTED_ACCURACY = 0.4, 0.70
"""Where the paper has its peak, and how high."""

REPORTED_ENDS = (0.0, 5.0)
"""Widths at which the paper has its probe near chance."""

NEAR_CHANCE = 0.05
"""How far above chance is still near it: a quarter of the reported rise, from 0.5 to 0.7."""

WITHOUT_INFORMATION = 0.01
"""Share of the truth under which an encoder counts as collapsed: it has stopped telling points apart."""

OUTCOMES = ("code_linear", "x_linear")
_CELL = ["geometry", "eta"]


def spiral_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per run on double spirals that has a result, ordered by geometry, width and seed.

    Returns
    -------
    DataFrame
        `geometry` (a label), `eta` (width of the noise), `arms`, `seed`, `status`, `code_linear` and `x_linear`
        (held-out accuracies, NaN where codes are not finite or were not probed), `gain` (the former less the latter),
        `objective` (on the large fresh pool), `truth` and `ceiling` (of a training batch), nats, `lost` (whether the
        objective is not finite or next to none of the truth), `codes` (JSON or null) and `run_id`.
    """
    done = finished(runs[runs["task"] == "double-spirals"])
    params = [json.loads(text) for text in done["task_params"]]
    outcomes = [json.loads(text) if isinstance(text, str) else {} for text in done["outcomes"]]
    table = pd.DataFrame(
        {
            "geometry": [_geometry(values) for values in params],
            "turns": [float(values["turns"]) for values in params],
            "eta": [float(values["eta"]) for values in params],
            "arms": [int(values["arms"]) for values in params],
            "seed": done["seed"].to_numpy(np.int64),
            "status": done["status"].to_numpy(object),
            **{name: pd.Series([o.get(name) for o in outcomes], dtype="float64") for name in OUTCOMES},
            "objective": done["estimate_fresh_large"].to_numpy(np.float64, na_value=np.nan),
            "truth": done["mi_true"].to_numpy(np.float64),
            "ceiling": done["ceiling"].to_numpy(np.float64, na_value=np.nan),
            "codes": done["codes"].to_numpy(object),
            "run_id": done["run_id"].to_numpy(object),
        }
    )
    table["lost"] = ~(table["objective"] >= WITHOUT_INFORMATION * table["truth"])
    table["gain"] = table["code_linear"] - table["x_linear"]
    order = table.sort_values(["turns", "geometry", "eta", "seed", "run_id"], ascending=[False, *[True] * 4])
    return order.drop(columns="turns").reset_index(drop=True)


def _geometry(params: dict[str, object]) -> str:
    turns = float(str(params["turns"]))
    return f"{turns:g} turn{'' if turns == 1 else 's'}, {params['turning']}"


class Peak(NamedTuple):
    """What a geometry's rows say of a peak at moderate noise."""

    answer: Answer
    eta: float
    """The moderate width at which the codes gain most on the raw coordinates."""

    accuracy: Interval
    gain: Interval
    """Over all moderate widths at once."""

    compared: bool
    """Whether there are widths on both sides to compare with."""


def find_peak(cell: pd.DataFrame) -> Peak:
    """Decide whether the probe's accuracy peaks at moderate noise, in one geometry.

    Moderate widths lie between the smallest and the largest of the rows; where there are fewer than three widths all
    do, and no end is compared. Shown where at one of them the codes beat the raw coordinates, by an interval that holds
    for all of them at once (Bonferroni), and their accuracy lies above that at both ends. Contrary where they beat them
    at none, and the accuracy lies below the reported one at every moderate width; or where an end's lies above.
    """
    widths = _widths(cell)
    ends = (min(widths), max(widths)) if len(widths) > 2 else ()
    moderate = [eta for eta in widths if eta not in ends]
    gains = {eta: interval(widths[eta]["gain"], 1 - 0.05 / len(moderate)) for eta in moderate}
    known = [eta for eta in moderate if not math.isnan(gains[eta].mean)]
    if not known:
        return Peak("undecided", moderate[0], interval([]), interval([]), bool(ends))
    best = max(known, key=lambda eta: gains[eta].mean)
    accuracy = {eta: interval(widths[eta]["code_linear"]) for eta in moderate}
    beats = above(gains[best])
    if beats != "shown":
        falls_short = all(below(found, REPORTED_ACCURACY) == "shown" for found in accuracy.values())
        beats = "contrary" if falls_short else "undecided"
    tops = [above(difference(widths[best]["code_linear"], widths[end]["code_linear"])) for end in ends]
    return Peak(both(beats, *tops), best, accuracy[best], gains[best], bool(ends))


def near_chance(cell: pd.DataFrame) -> dict[float, Answer]:
    """Say for the reported ends that a geometry has whether the probe's accuracy is near chance there."""
    return {
        eta: below(interval(rows["code_linear"]), 1 / rows["arms"].iloc[0] + NEAR_CHANCE)
        for eta, rows in _widths(cell).items()
        if eta in REPORTED_ENDS
    }


def objective_trend(cell: pd.DataFrame) -> Trend:
    """Decide whether the objective falls with the noise, in one geometry, among the runs that are not lost.

    A width of which no run is left is not compared, and leaves undecided what the others show.
    """
    left = [rows.loc[~rows["lost"], "objective"] for rows in _widths(cell).values()]
    trend = falls([values for values in left if len(values)])
    whole: Answer = "shown" if all(map(len, left)) else "undecided"
    return trend._replace(answer=both(trend.answer, whole))


def _widths(cell: pd.DataFrame) -> dict[float, pd.DataFrame]:
    """Rows of a geometry by the width of the noise, ascending."""
    return {float(rows["eta"].iloc[0]): rows for _, rows in cell.groupby("eta")}


# --- the judgement --------------------------------------------------------------------------------------------


def judge_spirals(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge both halves of the claim, the probe's peak and the objective's fall, in every geometry of the rows."""
    table = spiral_runs(runs)
    if table.empty or table.groupby(["geometry", "eta"]).size().max() < 2:
        return open_judgement("an interval over seeds needs two finished runs of a geometry and width")
    cells = {str(geometry): cell for geometry, cell in table.groupby("geometry", sort=False)}
    peaks = {geometry: find_peak(cell) for geometry, cell in cells.items()}
    ends = {geometry: near_chance(cell) for geometry, cell in cells.items()}
    trends = {name: objective_trend(cell) for name, cell in cells.items() if cell["eta"].nunique() > 1}
    at_ends = [answer for found in ends.values() for answer in found.values()]
    answers = [
        *(peak.answer for peak in peaks.values()),
        *(at_ends or ["undecided"]),
        *([trend.answer for trend in trends.values()] or ["undecided"]),
    ]
    objective = f"{_say_trends(trends, cells)}; {_say_truth(table)}."
    finding = [_say_peaks(peaks, cells), _say_ends(ends), objective, _say_lost(table)]
    return Judgement(verdict_of(answers), " ".join(filter(None, finding)))


_PEAK: dict[Answer, str] = {"shown": "a {}", "contrary": "no {}", "undecided": "a {} is undecided"}


def _say_peaks(peaks: dict[str, Peak], cells: dict[str, pd.DataFrame]) -> str:
    said = []
    for geometry, peak in peaks.items():
        gains = cells[geometry].loc[cells[geometry]["eta"] == peak.eta, "gain"].dropna()
        what = _PEAK[peak.answer].format("peak" if peak.compared else "gain")
        beats = f"{peak.gain.written(signed=True)} against the raw coordinates, above them in {(gains > 0).sum()}"
        accuracy = f"{peak.accuracy.written()} at η = {peak.eta:g}"
        said.append(f"{geometry}: {what} ({accuracy}, {beats} of {plural(len(gains), 'run')})")
    return f"Linear probe of the codes, with its peak reported at 0.70: {'; '.join(said)}."


def _say_ends(ends: dict[str, dict[float, Answer]]) -> str:
    found = [answer for by_eta in ends.values() for answer in by_eta.values()]
    if not found:
        return f"The ends, η = {listing(REPORTED_ENDS)}, are not among these rows, so that chance there is not tested."
    shown, contrary = found.count("shown"), found.count("contrary")
    text = f"At the ends, η = {listing(REPORTED_ENDS)}, it is within {NEAR_CHANCE:g} of chance in {shown} of "
    return text + f"{plural(len(found), 'cell')}, above in {contrary}."


_TREND: dict[Answer, str] = {"shown": "falls", "contrary": "does not fall throughout", "undecided": "may fall"}


def _say_trends(trends: dict[str, Trend], cells: dict[str, pd.DataFrame]) -> str:
    said = []
    for geometry, trend in trends.items():
        cell = cells[geometry]
        means = cell[~cell["lost"]].groupby("eta")["objective"].mean()
        if len(means) < 2:
            said.append(f"cannot be compared in {geometry}")
            continue
        path = f"{means.iloc[0]:.2f} to {means.iloc[-1]:.2f} nats, {trend.fall.written(signed=True)}"
        said.append(f"{_TREND[trend.answer]} in {geometry} (η = {means.index[0]:g} to {means.index[-1]:g}: {path})")
    return f"The objective {'; '.join(said)}" if said else "Whether the objective falls needs two widths of a geometry"


def _say_truth(table: pd.DataFrame) -> str:
    over = int((table["objective"] > table["truth"]).sum())
    return f"it is above the truth in {over:,} of {plural(len(table), 'run')}"


def _say_lost(table: pd.DataFrame) -> str:
    """State which runs have no information left, and where none has any."""
    lost = table[table["lost"]]
    if lost.empty:
        return ""
    diverged = int((lost["status"] == "diverged").sum())
    whole = [
        f"{geometry}, η = {eta:g}" for (geometry, eta), rows in table.groupby(_CELL, sort=False) if rows.lost.all()
    ]
    where = f", all of {'; '.join(whole)}" if whole else ""
    text = f"Of {plural(len(table), 'run')} {diverged:,} diverged and {len(lost) - diverged:,} collapsed{where}"
    return f"{text}; the objective is judged among the others."
