"""Figures of a study: pure functions from tables and arrays to a Figure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from getdist import MCSamples
from getdist import plots as getdist_plots
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from infoscope.convergence import CONVERGED
from infoscope.errors import InfoscopeError
from infoscope.power_spectra import annulus_edges, binned_spectra
from infoscope.style import colorblind, styled
from infoscope.widths import REFERENCE

FloatArray = NDArray[np.floating[Any]]

MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
FAINT = (6, 7, 8)  # colours of the palette that are lost in thin lines
TRIANGLE_WIDTH = 5.5
TRUTH_LINE: dict[str, Any] = {"color": "0.6", "ls": "-", "lw": 0.7}
CORNER: dict[str, Any] = {
    "loc": "upper right",
    "bbox_to_anchor": (0.99, 0.99),
    "alignment": "left",
    "handlelength": 2.5,
    "title_fontsize": 9,
}
FISHER_LINE: dict[str, Any] = {"ls": ":", "lw": 1.2, "zorder": 1}
HOLLOW: dict[str, Any] = {"mfc": "white", "mew": 1.2, "ms": 4.5}
CORRECTED_EDGE: dict[str, Any] = {"mec": "black", "mew": 1.0, "ms": 5.5}
ESTIMATORS = {
    "cnn": "CNN",
    "deeplss": "DeepLSS",
    "power_spectrum": "Power spectrum",
}


@dataclass(frozen=True)
class Chain:
    """Samples of the posterior of the mean mock under one degradation.

    Attributes
    ----------
    degradation, label
        Name and label of the degradation.
    calibration
        How the posterior was calibrated; what is not "calibrated" is said.
    samples
        The samples, or None if they are withheld.
    """

    degradation: str
    label: str
    calibration: str
    samples: MCSamples | None

    @property
    def legend(self) -> str:
        """Label, and what a reader has to know of the calibration."""
        notes = {"corrected": " (corrected)", "withheld": ": withheld (miscalibrated)"}
        return self.label + notes.get(self.calibration, "")


@styled
def plot_widths(table: pd.DataFrame, fisher: pd.DataFrame) -> Figure:
    """Plot how much wider posteriors get under each degradation.

    Parameters
    ----------
    table
        Rows of widths.csv, one for each degradation, estimator and metric.
    fisher
        Rows of fisher.csv: the one with the prior is drawn.

    Returns
    -------
        Two panels: σ(S₈) and the area of the 68 % region, both divided by those of
        the reference of the same estimator. Hollow markers are trainings that did not
        converge, black edges are posteriors whose calibration was corrected, and those
        that are withheld are written. Dotted lines are the Fisher matrix over the same
        references.
    """
    forecast = fisher.set_index("prior").loc["box"]
    labels = list(dict.fromkeys(table["label"]))
    estimators = list(dict.fromkeys(table["estimator"]))
    colours = colorblind(len(estimators))
    offsets = 0.3 * (np.arange(len(estimators)) - (len(estimators) - 1) / 2)
    if len(estimators) > 2:
        offsets *= 2 / (len(estimators) - 1)

    figure = Figure(figsize=(7.2, 1.3 + 0.34 * len(labels)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    panels = {
        "sigma_s8": "σ(S₈) / σ(S₈) of the reference",
        "area68": "68 % area / 68 % area of the reference",
    }
    for ax, (metric, xlabel) in zip(axes, panels.items(), strict=True):
        for row in range(0, len(labels), 2):
            ax.axhspan(row - 0.5, row + 0.5, color="0.96", lw=0, zorder=0)
        ax.axvline(1, color="0.3", lw=0.9, ls="--", zorder=1)
        shown = table[table["metric"] == metric]
        for i, name in enumerate(estimators):
            part = shown[shown["estimator"] == name]
            reference = part.loc[part["degradation"] == REFERENCE, "value"].item()
            if not np.isnan(reference):
                line = forecast[metric] / reference
                ax.axvline(line, color=colours[i], **FISHER_LINE)
            places = part["label"].map(labels.index) + offsets[i]
            _draw_ratios(ax, part, places, MARKERS[i % len(MARKERS)], colours[i])
            ax.containers[-1].set_label(_estimator_label(name))
        ax.set_xlabel(xlabel)
        ax.locator_params(axis="x", nbins=5)
        ax.tick_params(axis="y", length=0)
        if shown["prior_limited"].any():
            note = "Limited by the prior: differences are understated"
            ax.set_title(note, fontsize=8, color="0.3")
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].set_ylim(len(labels) - 0.5, -0.5)
    handles, names = axes[0].get_legend_handles_labels()
    marks = {
        "Fisher, Gaussian fields": FISHER_LINE,
        "Not converged": {"marker": "o", "ls": "none"} | HOLLOW,
        "Corrected": {"marker": "o", "ls": "none"} | CORRECTED_EDGE,
    }
    if (table["convergence"] == CONVERGED).all():
        del marks["Not converged"]
    if (table["calibration"] != "corrected").all():
        del marks["Corrected"]
    for name, mark in marks.items():
        handles.append(Line2D([], [], color="0.3", **mark))
        names.append(name)
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def _draw_ratios(
    ax: Axes, part: pd.DataFrame, places: pd.Series, marker: str, colour: Any
) -> None:
    """Draw the ratios of one estimator, with what is wrong with them."""
    ax.errorbar(
        part["ratio"], places, xerr=part["ratio_error"], fmt=marker, color=colour,
        mec="white", mew=0.5, elinewidth=1.2, capsize=2,
    )  # fmt: skip
    for marked, look in (
        (part["convergence"] != CONVERGED, HOLLOW),
        (part["calibration"] == "corrected", CORRECTED_EDGE),
    ):
        if marked.any():
            x, y = part["ratio"][marked], places[marked]
            ax.plot(x, y, marker, color=colour, zorder=3, **look)
    for place in places[part["calibration"] == "withheld"]:
        ax.annotate(
            "withheld: miscalibrated", (1, place), xytext=(4, 0), color=colour,
            textcoords="offset points", va="center", fontsize=6,
        )  # fmt: skip


@dataclass(frozen=True)
class Calibration:
    """What held-out test skies say about the posteriors of an estimator.

    Attributes
    ----------
    label, estimator
        Label of the degradation and name of the estimator.
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

    label: str
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
        ranks. All curves are means over trainings.
    """
    labels = list(dict.fromkeys(c.label for c in calibrations))
    estimators = list(dict.fromkeys(c.estimator for c in calibrations))
    # TARP and the intervals; each parameter has the colour of its intervals for ranks
    names = ("TARP", "Ωₘ", "S₈", "σ₈")
    colours = [(0.0, 0.0, 0.0), *colorblind(3)]

    figure = Figure(
        figsize=(0.8 + 3.6 * len(estimators), 0.9 + 1.05 * len(labels)),
        layout="constrained",
    )
    axes = figure.subplots(
        len(labels), 2 * len(estimators), sharex="col", sharey="col", squeeze=False
    )
    for calibration in calibrations:
        column = 2 * estimators.index(calibration.estimator)
        left, right = axes[labels.index(calibration.label), column : column + 2]
        level = calibration.level
        error = calibration.error.mean(axis=0)[:, 0]
        left.fill_between(level, -2 * error, 2 * error, color="0.9", lw=0)
        coverage = calibration.coverage.mean(axis=0)
        ranks = calibration.ranks.mean(axis=0)
        for i, colour in enumerate(colours):
            left.plot(level, coverage[:, i] - level, color=colour, lw=1)
            if i > 0:
                edges = np.linspace(0, 1, len(ranks) + 1)
                right.stairs(ranks[:, i - 1], edges, color=colour, lw=1)
        for ax, reference in ((left, 0), (right, 1)):
            ax.axhline(reference, color="0.3", lw=0.7, ls="--", zorder=0)
            ax.tick_params(labelsize=7)
        title = calibration.label
        if calibration.verdict != "calibrated":
            title += f" ({calibration.verdict})"
        left.set_title(title, fontsize=8, loc="left")
    for i, name in enumerate(estimators):
        top, bottom = axes[0, 2 * i], axes[-1, 2 * i]
        top.annotate(
            _estimator_label(name), (0, 1), xytext=(0, 20), weight="bold",
            xycoords="axes fraction", textcoords="offset points", fontsize=9,
        )  # fmt: skip
        bottom.set(xlabel="Credibility", xlim=(0, 1))
        axes[-1, 2 * i + 1].set(
            xlabel="Rank of the truth", xlim=(0, 1), ylim=(0.6, 1.4)
        )
        limit = max(0.06, *(np.abs(ax.get_ylim()).max() for ax in axes[:, 2 * i]))
        bottom.set_ylim(-limit, limit)
    figure.supylabel("Coverage − credibility (left), density (right)", fontsize=9)
    handles = [
        Line2D([], [], color=c, label=n) for n, c in zip(names, colours, strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(names))
    return figure


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
        has the same line in the figures of all estimators.
    """
    lines = line_styles([chain.degradation for chain in chains])
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
        handles.append(Line2D([], [], label=_wrapped(chain.legend), **shown))
    handles.append(Line2D([], [], label="Truth", **TRUTH_LINE))
    _add_legend(figure, plotter.gridspec, handles, _estimator_label(estimator))
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


def line_styles(degradations: Sequence[str]) -> list[dict[str, Any]]:
    """Return a line for each degradation: the reference is thick and black."""
    colours = [colour for i, colour in enumerate(colorblind(10)) if i not in FAINT]
    others = [name for name in degradations if name != REFERENCE]
    lines: dict[str, dict[str, Any]] = {
        REFERENCE: {"color": "black", "ls": "-", "lw": 1.8}
    }
    for i, name in enumerate(others):
        # 7 colours and 5 dashes: 35 lines before one comes again
        lines[name] = {
            "color": colours[i % len(colours)],
            "ls": DASHES[i % len(DASHES)],
            "lw": 1.2,
        }
    return [lines[name] for name in degradations]


@dataclass(frozen=True)
class Example:
    """What a degradation makes of one sky, in one redshift bin.

    Attributes
    ----------
    label
        Label of the degradation.
    tiles
        Convergence of all tiles of the sky, shape (n_tile, side, side).
    """

    label: str
    tiles: FloatArray

    @property
    def sigma(self) -> float:
        """Standard deviation of all pixels."""
        return float(self.tiles.std()) or 1.0

    def spectrum(self) -> tuple[FloatArray, FloatArray]:
        """Multipoles and angular power spectrum, averaged over the tiles."""
        n_tile, side, _ = self.tiles.shape
        n_ell = side // 2
        power = binned_spectra(self.tiles[..., None], n_ell).mean(axis=0)
        edges = annulus_edges(side, n_ell)
        # the fundamental mode of a square tile is ℓ = 2π / √(4π / n_tile)
        ell = np.sqrt(np.pi * n_tile) * (edges[1:] + edges[:-1]) / 2
        return ell, power * 4 * np.pi / self.tiles.size

    def histogram(self) -> tuple[FloatArray, FloatArray]:
        """Density of the pixels in units of σ, and the edges of its bins."""
        return np.histogram(
            self.tiles / self.sigma, bins=np.linspace(-5, 5, 61), density=True
        )


@styled
def plot_tiles(examples: Sequence[Example]) -> Figure:
    """Show the same tile under each degradation, with its spectrum and histogram.

    Parameters
    ----------
    examples
        One for each degradation; the first is the reference, drawn in grey in the
        small panels of the others.

    Returns
    -------
        The figure; tiles and histograms are in units of σ, the standard deviation of
        the pixels, which is written on each tile.
    """
    if not examples:
        raise InfoscopeError("no tiles to draw")
    n_columns = min(len(examples), 3)
    n_rows = ceil(len(examples) / n_columns)
    figure = Figure(
        figsize=(0.6 + 3.1 * n_columns, 0.7 + 1.75 * n_rows), layout="constrained"
    )
    grid = figure.add_gridspec(
        2 * n_rows, 2 * n_columns, width_ratios=[5, 4] * n_columns
    )
    tile_axes = []
    grey = (examples[0].spectrum(), examples[0].histogram(), "0.6")
    for i, example in enumerate(examples):
        row, column = divmod(i, n_columns)
        ax = figure.add_subplot(grid[2 * row : 2 * row + 2, 2 * column])
        image = ax.imshow(
            example.tiles[0] / example.sigma,
            cmap="RdBu_r", vmin=-3, vmax=3, origin="lower",
        )  # fmt: skip
        ax.set_title(_wrapped(example.label), fontsize=8)
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(f"σ = {example.sigma:.2g}", fontsize=7, labelpad=2)
        ax.spines[:].set_visible(True)
        tile_axes.append(ax)
        above = figure.add_subplot(grid[2 * row, 2 * column + 1])
        below = figure.add_subplot(grid[2 * row + 1, 2 * column + 1])
        own = (example.spectrum(), example.histogram(), colorblind(1)[0])
        for spectrum, histogram, colour in (grey, own):
            above.loglog(*spectrum, color=colour, lw=1)
            below.stairs(*histogram, color=colour, lw=1)
        below.set(yscale="log", ylim=(1e-4, 30), xlim=(-5, 5), yticks=[1e-3, 1])
        for small, name in ((above, "$C_\\ell$ ($\\ell$)"), (below, "p (κ/σ)")):
            small.set_title(name, fontsize=6, pad=1, loc="right", color="0.3")
            small.tick_params(labelsize=6, pad=1, length=2)
            small.minorticks_off()
    figure.colorbar(
        image, ax=tile_axes, label="Convergence κ / σ", extend="both",
        location="bottom", shrink=0.4, aspect=40, pad=0.01,
    )  # fmt: skip
    return figure


@styled
def plot_history(histories: pd.DataFrame) -> Figure:
    """Plot the loss of every training, a panel for each degradation and estimator.

    Parameters
    ----------
    histories
        Columns label, estimator, seed, step, train_nll and validation_nll.

    Returns
    -------
        The figure; thin lines are seeds, and dots mark the steps that were kept.
    """
    labels = list(dict.fromkeys(histories["label"]))
    estimators = list(dict.fromkeys(histories["estimator"]))
    splits = {"train_nll": "Train", "validation_nll": "Validation"}
    palette = dict(zip(splits.values(), colorblind(2), strict=True))
    long = histories.rename(columns=splits).melt(
        id_vars=["label", "estimator", "seed", "step"],
        value_vars=list(splits.values()),
        var_name="split",
        value_name="nll",
    )

    figure = Figure(
        figsize=(0.7 + 3.2 * len(estimators), 0.8 + 1.35 * len(labels)),
        layout="constrained",
    )
    axes = figure.subplots(
        len(labels), len(estimators), sharex="col", sharey="col", squeeze=False
    )
    for row, label in enumerate(labels):
        for column, estimator in enumerate(estimators):
            ax = axes[row, column]
            part = long[(long["label"] == label) & (long["estimator"] == estimator)]
            _draw_history(ax, part, palette)
            ax.set_xlabel("Step" if row == len(labels) - 1 else "")
            ax.set_ylabel("")
            ax.set_title(f"{label} · {_estimator_label(estimator)}", fontsize=8)
            ax.grid(axis="y")
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
                curve = _estimator_label(estimator)
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


def _estimator_label(name: str) -> str:
    return ESTIMATORS.get(name, name.replace("_", " "))


def _wrapped(label: str, width: int = 24) -> str:
    return textwrap.fill(label, width)
