"""Markers of figures: colours of families, shapes of estimators, styles of caveats."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    LogLocator,
    NullFormatter,
    StrMethodFormatter,
)

from infoscope.estimators import kinds
from infoscope.estimators.estimator import Estimator
from infoscope.figures.style import colorblind
from infoscope.vocabulary import Calibration, Family, TrainingVerdict, Verdict

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

assert kinds  # imported because it registers them

Colour = tuple[float, float, float]

MARKERS = ("o", "s", "^", "D", "v", "P")
PALENESS = (0.0, 0.45, 0.25, 0.6, 0.35, 0.15)  # of estimators, in their order
GREY = (0.3, 0.3, 0.3)
# a number is the index of a colour in the palette
OF_FAMILY: dict[str, int | str] = {
    Family.REFERENCE: "black",
    Family.SCALES: 0,
    Family.VALUES: 3,
    Family.CONTROLS: "0.5",
    Family.STATISTICS: 1,
    Family.POSITIONS: 4,
    Family.REDSHIFTS: 2,
    Family.SURVEY: 9,
    Family.OWN: 5,
    Family.COMBINED: "indigo",
}
CROSS: dict[str, Any] = {
    "color": "black", "marker": "x", "ls": "none", "ms": 9, "mew": 1.2, "zorder": 4,
}  # fmt: skip
BEHIND_TEXT: dict[str, Any] = {"fc": "white", "ec": "none", "pad": 0.5}
RATIOS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.4, 2, 3, 5, 10, 20, 50)
MISSING = "withheld: miscalibrated"
SAME_INPUTS = "same inputs, not trained again"
PRIOR_LIMITED = "Limited by the prior: differences are understated"


def family_colour(family: str) -> Colour:
    """Colour of a family, the same in every figure."""
    colour = OF_FAMILY[family]
    return colorblind(10)[colour] if isinstance(colour, int) else to_rgb(colour)


def estimator_colour(colour: Colour, number: int) -> Colour:
    """Shade of a colour for the estimator with this number."""
    pale = PALENESS[number % len(PALENESS)]
    red, green, blue = (value + pale * (1 - value) for value in colour)
    return red, green, blue


def estimator_marker(number: int) -> str:
    """Marker of the estimator with this number."""
    return MARKERS[number % len(MARKERS)]


def estimator_label(name: str) -> str:
    """Name of an estimator in figures."""
    if name in Estimator.registry:
        return Estimator.registry[name].label
    return name.replace("_", " ")


def wrapped(label: str, width: int = 24) -> str:
    """Break a label into lines."""
    return textwrap.fill(label, width)


def draw_points(
    ax: Axes,
    table: pd.DataFrame,
    x: pd.Series,
    y: pd.Series,
    *,
    number: int,
    colour: Colour,
    error: str = "xerr",
) -> None:
    """Draw ratios with their errors, and mark caveats.

    Parameters
    ----------
    ax
        Axes to draw in.
    table
        Columns ratio_error, training_verdict, calibration and verdict.
    x, y
        Coordinates, with the index of the table; withheld ratios are nan.
    number
        Number of the estimator.
    colour
        Colour of the family.
    error
        `xerr` if x is the ratio, or `yerr`.
    """
    shade, marker = estimator_colour(colour, number), estimator_marker(number)
    errors: dict[str, Any] = {error: table["ratio_error"]}
    ax.errorbar(x, y, fmt="none", ecolor=shade, elinewidth=1.2, capsize=2, **errors)
    open_ = table["training_verdict"] != TrainingVerdict.TRAINED
    corrected = table["calibration"] == Calibration.CORRECTED
    for hollow in (False, True):
        for edged in (False, True):
            chosen = (open_ == hollow) & (corrected == edged)
            if chosen.any():
                ax.plot(
                    x[chosen], y[chosen], marker, **marker_style(shade, hollow, edged)
                )
    impossible = table["verdict"] == Verdict.IMPOSSIBLE
    if impossible.any():
        ax.plot(x[impossible], y[impossible], **CROSS)


def write_withheld(
    ax: Axes, table: pd.DataFrame, y: pd.Series, *, colour: Colour, text: str
) -> None:
    """Label the rows of withheld ratios, beside the ratio 1.

    Parameters
    ----------
    ax
        Axes to draw in.
    table
        Column calibration.
    y
        Places of the rows, with the index of the table.
    colour
        Colour of the family.
    text
        The label.
    """
    missing = table["calibration"] == Calibration.WITHHELD
    write_beside(ax, y[missing], colour=colour, text=text)


def write_beside(ax: Axes, y: pd.Series, *, colour: Colour, text: str) -> None:
    """Write a text into rows, beside the ratio 1."""
    for place in y:
        ax.annotate(
            text, (1, place), xytext=(4, 0), textcoords="offset points",
            color=colour, va="center", fontsize=6, bbox=BEHIND_TEXT, zorder=1.5,
        )  # fmt: skip


def marker_style(colour: Any, hollow: bool, edged: bool) -> dict[str, Any]:
    """Style of a marker: hollow if not fully trained, black edge if corrected."""
    edge = "black" if edged else colour if hollow else "white"
    return {
        "color": colour,
        "mfc": "white" if hollow else colour,
        "mec": edge,
        "mew": 1.0 if hollow or edged else 0.5,
        "ms": 5,
        "zorder": 3,
    }


def estimator_handles(estimators: Sequence[str]) -> list[Line2D]:
    """Legend entries for the markers and shades of estimators."""
    return [
        Line2D(
            [], [], ls="none", marker=estimator_marker(i), label=estimator_label(name),
            **marker_style(estimator_colour(GREY, i), False, False),
        )
        for i, name in enumerate(estimators)
    ]  # fmt: skip


def caveat_handles(table: pd.DataFrame) -> list[Line2D]:
    """Legend entries for the caveats that occur in a table."""
    caveats = {
        "Not fully trained": (
            True,
            False,
            table["training_verdict"] != TrainingVerdict.TRAINED,
        ),
        "Corrected": (False, True, table["calibration"] == Calibration.CORRECTED),
    }
    handles = [
        Line2D(
            [],
            [],
            ls="none",
            marker="o",
            label=name,
            **marker_style(GREY, hollow, edged),
        )
        for name, (hollow, edged, where) in caveats.items()
        if where.any()
    ]
    if (table["verdict"] == Verdict.IMPOSSIBLE).any():
        handles.append(Line2D([], [], label="Impossible score", **CROSS | {"ms": 6}))
    return handles


def estimators_of(table: pd.DataFrame) -> list[str]:
    """Estimators of a table, in their order."""
    return list(dict.fromkeys(table["estimator"]))


def logarithmic_ratios(ax: Axes) -> None:
    """Make a horizontal axis of ratios logarithmic, with readable numbers."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(RATIOS))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(LogLocator(subs="all"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def offsets(number: int, height: float = 0.6) -> Float[NDArray, " number"]:
    """Distances of markers from the middle of their row."""
    return height * ((np.arange(number) + 0.5) / number - 0.5)
