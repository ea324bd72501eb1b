"""The violations figure: how often a bound lies on the wrong side of the truth."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from mibench.analysis.accuracy import ERRORS, FRESH_BATCHES, violation, violation_shares
from mibench.analysis.labels import caption, plural, sampler_order, with_labels
from mibench.analysis.metrics import finished
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.panels import estimator_colours
from mibench.figures.registry import Drawing, register_figure
from mibench.figures.style.palette import estimator_sign

_CELL = ["negatives_label", "estimator", "estimator_label", "kind"]

_WHAT = (
    f"Share of runs whose bound is broken: a lower bound above the truth, an upper bound below it, by more than "
    f"{ERRORS:g} standard errors. Judged on the mean over {FRESH_BATCHES} fresh batches at the end of a run, with the "
    "critic's parameters fixed, which they are not over training batches; the standard "
    f"error is the batches' standard deviation over the root of {FRESH_BATCHES}, with that of the truth. Dots with "
    "Wilson's 95 % interval, broken of judged runs at the right; pooled over tasks, true MI, batch sizes and settings "
    "of the grid. Grey: estimators that promise no bound."
)
_WHY = (
    "Heavy tails make the standard error too small now and then (rare large values are missing from few batches), so "
    "that a small share is no proof; a bound can be broken for good where the negatives do not come from the product "
    "of the marginals (proposals), where a batch's normaliser is plugged in (DV, MINE), or where runs have diverged."
)


@register_figure("violations", grid="bias-variance")
def violations(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw the share of runs that break their bound, by estimator and negative sampler.

    Raises
    ------
    UsageError
        Where no run of a lower or upper bound has finite fresh estimates.
    """
    rows = with_labels(runs)
    if not violation(finished(rows)).notna().any():
        raise UsageError("violations needs runs of lower or upper bounds with finite fresh estimates; there are none")
    shares = violation_shares(rows, _CELL)
    samplers = sorted(shares["negatives_label"].unique(), key=sampler_order)
    order = shares[_CELL[1:]].drop_duplicates().sort_values(["kind", "estimator_label"])
    places = {key: -i for i, key in enumerate(order[["estimator_label", "kind"]].itertuples(index=False, name=None))}
    colours = estimator_colours(runs, rows)
    with style.theme():
        text = _caption(rows, shares)
        sheet = style.Sheet(
            1,
            len(samplers),
            panel=(2.3, 0.35 + 0.26 * len(places)),
            title="How often a bound is broken",
            caption=text,
            left=1.5,
            gutter=0.75,
            legend={
                "share of judged runs, 95 % interval": style.handle(marker="o", markersize=5),
                "promises no bound": style.handle("#B5B5B5", width=0.0, marker="_", markersize=8),
            },
        )
        for ax, sampler in zip(sheet.axes[0], samplers, strict=True):
            _draw_panel(ax, shares[shares["negatives_label"] == sampler], places, colours)
            ax.set_title(sampler)
            ax.set_xlabel("share of runs")
    names = {"estimator_label": "estimator", "negatives_label": "negatives"}
    return Drawing(sheet.figure, shares.drop(columns="estimator").rename(columns=names), text)


def _draw_panel(ax: Axes, shares: pd.DataFrame, places: dict[tuple[str, str], int], colours: dict[str, str]) -> None:
    """Dots of one sampler, an estimator a line."""
    for _, cell in shares.iterrows():
        y, promised = places[cell["estimator_label"], cell["kind"]], cell["kind"] in ("lower", "upper")
        note = f"{cell['n_violations']}/{cell['n_judged']}" if promised else "no bound"
        if cell["n_judged"]:
            colour = colours[cell["estimator_label"]]
            ax.plot([cell["low"], cell["high"]], [y, y], color=colour, linewidth=1.8, clip_on=False, zorder=3)
            marker = estimator_sign(cell["estimator"])[0]
            ax.plot(cell["share"], y, marker=marker, color=colour, markersize=6, clip_on=False, zorder=4)
        elif not promised:
            ax.plot(0.5, y, marker="_", color="#B5B5B5", markersize=10, zorder=3)
        ax.annotate(
            note, (1.06, y), xycoords=("axes fraction", "data"), va="center", fontsize=7.5, color=style.MUTED,
            annotation_clip=False,
        )  # fmt: skip
    ax.set_yticks(list(places.values()), [f"{name} ({kind})" for name, kind in places])
    ax.set_ylim(-len(places) + 0.4, 0.6)
    ax.set_xlim(-0.03, 1.03)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:.0%}"))


def _caption(rows: pd.DataFrame, shares: pd.DataFrame) -> str:
    promised = shares[shares["kind"].isin(["lower", "upper"])]
    judged = int(promised["n_judged"].sum())
    unjudged = int((promised["n_runs"] - promised["n_judged"]).sum())
    diverged = int(shares["n_diverged"].sum())
    notes = [
        f"{int(promised['n_violations'].sum()):,} of {plural(judged, 'judged run')} break their bound.",
        f"{plural(diverged, 'diverged run')} counted like the others." if diverged else "",
        f"{plural(unjudged, 'run')} without finite fresh estimates not judged." if unjudged else "",
    ]
    estimate = "the estimate is the mean over fresh batches of the training size at the end (estimate_fresh)."
    return caption(rows, _WHAT, _WHY, " ".join(filter(None, notes)), estimate=estimate)
