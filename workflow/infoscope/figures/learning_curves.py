"""Figure of learning curves: widths against the training budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from infoscope.figures.markers import MARKERS, estimator_label
from infoscope.figures.style import colorblind, styled

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


@styled
def draw(spec: Mapping[str, Any], table: pd.DataFrame) -> Figure:
    """Plot σ(S₈) against the training budget.

    Parameters
    ----------
    spec
        Not used.
    table
        Rows of learning_curves.csv.

    Returns
    -------
        A panel each for training cosmologies, skies per cosmology and gradient steps.
        Where a curve is flat, a larger budget would not help.
    """
    titles = {
        "cosmologies": "Training cosmologies",
        "skies": "Skies of each cosmology",
        "steps": "Gradient steps",
    }
    axis_names = [name for name in titles if name in set(table["axis"])]
    estimators = list(dict.fromkeys(table["estimator"]))
    degradations = list(dict.fromkeys(table["label"]))
    colours = dict(zip(estimators, colorblind(len(estimators)), strict=True))
    figure = Figure(
        figsize=(0.8 + 2.6 * len(axis_names), 3.0 + 0.2 * len(degradations)),
        layout="constrained",
    )
    axes = figure.subplots(1, len(axis_names), sharey=True, squeeze=False)[0]
    for ax, name in zip(axes, axis_names, strict=True):
        for estimator in estimators:
            for i, label in enumerate(degradations):
                part = table[
                    (table["axis"] == name)
                    & (table["estimator"] == estimator)
                    & (table["label"] == label)
                ].sort_values("number")
                curve = estimator_label(estimator)
                if len(degradations) > 1:
                    curve += f" · {label}"
                bad = sorted(set(part["calibration"]) - {"calibrated"})
                if bad:
                    curve += f" (some {' or '.join(bad)})"
                ax.errorbar(
                    part["number"], part["sigma_s8"], part["sigma_s8_error"],
                    color=colours[estimator], ls=DASHES[i % len(DASHES)],
                    marker=MARKERS[i % len(MARKERS)], mec="white", mew=0.5,
                    lw=1.2, elinewidth=1.2, capsize=2, label=curve,
                )  # fmt: skip
        ax.set_xscale("log", base=2)
        ticks = sorted(set(table[table["axis"] == name]["number"]))
        rotation = 90 if len(ticks) > 6 else 0
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], rotation=rotation)
        ax.minorticks_off()
        ax.set_xlabel(titles[name])
    axes[0].set_ylabel("σ(S₈)")
    figure.align_xlabels()
    handles, names = axes[0].get_legend_handles_labels()
    # one column per estimator
    figure.legend(handles, names, loc="outside upper center", ncols=len(estimators))
    return figure
