"""Gosch (2020), figures 1, 2, 3 and 10 to 13: curves by true MI, and final estimates against log N and true MI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mibench.analysis.comparisons import slope_of
from mibench.analysis.labels import caption, sampler_order, with_labels
from mibench.analysis.metrics import FINAL, finished, numbers, summarise
from mibench.analysis.saturation import fit_saturation
from mibench.claims import gosch as first
from mibench.claims import gosch_all_pairs as later
from mibench.claims.judgement import Claim, Judge
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.curves import level_curves
from mibench.figures.panels import constant_runs, estimator_colours
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import outside_sentence

_ESTIMATE = "the estimate is the median over the last training batches of a run."
_MARKS: tuple[dict[str, Any], ...] = (
    {"marker": "o"},
    {"marker": "s", "markerfacecolor": "white"},
    {"marker": "^"},
    {"marker": "D"},
)

_CURVES: dict[str, tuple[str, str, str, Judge]] = {
    "gosch-1": (
        "1",
        "MINE by true MI, above and below log N",
        "MINE diverges where the true MI is above log N, and stays stable below.",
        first.judge_divergence,
    ),
    "gosch-10": (
        "10",
        "MINE against all pairs",
        "against all pairs MINE diverges even with a small critic.",
        later.judge_mine_all_pairs,
    ),
    "gosch-11": (
        "11",
        "NWJ against all pairs",
        "against all pairs NWJ does not saturate, at the price of a high variance.",
        later.judge_nwj_all_pairs,
    ),
    "gosch-12": (
        "12",
        "Jensen-Shannon critics against all pairs",
        "against all pairs JS in NWJ is unstable and the plug-in is not monotone in the true MI.",
        later.judge_js_all_pairs,
    ),
    "gosch-13": (
        "13",
        "Jensen-Shannon critics by capacity, without regularisation",
        "without regularisation high-capacity Jensen-Shannon critics misbehave: the estimate in NWJ rises and falls.",
        later.judge_capacity,
    ),
}


def _source(number: str) -> str:
    return f"Gosch (2020), figure {number}"


def _curves_of(name: str, title: str) -> Callable[[pd.DataFrame, pd.DataFrame], Drawing]:
    def draw(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
        return level_curves(runs, curves, name, title, by_estimator=True)

    return draw


for _name, (_number, _title, _statement, _judge) in _CURVES.items():
    register_figure(_name, needs_curves=True, claim=Claim(_source(_number), _statement, _judge))(
        _curves_of(_name, _title)
    )


# --- figure 2 -------------------------------------------------------------------------------------------------


@register_figure("gosch-2", claim=Claim(_source("2"), "NWJ saturates at log N.", first.judge_saturation))
def draw_saturation(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw final estimates at the highest MI against log N, and against the true MI at one batch size, by sampler.

    Raises
    ------
    UsageError
        Where no run has a result.
    """
    rows = _rows(runs, "gosch-2")
    samplers = sorted(rows["negatives"].unique(), key=sampler_order)
    highest = first.highest_level(rows)
    batch = int(str(rows.groupby("batch")["mi_true"].nunique().idxmax()))
    beside = rows[rows["batch"] == batch]
    fits = fit_saturation(highest, ["negatives"])
    colour = next(iter(estimator_colours(runs, rows).values()))
    limits = _view(rows)
    what = (
        f"Left: final estimates at {highest['mi_true'].iloc[0]:g} nats against log N by negative sampler, with "
        "least-squares lines and their slopes with 95 % intervals (Student t over runs); dashed: log N. Right: final "
        f"estimates at N = {batch:,} against the true MI (dashed: the truth). Markers: runs; lines between them: means "
        "over seeds; grey: the best NWJ value under the sampler. A permutation of the batch (shuffle) leaves about one "
        "positive pair among the N negatives, which caps the best value near log N; a derangement leaves none."
    )
    far = outside_sentence(*style.outside(rows[FINAL].astype("float64"), limits), "final estimate")
    with style.theme():
        text = caption(rows, what, far, estimate=_ESTIMATE)
        slopes = {row["negatives"]: slope_of(row) for _, row in fits.iterrows()}
        legend = {
            f"{s}: slope {slopes[s].written()}": style.handle(colour, "-", 1.3, **m)
            for s, m in zip(samplers, _MARKS, strict=False)
        }
        legend["log N (left), true MI (right)"] = style.handle(style.INK, "--", 1.2)
        legend["best value under the sampler"] = style.handle(style.MUTED, "-", 3.0, alpha=0.5)
        sheet = style.Sheet(
            1, 1 + len(samplers), panel=(3.6, 3.2), title="NWJ, the sampler and log N", caption=text, legend=legend
        )
        _against_log_n(sheet.axes[0, 0], highest, fits, samplers, colour)
        sheet.axes[0, 0].set_ylim(limits)
        sheet.axes[0, 0].set_ylabel("final estimate, nats")
        for ax, sampler, marks in zip(sheet.axes[0, 1:], samplers, _MARKS, strict=False):
            part = beside[beside["negatives"] == sampler]
            _best(ax, part)
            _against_truth(ax, part, colour, limits, marks)
            _finish(ax, limits, f"{sampler}, N = {batch:,}")
            style.log_n_line(ax, batch)
    return Drawing(sheet.figure, _table(rows), text, fits)


def _against_log_n(ax: Axes, rows: pd.DataFrame, fits: pd.DataFrame, samplers: list[str], colour: str) -> None:
    ends = np.log([rows["batch"].min(), rows["batch"].max()])
    ax.plot(ends, ends, color=style.INK, linestyle="--", linewidth=1.2)
    for sampler, marks in zip(samplers, _MARKS, strict=False):
        part = rows[rows["negatives"] == sampler]
        fit = fits[fits["negatives"] == sampler].iloc[0]
        x = np.log(part["batch"].to_numpy(np.float64))
        ax.plot(x, part[FINAL].astype("float64"), color=colour, linestyle="", markersize=5, zorder=4, **marks)
        ax.plot(ends, fit["intercept"] + fit["slope"] * ends, color=colour, linewidth=1.2, alpha=0.8)
        if sampler == samplers[0]:
            best = part.groupby("batch")["predicted_optimum"].mean().astype("float64")
            ax.plot(np.log(best.index.to_numpy(np.float64)), best, color=style.MUTED, linewidth=4, alpha=0.4, zorder=1)
    batches = sorted(map(int, rows["batch"].unique()))
    ax.set_xticks(np.log(batches), [f"{np.log(b):.2f}\n{b:,}" for b in batches])
    ax.set_xlabel("log N, nats (below: batch size N)")
    ax.set_title(f"{rows['mi_true'].iloc[0]:g} nats", color=style.INK)


# --- figure 3 -------------------------------------------------------------------------------------------------


@register_figure(
    "gosch-3",
    claim=Claim(
        _source("3"),
        "the plug-in estimate loses monotonicity in the true MI; NWJ of a Jensen-Shannon critic saturates near log N.",
        first.judge_jensen_shannon,
    ),
)
def draw_jensen_shannon(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw final estimates of Jensen-Shannon critics against the true MI, by sampler and regularisation.

    Raises
    ------
    UsageError
        Where no run has a result.
    """
    rows = _rows(runs, "gosch-3")
    rows = rows.assign(kind=np.where(first.regularised(rows), "regularised", "plain"))
    kinds = sorted(set(zip(rows["negatives"], rows["kind"], strict=True)), key=lambda k: (sampler_order(k[0]), k[1]))
    colours = estimator_colours(runs, rows)
    limits = _view(rows)
    what = (
        "Final estimates against the true MI (dashed: the truth), by negative sampler, without and with dropout and "
        "decay; log N dotted. Markers: runs; lines: means over seeds; grey: the best NWJ value under the sampler. "
        "Monotone estimates would rise from left to right."
    )
    far = outside_sentence(*style.outside(rows[FINAL].astype("float64"), limits), "final estimate")
    names = sorted(rows["estimator_label"].unique())
    log_n = float(np.log(rows["batch"].max()))  # in the legend: curves that end at log N leave its name no room
    with style.theme():
        text = caption(rows, what, far, estimate=_ESTIMATE)
        legend = {n: style.handle(colours[n], "-", 1.3, **m) for n, m in zip(names, _MARKS, strict=False)}
        legend["true MI"] = style.handle(style.INK, "--", 1.2)
        legend[f"log N = {log_n:.2f}"] = style.handle(style.INK, style.DOTTED, 1.1)
        legend["best NWJ value under the sampler"] = style.handle(style.MUTED, "-", 3.0, alpha=0.5)
        sheet = style.Sheet(
            1, len(kinds), panel=(3.4, 3.2), title="Jensen-Shannon critics", caption=text, legend=legend
        )
        for ax, (sampler, kind) in zip(sheet.axes[0], kinds, strict=True):
            part = rows[(rows["negatives"] == sampler) & (rows["kind"] == kind)]
            _best(ax, part)
            for name, marks in zip(names, _MARKS, strict=False):
                _against_truth(ax, part[part["estimator_label"] == name], colours[name], limits, marks)
            _finish(ax, limits, f"{sampler}, {kind}")
            style.dotted_line(ax, log_n)
        sheet.axes[0, 0].set_ylabel("final estimate, nats")
    return Drawing(sheet.figure, _table(rows), text, summarise(rows, ["negatives", "kind", "estimator", "mi_true"]))


# --- shared ---------------------------------------------------------------------------------------------------


def _rows(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    rows = finished(with_labels(constant_runs(runs, name)))
    if not np.isfinite(rows[FINAL].astype("float64")).any():
        raise UsageError(f"{name} needs a run whose final estimate is finite; none is")
    keys = ["estimator", "negatives", "hidden", "batch", "mi_true", "seed", "run_id"]
    return rows.sort_values(keys, ignore_index=True)


def _view(rows: pd.DataFrame) -> tuple[float, float]:
    """Limits that hold log N, and every estimate that is not several times as large."""
    log_n = np.log(rows["batch"].to_numpy(np.float64))
    values = numbers(rows, FINAL)
    return style.view(values, np.append(log_n, np.clip(values, -2 * log_n.max(), 4 * log_n.max())))


def _best(ax: Axes, rows: pd.DataFrame) -> None:
    best = rows.groupby("mi_true")["predicted_optimum"].mean().astype("float64")
    ax.plot(best.index.to_numpy(np.float64), best.to_numpy(), color=style.MUTED, linewidth=4, alpha=0.4, zorder=1)


def _against_truth(
    ax: Axes, rows: pd.DataFrame, colour: str, limits: tuple[float, float], marks: Mapping[str, Any]
) -> None:
    values = style.drawable(rows[FINAL].astype("float64"), limits)
    ax.plot(rows["mi_true"], values, color=colour, linestyle="", markersize=5, zorder=4, **marks)
    means = summarise(rows, ["mi_true"])
    ax.plot(means["mi_true"], style.drawable(means["mean"], limits), color=colour, linewidth=1.3, zorder=3)


def _finish(ax: Axes, limits: tuple[float, float], title: str) -> None:
    low, high = ax.get_xlim()
    ax.plot([0, high], [0, high], color=style.INK, linestyle="--", linewidth=1.0, zorder=2)
    ax.set_xlim(min(low, 0), high)
    ax.set_ylim(limits)
    ax.set_xlabel("true MI, nats")
    ax.set_title(title, color=style.INK)


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    columns = ["estimator", "negatives", "hidden", "dropout", "weight_decay", "batch", "mi_true", "seed"]
    return rows[[*columns, FINAL, "estimate_train_iqr", "predicted_optimum", "status", "run_id"]]
