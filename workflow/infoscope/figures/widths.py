"""Figure of widths: how much wider posteriors get under each degradation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from infoscope.figures.markers import (
    GREY,
    MISSING,
    PRIOR_LIMITED,
    SAME_INPUTS,
    caveat_handles,
    draw_points,
    estimator_handles,
    estimators_of,
    family_colour,
    logarithmic_ratios,
    offsets,
    wrapped,
    write_beside,
    write_withheld,
)
from infoscope.figures.style import styled
from infoscope.vocabulary import REFERENCE, Family

FISHER: dict[str, Any] = {
    "ls": "none", "marker": "|", "ms": 9, "mew": 1.5, "color": "black", "zorder": 2,
}  # fmt: skip
FAR = 4  # the axis is logarithmic if a ratio exceeds this
ROW = 0.25  # inches, for up to two estimators
PANELS = {
    "sigma_s8": "σ(S₈) / σ(S₈) of the reference",
    "area68": "68 % area / 68 % area of the reference",
}


@styled
def draw(spec: Mapping[str, Any], table: pd.DataFrame, fisher: pd.DataFrame) -> Figure:
    """Plot how much wider posteriors get under each degradation.

    Parameters
    ----------
    spec
        `families` of the degradations.
    table
        Rows of widths.csv, one per degradation, estimator and metric.
    fisher
        Rows of fisher.csv. Those that include the prior are drawn.

    Returns
    -------
        Two panels: σ(S₈) and the area of the 68 % region, divided by those of the
        reference of the same estimator. Rows are grouped by family. The axis is
        logarithmic where ratios exceed `FAR`. Hollow markers are estimators that are
        not fully trained, black edges are corrected posteriors, crosses are impossible
        scores, and withheld widths are labelled, as are those of the reference's
        training runs. Vertical ticks behind the markers are the Fisher forecasts of the
        same degradations, divided by the width of the same reference.
    """
    family = spec["families"]
    forecasts = fisher[fisher["prior"] == "box"].set_index("degradation")
    names = dict(zip(table["degradation"], table["label"], strict=True))
    rows, headings = _places(list(names), family)
    n_rows = len(rows) + len(headings)

    height = ROW * max(1, len(estimators_of(table)) / 2)
    figure = Figure(figsize=(7.2, 1.2 + height * n_rows), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (metric, xlabel) in zip(axes, PANELS.items(), strict=True):
        for place in list(rows.values())[::2]:
            ax.axhspan(place - 0.5, place + 0.5, color="0.96", lw=0, zorder=0)
        ax.axvline(1, color=GREY, lw=0.9, ls="--", zorder=1)
        shown = table[table["metric"] == metric]
        _draw_ratios(ax, shown, rows, family)
        _draw_fisher(ax, shown, forecasts[metric], rows)
        ax.set_xlabel(xlabel)
        far = shown["ratio"] + shown["ratio_error"].fillna(0)
        if far.max() > FAR:
            logarithmic_ratios(ax)
        else:
            ax.locator_params(axis="x", nbins=5)
        ax.tick_params(axis="y", length=0)
        if shown["prior_limited"].any():
            text = PRIOR_LIMITED.replace(": ", ":\n")
            ax.set_title(text, fontsize=8, color=GREY)
    ticks = {place: wrapped(names[name], 32) for name, place in rows.items()}
    ticks |= {place: Family(name).heading for name, place in headings.items()}
    axes[0].set_yticks(list(ticks), list(ticks.values()))
    labels = dict(zip(ticks, axes[0].get_yticklabels(), strict=True))
    for name, place in headings.items():
        labels[place].set(color=family_colour(name), weight="bold")
    axes[0].set_ylim(n_rows - 0.5, -0.5)
    handles = estimator_handles(estimators_of(table))
    if len(forecasts):
        handles.append(Line2D([], [], label="Gaussian Fisher", **FISHER))
    handles += caveat_handles(table)
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(len(handles), 5)
    )
    return figure


def _places(
    names: list[str], family: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, int]]:
    """Rows of degradations and of family headings; the reference has no heading."""
    rows: dict[str, int] = {}
    headings: dict[str, int] = {}
    for group in Family:
        members = [name for name in names if family[name] == group]
        if members and group != Family.REFERENCE:
            headings[group] = len(rows) + len(headings)
        for name in members:
            rows[name] = len(rows) + len(headings)
    return rows, headings


def _draw_ratios(
    ax: Axes, table: pd.DataFrame, rows: Mapping[str, int], family: Mapping[str, str]
) -> None:
    """Draw the ratios of one metric."""
    estimators = estimators_of(table)
    distances = offsets(len(estimators))
    for i, estimator in enumerate(estimators):
        own = table[table["estimator"] == estimator]
        for group in dict.fromkeys(family[name] for name in own["degradation"]):
            part = own[own["degradation"].map(family) == group]
            places = part["degradation"].map(rows) + distances[i]
            colour = family_colour(group)
            draw_points(ax, part, part["ratio"], places, number=i, colour=colour)
            write_withheld(ax, part, places, colour=colour, text=MISSING)
            same = part["same_as"].notna() & part["ratio"].notna()
            write_beside(ax, places[same], colour=colour, text=SAME_INPUTS)


def _draw_fisher(
    ax: Axes, table: pd.DataFrame, forecasts: pd.Series, rows: Mapping[str, int]
) -> None:
    """Draw the forecasts of a metric divided by the reference of each estimator."""
    references = table[table["degradation"] == REFERENCE]
    widths = dict(zip(references["estimator"], references["value"], strict=True))
    estimators = estimators_of(table)
    shown = [name for name in forecasts.index if name in rows]
    for estimator, distance in zip(estimators, offsets(len(estimators)), strict=True):
        places = [rows[name] + distance for name in shown]
        ax.plot(forecasts[shown] / widths[estimator], places, **FISHER)
