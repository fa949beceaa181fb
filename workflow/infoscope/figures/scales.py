"""Figure of scales: which scales hold the information."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from infoscope.figures.markers import (
    BEHIND_TEXT,
    GREY,
    PRIOR_LIMITED,
    caveat_handles,
    draw_points,
    estimator_colour,
    estimator_handles,
    estimators_of,
    family_colour,
    offsets,
)
from infoscope.figures.style import styled
from infoscope.vocabulary import Calibration, Family

TITLES = {
    ("lowpass",): "Low-pass: scales above R",
    ("highpass",): "High-pass: scales below R",
    ("bandpass", "bandstop"): "Bands",
}
BAND_LINES = {"bandpass": "-", "bandstop": (0, (1, 0.6))}
NONLINEAR: dict[str, Any] = {"color": "#F6DFC0", "lw": 0}
PIXEL: dict[str, Any] = {"fc": "none", "ec": "0.85", "hatch": "////", "lw": 0}
MARGIN: dict[str, Any] = {"color": "0.85", "lw": 0}
APART = 0.12  # of estimators, in ln R


def draw(spec: Mapping[str, Any], table: pd.DataFrame, scales: pd.DataFrame) -> Figure:
    """Plot ratios of widths against the scale of filters, see `plot_scales`.

    Parameters
    ----------
    spec
        `filters`: the degradations that are one filter, see `specs.filters`; and
        `equivalence`, the margin within which ratios are equivalent.
    table
        Rows of widths.csv.
    scales
        Rows of scales.csv.
    """
    # a multipole is a length at the mean distance of the bins
    distance = scales["chi_mpc_h"].mean()
    filters = {}
    for name, given in spec["filters"].items():
        ends = given["scale_mpc_h"] or [np.pi / ell * distance for ell in given["ell"]]
        filters[name] = (given["operation"], min(ends), max(ends))
    return plot_scales(table, scales, filters, spec["equivalence"])


@styled
def plot_scales(
    table: pd.DataFrame,
    scales: pd.DataFrame,
    filters: Mapping[str, tuple[str, float, float]],
    margin: float,
) -> Figure:
    """Plot ratios of widths against the scale of filters.

    Parameters
    ----------
    table
        Rows of widths.csv.
    scales
        Rows of scales.csv.
    filters
        For each degradation that is one filter, the name of the operation, and its
        smallest and largest scale in Mpc/h.
    margin
        Ratios up to 1 + margin are equivalent.

    Returns
    -------
        A panel for each kind of filter. Markers are those of the figure of widths.
        Scales that no bin or not every bin resolves are hatched. The scales at which
        structure becomes non-linear are shaded, from the first to the last bin.
    """
    shown = table[(table["metric"] == "sigma_s8") & table["degradation"].isin(filters)]
    kinds = {name: kind for name, (kind, _, _) in filters.items()}
    panels = {
        title: shown[shown["degradation"].map(kinds).isin(group)]
        for group, title in TITLES.items()
        if not set(group).isdisjoint(kinds.values())
    }
    # legends of three columns need some width
    width = max(4.5, 0.6 + 2.3 * len(panels))
    figure = Figure(figsize=(width, 3.9), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    distances = offsets(len(estimators_of(shown)), APART)
    ends = [scale for _, *both in filters.values() for scale in both]
    low = min(*ends, scales["pixel_mpc_h"].min()) / 1.3
    high = max(*ends, *scales["nonlinear_mpc_h"].dropna()) * 1.3
    for ax, (title, part) in zip(axes, panels.items(), strict=True):
        ax.set(xscale="log", xlim=(low, high))
        _draw_background(ax, scales, margin)
        for i, estimator in enumerate(estimators_of(shown)):
            own = part[part["estimator"] == estimator]
            _draw_filters(ax, own, filters, i, np.exp(distances[i]))
        ax.set_title(title, fontsize=9)
        ax.set_xlabel("R [Mpc/h]")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("σ(S₈) / σ(S₈) of the reference")
    figure.legend(
        handles=_handles(
            shown,
            set(kinds.values()),
            margin,
            nonlinear=bool(scales["nonlinear_mpc_h"].notna().any()),
        ),
        title=PRIOR_LIMITED if shown["prior_limited"].any() else None,
        title_fontsize=8,
        loc="outside upper center",
        ncols=3 if len(panels) > 1 else 2,
    )
    return figure


def _handles(
    shown: pd.DataFrame, kinds: set[str], margin: float, *, nonlinear: bool
) -> list[Any]:
    """Entries of the legend."""
    handles: list[Any] = estimator_handles(estimators_of(shown))
    colour = family_colour(Family.SCALES)
    for kind, name in (("bandpass", "Only this band"), ("bandstop", "Without it")):
        if kind in kinds:
            line = Line2D([], [], color=colour, ls=BAND_LINES[kind], lw=2, label=name)
            handles.append(line)
    return [
        *handles,
        *caveat_handles(shown),
        Patch(**MARGIN, label=f"Equivalent within {100 * margin:g} %"),
        *([Patch(**NONLINEAR, label="Becomes non-linear")] if nonlinear else []),
        Patch(**PIXEL, label="Below the pixel (×: in every bin)"),
    ]


def _draw_background(ax: Axes, scales: pd.DataFrame, margin: float) -> None:
    """Draw the ratio 1, the pixel scale and the transition to non-linear scales."""
    low, high = ax.get_xlim()
    ax.axhspan(1 / (1 + margin), 1 + margin, zorder=0, **MARGIN)
    ax.axhline(1, color=GREY, lw=0.9, ls="--", zorder=1)
    transition = scales["nonlinear_mpc_h"].dropna()
    if len(transition):
        ax.axvspan(transition.min(), transition.max(), zorder=-1, **NONLINEAR)
    nearest, farthest = scales["pixel_mpc_h"].min(), scales["pixel_mpc_h"].max()
    ax.axvspan(low, farthest, zorder=0, **PIXEL)
    # scales that no bin resolves are hatched twice
    ax.axvspan(low, nearest, zorder=0, **PIXEL | {"hatch": "\\\\\\\\"})
    ax.set_xlim(low, high)


def _draw_filters(
    ax: Axes,
    part: pd.DataFrame,
    filters: Mapping[str, tuple[str, float, float]],
    number: int,
    apart: float,
) -> None:
    """Draw the filters of one panel for the estimator with this number."""
    colour = family_colour(Family.SCALES)
    shade = estimator_colour(colour, number)
    of_rows = [filters[name] for name in part["degradation"]]
    scales = pd.DataFrame(of_rows, part.index, ["kind", "low", "high"])
    kinds, lows, highs = scales["kind"], scales["low"], scales["high"]
    x = (lows * highs) ** 0.5 * apart
    y = part["ratio"]
    for kind, line in BAND_LINES.items():
        bands = kinds == kind
        ax.hlines(y[bands], lows[bands], highs[bands], color=shade, ls=line, lw=2)
    ladder = x[~kinds.isin(BAND_LINES)].sort_values()
    ax.plot(ladder, y[ladder.index], color=shade, lw=0.8, zorder=1)
    draw_points(ax, part, x, y, number=number, colour=colour, error="yerr")
    for place in x[part["calibration"] == Calibration.WITHHELD]:
        ax.annotate(
            Calibration.WITHHELD, (place, 1), xytext=(0, 4), textcoords="offset points",
            color=colour, ha="center", va="bottom", rotation=90, fontsize=6,
            bbox=BEHIND_TEXT, zorder=1.5,
        )  # fmt: skip
