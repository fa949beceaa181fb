"""Figure of simulated skies: their spectra and values, compared with theory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import norm

from infoscope.figures.style import colorblind, styled
from infoscope.theory.compare_skies import TOLERANCE
from infoscope.vocabulary import Agreement

WRONG = "#D55E00"
BAND: dict[str, Any] = {"color": "0.85", "lw": 0}
TOLERATED: dict[str, Any] = {"color": "0.5", "ls": ":", "lw": 0.8}
LOWEST_DENSITY = 3e-6


@styled
def draw(
    spec: Mapping[str, Any],
    bands: pd.DataFrame,
    pairs: pd.DataFrame,
    moments: pd.DataFrame,
    histograms: pd.DataFrame,
) -> Figure:
    """Plot spectra of skies against theory, and the distributions of their values.

    Parameters
    ----------
    spec
        Not used.
    bands, pairs, moments, histograms
        Rows of skies.csv, skies_pairs.csv, skies_moments.csv and
        skies_histograms.csv.

    Returns
    -------
        Above, the spectrum of each bin with its theory, and distributions of κ / σ.
        Below, a panel per pair of bins with the relative deviation of the spectrum.
        Pairs that differ from theory have another colour.
    """
    n_bins = int(bands["bin_j"].max())
    heights = [2.4, 0.8 + 0.95 * n_bins]
    figure = Figure(figsize=(7.2, sum(heights)), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    axes = above.subplots(1, 3)
    palette = colorblind(n_bins)
    _draw_spectra(axes[0], bands, palette)
    for ax, scale in zip(axes[1:], sorted(set(moments["scale_mpc_h"])), strict=True):
        _draw_distribution(
            ax,
            histograms[histograms["scale_mpc_h"] == scale],
            moments[moments["scale_mpc_h"] == scale],
            palette,
        )
    axes[1].set_ylabel("Probability density")
    _draw_deviations(below, bands, pairs, n_bins)
    return figure


def _draw_spectra(ax: Axes, bands: pd.DataFrame, palette: list[Any]) -> None:
    """Draw the auto-spectra of all bins and their theory."""
    for b, colour in enumerate(palette, start=1):
        part = bands[(bands["bin_i"] == b) & (bands["bin_j"] == b)]
        scale = part["ell"] * (part["ell"] + 1) / (2 * np.pi)
        ax.plot(part["ell"], scale * part["theory"], color=colour, lw=1)
        ax.errorbar(
            part["ell"], scale * part["measured"], scale * part["error"],
            fmt="o", ms=3, color=colour, elinewidth=1, label=f"Bin {b}",
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="Multipole ℓ")
    ax.set_ylabel("$\\ell(\\ell+1)\\,C_\\ell/2\\pi$")
    ax.set_title("Auto-spectra; lines: theory", fontsize=8)
    ax.legend(loc="lower right", handlelength=1, fontsize=7, labelspacing=0.2)


def _draw_distribution(
    ax: Axes, histograms: pd.DataFrame, moments: pd.DataFrame, palette: list[Any]
) -> None:
    """Draw distributions of all bins at one scale, and the Gaussian."""
    for colour, row in zip(palette, moments.to_dict("records"), strict=True):
        part = histograms[histograms["bin"] == row["bin"]]
        edges = [*part["low"], part["high"].iloc[-1]]
        digits = 2 if row["skewness_error"] >= 0.01 else 3
        skewness = f"{row['skewness']:.{digits}f} ± {row['skewness_error']:.{digits}f}"
        ax.stairs(
            part["density"], edges, color=colour, lw=1, label=skewness.replace("-", "−")
        )
    x = np.linspace(-5, 5, 201)
    ax.plot(x, norm.pdf(x), color="black", lw=0.8, ls="--", zorder=0)
    filled = histograms[histograms["density"] > LOWEST_DENSITY]
    # leave space for the legend beside the tail of the Gaussian
    low, high = filled["low"].min(), max(filled["high"].max(), 9)
    ax.set(yscale="log", ylim=(LOWEST_DENSITY, 1), xlim=(low, high))
    ax.set_xlabel("Convergence κ / σ$_κ$")
    scale = moments["scale_mpc_h"].iloc[0]
    ax.set_title(
        f"Smoothed with {scale:g} Mpc/h" if scale else "Values of pixels", fontsize=8
    )
    ax.legend(
        title="Skewness", loc="upper right", fontsize=6.5, title_fontsize=7,
        handlelength=0.8, handletextpad=0.4, labelspacing=0.2, borderaxespad=0,
    )  # fmt: skip


def _draw_deviations(
    figure: SubFigure, bands: pd.DataFrame, pairs: pd.DataFrame, n_bins: int
) -> None:
    """Draw a triangle of panels: deviation of spectra from theory, in per cent."""
    axes: Any = figure.subplots(n_bins, n_bins, sharex=True, sharey=True, squeeze=False)
    good = colorblind(1)[0]
    limit = 100 * max(2 * TOLERANCE, min(1.1 * bands["deviation"].abs().max(), 1))
    for unused in axes[np.triu_indices(n_bins, 1)]:
        unused.set_visible(False)
    for pair in pairs.to_dict("records"):
        ax: Axes = axes[pair["bin_j"] - 1, pair["bin_i"] - 1]
        part = bands[
            (bands["bin_i"] == pair["bin_i"]) & (bands["bin_j"] == pair["bin_j"])
        ]
        edges = np.append(part["ell_min"], part["ell_max"].iloc[-1] + 1)
        cosmic = 100 * part["cosmic_variance"] / part["theory"]
        ax.stairs(cosmic, edges, baseline=-cosmic, fill=True, **BAND)
        ax.axhline(0, color="0.3", lw=0.7)
        for sign in (-1, 1):
            ax.axhline(sign * 100 * TOLERANCE, **TOLERATED)
        wrong = (part["verdict"] == Agreement.DIFFERS).to_numpy()
        for chosen, colour in ((~wrong, good), (wrong, WRONG)):
            some = part[chosen]
            ax.errorbar(
                some["ell"], 100 * some["deviation"],
                100 * some["error"] / some["theory"],
                fmt="o", ms=2.5, color=colour, elinewidth=0.9,
            )  # fmt: skip
        differs = pair["verdict"] == Agreement.DIFFERS
        ax.set_title(
            "{bin_i} × {bin_j}: {verdict}".format_map(pair), fontsize=7, loc="left",
            pad=2, color=WRONG if differs else "black",
        )  # fmt: skip
        ax.set_title(
            "χ² = {chi2:.0f} / {bands}".format_map(pair), fontsize=6, loc="right",
            pad=2, color=WRONG if differs else "0.35",
        )  # fmt: skip
        ax.tick_params(labelsize=7)
    axes[0, 0].set(xscale="log", ylim=(-limit, limit), xlim=(edges[0], edges[-1]))
    figure.supxlabel("Multipole ℓ", fontsize=9)
    figure.supylabel("Spectrum / theory − 1  [%]", fontsize=9)
    handles = [
        Line2D([], [], color=good, marker="o", ms=3, lw=1, label="Mean of the skies"),
        Patch(**BAND, label="Cosmic variance of that mean"),
        Line2D([], [], **TOLERATED, label=f"Tolerance, {100 * TOLERANCE:g} %"),
    ]
    if (bands["verdict"] == Agreement.DIFFERS).any():
        handles.append(
            Line2D([], [], color=WRONG, marker="o", ms=3, lw=1, label="Differs")
        )
    figure.legend(
        handles=handles, loc="upper right", fontsize=8, alignment="left",
        title=f"{pairs['skies'].iloc[0]} skies against CAMB, halofit",
    )  # fmt: skip
