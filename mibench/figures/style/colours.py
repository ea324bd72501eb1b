"""Colours of estimators and of MI levels.

Notable: an estimator has one colour in all figures of a report: its own of the palette, or, of a plug-in, one of Tol's
that no estimator of mibench has. MI levels run through viridis, in order.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import hsv_to_rgb, to_hex, to_rgb

from mibench.figures.style.palette import ESTIMATOR_COLOURS, estimator_sign

_OTHER_COLOURS = ("#332288", "#117733", "#999933", "#AA4499", "#44AA99", "#661100", "#6699CC", "#888888")
_GOLDEN = 0.618034  # hues this far apart never fall together


def estimator_colours(names: Iterable[str], labels: Iterable[str], among: Iterable[str] = ()) -> dict[str, str]:
    """Colour of each estimator label; variants of one name are shades of its colour.

    Parameters
    ----------
    names, labels
        Registered name and label of each row, in step.
    among
        Further names to choose colours for: figures that are given the same agree on them.
    """
    variants: dict[str, list[str]] = {}
    for name, label in sorted(set(zip(names, labels, strict=True))):
        variants.setdefault(name, []).append(label)
    bases = dict(ESTIMATOR_COLOURS)
    for name in sorted({*variants, *among} - set(bases)):
        bases[name] = _free_colour(name, set(bases.values()))
    colours = {}
    for name, group in variants.items():
        base = bases[name]
        for label, place in zip(group, np.linspace(-0.5, 0.5, len(group)) if len(group) > 1 else [0.0], strict=True):
            target = np.full(3, float(place > 0))  # from dark to light around the colour itself
            red, green, blue = (1 - abs(place)) * np.array(to_rgb(base)) + abs(place) * target
            colours[label] = to_hex((red, green, blue))
    return colours


def _free_colour(name: str, taken: set[str]) -> str:
    """A colour that depends on the name, and on other unknown names only where they collide."""
    start = zlib.crc32(name.encode())
    ring = [_OTHER_COLOURS[(start + i) % len(_OTHER_COLOURS)] for i in range(len(_OTHER_COLOURS))]
    more = (to_hex(tuple(hsv_to_rgb((i * _GOLDEN % 1, 0.65, 0.75)))) for i in itertools.count())
    return next(colour for colour in itertools.chain(ring, more) if colour not in taken)


def estimator_look(name: str) -> dict[str, Any]:
    """How one series of an estimator is drawn: options of a line in the estimator's colour, marker and dash."""
    marker, dash = estimator_sign(name)
    colour = ESTIMATOR_COLOURS.get(name) or _free_colour(name, set(ESTIMATOR_COLOURS.values()))
    return {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.5, "markersize": 5}


def level_colours(levels: Iterable[float]) -> dict[float, str]:
    """Colour of each MI level, dark for low to light green for high."""
    ordered = sorted(set(levels))
    places = np.linspace(0.0, 0.78, len(ordered)) if len(ordered) > 1 else np.array([0.25])
    colormap = mpl.colormaps["viridis"]
    return {level: to_hex(colormap(place)) for level, place in zip(ordered, places, strict=True)}
