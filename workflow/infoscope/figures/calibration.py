"""Figure of calibration: coverage and ranks on test skies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from infoscope.figures.layout import Blocks
from infoscope.figures.markers import estimator_label, family_colour, wrapped
from infoscope.figures.style import colorblind, styled

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Calibration:
    """What held-out test skies say about the posteriors of an estimator.

    Attributes
    ----------
    degradation, label, family
        Name, label and family of the degradation.
    estimator
        Name of the estimator.
    verdict
        How the posteriors were calibrated.
    level
        Credibilities (n_level,).
    coverage, error
        Share of truths (n_training, n_level, n_curve) inside regions of these
        credibilities, by `calibration.CURVES`, and standard errors.
    ranks
        Densities (n_training, n_bin, n_parameter) of ranks of the truth.
    """

    degradation: str
    label: str
    family: str
    estimator: str
    verdict: str
    level: FloatArray
    coverage: FloatArray
    error: FloatArray
    ranks: FloatArray


@styled
def plot_calibration(calibrations: Sequence[Calibration]) -> Figure:
    """Plot coverage and ranks on test skies.

    Parameters
    ----------
    calibrations
        One for each degradation and estimator.

    Returns
    -------
        A row for each degradation and two panels for each estimator: coverage minus
        credibility, with a band of two standard errors about 0, and histograms of
        ranks. All curves are means over trainings. Titles have the colours of families.
    """
    degradations = list(dict.fromkeys(c.degradation for c in calibrations))
    estimators = list(dict.fromkeys(c.estimator for c in calibrations))
    places = Blocks(len(degradations), 2 * len(estimators))
    across = 1.8 if places.blocks == 1 else 1.4
    figure = Figure(
        figsize=(0.8 + across * places.width * places.blocks, 1 + 1.05 * places.rows),
        layout="constrained",
    )
    panels = places.subplots(figure)
    for calibration in calibrations:
        column = 2 * estimators.index(calibration.estimator)
        row = panels[degradations.index(calibration.degradation)]
        _draw_calibration(row[column], row[column + 1], calibration)
    for column, estimator in enumerate(estimators):
        _share_limits([row[2 * column] for row in panels])
        for top in places.tops(panels):
            top[2 * column].annotate(
                estimator_label(estimator), (0, 1), xytext=(0, 20), weight="bold",
                xycoords="axes fraction", textcoords="offset points", fontsize=9,
            )  # fmt: skip
        for bottom in places.bottoms(panels):
            coverage, ranks = bottom[2 * column : 2 * column + 2]
            coverage.set(xlabel="Credibility", xlim=(0, 1))
            ranks.set(xlabel="Rank of the truth", xlim=(0, 1), ylim=(0.6, 1.4))
    figure.supylabel("Coverage − credibility (left), density (right)", fontsize=9)
    handles = [
        Line2D([], [], color=colour, label=name) for name, colour in _curves().items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _curves() -> dict[str, Any]:
    """Colours of TARP and the intervals; ranks have those of their intervals."""
    colours = [(0.0, 0.0, 0.0), *colorblind(3)]
    return dict(zip(("TARP", "Ωₘ", "S₈", "σ₈"), colours, strict=True))


def _draw_calibration(left: Axes, right: Axes, calibration: Calibration) -> None:
    """Draw coverage and ranks of one estimator under one degradation."""
    level = calibration.level
    error = calibration.error.mean(axis=0)[:, 0]
    left.fill_between(level, -2 * error, 2 * error, color="0.9", lw=0)
    coverage = calibration.coverage.mean(axis=0)
    ranks = calibration.ranks.mean(axis=0)
    for i, colour in enumerate(_curves().values()):
        left.plot(level, coverage[:, i] - level, color=colour, lw=1)
        if i > 0:
            edges = np.linspace(0, 1, len(ranks) + 1)
            right.stairs(ranks[:, i - 1], edges, baseline=None, color=colour, lw=1)
    for ax, reference in ((left, 0), (right, 1)):
        ax.axhline(reference, color="0.3", lw=0.7, ls="--", zorder=0)
        ax.tick_params(labelsize=7)
    title = calibration.label
    if calibration.verdict != "calibrated":
        title += f" ({calibration.verdict})"
    colour = family_colour(calibration.family)
    left.set_title(wrapped(title, 45), fontsize=8, loc="left", color=colour)


def _share_limits(panels: Sequence[Axes]) -> None:
    """Put 0 into the middle of all panels of an estimator."""
    limit = max(0.06, *(np.abs(ax.get_ylim()).max() for ax in panels))
    for ax in panels:
        ax.set_ylim(-limit, limit)
