"""Figure of widths, of synthetic tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from infoscope.figures.markers import estimator_colour, family_colour
from infoscope.figures.widths import draw
from infoscope.stages import plot
from infoscope.vocabulary import Family

from .ratios import ESTIMATORS, marked, widths_table, withheld

# in an order that is not that of the families
LABELS = {
    "reference": "Reference",
    "shuffled": "Shuffled pixels, shared by all bins",
    "lowpass_10": "Low-pass 10 Mpc/h",
    "no_peaks": "Without peaks (κ < 2σ)",
    "lowpass_30": "Low-pass 30 Mpc/h",
}
FAMILIES = {
    "reference": "reference",
    "shuffled": "positions",
    "lowpass_10": "scales",
    "no_peaks": "values",
    "lowpass_30": "scales",
}
ROWS = {"reference": 0, "lowpass_10": 2, "lowpass_30": 3, "no_peaks": 5, "shuffled": 7}


def fisher_table() -> pd.DataFrame:
    """Forecasts of the reference and of a filter."""
    widths = {"sigma_s8": [0.1, 0.04, 0.2, 0.05], "area68": [0.1, 0.03, 0.2, 0.06]}
    names = {"degradation": ["reference"] * 2 + ["lowpass_30"] * 2}
    return pd.DataFrame(names | {"prior": ["none", "box"] * 2} | widths)


def drawn(table: pd.DataFrame) -> Figure:
    return draw({"families": FAMILIES}, table, fisher_table())


def points(ax: Axes) -> dict[tuple[float, float], dict[str, object]]:
    """Looks of all markers by their place."""
    found = {}
    for line in ax.lines:
        if line.get_marker() in ("o", "s") and line.get_clip_on() is not False:
            look = {"mfc": line.get_mfc(), "mec": line.get_mec()}
            look["marker"] = line.get_marker()
            for x, y in zip(*line.get_data(), strict=True):
                if not np.isnan(x):
                    found[float(x), float(y)] = look
    return found


def forecasts(ax: Axes) -> list[tuple[float, float]]:
    """Places of all ticks."""
    return [
        (x, y)
        for line in ax.lines
        # caps of error bars have the colours of families
        if line.get_marker() == "|" and line.get_color() == "black"
        for x, y in zip(*line.get_data(), strict=True)
        if not np.isnan(x)
    ]


def place(table: pd.DataFrame, name: str, estimator: str, metric: str) -> tuple:
    row = table[
        (table.degradation == name)
        & (table.estimator == estimator)
        & (table.metric == metric)
    ]
    offset = 0.15 if estimator == "power_spectrum" else -0.15
    return row.ratio.item(), ROWS[name] + offset


def test_rows_are_grouped_by_family_below_headings():
    figure = drawn(widths_table(LABELS))
    left, right = figure.axes
    ticks = dict(zip(left.get_yticks(), left.get_yticklabels(), strict=True))
    texts = {
        int(row): label.get_text().replace("\n", " ") for row, label in ticks.items()
    }
    headings = {1: "scales", 4: "values", 6: "positions"}
    assert texts == (
        {row: LABELS[name] for name, row in ROWS.items()}
        | {row: Family(family).heading for row, family in headings.items()}
    )
    for row, family in headings.items():
        assert ticks[row].get_color() == family_colour(family)
    assert left.get_ylim()[0] > left.get_ylim()[1]
    assert left.get_xlabel() == "σ(S₈) / σ(S₈) of the reference"
    assert "prior" in right.get_title() and not left.get_title()
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert names == ["CNN", "Power spectrum", "Gaussian Fisher"]


def test_points_have_the_colour_of_the_family_and_the_marker_of_the_estimator():
    table = widths_table(LABELS)
    for ax, metric in zip(drawn(table).axes, ("sigma_s8", "area68"), strict=True):
        found = points(ax)
        assert len(found) == len(table) / 2
        for name in LABELS:
            for i, estimator in enumerate(ESTIMATORS):
                look = found[place(table, name, estimator, metric)]
                colour = estimator_colour(family_colour(FAMILIES[name]), i)
                assert look == {"mfc": colour, "mec": "white", "marker": "os"[i]}
        # an error bar for each of them
        bars = [line for line in ax.collections if isinstance(line, LineCollection)]
        assert sum(len(bar.get_segments()) for bar in bars) == len(table) / 2


def test_caveats_are_marked_and_what_has_both_shows_both():
    table = widths_table(LABELS)
    marked(table, "cnn", ["lowpass_10", "shuffled"], training_verdict="falling")
    marked(table, "cnn", ["no_peaks", "shuffled"], calibration="corrected")
    figure = drawn(table)
    for ax, metric in zip(figure.axes, ("sigma_s8", "area68"), strict=True):
        found = points(ax)
        looks = {name: found[place(table, name, "cnn", metric)] for name in LABELS}
        assert looks["lowpass_10"]["mfc"] == looks["shuffled"]["mfc"] == "white"
        assert looks["lowpass_10"]["mec"] == family_colour("scales")
        assert looks["no_peaks"]["mfc"] == family_colour("values")
        assert looks["no_peaks"]["mec"] == looks["shuffled"]["mec"] == "black"
        others = [look for where, look in found.items() if look["marker"] == "s"]
        assert all(look["mfc"] != "white" and look["mec"] == "white" for look in others)
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert names[-2:] == ["Not fully trained", "Corrected"]


def test_impossible_scores_have_a_cross():
    table = widths_table(LABELS)
    marked(table, "cnn", ["no_peaks"], verdict="impossible")
    figure = drawn(table)
    for ax, metric in zip(figure.axes, ("sigma_s8", "area68"), strict=True):
        (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
        found = list(zip(*cross.get_data(), strict=True))
        assert found == [place(table, "no_peaks", "cnn", metric)]
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert names[-1] == "Impossible score"


def test_what_is_not_trained_again_is_written():
    table = widths_table(LABELS)
    marked(table, "power_spectrum", ["shuffled"], same_as="reference", ratio=1.0)
    for ax in drawn(table).axes:
        (text,) = [text for text in ax.texts if "same inputs" in text.get_text()]
        assert text.xy == (1, ROWS["shuffled"] + 0.15)


def test_what_is_withheld_is_written():
    table = widths_table(LABELS)
    withheld(table, "cnn", ["reference", "no_peaks"])
    figure = drawn(table)
    for ax in figure.axes:
        texts = [text for text in ax.texts if "withheld" in text.get_text()]
        assert [text.xy[1] for text in texts] == [0 - 0.15, 5 - 0.15]
        # without a reference there is nothing to compare with
        assert len(forecasts(ax)) == 2
        assert len(points(ax)) == 2 * len(LABELS) - 2
    figure.draw_without_rendering()


def test_fisher_is_a_tick_on_the_row_of_each_forecast():
    figure = drawn(widths_table(LABELS))
    for ax, widths in zip(figure.axes, ((0.04, 0.05), (0.03, 0.06)), strict=True):
        # the references of the two estimators are 0.05 and 0.025
        expected = [
            (width / reference, ROWS[name] + offset)
            for reference, offset in ((0.05, -0.15), (0.025, 0.15))
            for name, width in zip(("reference", "lowpass_30"), widths, strict=True)
        ]
        assert np.array(forecasts(ax)) == pytest.approx(np.array(expected))
        assert all(ax.get_xlim()[0] < x < ax.get_xlim()[1] for x, _ in forecasts(ax))


def test_no_degradation_has_a_forecast():
    figure = draw({"families": FAMILIES}, widths_table(LABELS), fisher_table()[:0])
    assert not any(forecasts(ax) for ax in figure.axes)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["CNN", "Power spectrum"]


def test_an_axis_is_logarithmic_where_ratios_are_far_apart():
    table = widths_table(LABELS)
    far = (table.degradation == "no_peaks") & (table.metric == "area68")
    table.loc[far, "ratio"] = 9.5
    figure = drawn(table)
    figure.draw_without_rendering()
    left, right = figure.axes
    assert (left.get_xscale(), right.get_xscale()) == ("linear", "log")
    shown = {text.get_text() for text in right.get_xticklabels()}
    assert {"1", "2", "5"} <= shown
    assert right.get_xlim()[1] > 9.5


def test_one_degradation_and_estimator():
    table = widths_table({"reference": "Reference"})
    figure = drawn(table[table.estimator == "cnn"])
    figure.draw_without_rendering()
    (label,) = figure.axes[0].get_yticklabels()
    assert label.get_text() == "Reference"


def test_run_widths(tmp_path: Path):
    table, fisher = tmp_path / "widths.csv", tmp_path / "fisher.csv"
    output = tmp_path / "figures" / "widths.png"
    widths_table(LABELS).to_csv(table, index=False)
    fisher_table().to_csv(fisher, index=False)
    files = {"table": table, "fisher": fisher}
    plot.run({"families": FAMILIES}, "widths", files, output)
    assert output.read_bytes().startswith(b"\x89PNG")
    assert output.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
