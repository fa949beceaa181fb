"""Figure of a simulated sky: a map of the full sphere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import healpy
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from infoscope.figures.style import styled
from infoscope.files.hdf5 import open_for_reading
from infoscope.maps.harmonics import nside_of
from infoscope.skies.cut_skies import FULL_SKY

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

PIXELS_ACROSS = 1600


def draw(spec: Mapping[str, Any], skies: Path) -> Figure:
    """Draw the last redshift bin of the first sky, see `plot_sky_map`.

    Parameters
    ----------
    spec
        Not used.
    skies
        A shard of the fiducial skies, which have full-sky maps.
    """
    with open_for_reading(skies) as file:
        kappa = np.asarray(file[FULL_SKY][0, -1], dtype=float)
        mean_z = file["mean_z"][:]
    label = f"Convergence κ of bin {len(mean_z)}, ⟨z⟩ = {mean_z[-1]:.2f}"
    return plot_sky_map(kappa, label)


@styled
def plot_sky_map(kappa: Float[NDArray, " n_pix"], label: str) -> Figure:
    """Draw a map of the full sphere in the Mollweide projection.

    Parameters
    ----------
    kappa
        Convergence in RING order.
    label
        Label of the colour bar.

    Returns
    -------
        The figure. Colours extend to three standard deviations.
    """
    nside = nside_of(len(kappa))
    projection = healpy.projector.MollweideProj(xsize=PIXELS_ACROSS)
    picture = projection.projmap(kappa, lambda *v: healpy.vec2pix(nside, *v))
    limit = 3 * kappa.std()
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(
        np.ma.masked_invalid(picture), extent=projection.get_extent(), origin="lower",
        vmin=-limit, vmax=limit, interpolation="antialiased",
    )  # fmt: skip
    angle = np.linspace(0, 2 * np.pi, 400)
    ax.plot(2 * np.cos(angle), np.sin(angle), color="0.3", lw=0.8)
    ax.set_axis_off()
    ax.set(xlim=(-2.01, 2.01), ylim=(-1.01, 1.01))
    figure.colorbar(
        image, ax=ax, location="bottom", shrink=0.5, aspect=35, pad=0.02, extend="both",
        label=label,
    ).locator = MaxNLocator(5)  # fmt: skip
    return figure
