"""The exact-critic split: how much of an error is the estimator's and how much the trained critic's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from mibench.analysis.accuracy import split_by_exact_critic
from mibench.analysis.labels import caption, listing, plural, sampler_order, with_labels
from mibench.analysis.metrics import FINAL, final_estimates, finished, numbers, with_truth
from mibench.core.errors import UsageError
from mibench.experiments.specs import EXACT
from mibench.figures import style
from mibench.figures.guests import guests_sentence, place_guests
from mibench.figures.panels import constant_runs, estimator_colours, first_panels
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.sentences import fixed_sample_clause, outside_sentence

_PANEL = ["task_label", "batch", "n", "negatives_label"]
"""`n` is the size of a fixed sample, 0 where pairs are fresh."""
_CELL = [*_PANEL, "mi_true", "estimator_label"]

_FAR, _ROOM = 1.5, 0.5
"""Bars beyond so many times the largest error are cut; the view then holds this share of it, for their values."""

_WHAT = (
    "Where the error comes from, by true MI (groups), estimator (colours, in the legend's order), negative sampler "
    "(rows) and trained critic (columns). Solid bar: the estimator's part, mean estimate with the exact log ratio as "
    "critic minus the truth. Hatched bar, stacked with its sign: the trained critic's gap, mean estimate with the "
    "trained critic minus that with the exact one. Dot: their sum, the error, with the Student 95 % interval over "
    "seeds (wide for two seeds). An error that is solid remains however well the critic is trained; a hatched one is "
    "left to critic and training."
)
_WHY = (
    "The gap can be positive. The log ratio is the best critic of NWJ and DV in expectation where negatives are clean; "
    "of contrastive bounds (ML-CPC and others of InfoNCE's kind) it need not be the best at finite N, and where a "
    "sampler leaves positives among the negatives (shuffle) it is a bad critic of NWJ, which takes its exponential at "
    "them; the best one is then bounded and a trained one comes out above. Bars that leave the view bear their "
    "values. A plug-in, and the median of a heavy-tailed bound, can lie above the truth (over 0)."
)


@register_figure("exact-split", grid="exact-split")
def exact_split(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw errors of trained critics as the estimator's part and the critic's gap.

    Raises
    ------
    UsageError
        Where no cell has finite runs of both the exact and a trained critic.
    """
    chosen = with_truth(constant_runs(runs, "exact-split"))
    rows = with_trained_critics(with_labels(place_guests(chosen)))
    rows = rows.assign(n=rows["samples"].fillna(0).astype(int), final=final_estimates(rows))
    parts = split_by_exact_critic(rows, _CELL, "trained", "final")
    if parts.empty:
        raise UsageError(
            "exact-split needs finished runs of the critic 'oracle' and of a trained critic, otherwise alike; "
            "run 'mibench run exact-split'"
        )
    strips, note = first_panels(
        sorted(parts[_PANEL].drop_duplicates().itertuples(index=False, name=None), key=_strip_order),
        parts["trained"].nunique(),
    )
    parts = parts[pd.MultiIndex.from_frame(parts[_PANEL]).isin(strips)]
    used = rows[rows.set_index(_CELL).index.isin(parts.set_index(_CELL).index)]
    colours = estimator_colours(runs, used)
    critics = sorted(parts["trained"].unique(), reverse=True)
    estimators = sorted(parts["estimator_label"].unique())
    levels = sorted(parts["mi_true"].unique())

    with style.theme():
        text = _caption(chosen[chosen["run_id"].isin(used["run_id"])], used, parts, note)
        sheet = style.Sheet(
            len(strips),
            len(critics),
            panel=(max(3.6, 0.17 * len(estimators) * len(levels)), 2.3),
            title="Error with the exact critic, and the trained critic's gap",
            caption=text,
            legend=_legend({name: colours[name] for name in estimators}, parts),
            title_lines=2,
        )
        for axes, strip in zip(sheet.axes, strips, strict=True):
            strip_rows = parts[(parts[_PANEL] == pd.Series(strip, _PANEL)).all(axis=1)]
            limits = _limits(strip_rows)
            for ax, critic in zip(axes, critics, strict=True):
                panel = strip_rows[strip_rows["trained"] == critic]
                ax.set_title(f"{critic}\n{_strip_title(*strip)}", color=style.INK)
                _draw_panel(ax, panel, levels, estimators, colours, limits)
            axes[0].set_ylabel("estimate − truth, nats")
        for ax in sheet.axes[-1]:
            ax.set_xlabel("true MI, nats")
    return Drawing(sheet.figure, _table(parts), text)


def _strip_order(strip: Any) -> tuple[Any, ...]:
    task, batch, n, sampler = strip
    return task, batch, n, sampler_order(sampler)


def _strip_title(task: str, batch: int, n: int, sampler: str) -> str:
    return f"{sampler} · {task}, N = {batch:,}" + (f", n = {n:,}" if n else "")


def with_trained_critics(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``trained``: the critic with the settings of training that differ between trained critics.

    The exact critic has no layers and no learning rate; its label is ``oracle``.
    """
    exact = rows["critic"] == EXACT
    trained = with_labels(rows[~exact].drop(columns="setup"), ignore=("task_label", "critic_label", "samples"))
    names = trained["critic_label"] + trained["setup"].map(lambda text: f", {text}" if text else "")
    return rows.assign(trained=names.reindex(rows.index).fillna(EXACT).astype(object))


def _limits(parts: pd.DataFrame) -> tuple[float, float]:
    """One view for a row of panels: it holds the errors, and the bars that do not run far beyond all of them."""
    totals = parts["total"].to_numpy(np.float64)
    reach = _FAR * max(float(np.abs(totals).max()), 1.0)
    ends = np.concatenate(_stacked(parts))
    near = np.concatenate([totals, ends[np.abs(ends) <= reach], [0.0]])
    low, high = float(near.min()), float(near.max())
    if (ends > reach).any():
        high = max(high, _ROOM * reach)
    if (ends < -reach).any():
        low = min(low, -_ROOM * reach)
    return style.view(near, [low, high])


def _stacked(parts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower ends of the stacked bars."""
    values = parts[["estimator_part", "critic_gap"]].to_numpy(np.float64)
    return np.clip(values, 0, None).sum(axis=1), np.clip(values, None, 0).sum(axis=1)


def _draw_panel(
    ax: Axes,
    panel: pd.DataFrame,
    levels: list[float],
    estimators: list[str],
    colours: dict[str, str],
    limits: tuple[float, float],
) -> None:
    """Bars of one sampler and critic, estimators side by side at each level."""
    if panel.empty:
        style.say_no_runs(ax)
        return
    wide = 0.84 / len(estimators)
    for _, cell in panel.iterrows():
        lane = estimators.index(cell["estimator_label"]) - (len(estimators) - 1) / 2
        _draw_cell(ax, cell, levels.index(cell["mi_true"]) + lane * wide, 0.82 * wide, limits, colours)
    for border in np.arange(1, len(levels)) - 0.5:
        ax.axvline(border, color="#C8C8C8", linewidth=0.8, zorder=1)
    ax.axhline(0, color=style.INK, linewidth=1.0, zorder=4)
    ax.grid(visible=False, axis="x")
    ax.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    ax.set_xlim(-0.5, len(levels) - 0.5)
    ax.set_ylim(limits)


def _draw_cell(
    ax: Axes, cell: Any, x: float, wide: float, limits: tuple[float, float], colours: dict[str, str]
) -> None:
    """One stacked bar with its total; what lies outside the view is marked at the edge."""
    colour = colours[cell["estimator_label"]]
    part, gap = float(cell["estimator_part"]), float(cell["critic_gap"])
    start = part if part * gap > 0 else 0.0
    bottom, top = (float(v) for v in style.drawable([start, start + gap], limits))
    ax.bar(x, float(style.drawable(part, limits)), width=wide, color=colour, zorder=2)
    ax.bar(x, top - bottom, bottom=bottom, width=wide, facecolor="white", edgecolor=colour, hatch="//////", zorder=2)
    for end, value in ((part, part), (start + gap, gap)):
        if not limits[0] <= end <= limits[1]:
            _name_cut_bar(ax, x, value, limits)
    total, low, high = (float(cell[f"total{end}"]) for end in ("", "_low", "_high"))
    low, high = (float(v) for v in style.drawable([low, high], limits))
    ax.plot([x, x], [low, high], color=style.INK, linewidth=0.9, zorder=5)
    inside = limits[0] <= total <= limits[1]
    marker = ("X" if cell["n_diverged"] else "o") if inside else "^" if total > limits[1] else "v"
    ax.plot(
        x,
        np.clip(total, *limits),
        marker=marker,
        color=style.INK if not cell["n_diverged"] else style.WARNING,
        markeredgecolor="white",
        markeredgewidth=0.6,
        markersize=5.2,
        clip_on=inside,
        zorder=6,
    )


def _name_cut_bar(ax: Axes, x: float, value: float, limits: tuple[float, float]) -> None:
    """Write the value of a bar that leaves the view into its end."""
    up = value > 0
    ax.annotate(
        f"{value:+,.0f}".replace("-", "−"),
        (x, limits[up]),
        xytext=(0, -3 if up else 3),
        textcoords="offset points",
        ha="center",
        va="top" if up else "bottom",
        rotation=90,
        fontsize=5.8,
        color=style.INK,
        zorder=7,
        path_effects=[withStroke(linewidth=1.6, foreground="white")],
    )


def _legend(colours: dict[str, str], parts: pd.DataFrame) -> dict[str, Line2D | Patch]:
    dot: dict[str, Any] = {"width": 0.0, "markersize": 5}
    samples: dict[str, Line2D | Patch] = {name: Patch(color=colour) for name, colour in colours.items()}
    samples["estimator's part"] = Patch(color=style.MUTED)
    samples["critic's gap"] = Patch(facecolor="white", edgecolor=style.MUTED, hatch="//////")
    samples["error, 95 % interval"] = style.handle(style.INK, width=0.9, marker="o", markersize=5)
    if parts["n_diverged"].any():
        samples["with diverged runs"] = style.handle(style.WARNING, marker="X", **dot)
    if _outside(parts)[0]:
        samples["outside the view"] = style.handle(marker="^", **dot)
    return samples


def _outside(parts: pd.DataFrame) -> tuple[int, int]:
    """Errors outside the view of their panels; all of them are finite."""
    counts = [style.outside(strip["total"], _limits(strip)) for _, strip in parts.groupby(_PANEL)]
    return sum(far for far, _ in counts), 0


def _caption(runs: pd.DataFrame, used: pd.DataFrame, parts: pd.DataFrame, note: str) -> str:
    """Text of the runs drawn; of ``used``, which holds copies of some, every run counts once."""
    once = used.drop_duplicates("run_id")
    exact, trained = once[once["critic"] == EXACT], once[once["critic"] != EXACT]
    diverged, exact_diverged = (int((some["status"] == "diverged").sum()) for some in (trained, exact))
    unread = int((~np.isfinite(numbers(finished(trained), "final"))).sum())
    unread += len(exact) - int(np.isfinite(numbers(finished(exact), "final")).sum())
    notes = [
        note,
        guests_sentence(runs),
        f"{plural(diverged, 'trained run')} diverged; {'it is' if diverged == 1 else 'they are'} averaged like the "
        "others and the dots of their cells are red."
        if diverged
        else "No trained run diverged.",
        f"Of the runs with the exact critic {exact_diverged:,} count as diverged (median over the truth by more than "
        "2 nats); their values are the estimator's own."
        if exact_diverged
        else "",
        f"{plural(unread, 'run')} without a finite estimate, left out of the means." if unread else "",
        outside_sentence(*_outside(parts), "error"),
    ]
    windows = listing(sorted(finished(runs)["window"].dropna().unique()))
    estimate = f"the estimate is the median over the last {windows} training batches of a run ({FINAL})"
    estimate += f"{fixed_sample_clause(runs)}."
    return caption(runs, _WHAT, _WHY, " ".join(filter(None, notes)), estimate=estimate)


def _table(parts: pd.DataFrame) -> pd.DataFrame:
    names = {"task_label": "task", "estimator_label": "estimator", "negatives_label": "negatives", "trained": "critic"}
    return parts.rename(columns=names).sort_values(
        ["task", "batch", "n", "negatives", "critic", "mi_true", "estimator"], kind="stable", ignore_index=True
    )
