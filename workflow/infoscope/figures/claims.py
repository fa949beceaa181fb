"""Figure of claims: measured ratios beside the expected ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.transforms import blended_transform_factory

from infoscope.figures.markers import (
    GREY,
    caveat_handles,
    draw_points,
    estimator_handles,
    estimator_label,
    estimators_of,
    family_colour,
    logarithmic_ratios,
    wrapped,
    write_withheld,
)
from infoscope.figures.style import styled
from infoscope.vocabulary import Calibration, TrainingVerdict

LINE, GAP = 0.16, 0.12  # inches: of a line of text, and around a row
EXPECTED: dict[str, Any] = {"color": "#D8EEE4", "lw": 0}
# those of `results.claims`, which imports too much to be imported here
VERDICTS = {"supported": "#00704F", "contradicted": "#B84A00"}
UNDECIDED_COLOUR = "0.4"
LONG = 38  # characters in a line beside a row


@styled
def draw(
    spec: Mapping[str, Any], table: pd.DataFrame, diagnostics: pd.DataFrame
) -> Figure:
    """Plot ratios beside the ranges that claims expect, with verdicts.

    Parameters
    ----------
    spec
        `labels` and `families` of the degradations.
    table
        Rows of claims.csv.
    diagnostics
        Rows of diagnostics.csv: the caveats of the widths that are compared.

    Returns
    -------
        A row for each comparison, or cost, below its claim. Markers are those of the
        figure of widths. A ratio has the caveats of both of its widths.
    """
    labels, family = spec["labels"], spec["families"]
    table = table.reset_index(drop=True)
    table["text"] = [_text(row, labels) for _, row in table.iterrows()]
    estimators = estimators_of(diagnostics)
    headings, places, bottom = _places(table)
    figure = Figure(figsize=(7.2, 1.3 + bottom), layout="constrained")
    ax = figure.subplots()
    logarithmic_ratios(ax)
    ax.set(xlim=_limits(table), ylim=(bottom, 0))
    ax.spines["left"].set_visible(False)
    edge = blended_transform_factory(figure.transFigure, ax.transData)
    for first, (top, text) in headings.items():
        drawn = ax.text(
            0.01, top, text, transform=edge, va="top", fontsize=8.5, parse_math=False
        )
        # the text spans the figure and must not shrink the axes
        drawn.set_in_layout(False)
        _write_verdict(ax, top, table["claim_verdict"][first], "top", "bold")
    for place, (_, row) in zip(places, table.iterrows(), strict=True):
        _draw_expected(ax, place, row)
        ax.plot([1, 1], [place - 0.14, place + 0.14], color=GREY, lw=0.9, zorder=1)
        _write_verdict(ax, place, row["verdict"], "center", "normal")
    caveats = _caveats(table, diagnostics)
    _draw_found(ax, caveats, pd.Series(places, table.index), estimators, family)
    ax.set_yticks(places, table["text"])
    ax.tick_params(axis="y", length=0)
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    ax.set_xlabel("Ratio of widths (of costs: share of the seconds)")
    handles: list[Any] = estimator_handles(estimators)
    handles.append(Patch(**EXPECTED, label="Expected"))
    handles += caveat_handles(caveats)
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(len(handles), 5)
    )
    return figure


def _text(row: pd.Series, labels: Mapping[str, str]) -> str:
    """Describe a comparison in lines that are not too long."""
    if pd.isna(row["degradation"]):
        return str(row["metric"])
    one, other = labels[row["degradation"]], labels[row["against_degradation"]]
    estimator = estimator_label(row["estimator"])
    against = estimator_label(row["against_estimator"])
    other += f", {against}"
    if against != estimator:
        one += f", {estimator}"
    if row["metric"] != "sigma_s8":
        other += f": {row['metric']}"
    text = f"{one} / {other}"
    if len(text) <= LONG:
        return text
    return f"{wrapped(one, LONG)}\n{wrapped(f'/ {other}', LONG)}"


def _places(
    table: pd.DataFrame,
) -> tuple[dict[int, tuple[float, str]], list[float], float]:
    """Place claims and rows, in inches from the top.

    Returns
    -------
        For the first row of each claim, the place of its text, and the text; the places
        of all rows; and the end of the last row.
    """
    headings: dict[int, tuple[float, str]] = {}
    places: list[float] = []
    end = 0.0
    # consecutive rows with the same text belong to one claim
    new = table["claim"] != table["claim"].shift()
    for i, (_, row) in enumerate(table.iterrows()):
        if new.iloc[i]:
            text = wrapped(row["claim"], 78)
            headings[i] = (end + GAP, text)
            end += 1.5 * GAP + LINE * (1 + text.count("\n"))
        height = GAP + LINE * (1 + row["text"].count("\n"))
        places.append(end + height / 2)
        end += height
    return headings, places, end + GAP


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Limits of the axis: all ratios with errors, and the finite ends of ranges."""
    ends = table[["expected_low", "expected_high", "ratio"]].to_numpy(float)
    error = table["ratio_error"].fillna(0)
    far = [table["ratio"] / (1 + error / table["ratio"]), table["ratio"] + error]
    values = np.concatenate([[0.8, 1.25], ends.ravel(), *map(np.asarray, far)])
    values = values[np.isfinite(values) & (values > 0)]
    return float(values.min() / 1.15), float(values.max() * 1.15)


def _caveats(table: pd.DataFrame, diagnostics: pd.DataFrame) -> pd.DataFrame:
    """Add the verdicts on training and calibration, the worse of the two widths."""
    found = diagnostics.set_index(["degradation", "estimator"])
    rows = []
    for _, row in table.iterrows():
        both = [
            found.loc[pair]
            for pair in (
                (row["degradation"], row["estimator"]),
                (row["against_degradation"], row["against_estimator"]),
            )
            if pair in found.index
        ]
        training_verdict, calibration = (
            [str(one[key]) for one in both]
            for key in ("training_verdict", "calibration")
        )
        worst = [word for word in training_verdict if word != TrainingVerdict.TRAINED]
        wrong = [
            word
            for word in (Calibration.WITHHELD, Calibration.CORRECTED)
            if word in calibration
        ]
        rows.append(
            (
                *(worst or [TrainingVerdict.TRAINED])[:1],
                *(wrong or [Calibration.CALIBRATED])[:1],
            )
        )
    columns = ["training_verdict", "calibration"]
    return table.join(pd.DataFrame(rows, table.index, columns))


def _draw_expected(ax: Axes, place: float, row: pd.Series) -> None:
    """Shade the expected range."""
    low, high = ax.get_xlim()
    if not np.isnan(row["expected_low"]):
        low = row["expected_low"]
    if not np.isnan(row["expected_high"]):
        high = row["expected_high"]
    ax.add_patch(Rectangle((low, place - 0.1), high - low, 0.2, zorder=0, **EXPECTED))


def _draw_found(
    ax: Axes,
    table: pd.DataFrame,
    places: pd.Series,
    estimators: list[str],
    family: Mapping[str, str],
) -> None:
    """Draw ratios; the ratio of a cost has no estimator."""
    for i, (_, row) in enumerate(table.iterrows()):
        part, place = table.iloc[[i]], places.iloc[[i]]
        if pd.isna(row["degradation"]):
            ax.plot(part["ratio"], place, "D", color=GREY, ms=4.5)
            continue
        number = estimators.index(row["estimator"])
        colour = family_colour(family[row["degradation"]])
        draw_points(ax, part, part["ratio"], place, number=number, colour=colour)
        write_withheld(ax, part, place, colour=colour, text=Calibration.WITHHELD)


def _write_verdict(ax: Axes, place: float, word: str, va: str, weight: str) -> None:
    """Write a verdict beside the axis."""
    beside = blended_transform_factory(ax.transAxes, ax.transData)
    ax.text(
        1.02, place, word, transform=beside, va=va, fontsize=8, weight=weight,
        color=to_rgb(VERDICTS.get(word, UNDECIDED_COLOUR)),
    )  # fmt: skip
