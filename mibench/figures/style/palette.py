"""Fixed colours and signs of the estimators, the same in every figure.

Notable:

- A family of estimators has one hue (after Okabe and Ito, and Tol), in which shade, marker and dash tell members apart.
- No two estimators share both marker and dash, and those that share one of the two differ in colour for colour-blind
  eyes as well: the order of the names is chosen for that, and the tests measure it.
"""

from __future__ import annotations

import zlib
from typing import Any, TypeAlias

LineStyle: TypeAlias = Any  # "--", or (0, (on, off)); the stubs spell it as a union of literals

ESTIMATOR_COLOURS = {
    # blue: variational bounds of the NWJ form
    "js-nwj": "#56B4E9",
    "flo": "#8CC8F0",
    "nwj": "#0072B2",
    "interpolated": "#3D8FD1",
    "tuba": "#004B8D",
    # purple: densities instead of ratios
    "club": "#A24BB5",
    "doe": "#2A1A60",
    "v-information": "#5E4FB0",
    "hybrid": "#8573CF",
    "barber-agakov": "#3B2A8C",
    "l1out": "#6F2A86",
    # green: contrastive bounds
    "alpha-cpc": "#7FCFA0",
    "ml-cpc": "#1B7F3B",
    "infonce-anchor": "#0B7F7F",
    "infonce": "#009E73",
    "flatnce": "#00664B",
    "alpha-ml-cpc": "#3FAE5A",
    "holder-flatnce": "#57C4A0",
    # grey: no critic
    "ksg": "#444444",
    "cca": "#777777",
    "histogram": "#A0A0A0",
    # red: values of the Donsker-Varadhan form
    "smile": "#882255",
    "dv": "#D55E00",
    "mine": "#CC79A7",
    # olive: contrastive over chosen negatives
    "vince-plus": "#5F5F00",
    "local-aggregation": "#A0A000",
    "ir": "#B5B54A",
    "vince": "#8A8A1F",
    "annulus": "#CBCB6B",
    "ball": "#737300",
    # orange: plug-ins of a trained ratio
    "js": "#E69F00",
    "kl-dime": "#F2C14E",
    "gan-dime": "#B87400",
    "tre": "#C98B3C",
    "hd-dime": "#8A5A00",
    # grey again: the signs of the others depend on their places
    "ksg-mixed": "#303143",
    "ksg-label": "#303040",
    "gaussian-copula": "#6D886E",
    "discrete": "#A5C0BE",
}
"""Colours of the estimators that ship with mibench, by family."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "<", "h", "*")
_DASHES: tuple[LineStyle, ...] = ((0, (1, 1.3)), (0, (4.5, 1.6)), "-", (0, (5, 1.3, 1, 1.3)))
_LATER_MARKERS = {"ksg-mixed": "X", "ksg-label": "p", "gaussian-copula": ">", "discrete": "d"}
"""Of those that came when all pairs of marker and dash were given."""

_PLACES = {name: place for place, name in enumerate(ESTIMATOR_COLOURS)}


def estimator_sign(name: str) -> tuple[str, LineStyle]:
    """Marker and dash of an estimator; of one that does not ship with mibench they depend on its name alone."""
    place = _PLACES.get(name, zlib.crc32(name.encode()))
    marker = _LATER_MARKERS.get(name, _MARKERS[place % len(_MARKERS)])
    return marker, _DASHES[place % len(_DASHES)]  # 9 and 4: 36 pairs before one repeats
