"""Figure of tiles: one tile of one sky under each degradation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from infoscope.errors import InfoscopeError
from infoscope.estimators.binned_spectra import annulus_edges, binned_spectra
from infoscope.figures.markers import family_colour, wrapped
from infoscope.figures.style import styled
from infoscope.files.hdf5 import open_for_reading
from infoscope.vocabulary import REFERENCE

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

MANY = 18  # more tiles than this have longer rows


@dataclass(frozen=True)
class Example:
    """One sky under one degradation, in one redshift bin.

    Attributes
    ----------
    label, family
        Label and family of the degradation.
    tiles
        Convergence of all tiles of the sky.
    side_deg
        Side of a tile in degrees.
    """

    label: str
    family: str
    tiles: Float[NDArray, "n_tile side side"]
    side_deg: float

    @property
    def sigma(self) -> float:
        """Standard deviation of all pixels."""
        return float(self.tiles.std()) or 1.0

    def spectrum(
        self,
    ) -> tuple[Float[NDArray, " n_ell"], Float[NDArray, " n_ell"]]:
        """Multipoles and angular power spectrum, averaged over the tiles."""
        side, side_rad = self.tiles.shape[1], np.radians(self.side_deg)
        n_ell = side // 2
        power = binned_spectra(self.tiles[..., None], n_ell).mean(axis=0)
        edges = annulus_edges(side, n_ell)
        ell = 2 * np.pi / side_rad * (edges[1:] + edges[:-1]) / 2
        return ell, power * (side_rad / side) ** 2

    def histogram(
        self,
    ) -> tuple[Float[NDArray, " n_value"], Float[NDArray, " n_value+1"]]:
        """Probability density of the pixels in units of σ, and edges of its bins."""
        return np.histogram(
            self.tiles / self.sigma, bins=np.linspace(-5, 5, 61), density=True
        )


def draw(spec: Mapping[str, Any], examples: Sequence[Path]) -> Figure:
    """Show the same tile under each degradation, see `plot_tiles`.

    Parameters
    ----------
    spec
        `labels` and `families` of the degradations, and `side_deg`.
    examples
        Files {degradation}.h5 of `collect_dataset`, in the order of the gallery.
    """
    shown = []
    # the others are compared with the reference, wherever the config has it
    for path in sorted(examples, key=lambda path: path.stem != REFERENCE):
        with open_for_reading(path) as file:
            tiles = np.asarray(file["tiles"], dtype=float)
        label, family = (spec[key][path.stem] for key in ("labels", "families"))
        shown.append(Example(label, family, tiles, spec["side_deg"]))
    return plot_tiles(shown)


@styled
def plot_tiles(examples: Sequence[Example]) -> Figure:
    """Show the same tile under each degradation, with its spectrum and histogram.

    Parameters
    ----------
    examples
        One per degradation. The first is the reference, which is drawn in grey in the
        small panels of the others.

    Returns
    -------
        A tile per degradation, with its power spectrum and histogram. Tiles and
        histograms are in units of σ, the standard deviation of the pixels, which is
        given below each tile. Titles and curves have the colours of families.
    """
    if not examples:
        raise InfoscopeError("no tiles to draw")
    n_columns = min(len(examples), 3 if len(examples) <= MANY else 4)
    n_rows = ceil(len(examples) / n_columns)
    figure = Figure(
        figsize=(0.6 + 3.1 * n_columns, 0.7 + 1.75 * n_rows), layout="constrained"
    )
    grid = figure.add_gridspec(
        2 * n_rows, 2 * n_columns, width_ratios=[5, 4] * n_columns
    )
    tile_axes = []
    grey = (examples[0].spectrum(), examples[0].histogram(), (0.6, 0.6, 0.6))
    for i, example in enumerate(examples):
        row, column = divmod(i, n_columns)
        ax = figure.add_subplot(grid[2 * row : 2 * row + 2, 2 * column])
        image = ax.imshow(
            example.tiles[0] / example.sigma,
            cmap="RdBu_r", vmin=-3, vmax=3, origin="lower",
        )  # fmt: skip
        own_colour = family_colour(example.family)
        ax.set_title(wrapped(example.label), fontsize=8, color=own_colour)
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(f"σ = {example.sigma:.2g}", fontsize=7, labelpad=2)
        ax.spines[:].set_visible(True)
        tile_axes.append(ax)
        above = figure.add_subplot(grid[2 * row, 2 * column + 1])
        below = figure.add_subplot(grid[2 * row + 1, 2 * column + 1])
        own = (example.spectrum(), example.histogram(), own_colour)
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
