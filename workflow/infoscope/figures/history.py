"""Figure of training histories: the loss against the gradient step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from infoscope.figures.layout import Blocks
from infoscope.figures.markers import (
    SAME_INPUTS,
    estimator_label,
    family_colour,
    wrapped,
)
from infoscope.figures.style import colorblind, styled
from infoscope.files.tables import read_table


def draw(spec: Mapping[str, Any], histories: Sequence[Path]) -> Figure:
    """Plot the loss of every training run, see `plot_history`.

    Parameters
    ----------
    spec
        `labels` and `families` of the degradations.
    histories
        Files {degradation}/{estimator}/seed_{seed}/history.csv.
    """
    tables = []
    for path in histories:
        degradation, estimator, seed = path.parts[-4:-1]
        tables.append(
            read_table(path).assign(
                degradation=degradation,
                label=spec["labels"][degradation],
                family=spec["families"][degradation],
                estimator=estimator,
                seed=int(seed.removeprefix("seed_")),
            )
        )
    return plot_history(pd.concat(tables, ignore_index=True))


@styled
def plot_history(histories: pd.DataFrame) -> Figure:
    """Plot the loss of every training run, in a panel per degradation and estimator.

    Parameters
    ----------
    histories
        Columns degradation, label, family, estimator, seed, step,
        train_nll and validation_nll.

    Returns
    -------
        The figure. Lines are seeds, dots mark the step that is kept, and titles have
        the colours of families.
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
    """Draw the training runs of one degradation and estimator."""
    if part.empty:
        text = wrapped(f"{SAME_INPUTS.capitalize()}", 20)
        ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center")
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
