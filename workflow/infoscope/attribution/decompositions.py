"""Decomposition of attributions into scales, values, peaks and voids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.fft import dctn

from infoscope.degradations.operations.filters import LowPass
from infoscope.degradations.patches import Patches
from infoscope.survey.survey import Survey

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num
    from numpy.typing import NDArray

# Values are taken from tiles and from smoothed tiles. Single pixels of fine maps are
# dominated by noise, and config/studies selects ranges of smoothed maps too.
SMOOTHING_MPC_H = (0.0, 8.0)
# In units of the standard deviation of the tile and bin.
VALUE_EDGES = np.concatenate([[-np.inf], np.arange(-4, 4.125, 0.25), [np.inf]])
# Smallest height of peaks, and depth of voids, of the smoothed tile, in the same units.
HEIGHT = 2.0
RINGS = 6  # largest distance from an extremum, in pixels


def survey_of(fields: Mapping[str, Any]) -> Survey:
    """Read a survey from a spec."""
    lists = {name: np.array(v) for name, v in fields.items() if isinstance(v, list)}
    return Survey(**{**fields, **lists})


@dataclass(frozen=True)
class Annuli:
    """Cosine modes of a tile, which filters multiply, in annuli of ℓ.

    Annuli are one fundamental mode wide, π / side.

    Attributes
    ----------
    index
        Annulus of each mode, ordered as `scipy.fft.dctn`; 0 for the mean.
    ell
        Mean multipole of each annulus.
    """

    index: Int[NDArray, "side side"]
    ell: Float[NDArray, " n_ell"]

    @classmethod
    def of(cls, side: int, pixel: float) -> Annuli:
        """Annuli of tiles with `side` × `side` pixels of `pixel` radians.

        Examples
        --------
        >>> Annuli.of(side=4, pixel=0.1).index
        array([[0, 1, 2, 3],
               [1, 1, 2, 3],
               [2, 2, 3, 4],
               [3, 3, 4, 4]])
        """
        number = np.arange(side)
        radius = np.hypot(number[:, None], number)
        index = np.rint(radius).astype(np.intp)
        count = np.bincount(index.ravel())
        mean = np.bincount(index.ravel(), radius.ravel()) / count
        return cls(index, mean * np.pi / (side * pixel))

    def sums(
        self, modes: Float[NDArray, "n side side n_bins"]
    ) -> Float[NDArray, "n n_bins n_ell"]:
        """Sum a quantity of the modes over each annulus."""
        n, _, _, n_bins = modes.shape
        n_ell = len(self.ell)
        rows = np.moveaxis(modes, -1, 1).reshape(n * n_bins, -1)
        flat = self.index.ravel()
        sums = np.array([np.bincount(flat, row, n_ell) for row in rows])
        return sums.reshape(n, n_bins, n_ell)


def by_scale(
    tiles: Float[NDArray, "n side side n_bins"],
    gradient: Float[NDArray, "n side side n_bins"],
    annuli: Annuli,
) -> Float[NDArray, "n n_bins n_ell"]:
    """Attribute the estimates to the cosine modes of the tiles.

    The transform is orthonormal: attributions have the same sum as those of the pixels.

    Parameters
    ----------
    tiles, gradient
        Tiles, and what `path_gradient` returns for them.
    annuli
        Annuli of the tiles.
    """
    x, g = (dctn(maps, axes=(1, 2), norm="ortho") for maps in (tiles, gradient))
    return annuli.sums(x * g)


def power(
    maps: Float[NDArray, "n side side n_bins"], annuli: Annuli
) -> Float[NDArray, "n n_bins n_ell"]:
    """Power of maps in each annulus; its sum over annuli is Σ x² over pixels."""
    return by_scale(maps, maps, annuli)


def smoothed(
    tiles: Float[NDArray, "n side side n_bins"],
    scale_mpc_h: float,
    survey: Survey,
) -> Float[NDArray, "n side side n_bins"]:
    """Smooth tiles as the operation `lowpass` does, without its floor."""
    if scale_mpc_h == 0:
        return tiles
    lowpass = LowPass(scale_mpc_h=scale_mpc_h, floor=0)
    patches = Patches(np.moveaxis(tiles, -1, 0), survey)
    # without a floor, there are no random numbers
    smooth = lowpass.apply(patches, {}, np.random.default_rng(0))
    return np.moveaxis(smooth.kappa, 0, -1).astype(np.float32)


def in_sigma(
    tiles: Float[NDArray, "n side side n_bins"],
) -> Float[NDArray, "n side side n_bins"]:
    """Values in units of the standard deviation of their tile and bin."""
    sigma = tiles.std(axis=(1, 2), keepdims=True)
    return np.divide(tiles, sigma, out=np.zeros_like(tiles), where=sigma > 0)


def by_value(
    tiles: Float[NDArray, "n side side n_bins"],
    gradient: Float[NDArray, "n side side n_bins"],
) -> tuple[Float[NDArray, "n n_value"], Float[NDArray, "n n_value"]]:
    """Attribute the estimates to pixels by their value.

    Parameters
    ----------
    tiles
        Tiles, smoothed or not.
    gradient
        Gradients along the paths to the unsmoothed tiles.

    Returns
    -------
    parts
        Sums over the pixels of all bins whose value is in each interval of
        `VALUE_EDGES`.
    area
        Fractions of the pixels in each interval.
    """
    n, n_value = len(tiles), len(VALUE_EDGES) - 1
    interval = np.searchsorted(VALUE_EDGES, in_sigma(tiles), side="right") - 1
    flat = (interval + n_value * np.arange(n)[:, None, None, None]).ravel()
    parts = np.bincount(flat, (tiles * gradient).ravel(), n * n_value)
    counts = np.bincount(flat, minlength=n * n_value).reshape(n, n_value)
    return parts.reshape(n, n_value), counts / counts.sum(axis=1, keepdims=True)


def extrema(
    values: Float[NDArray, "n side side n_bins"], rings: int
) -> tuple[
    Bool[NDArray, "n side-2*rings side-2*rings n_bins"],
    Bool[NDArray, "n side-2*rings side-2*rings n_bins"],
]:
    """Find peaks and voids at least `rings` pixels away from the edges.

    Parameters
    ----------
    values
        Smoothed tiles in units of their standard deviation.
    rings
        Width in pixels of the margin that is left out.

    Returns
    -------
    peaks, voids
        Inner pixels above `HEIGHT` and all eight neighbours, and those below −`HEIGHT`
        and all neighbours.
    """
    inner = _shifted(values, 0, 0, rings)
    peak, void = inner >= HEIGHT, inner <= -HEIGHT
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if (dy, dx) != (0, 0):
                neighbour = _shifted(values, dy, dx, rings)
                peak &= inner > neighbour
                void &= inner < neighbour
    return peak, void


def rings_of(side: int) -> int:
    """Rings around extrema for which tiles of `side` pixels have space.

    Examples
    --------
    >>> rings_of(16), rings_of(64)
    (3, 6)
    """
    return max(1, min(RINGS, side // 5))


def around(
    parts: Float[NDArray, "n side side n_bins"],
    centres: tuple[Bool[NDArray, "n side-2*rings side-2*rings n_bins"], ...],
    rings: int,
) -> tuple[
    Float[NDArray, "n n_kind rings+1"],
    Float[NDArray, "n n_kind rings+1"],
]:
    """Stack the attributions of pixels around peaks and voids.

    Parameters
    ----------
    parts
        Attribution of the estimate to each pixel.
    centres
        Inner pixels of each kind, see `extrema`.
    rings
        Largest distance in pixels.

    Returns
    -------
    sums
        Sums over the pixels at each distance from a centre, rounded to whole pixels.
    pixels
        Number of these pixels. A pixel near several centres counts several times.
    """
    shape = (len(parts), len(centres), rings + 1)
    sums, pixels = np.zeros(shape), np.zeros(shape)
    for dy in range(-rings, rings + 1):
        for dx in range(-rings, rings + 1):
            ring = round(float(np.hypot(dy, dx)))
            if ring > rings:
                continue
            shifted = _shifted(parts, dy, dx, rings)
            for kind, centre in enumerate(centres):
                sums[:, kind, ring] += np.einsum("nyxb,nyxb->n", shifted, centre)
                pixels[:, kind, ring] += centre.sum(axis=(1, 2, 3))
    return sums, pixels


def _shifted(
    maps: Num[NDArray, "n side side n_bins"], dy: int, dx: int, margin: int
) -> Num[NDArray, "n side-2*margin side-2*margin n_bins"]:
    """Shift maps by (−dy, −dx) pixels and cut off a margin."""
    side = maps.shape[1]
    rows, columns = (slice(margin + d, side - margin + d) for d in (dy, dx))
    return maps[:, rows, columns]
