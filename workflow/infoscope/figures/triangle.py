"""Figure of posteriors: contours of chosen degradations, with GetDist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from getdist import MCSamples
from getdist import plots as getdist_plots
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.figures.markers import (
    estimator_colour,
    estimator_label,
    family_colour,
    wrapped,
)
from infoscope.figures.style import styled
from infoscope.inference.getdist_chains import LABELS, SUFFIX, read_calibration
from infoscope.vocabulary import Calibration, Family

# Standard deviations. 68 % areas are right to 4 %, also where the prior cuts a
# posterior; with the width that GetDist chooses, some are 30 % too large.
SMOOTHING = 0.3

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
        `calibrated`, `corrected` or `withheld`.
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
        """Label, with a note on the calibration if there is one."""
        notes = {"corrected": " (corrected)", "withheld": ": withheld (miscalibrated)"}
        return self.label + notes.get(self.calibration, "")


def draw(spec: Mapping[str, Any], chains: Sequence[Path]) -> Figure:
    """Plot the posteriors of one estimator, see `plot_triangle`.

    Parameters
    ----------
    spec
        `fiducial` cosmology; `labels` and `families` of the degradations.
    chains
        Chains {degradation}/{estimator}.1.txt, in the order of the legend.
    """
    fiducial = np.array([spec["fiducial"][name] for name in ("omega_m", "sigma_8")])
    truth = dict(zip(LABELS, (*fiducial, omega_m_s8(fiducial)[1]), strict=True))
    estimator = chains[0].name.removesuffix(SUFFIX)
    return plot_triangle([read_chain(spec, path) for path in chains], estimator, truth)


def read_chain(spec: Mapping[str, Any], path: Path) -> Chain:
    """Read a chain and its calibration; a withheld chain has no samples."""
    name = path.parent.name
    calibration = read_calibration(path)
    samples = None
    if calibration != Calibration.WITHHELD:
        # not loadMCSamples, which would keep a copy
        root = str(path).removesuffix(SUFFIX)
        samples = MCSamples(root=root, settings={"smooth_scale_2D": SMOOTHING})
        samples.readChains([str(path)])
    label, family = (spec[key][name] for key in ("labels", "families"))
    return Chain(name, label, family, calibration, samples)


@styled
def plot_triangle(
    chains: Sequence[Chain], estimator: str, truth: Mapping[str, float]
) -> Figure:
    """Plot posteriors of (Ω_m, σ_8, S_8) with GetDist.

    Parameters
    ----------
    chains
        One per degradation. Withheld posteriors appear in the legend only.
    estimator
        Name of the estimator, the title of the legend.
    truth
        Parameters of the mock observation, by their names in the chains.

    Returns
    -------
        68 % regions below the diagonal, and marginal densities on it. A degradation
        has the colour of its family, and the same line style in the figures of all
        estimators. The reference has a thicker line.
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
    # GetDist creates figures with pyplot, which would keep them open
    plt.close(figure)
    return figure


def _add_legend(
    figure: Figure, panels: GridSpec, handles: list[Line2D], title: str
) -> None:
    """Put the legend into the free corner of the triangle, or beside it if long."""
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
    """Line style of each degradation, by family; the first of a family is solid.

    Members of a family differ by dashes, then by shade and width.
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
