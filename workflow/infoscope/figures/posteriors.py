"""Figure of posteriors: contours of chosen degradations, with GetDist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import matplotlib.pyplot as plt
from getdist import MCSamples
from getdist import plots as getdist_plots
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D

from infoscope.figures.markers import (
    estimator_colour,
    estimator_label,
    family_colour,
    wrapped,
)
from infoscope.figures.style import styled
from infoscope.vocabulary import Family

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
TRIANGLE_WIDTH = 5.5
TRUTH_LINE: dict[str, Any] = {"color": "0.6", "ls": "-", "lw": 0.7}
CORNER: dict[str, Any] = {
    "loc": "upper right",
    "bbox_to_anchor": (0.99, 0.99),
    "alignment": "left",
    "handlelength": 2.5,
    "title_fontsize": 9,
}


@dataclass(frozen=True)
class Chain:
    """Samples of the posterior of the mean mock under one degradation.

    Attributes
    ----------
    degradation, label, family
        Name, label and family of the degradation.
    calibration
        How the posterior was calibrated; what is not "calibrated" is said.
    samples
        The samples, or None if they are withheld.
    """

    degradation: str
    label: str
    family: str
    calibration: str
    samples: MCSamples | None

    @property
    def legend(self) -> str:
        """Label, and what a reader has to know of the calibration."""
        notes = {"corrected": " (corrected)", "withheld": ": withheld (miscalibrated)"}
        return self.label + notes.get(self.calibration, "")


@styled
def plot_triangle(
    chains: Sequence[Chain], estimator: str, truth: Mapping[str, float]
) -> Figure:
    """Plot posteriors of (Ω_m, σ_8, S_8) with GetDist.

    Parameters
    ----------
    chains
        One for each degradation; what is withheld is in the legend only.
    estimator
        Name of the estimator, the title of the legend.
    truth
        Parameters of the mock observation, by their names in the chains.

    Returns
    -------
        68 % regions below the diagonal, and marginal densities on it. A degradation
        has the colour of its family, and the same line in the figures of all
        estimators; the reference is thick.
    """
    lines = line_styles([chain.family for chain in chains])
    drawn = [
        (chain.samples, line)
        for chain, line in zip(chains, lines, strict=True)
        if chain.samples is not None
    ]
    plotter = getdist_plots.get_subplot_plotter(
        width_inch=TRIANGLE_WIDTH, scaling=False, rc_sizes=True
    )
    plotter.settings.num_plot_contours = 1
    plotter.settings.line_labels = False
    if drawn:
        plotter.triangle_plot(
            [samples for samples, _ in drawn],
            list(truth),
            line_args=[line for _, line in drawn],
            contour_args=[line for _, line in drawn],
            markers=truth,
            marker_args=TRUTH_LINE,
        )
    else:
        plotter.make_figure(nx=1)
    figure: Figure = plotter.fig
    handles = []
    for chain, line in zip(chains, lines, strict=True):
        shown = line if chain.samples else {"ls": "none"}
        handles.append(Line2D([], [], label=wrapped(chain.legend), **shown))
    handles.append(Line2D([], [], label="Truth", **TRUTH_LINE))
    _add_legend(figure, plotter.gridspec, handles, estimator_label(estimator))
    # GetDist makes figures with pyplot, which would keep them
    plt.close(figure)
    return figure


def _add_legend(
    figure: Figure, panels: GridSpec, handles: list[Line2D], title: str
) -> None:
    """Put a legend into the free corner of a triangle, or beside it if it is long."""
    legend = figure.legend(handles=handles, title=title, **CORNER)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    if legend.get_window_extent().height < 0.6 * height * figure.dpi:
        return
    legend.remove()
    columns = ceil(len(handles) / 25)
    legend = figure.legend(handles=handles, title=title, ncols=columns, **CORNER)
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    wider = 1 + 1.05 * box.width / figure.dpi / width
    taller = max(1.0, 1.05 * box.height / figure.dpi / height)
    figure.set_size_inches(width * wider, height * taller)
    edges = panels.get_subplot_params(figure)
    panels.update(
        left=edges.left / wider,
        right=edges.right / wider,
        bottom=1 - (1 - edges.bottom) / taller,
        top=1 - (1 - edges.top) / taller,
    )


def line_styles(of_family: Sequence[str]) -> list[dict[str, Any]]:
    """Return a line for each degradation, by its family: the first one is solid.

    Members of a family have dashes, then shades and widths of their own.
    """
    lines = []
    for i, family in enumerate(of_family):
        again, dash = divmod(of_family[:i].count(family), len(DASHES))
        wide = family == Family.REFERENCE and again == dash == 0
        lines.append(
            {
                "color": estimator_colour(family_colour(family), again % 2),
                "ls": DASHES[dash],
                "lw": 1.8 if wide else (1.2, 1.2, 0.7, 0.7)[again % 4],
            }
        )
    return lines
