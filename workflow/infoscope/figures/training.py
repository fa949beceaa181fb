"""Figures of training: losses, and widths against what there was to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from infoscope.figures.layout import Blocks
from infoscope.figures.markers import MARKERS, estimator_label, family_colour, wrapped
from infoscope.figures.style import colorblind, styled

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


@styled
def plot_history(histories: pd.DataFrame) -> Figure:
    """Plot the loss of every training, a panel for each degradation and estimator.

    Parameters
    ----------
    histories
        Columns degradation, label, family, estimator, seed, step,
        train_nll and validation_nll.

    Returns
    -------
        The figure; lines are seeds, dots mark the steps that were kept, and
        titles have the colours of families.
    """
    degradations = list(dict.fromkeys(histories["degradation"]))
    estimators = list(dict.fromkeys(histories["estimator"]))
    splits = {"train_nll": "Train", "validation_nll": "Validation"}
    palette = dict(zip(splits.values(), colorblind(2), strict=True))
    long = histories.rename(columns=splits).melt(
        id_vars=["degradation", "label", "family", "estimator", "seed", "step"],
        value_vars=list(splits.values()),
        var_name="split",
        value_name="nll",
    )

    places = Blocks(len(degradations), len(estimators))
    across = 3.2 if places.blocks == 1 else 2.4
    figure = Figure(
        figsize=(0.7 + across * places.width * places.blocks, 0.9 + 1.3 * places.rows),
        layout="constrained",
    )
    panels = places.subplots(figure)
    for row, degradation in zip(panels, degradations, strict=True):
        for ax, estimator in zip(row, estimators, strict=True):
            chosen = long["degradation"] == degradation
            part = long[chosen & (long["estimator"] == estimator)]
            _draw_history(ax, part, palette)
            ax.set(xlabel="", ylabel="")
            ax.grid(axis="y")
    for row in places.bottoms(panels):
        for ax in row:
            ax.set_xlabel("Step")
    figure.supylabel("Negative log-likelihood", fontsize=9)
    handles = [Line2D([], [], color=c, label=name) for name, c in palette.items()]
    handles.append(
        Line2D([], [], color="black", marker="o", ms=4, ls="none", label="Kept step")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _draw_history(ax: Axes, part: pd.DataFrame, palette: Mapping[str, Any]) -> None:
    """Draw the trainings of one degradation and estimator."""
    if part.empty:
        return
    first = part.iloc[0]
    title = f"{first['label']} · {estimator_label(first['estimator'])}"
    ax.set_title(wrapped(title, 40), fontsize=8, color=family_colour(first["family"]))
    sns.lineplot(
        data=part,
        x="step",
        y="nll",
        hue="split",
        palette=dict(palette),
        units="seed",
        estimator=None,
        linewidth=1,
        legend=False,
        ax=ax,
    )
    validation = part[part["split"] == "Validation"].dropna(subset=["nll"])
    best = validation.loc[validation.groupby("seed")["nll"].idxmin()]
    ax.plot(best["step"], best["nll"], "o", ms=4, color="black", zorder=3)


@styled
def plot_learning_curves(table: pd.DataFrame) -> Figure:
    """Plot σ(S₈) against what the networks were trained with.

    Parameters
    ----------
    table
        Rows of learning_curves.csv.

    Returns
    -------
        A panel for training cosmologies, skies of each and gradient steps; where a
        curve is flat, more would not help.
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
    # a column for each estimator
    figure.legend(handles, names, loc="outside upper center", ncols=len(estimators))
    return figure
