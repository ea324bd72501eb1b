"""What tables and figures say of a board in the same words."""

from __future__ import annotations

from collections.abc import Sequence

from mibench.analysis.labels import listing, plural
from mibench.ranking.baselines import CONSTANT, ZERO
from mibench.ranking.boards import Board


def constant_sentence(board: Board) -> str:
    """Say how many methods are worse than the best constant, and what that answers; on one task that there is none."""
    worse = board.below_constant()
    if worse is None:
        return f"no {CONSTANT}: one task leaves nothing to choose it by"
    numbers = listing([f"{value:.3g}" for value in board.constants])
    verb = "is" if worse.sum() == 1 else "are"
    return f"{worse.sum()} of {plural(len(worse), 'method')} {verb} worse than {CONSTANT}, which answers {numbers} nats"


def baselines_sentence(boards: Sequence[Board]) -> str:
    """Say what the rows are that have no rank."""
    constant = any(board.constants for board in boards)
    said = f"{ZERO} answers 0 nats always"
    if constant:
        said += (
            f", {CONSTANT} the single number that is best on the other families, on a board of one family on the other "
            "tasks"
        )
    unknown = any(board.baselines["error_low"].isna().any() for board in boards)
    seeds = "; over seeds they have no interval, since they know of none" if unknown else ""
    return f"without a rank, and no {'estimators' if constant else 'estimator'}: {said}{seeds}"
