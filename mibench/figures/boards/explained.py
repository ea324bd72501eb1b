"""The board's errors explained: of each method the estimator's part and the critic's gap, and what stops it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mibench.analysis.labels import caption
from mibench.core.errors import UsageError
from mibench.figures import style
from mibench.figures.boards.panels import ESTIMATE, BoardSheet, kinds, notes, ranked
from mibench.figures.registry import Drawing, register_figure
from mibench.ranking.boards import Board
from mibench.ranking.explained import NEAR, NO_CRITIC, TRUE, UNKNOWN, relative_means

_WHAT = (
    "What errors are made of, as shares of the truth (of 1 nat below one), mean over the cells where both parts are "
    "known, families equal. Solid: the estimator's part, what the exact critic reads less the truth; under a sampler "
    "that leaves positives among the negatives of NWJ or DV, what the best critic would read. Hatched, stacked with "
    "its sign: the critic's gap, the estimate less that. Dot: their sum, the error of the mean estimate. What is solid "
    "remains however well the critic is trained. Of estimators that bring densities the exact critic stands for the "
    "true ones; those that take a sample as a whole have none, and all is their own."
)
_WORDS = (
    "Right: what most of the board's error comes from, with its share of it; by rule, see `mibench leaderboard "
    f"--explain`; '{TRUE}': an error of at most {NEAR:g}; '{UNKNOWN}': rows of the exact critic are lacking. Methods "
    "in the order of the board. Bars that leave the view bear their values."
)
_FAR = 1.25
"""Share of the truth at which the view ends at most."""

_PART, _GAP = "estimator_part_of_truth", "critic_gap_of_truth"


@register_figure("explained")
def explained_figure(runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    """Draw the estimator's part and the critic's gap of every method, a panel a track.

    Raises
    ------
    UsageError
        Where no method has all runs, or none with a critic has runs of the exact one beside all of its own.
    """
    ranking = ranked(runs)
    explained = ranking.explained
    known = explained.methods["estimator_part"].notna() & (explained.methods["stopped_by"] != NO_CRITIC)
    if not known.any():
        raise UsageError(
            "explained needs rows of the exact critic beside the others; make them with 'mibench run --suite NAME "
            "--exact'"
        )
    table = explained.methods.merge(relative_means(explained.cells), on=["track", "method"], validate="one_to_one")
    order = ranking.table()[["track", "method", "rank", "error"]].rename(columns={"error": "normalised_error"})
    table = order.merge(table, on=["track", "method"], validate="one_to_one")
    text = caption(runs, _WHAT, _WORDS, *notes(ranking), estimate=ESTIMATE)
    with style.theme():
        sheet = BoardSheet(
            ranking.boards, 3.2, title="Errors explained", caption=text, gutter=1.75, gap=0.95, legend=_legend()
        )
        limits = _limits(table)
        for ax, board in sheet.places():
            _draw_board(ax, board, table[table["track"] == board.track], limits)
    return Drawing(sheet.figure, table, text)


def _draw_board(ax: Axes, board: Board, table: pd.DataFrame, limits: tuple[float, float]) -> None:
    estimators = board.table["estimator"]
    for place, (estimator, row) in enumerate(zip(estimators, table.to_dict("records"), strict=True)):
        if np.isfinite(row["estimator_part"]):
            colour = style.estimator_look(str(estimator))["color"]
            _draw_method(ax, -place, float(row[_PART]), float(row[_GAP]), colour, limits)
        ax.annotate(
            _word(row["stopped_by"], row["share"]), (1.03, -place), xycoords=("axes fraction", "data"), va="center",
            fontsize=7, color=style.MUTED, annotation_clip=False,
        )  # fmt: skip
    names = [f"{row['method']}  {row['rank']}" for row in table.to_dict("records")]
    ax.set_yticks([-i for i in range(len(names))], names, fontsize=7.5)
    ax.set_ylim(0.5 - len(names), 0.5)
    ax.set_xlim(limits)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.axvline(0, color=style.INK, linewidth=0.9, zorder=4)
    ax.set_title(kinds(board.track))
    ax.set_xlabel("error, as a share of the truth")


def _word(cause: str, share: float) -> str:
    return f"{cause} {share:.0%}" if cause not in ("", TRUE) else cause or UNKNOWN


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Ends of all panels' view: those of the stacked bars, a little more, and no more than `_FAR`."""
    values = table.loc[np.isfinite(table["estimator_part"]), [_PART, _GAP]].to_numpy(np.float64)
    low, high = np.clip(values, None, 0).sum(axis=1).min(), np.clip(values, 0, None).sum(axis=1).max()
    return max(1.08 * min(low, -0.1), -_FAR), min(1.08 * max(high, 0.1), _FAR)


def _draw_method(ax: Axes, y: float, part: float, gap: float, colour: str, limits: tuple[float, float]) -> None:
    """One stacked bar with the sum of its parts; ends outside the view are cut and bear their values."""
    start = part if part * gap > 0 else 0.0
    left, right = (float(np.clip(value, *limits)) for value in (start, start + gap))
    ax.barh(y, float(np.clip(part, *limits)), height=0.62, color=colour, zorder=2)
    ax.barh(
        y, right - left, left=left, height=0.62, facecolor="white", edgecolor=colour, hatch="//////", linewidth=0.8,
        zorder=2,
    )  # fmt: skip
    ends = {part: part, start + gap: gap}
    for end, value in ends.items():
        if not limits[0] <= end <= limits[1]:
            up = end > 0
            ax.annotate(
                f"{value:+.1f}".replace("-", "−"), (limits[up], y), xytext=(-3 if up else 3, 0), va="center",
                textcoords="offset points", ha="right" if up else "left", fontsize=6.2, color=style.INK, zorder=7,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
            )  # fmt: skip
    total = part + gap
    if limits[0] <= total <= limits[1]:
        ax.plot(
            total,
            y,
            marker="o",
            color=style.INK,
            markeredgecolor="white",
            markeredgewidth=0.6,
            markersize=4.6,
            zorder=6,
        )


def _legend() -> dict[str, Line2D | Patch]:
    return {
        "estimator's part": Patch(color=style.MUTED),
        "critic's gap": Patch(facecolor="white", edgecolor=style.MUTED, hatch="//////"),
        "error of the mean estimate": style.handle(style.INK, width=0.0, marker="o", markersize=5),
    }
