"""Claims of multi-label CPC (Song and Ermon, 2020), figures 1 to 3: their rows, and the verdicts that these give.

Notable: the binary pair's expectations are exact sums, stored with the rows; whether a bound holds there is no matter
of noise, and the means over drawn batches only check the sums. What is trained has noise, so that there a mean passes
the truth where the whole of its 95 % interval does.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mibench.analysis.labels import listing, number, plural
from mibench.analysis.metrics import FINAL, finished, summarise
from mibench.claims.judgement import Judgement, open_judgement
from mibench.experiments.specs import stored_numbers

CPC = ("infonce", "alpha-cpc")
MULTI_LABEL = ("ml-cpc", "alpha-ml-cpc")

IN_BATCH_EXCESS = 0.0022
"""Nats by which negatives from the same batch can carry the multi-label form past the truth in the range of theorem 1,
whose proof needs independent ones; the largest excess known is 0.0020 (X = Y on 116,395 symbols, n = m = 1024)."""

MUCH_LESS_BIAS, SLIGHTLY_MORE_VARIANCE = 0.5, 2.0
"""Ratios to CPC's that count as much less bias, at most, and as slightly more variance, at most and above 1."""

_ROUNDING = 1e-9
_FEWEST_BATCHES = 3
_FALSE_ALARM = 0.01
"""Chance that some mean over drawn batches is called different from its expectation where none is."""


def with_alpha(runs: pd.DataFrame) -> pd.DataFrame:
    """Add `family` (CPC or ML-CPC), `alpha` (1 for estimators without one), `alpha_min` and `proven`.

    `alpha_min` is the smallest alpha at which the form is proven to be a lower bound: 1 for CPC, and for ML-CPC
    m / (n (m - 1) + 1) (theorem 1); `proven` marks rows that have at least that. Rows of other estimators are left out.
    """
    rows = runs[runs["estimator"].isin([*CPC, *MULTI_LABEL])].copy()
    multi = rows["estimator"].isin(MULTI_LABEL)
    rows["family"] = np.where(multi, "ML-CPC", "CPC")
    rows["alpha"] = stored_numbers(rows["estimator_params"], "alpha", 1.0)
    n, m = rows["batch"].astype("float64"), rows["n_negatives"].astype("float64") + 1
    rows["alpha_min"] = (m / (n * (m - 1) + 1)).where(multi, 1.0)
    rows["proven"] = rows["alpha"] >= rows["alpha_min"] * (1 - _ROUNDING)
    return rows


# --- the binary pair: figures 1 and 2 -------------------------------------------------------------------------


def exact_moments(runs: pd.DataFrame) -> pd.DataFrame:
    """Set drawn moments beside the exact ones, for the binary pair.

    Returns
    -------
    DataFrame
        A row per run that has both, sorted: `family`, `alpha`, `batch`, `seed`, `alpha_min`, `proven`, `mi_true`;
        `expected` and `variance` of a batch's value, exact; `bias` = expected - mi_true; `mse` = bias^2 + variance;
        `drawn` and `drawn_variance` over `batches` drawn batches, `se` of the former, and `z`, its distance from
        `expected` in exact standard errors; `run_id`. Nats and nats squared.
    """
    rows = with_alpha(finished(runs)).dropna(subset=["outcomes"])
    rows["expected"] = stored_numbers(rows["outcomes"], "expected")
    rows["variance"] = stored_numbers(rows["outcomes"], "variance")
    rows["bias"] = rows["expected"] - rows["mi_true"]
    rows["mse"] = rows["bias"] ** 2 + rows["variance"]
    rows["batches"] = rows["window"].astype("int64")
    rows["drawn"] = rows["estimate_train"].astype("float64")
    rows["drawn_variance"] = rows["estimate_train_sd"].astype("float64") ** 2
    rows["se"] = np.sqrt(rows["drawn_variance"] / rows["batches"])
    rows["z"] = (rows["drawn"] - rows["expected"]) / np.sqrt(rows["variance"] / rows["batches"])
    columns = ["family", "alpha", "batch", "seed", "alpha_min", "proven", "mi_true", "expected", "variance", "bias"]
    columns += ["mse", "batches", "drawn", "drawn_variance", "se", "z", "run_id"]
    kept = rows[np.isfinite(rows["expected"]) & np.isfinite(rows["drawn"])]
    table: pd.DataFrame = kept[columns].sort_values([*columns[:4], "run_id"], kind="stable", ignore_index=True)
    return table


def judge_bounds(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 1: alpha-CPC below alpha = 1 is no lower bound, alpha-ML-CPC is one in the range of theorem 1."""
    cells = exact_moments(runs)
    cpc = cells[(cells["family"] == "CPC") & ~cells["proven"]]
    multi = cells[(cells["family"] == "ML-CPC") & cells["proven"]]
    below = cells[(cells["family"] == "ML-CPC") & ~cells["proven"]]
    if cpc.empty or multi.empty:
        return open_judgement("that needs alpha-CPC with alpha < 1 and alpha-ML-CPC with alpha >= m/(n(m-1)+1)")
    agree, drawn = _agreement(cells)
    worst = float(multi["bias"].max())
    found = (
        f"By exact expectations alpha-CPC with alpha < 1 {_passes(cpc)}. alpha-ML-CPC in the range of theorem 1 "
        f"{_passes(multi)}{f'; below that range it {_passes(below)}' if len(below) else ''}. {drawn}"
    )
    if not agree:
        return Judgement("open", f"Exact and drawn values disagree, so that one of them is wrong. {found}")
    if worst > IN_BATCH_EXCESS:
        return Judgement("does not hold", found)
    if not (cpc["bias"] > _ROUNDING).any():
        return Judgement("open", f"These rows hold no counterexample to a bound of alpha-CPC. {found}")
    if worst > _ROUNDING:
        limit = f"It holds up to the {IN_BATCH_EXCESS:g} nats that negatives of the same batch allow."
        return Judgement("holds in part", f"{limit} {found}")
    return Judgement("holds", found)


def _passes(cells: pd.DataFrame) -> str:
    """Say how often and how far the exact expectations of some cells pass the truth."""
    over = cells[cells["bias"] > _ROUNDING]
    count = f"{len(over)} of {plural(len(cells), 'cell')}"
    last = cells.sort_values("bias", kind="stable").iloc[-1]
    nearest = f"{last['bias']:+.2g}".replace("-", "−")
    at = f"at alpha = {last['alpha']:.3g}, n = m = {last['batch']:g}"
    if over.empty:
        return f"passes the truth at {count} (nearest to it {at}: {nearest} nats)"
    largest = over[over["alpha"] == over["alpha"].max()].iloc[0]
    text = f"passes the truth at {count}, by at most {last['bias']:.3g} nats ({at})"
    if largest["alpha"] > last["alpha"]:
        text += f", and still at alpha = {largest['alpha']:.3g} ({largest['expected']:.4f} against "
        text += f"{largest['mi_true']:.4f} at n = m = {largest['batch']:g})"
    return text


def _agreement(cells: pd.DataFrame) -> tuple[bool, str]:
    """Whether the drawn means agree with the exact ones, all together, and the sentence that says so."""
    largest = float(cells["z"].abs().max())
    limit = float(-ndtri(_FALSE_ALARM / 2 / len(cells)))
    batches = listing(sorted(map(int, cells["batches"].unique())))
    text = (
        f"Means over {batches} drawn batches {'agree with' if largest <= limit else 'differ from'} the exact ones: "
        f"largest |z| = {largest:.2f} of {len(cells)} (limit {limit:.2f}, 1 % for all together)."
    )
    return largest <= limit, text


def trade_off(cells: pd.DataFrame) -> pd.DataFrame:
    """Compare ML-CPC at the smallest alpha of theorem 1 with CPC, batch size by batch size.

    Parameters
    ----------
    cells
        Rows of `exact_moments`.

    Returns
    -------
    DataFrame
        A row per batch size at which both are there, sorted: `batch`; exact `bias_cpc`, `variance_cpc`, `mse_cpc` and
        the same of ML-CPC with `_ml` (nats, nats squared); `bias_ratio`, `variance_ratio` and `mse_ratio`, ML-CPC's
        over CPC's, without their sign.
    """
    cells = cells[np.isclose(cells["alpha"], cells["alpha_min"], rtol=_ROUNDING)]
    values = ["bias", "variance", "mse"]
    sides = [
        cells[cells["family"] == family].drop_duplicates("batch").set_index("batch")[values].add_suffix(suffix)
        for family, suffix in (("CPC", "_cpc"), ("ML-CPC", "_ml"))
    ]
    table = sides[0].join(sides[1], how="inner")
    for value in values:
        table[f"{value}_ratio"] = (table[f"{value}_ml"] / table[f"{value}_cpc"]).abs()
    return table.sort_index().reset_index()


def judge_trade_off(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 2: at the smallest alpha ML-CPC has much less bias and slightly more variance than CPC."""
    cells = exact_moments(runs)
    table = trade_off(cells)
    if len(table) < _FEWEST_BATCHES:
        return open_judgement(f"that needs both estimators at {_FEWEST_BATCHES} batch sizes or more")
    less = table["bias_ratio"] <= MUCH_LESS_BIAS
    more = table["variance_ratio"].between(1, SLIGHTLY_MORE_VARIANCE)
    agree, drawn = _agreement(cells)
    smaller = table["mse_ratio"] < 1
    found = (
        f"At the smallest alpha of theorem 1 the exact bias of ML-CPC is {_range(table['bias_ratio'])} times that of "
        f"CPC, its variance {_range(table['variance_ratio'])} times, its mean squared error "
        f"{_range(table['mse_ratio'])} times (smaller at {_sizes(table, smaller)}). Much less bias (at most "
        f"{MUCH_LESS_BIAS:g} times): at {_sizes(table, less)}; slightly more variance (1 to {SLIGHTLY_MORE_VARIANCE:g} "
        f"times): at {_sizes(table, more)}. {drawn}"
    )
    if not agree:
        return Judgement("open", f"Exact and drawn values disagree, so that one of them is wrong. {found}")
    both = less & more
    return Judgement("holds" if both.all() else "holds in part" if both.any() else "does not hold", found)


def _range(values: pd.Series) -> str:
    return f"{values.min():.2g} to {values.max():.2g}"


def _sizes(table: pd.DataFrame, chosen: pd.Series) -> str:
    if chosen.all():
        return f"all {len(table)} batch sizes"
    sizes = [int(n) for n in table.loc[chosen, "batch"]]
    return f"n = {listing(sizes)}" if sizes else "none"


# --- trained critics: figure 3 --------------------------------------------------------------------------------


def trained_cells(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise the stairs of trained runs over seeds.

    Returns
    -------
    DataFrame
        A row per critic, family, alpha and stair, sorted, alpha falling: `critic`, `family`, `alpha`, `stair`,
        `mi_true`, `proven`, `cap` = log(m / alpha), `n_runs` (with a finite value), `mean` of `estimate_train` with its
        95 % interval `low` to `high`, `median` (mean over seeds of the window's median) and `sd` of a batch's value.
        The interval is Student's over seeds, or, of a single run, that of a mean over the window's batches. Nats.
    """
    rows = with_alpha(runs)
    rows["cap"] = np.log((rows["n_negatives"].astype("float64") + 1) / rows["alpha"])
    by = ["critic", "family", "alpha", "stair", "mi_true", "proven", "cap"]
    cells = summarise(rows, by, "estimate_train").astype(rows[by].dtypes.to_dict())  # of no rows all are objects
    cells["n_runs"] -= cells["n_nonfinite"]
    done = finished(rows)
    spread = done.groupby(by)[[FINAL, "estimate_train_sd", "window"]].mean().astype("float64").reset_index()
    cells = cells.drop(columns=["median", "sd"]).merge(spread, on=by, how="left")
    cells = cells.rename(columns={FINAL: "median", "estimate_train_sd": "sd"})
    half = 1.96 * cells["sd"] / np.sqrt(cells["window"])
    cells["low"] = cells["low"].fillna(cells["mean"] - half)
    cells["high"] = cells["high"].fillna(cells["mean"] + half)
    columns = [*by, "n_runs", "n_diverged", "n_failed", "mean", "low", "high", "median", "sd"]
    order = ["critic", "family", "alpha", "stair"]
    return cells[columns].sort_values(order, ascending=[True, True, False, True], kind="stable", ignore_index=True)


def judge_staircase(runs: pd.DataFrame, curves: pd.DataFrame) -> Judgement:
    """Judge figure 3: alpha-ML-CPC stays below the truth, alpha-CPC passes it, and a smaller alpha has less bias."""
    cells = trained_cells(runs)
    cells = cells[np.isfinite(cells["mean"].astype("float64"))]
    parts = {str(critic): _Staircase(part) for critic, part in cells.groupby("critic")}
    parts = {critic: part for critic, part in parts.items() if part.enough}
    if not parts:
        return open_judgement("that needs alpha-CPC and alpha-ML-CPC at two alphas each, up the same stairs")
    found = " ".join(f"Critic {critic}: {part.finding()}" for critic, part in parts.items())
    holds = [part.stays and part.passes and part.improves for part in parts.values()]
    if all(holds):
        return Judgement("holds", found)
    if all(not part.stays or not part.passes for part in parts.values()):
        return Judgement("does not hold", found)
    return Judgement("holds in part", found)


class _Staircase:
    """What the cells of one critic say of the three parts of the claim."""

    def __init__(self, cells: pd.DataFrame) -> None:
        self.truth = float(cells["mi_true"].max())
        self.cpc = cells[(cells["family"] == "CPC") & ~cells["proven"]]
        self.multi = cells[cells["family"] == "ML-CPC"]
        self.last = cells[cells["mi_true"] == self.truth]
        self.enough = len(self._at_last("ML-CPC")) > 1 and len(self._at_last("CPC")) > 1 and not self.cpc.empty
        self.stays = not (self.multi["low"] > self.multi["mi_true"]).any()
        self.passes = bool((self.cpc["low"] > self.cpc["mi_true"]).any())
        self.improves = self.enough and self._improves()

    def _improves(self) -> bool:
        """Whether ML-CPC's last reading is nearer to the truth than its first, and none farther than the one before.

        Nearer and farther by the whole of both intervals.
        """
        multi = self._at_last("ML-CPC")
        nearest = (self.truth - multi["high"]).clip(lower=0).to_numpy(np.float64)
        farthest = (self.truth - multi["low"]).to_numpy(np.float64)
        steps_back = nearest[1:] > farthest[:-1]
        return bool(farthest[-1] < nearest[0] and not steps_back.any())

    def _at_last(self, family: str) -> pd.DataFrame:
        return self.last[self.last["family"] == family]

    def finding(self) -> str:
        """The numbers, in two sentences."""
        readings = [
            f"alpha-{family} reads {', '.join(f'{value:.2f}' for value in cells['mean'])} "
            f"(alpha = {', '.join(f'{alpha:g}' for alpha in cells['alpha'])})"
            for family, cells in ((name, self._at_last(name)) for name in ("CPC", "ML-CPC"))
        ]
        spread = self._at_last("ML-CPC")
        return (
            f"at {number(self.truth)} nats {readings[0]} and {readings[1]}, all within "
            f"±{((self.last['high'] - self.last['low']) / 2).max():.2f} nats. alpha-CPC with alpha < 1 "
            f"{self._over(self.cpc)}, alpha-ML-CPC {self._over(self.multi)}; its bias "
            f"{'falls' if self.improves else 'does not fall'} with alpha, but for noise, "
            f"its sd goes from {spread['sd'].iloc[0]:.2f} to {spread['sd'].iloc[-1]:.2f} nats."
        )

    @staticmethod
    def _over(cells: pd.DataFrame) -> str:
        excess = cells["mean"] - cells["mi_true"]
        over = cells["low"] > cells["mi_true"]
        side = "past" if excess.max() > 0 else "short of"
        return (
            f"passes the truth at {int(over.sum())} of {plural(len(cells), 'stair')} "
            f"(highest mean: {abs(excess.max()):.2g} nats {side} it)"
        )
