"""A member of the panel: one estimate of the mutual information of a sample, with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MemberKind = Literal["lower", "upper", "plug-in"]
"""Whether a member's expectation is at most, or at least, the mutual information; a plug-in promises neither."""


@dataclass(frozen=True)
class Member:
    """One estimate. All values in nats.

    Parameters
    ----------
    name
        As tables call it: ``"classifier"``.
    kind
        See `MemberKind`.
    value
        The estimate.
    se
        Its standard error: of chance alone, none of the member's bias.
    protocol
        Which rows were used for what, a sentence.
    seconds
        Time taken.
    ceiling
        What it cannot exceed, whatever the data; inf where there is nothing.
    terms
        One for each row, (n,), whose mean is the value; of cross-fitted members each is by a fit that has not seen its
        row. None where the value is no mean.
    training
        The same value on the rows that were fitted, to be set against it; None where nothing is fitted.
    """

    name: str
    kind: MemberKind
    value: float
    se: float
    protocol: str
    seconds: float
    ceiling: float = float("inf")
    terms: NDArray[np.float64] | None = field(default=None, repr=False)
    training: float | None = None
