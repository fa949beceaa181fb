"""Figure of calibration: coverage and ranks on test skies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from infoscope.figures.layout import Blocks
from infoscope.figures.markers import estimator_label, family_colour, wrapped
from infoscope.figures.style import colorblind, styled
from infoscope.files.hdf5 import open_for_reading

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """Calibration of the posteriors of an estimator on held-out test skies.

    Attributes
    ----------
    degradation, label, family
        Name, label and family of the degradation.
    estimator
        Name of the estimator.
    verdict
        `calibrated`, `corrected` or `withheld`.
    level
        Credibilities.
    coverage, error
        Share of true parameters inside regions of these credibilities, for each of
        `calibration.CURVES`, and its standard error.
    ranks
        Histograms of the rank of the true parameter, as densities.
    """

    degradation: str
    label: str
    family: str
    estimator: str
    verdict: str
    level: Float[NDArray, " n_level"]
    coverage: Float[NDArray, "n_training n_level n_curve"]
    error: Float[NDArray, "n_training n_level n_curve"]
    ranks: Float[NDArray, "n_training n_bin n_parameter"]


def draw(spec: Mapping[str, Any], posteriors: Sequence[Path]) -> Figure:
    """Plot coverage and ranks on test skies, see `plot_calibration`.

    Parameters
    ----------
    spec
        `labels` and `families` of the degradations.
    posteriors
        Outputs of `infer_posterior`, in the order of the rows.
    """
    return plot_calibration([read_calibration(spec, path) for path in posteriors])


def read_calibration(spec: Mapping[str, Any], path: Path) -> Calibration:
    """Read how a posterior is calibrated; `spec` is that of `draw`."""
    with open_for_reading(path) as file:
        degradation = str(file.attrs["degradation"])
        return Calibration(
            degradation=degradation,
            label=spec["labels"][degradation],
            family=spec["families"][degradation],
            estimator=str(file.attrs["estimator"]),
            verdict=str(file.attrs["calibration"]),
            level=file["level"][:],
            coverage=file["coverage"][:],
            error=file["coverage_error"][:],
            ranks=file["ranks"][:],
        )


@styled
def plot_calibration(calibrations: Sequence[Calibration]) -> Figure:
    """Plot coverage and ranks on test skies.

    Parameters
    ----------
    calibrations
        One per degradation and estimator.

    Returns
    -------
        A row per degradation and two panels per estimator: coverage minus credibility,
        with a band of two standard errors around 0, and histograms of ranks. All curves
        are means over training runs. Titles have the colours of families.
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
    """Colours of TARP and of the parameters, the same for intervals and ranks."""
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
    """Centre all panels of an estimator on 0."""
    limit = max(0.06, *(np.abs(ax.get_ylim()).max() for ax in panels))
    for ax in panels:
        ax.set_ylim(-limit, limit)
