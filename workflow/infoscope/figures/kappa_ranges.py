"""Figure of ranges of κ: which values of κ hold the information."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import norm

from infoscope.figures.markers import (
    GREY,
    PRIOR_LIMITED,
    caveat_handles,
    draw_points,
    estimator_colour,
    estimator_handles,
    estimators_of,
    family_colour,
    offsets,
    wrapped,
    write_withheld,
)
from infoscope.figures.style import styled
from infoscope.vocabulary import REFERENCE, Calibration, Family

ROW = 0.42  # inches
LARGEST = 3.5  # of κ / σ in drawings
KAPPA = np.linspace(-LARGEST, LARGEST, 281)
UNCUT_LINE: dict[str, Any] = {"ls": "-.", "lw": 1.1, "zorder": 1}


@dataclass(frozen=True)
class Cut:
    """A degradation that keeps ranges of the convergence.

    Attributes
    ----------
    degradation
        Its name.
    ranges
        Lower and upper end of each range; None is unbounded.
    by
        Whether the ends are values of κ / σ (`sigma`) or quantiles (`quantile`).
    control
        Degradation with a random mask of the same area, or None.
    uncut
        Degradation without the cut and otherwise the same, or None.
    """

    degradation: str
    ranges: Sequence[tuple[float | None, float | None]]
    by: str
    control: str | None
    uncut: str | None

    def kept(self) -> Iterator[tuple[float, float]]:
        """Ranges of κ / σ; quantiles are those of a Gaussian."""
        for low, high in self.ranges:
            if self.by == "quantile":
                low, high = norm.ppf([low or 0, 1 if high is None else high])
            yield -np.inf if low is None else low, np.inf if high is None else high


@styled
def draw(spec: Mapping[str, Any], table: pd.DataFrame) -> Figure:
    """Plot ratios of widths for ranges of the convergence beside their controls.

    Parameters
    ----------
    spec
        `cuts`, see `specs.cuts`, in the order of their rows. Cuts with the same `uncut`
        are drawn together.
    table
        Rows of widths.csv.

    Returns
    -------
        Two panels: the values that are kept, and the ratio to the reference. Cuts are
        grouped by the degradation that they cut, whose own width is a line beside them.
    """
    cuts = [Cut(**cut) for cut in spec["cuts"]]
    shown = table[table["metric"] == "sigma_s8"]
    names = dict(zip(table["degradation"], table["label"], strict=True))
    used = {cut.degradation for cut in cuts} | {cut.control for cut in cuts}
    ticks: list[str] = []
    headings: list[int] = []
    places: dict[int, Cut] = {}
    for uncut in dict.fromkeys(cut.uncut for cut in cuts):
        headings.append(len(ticks))
        ticks.append(f"Cut from {names[uncut]}" if uncut else "Cut from other maps")
        for cut in cuts:
            if cut.uncut == uncut:
                places[len(ticks)] = cut
                ticks.append(names[cut.degradation])

    figure = Figure(figsize=(7.2, 1.4 + ROW * len(ticks)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1, 3])
    right.axvline(1, color=GREY, lw=0.9, ls="--", zorder=1)
    for place, cut in places.items():
        if place % 2:
            right.axhspan(place - 0.5, place + 0.5, color="0.96", lw=0, zorder=0)
        _draw_range(left, place, cut)
        _draw_row(right, place, cut, shown)
    left.set(xlim=(-LARGEST, LARGEST), xticks=[-2, 0, 2], xlabel="κ / σ kept")
    left.set_yticks(range(len(ticks)), [wrapped(tick, 26) for tick in ticks])
    for row in headings:
        left.get_yticklabels()[row].set(weight="bold", color=GREY)
    left.set_ylim(len(ticks) - 0.5, -0.5)
    for ax in (left, right):
        ax.tick_params(axis="y", length=0)
    right.set_xlabel("σ(S₈) / σ(S₈) of the reference")
    rows = shown[shown["degradation"].isin(used)]
    if rows["prior_limited"].any():
        right.set_title(PRIOR_LIMITED, fontsize=8, color=GREY)
    handles: list[Any] = estimator_handles(estimators_of(shown))
    handles.append(Patch(color=family_colour(Family.VALUES), label="These values only"))
    if any(cut.control for cut in cuts):
        label = "Random pixels, same area"
        handles.append(Patch(color=family_colour(Family.CONTROLS), label=label))
    if right.get_legend_handles_labels()[1]:
        handles.append(Line2D([], [], color=GREY, label="Before the cut", **UNCUT_LINE))
    handles += caveat_handles(rows)
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def _draw_range(ax: Axes, place: int, cut: Cut) -> None:
    """Draw a Gaussian distribution and fill the part that is kept."""
    base = place + 0.38
    top = base - 0.76 * np.exp(-(KAPPA**2) / 2)
    ax.fill_between(KAPPA, base, top, color="0.9", lw=0)
    for low, high in cut.kept():
        inside = (low <= KAPPA) & (high >= KAPPA)
        ax.fill_between(
            KAPPA,
            base,
            top,
            where=inside.tolist(),
            color=family_colour(Family.VALUES),
            lw=0,
        )


def _draw_row(ax: Axes, place: int, cut: Cut, table: pd.DataFrame) -> None:
    """Draw the widths of a cut, of its control and of the uncut degradation."""
    estimators = estimators_of(table)
    members = [(cut.degradation, Family.VALUES)]
    if cut.control:
        members.append((cut.control, Family.CONTROLS))
    distances = iter(offsets(len(estimators) * len(members), 0.8))
    for name, family in members:
        colour = family_colour(family)
        for i, estimator in enumerate(estimators):
            chosen = table["degradation"] == name
            part = table[chosen & (table["estimator"] == estimator)]
            y = pd.Series(place + next(distances), part.index)
            draw_points(ax, part, part["ratio"], y, number=i, colour=colour)
            write_withheld(ax, part, y, colour=colour, text=Calibration.WITHHELD)
    if cut.uncut == REFERENCE:
        # the reference has a line of its own
        return
    uncut = table[table["degradation"] == cut.uncut]
    for i, estimator in enumerate(estimators):
        for ratio in uncut["ratio"][uncut["estimator"] == estimator]:
            ax.plot(
                [ratio, ratio], [place - 0.5, place + 0.5],
                color=estimator_colour(GREY, i), label="uncut", **UNCUT_LINE,
            )  # fmt: skip
