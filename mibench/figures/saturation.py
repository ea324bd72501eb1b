"""The saturation figure: final estimates against log N, one column of panels per negative sampler.

Notable: samplers stand side by side because the sampler, not the estimator, is what caps NWJ and DV at log N.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mibench.analysis.labels import caption, listing, plural, sampler_order, with_labels
from mibench.analysis.metrics import FINAL, final_estimates, finished, with_truth
from mibench.analysis.saturation import fit_saturation
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.axes import name_batches
from mibench.figures.panels import constant_runs, estimator_colours, first_panels
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import fixed_sample_clause, outside_sentence

_PANEL = ["task_label", "estimator_label", "setup", "negatives_label"]
_SERIES = [*_PANEL, "mi_true"]
_TABLE = [
    "task",
    "estimator",
    "setup",
    "negatives",
    "mi_true",
    "batch",
    "log_n",
    "seed",
    "estimate",
    "predicted_optimum",
    "status",
    "run_id",
]
_FIT = ["slope", "slope_low", "slope_high", "intercept", "fitted_runs", "fitted_batches", "note"]

_WHAT = (
    "Final estimate of every run against log N, by negative sampler (columns) and true MI (colours; dotted). Lines: "
    "least-squares fits of estimate = a + b log N over runs, with the slope b and its 95 % confidence interval "
    "(Student t over runs, independent errors of one variance) at the right; b = 1 on the dashed line is saturation "
    "at log N, b = 0 is none."
)

_WHY = (
    "Why samplers differ: a random permutation of the batch (shuffle) keeps about one positive pair among its N "
    "negatives (k = 1: log N is the shuffle's ceiling log(N/k)), which caps the density ratio that a critic can learn "
    "at N, and with it the best value of NWJ and DV near log N; diamonds mark that best value, "
    "E[log r - log(1 - 1/N + r/N)] with r the true ratio. Without positive "
    "pairs among the negatives (derangement, independent, all-pairs) there is no such ceiling for NWJ and DV, and "
    "what appears instead is variance and divergence. Gosch (2020) reads the ceiling as a property of NWJ; it belongs "
    "to the sampler. Estimators with a ceiling of their own, such as InfoNCE, keep it under every sampler."
)

_ESTIMATE = (
    "the estimate is the median over the last {windows} training batches of a run (training-batch value; the median, "
    "because single batches have heavy tails){tests}."
)


@register_figure("saturation", grid="gosch-2")
def saturation(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw final estimates against log N with fitted slopes, for every estimator and negative sampler.

    Raises
    ------
    UsageError
        Where no run with constant MI and a finite final estimate is there.
    """
    rows = with_labels(constant_runs(runs, "saturation"))
    done = finished(with_truth(rows.assign(**{FINAL: final_estimates(rows)})))
    if not np.isfinite(done[FINAL].astype("float64")).any():
        raise UsageError("saturation needs a run whose final estimate is finite; none is")
    done, strips, note = _strips(done)
    fits = fit_saturation(done, _SERIES)
    samplers = sorted(done["negatives_label"].unique(), key=sampler_order)
    colours = style.level_colours(done["mi_true"])
    shades = estimator_colours(runs, done)

    with style.theme():
        text = _caption(rows, done, fits, note)
        sheet = style.Sheet(
            len(strips),
            len(samplers),
            panel=(3.5, 2.9),
            gutter=1.62,
            title="Final estimate against log N",
            caption=text,
            gap=0.85,
            legend=_legend(done),
            title_lines=1 + any(strip[2] for strip in strips),
        )
        for axes, strip in zip(sheet.axes, strips, strict=True):
            panels = [_match(done, (*strip, s)) for s in samplers]
            for ax, sampler, panel in zip(axes, samplers, panels, strict=True):
                _draw_panel(ax, panel, _match(fits, (*strip, sampler)), colours)
                ax.set_title(f"{strip[1]} · {sampler}" + (f"\n{strip[2]}" if strip[2] else ""), color=shades[strip[1]])
            axes[0].set_ylabel("median estimate of the last\ntraining batches, nats")
        for ax in sheet.axes[-1]:
            ax.set_xlabel("log N, nats (below: batch size N)")
    return Drawing(sheet.figure, _table(done, fits), text, _summary(fits))


def _strips(done: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, ...]], str]:
    """Choose the rows of panels: at most `MAX_PANELS` panels, and a sentence for the caption about those left out."""
    keys = pd.MultiIndex.from_frame(done[_PANEL[:3]])
    strips, note = first_panels(sorted(keys.unique()), done["negatives_label"].nunique())
    return done[keys.isin(strips)], strips, note


def _match(frame: pd.DataFrame, key: tuple[object, ...]) -> pd.DataFrame:
    columns = _PANEL[: len(key)]
    return frame[(frame[columns] == pd.Series(key, columns)).all(axis=1)]


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    log_n = np.log(rows["batch"].astype("float64"))
    best = _predicted(rows).to_numpy(np.float64, na_value=np.nan)
    truth = rows["mi_true"].astype("float64")
    return style.view(rows[FINAL].astype("float64"), log_n, np.concatenate([truth, best]))


def _leaves_view(rows: pd.DataFrame) -> bool:
    """Whether a value of a panel, finite or not, lies above or below its view; NaN lies nowhere."""
    low, high = _limits(rows)
    values = rows[FINAL].to_numpy(np.float64, na_value=np.nan)
    return bool(((values < low) | (values > high)).any())


def _predicted(rows: pd.DataFrame) -> pd.Series:
    return rows["predicted_optimum"].astype("float64").where(rows["capped_by_sampler"] == 1)


def _ceilings(rows: pd.DataFrame) -> pd.Series:
    """The sampler's ceiling log(N/k) by log N, where it is finite, binds the estimator and is not log N itself."""
    held = rows[(rows["capped_by_sampler"] == 1) & np.isfinite(rows["predicted_ceiling"].astype("float64"))]
    log_n = np.log(held["batch"].astype("float64"))
    ceiling = held["predicted_ceiling"].astype("float64")
    return ceiling[(ceiling - log_n).abs() > 1e-6].groupby(log_n).mean()


def _draw_panel(ax: Axes, rows: pd.DataFrame, fits: pd.DataFrame, colours: dict[float, str]) -> None:
    """Draw all MI levels of one estimator under one sampler."""
    if rows.empty:
        style.say_no_runs(ax)
        return
    limits = _limits(rows)
    batches = sorted(int(b) for b in rows["batch"].unique())
    ends = np.log([batches[0], batches[-1]])
    room = 0.06 * max(ends[1] - ends[0], 1.0)
    window = (ends[0] - room, ends[1] + room)
    ax.plot(window, window, color=style.INK, linewidth=1.2, linestyle="--", zorder=2)
    ceiling = _ceilings(rows)
    ax.plot(ceiling.index.to_numpy(np.float64), ceiling.to_numpy(), color=style.INK, linewidth=0.8, zorder=2)
    fits = fits.set_index("mi_true")
    places, texts, shades = [], [], []
    for level in sorted(map(float, rows["mi_true"].unique())):
        series = rows[rows["mi_true"] == level]
        colour = colours[level]
        fit: Any = fits.loc[level]
        _draw_series(ax, series, fit, colour, limits, ends)
        values = series.loc[series["batch"] == series["batch"].max(), FINAL].to_numpy(np.float64)
        finite = values[np.isfinite(values)]
        last = fit["intercept"] + fit["slope"] * ends[1] if math.isfinite(fit["slope"]) else np.nan
        last = last if math.isfinite(last) else float(np.median(finite)) if finite.size else limits[1]
        places.append(float(np.clip((last - limits[0]) / (limits[1] - limits[0]), 0, 1)))
        texts.append(f"{level:g}: {_interval(fit)}")
        shades.append(colour)
    _label_ends(ax, places, texts, shades)
    name_batches(ax, batches)
    ax.set_xlim(window)
    ax.set_ylim(limits)


def _draw_series(
    ax: Axes, series: pd.DataFrame, fit: Any, colour: str, limits: tuple[float, float], ends: np.ndarray
) -> None:
    """Draw one MI level: runs, fitted line, truth and predicted best value."""
    x = np.log(series["batch"].to_numpy(np.float64))
    y = series[FINAL].to_numpy(np.float64)
    diverged = (series["status"] == "diverged").to_numpy(bool)
    inside = (y >= limits[0]) & (y <= limits[1])
    ax.scatter(
        x[inside & ~diverged], y[inside & ~diverged], s=20, color=colour, edgecolor="white", linewidth=0.5, zorder=5
    )
    ax.scatter(x[inside & diverged], y[inside & diverged], s=20, color=colour, marker="x", linewidth=1.1, zorder=5)
    for beyond, edge, marker in ((y > limits[1], limits[1], "^"), (y < limits[0], limits[0], "v")):  # NaN is neither
        ax.scatter(x[beyond], np.full(beyond.sum(), edge), s=22, color=colour, marker=marker, clip_on=False, zorder=6)
    if math.isfinite(fit["slope"]):
        ax.plot(ends, fit["intercept"] + fit["slope"] * ends, color=colour, linewidth=1.3, zorder=4)
    ax.axhline(float(series["mi_true"].iloc[0]), color=colour, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1.5)
    best = _predicted(series).groupby(series["batch"]).mean().dropna()
    ax.plot(
        np.log(best.index.to_numpy(np.float64)),
        best.to_numpy(),
        color=colour,
        linewidth=0.7,
        alpha=0.45,
        marker="D",
        markersize=5.5,
        markerfacecolor="none",
        markeredgewidth=0.8,
        zorder=3,
    )


def _interval(fit: Any) -> str:
    if not math.isfinite(fit["slope"]):
        return "no slope"
    slope, low, high = (f"{fit[name]:z.2f}".replace("-", "−") for name in ("slope", "slope_low", "slope_high"))
    return f"{slope} [{low}, {high}]" if math.isfinite(fit["slope_low"]) else slope


def _label_ends(ax: Axes, places: list[float], texts: list[str], colours: list[str]) -> None:
    """Print truth and slope of every series at the right of its line, moved apart where they would overlap."""
    height = ax.get_position().height * ax.figure.get_figure(root=True).get_figheight()
    moved = style.spread(places, 0.145 / height, 0.0, 0.93)
    ax.text(1.03, 1.0, "true MI: slope [95 %]", transform=ax.transAxes, fontsize=7, color=style.MUTED, va="bottom")
    for place, at, text, colour in zip(places, moved, texts, colours, strict=True):
        ax.annotate(
            text,
            (1.0, place),
            xycoords="axes fraction",
            xytext=(1.07, at),
            textcoords="axes fraction",
            va="center",
            fontsize=7.5,
            color=colour,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )


def _legend(done: pd.DataFrame) -> dict[str, Line2D]:
    """Samples of what occurs in the rows."""
    dot: dict[str, Any] = {"markersize": 5, "width": 0.0}
    samples = {
        "log N": style.handle(style.INK, "--", 1.2),
        "run": style.handle(marker="o", **dot),
        "fit": style.handle(width=1.3),
        "true MI": style.handle(style=(0, (1, 2)), width=0.9),
    }
    if not _ceilings(done).empty:
        samples["the sampler's ceiling log(N/k)"] = style.handle(style.INK, "-", 0.8)
    if _predicted(done).notna().any():
        diamond = style.handle(width=0.7, marker="D", markerfacecolor="none", markersize=5)
        samples["best value under this sampler"] = diamond
    if (done["status"] == "diverged").any():
        samples["diverged run"] = style.handle(marker="x", **dot)
    if any(_leaves_view(panel) for _, panel in done.groupby(_PANEL)):
        samples["outside the view"] = style.handle(marker="^", **dot)
    return samples


def _caption(rows: pd.DataFrame, done: pd.DataFrame, fits: pd.DataFrame, note: str) -> str:
    far = nonfinite = 0
    above: set[float] = set()
    for _, panel in done.groupby(_PANEL):
        limits = _limits(panel)
        counts = style.outside(panel[FINAL].astype("float64"), limits)
        far, nonfinite = far + counts[0], nonfinite + counts[1]
        above |= {float(m) for m in panel["mi_true"].unique() if m > limits[1]}
    diverged = int((done["status"] == "diverged").sum())
    left_out = f"{plural(diverged, 'diverged run')} {'is' if diverged == 1 else 'are'} drawn but not fitted."
    thin = fits[fits["note"] != ""]["note"]
    notes = [
        note,
        left_out if diverged else "",
        f"{plural(len(thin), 'series', 'series')} without slope or interval: {listing(sorted(thin.unique()))}."
        if len(thin)
        else "",
        f"True MI of {listing(sorted(above))} nats lies above the view of some panels." if above else "",
        outside_sentence(far, nonfinite, "final estimate"),
    ]
    windows = listing(sorted(done["window"].dropna().unique()))
    estimate = _ESTIMATE.format(windows=windows, tests=fixed_sample_clause(rows))
    return caption(rows, _WHAT, _WHY, " ".join(filter(None, notes)), estimate=estimate)


def _summary(fits: pd.DataFrame) -> pd.DataFrame:
    """The fitted slopes, a row per series."""
    names = {f"{name}_label": name for name in ("task", "estimator", "negatives")}
    return fits.rename(columns={**names, "n_runs": "runs", "levels": "batches"}).drop(columns="n_levels")


def _table(done: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """One row per run, with its series' fit beside it."""
    table = done.merge(
        fits.rename(columns={"n_runs": "fitted_runs", "levels": "fitted_batches"}), on=_SERIES, validate="many_to_one"
    )
    for name in ("task", "estimator", "negatives"):
        table[name] = table[f"{name}_label"]
    table["log_n"] = np.log(table["batch"].astype("float64"))
    table["estimate"] = table[FINAL].astype("float64")
    table = table[[*_TABLE, *_FIT]]
    return table.sort_values([*_TABLE[:6], "seed", "run_id"], kind="stable").reset_index(drop=True)
