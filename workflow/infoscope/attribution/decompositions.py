"""Parts of tiles: what of an attribution belongs to scales, values, peaks and voids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoscope.degradations.operations.filters import LowPass
from infoscope.survey.survey import Survey

Array = NDArray[np.float32]

# Tiles are also smoothed before their values are looked at: pixels of fine maps are
# noise, and config/studies cuts ranges from such maps too.
SMOOTHING_MPC_H = (0.0, 8.0)
# Values in units of the standard deviation of their tile and bin.
VALUE_EDGES = np.concatenate([[-np.inf], np.arange(-4, 4.125, 0.25), [np.inf]])
# Peaks and voids of the smoothed tile are at least so many standard deviations high.
HEIGHT = 2.0
RINGS = 6  # pixels around them, at most


def survey_of(fields: Mapping[str, Any]) -> Survey:
    """Read a survey from a spec."""
    lists = {name: np.array(v) for name, v in fields.items() if isinstance(v, list)}
    return Survey(**{**fields, **lists})


@dataclass(frozen=True)
class Annuli:
    """Fourier modes of a tile in annuli of |ℓ|, one fundamental mode wide.

    Attributes
    ----------
    index : (side, side)
        Annulus of each mode, ordered as `numpy.fft.fft2`; that of the mean is 0.
    ell : (n_ell,)
        Mean multipole of each.
    """

    index: NDArray[np.intp]
    ell: NDArray[np.float64]

    @classmethod
    def of(cls, side: int, pixel: float) -> Annuli:
        """Annuli of tiles of `side` pixels, whose sides are `pixel` radians."""
        frequency = np.fft.fftfreq(side, 1 / side)
        radius = np.hypot(frequency[:, None], frequency)
        index = np.rint(radius).astype(np.intp)
        count = np.bincount(index.ravel())
        mean = np.bincount(index.ravel(), radius.ravel()) / count
        return cls(index, mean * 2 * np.pi / (side * pixel))

    def sums(self, modes: NDArray) -> NDArray[np.float64]:
        """Sum modes (n, side, side, n_bins) in annuli: (n, n_bins, n_ell)."""
        n, _, _, n_bins = modes.shape
        n_ell = len(self.ell)
        rows = np.moveaxis(modes, -1, 1).reshape(n * n_bins, -1)
        flat = self.index.ravel()
        sums = np.array([np.bincount(flat, row, n_ell) for row in rows])
        return sums.reshape(n, n_bins, n_ell)


def by_scale(tiles: Array, gradient: Array, annuli: Annuli) -> NDArray[np.float64]:
    """Parts of the estimates that belong to Fourier modes of the tiles.

    By Parseval's theorem they sum to the sum over pixels.

    Parameters
    ----------
    tiles, gradient : (n, side, side, n_bins)
        Tiles, and what `path_gradient` returns for them.
    annuli
        Those of the tiles.

    Returns
    -------
        Array (n, n_bins, n_ell).
    """
    x, g = (np.fft.fft2(maps, axes=(1, 2)) for maps in (tiles, gradient))
    return annuli.sums((x * g.conj()).real) / annuli.index.size


def power(maps: Array, annuli: Annuli) -> NDArray[np.float64]:
    """Power of tiles in annuli, (n, n_bins, n_ell), which sums to that of pixels."""
    return by_scale(maps, maps, annuli)


def smoothed(tiles: Array, scale_mpc_h: float, survey: Survey, annuli: Annuli) -> Array:
    """Smooth tiles as the operation `lowpass` does, but as if they were periodic."""
    if scale_mpc_h == 0:
        return tiles
    transfer = LowPass(scale_mpc_h=scale_mpc_h).lowpass(survey)
    at = np.minimum(np.rint(annuli.ell).astype(int), transfer.shape[1] - 1)
    factor = np.moveaxis(transfer[:, at][:, annuli.index], 0, -1)
    modes = np.fft.fft2(tiles, axes=(1, 2)) * factor
    smooth: Array = np.fft.ifft2(modes, axes=(1, 2)).real.astype(np.float32)
    return smooth


def in_sigma(tiles: Array) -> Array:
    """Values in units of the standard deviation of their tile and bin."""
    sigma = tiles.std(axis=(1, 2), keepdims=True)
    return np.divide(tiles, sigma, out=np.zeros_like(tiles), where=sigma > 0)


def by_value(
    tiles: Array, gradient: Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parts of the estimates that belong to pixels of some value.

    Parameters
    ----------
    tiles, gradient : (n, side, side, n_bins)
        Tiles, smoothed or not, and gradients along paths to those that are not.

    Returns
    -------
    parts : (n, n_value)
        Sums over the pixels of all bins in intervals of `VALUE_EDGES`.
    area : (n, n_value)
        Shares of the pixels.
    """
    n, n_value = len(tiles), len(VALUE_EDGES) - 1
    interval = np.searchsorted(VALUE_EDGES, in_sigma(tiles), side="right") - 1
    flat = (interval + n_value * np.arange(n)[:, None, None, None]).ravel()
    parts = np.bincount(flat, (tiles * gradient).ravel(), n * n_value)
    counts = np.bincount(flat, minlength=n * n_value).reshape(n, n_value)
    return parts.reshape(n, n_value), counts / counts.sum(axis=1, keepdims=True)


def extrema(values: Array, rings: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find peaks and voids that are at least `rings` pixels from the edges.

    Parameters
    ----------
    values : (n, side, side, n_bins)
        In units of the standard deviation.

    Returns
    -------
        Which of the inner pixels (n, side − 2 rings, side − 2 rings, n_bins) are above
        all eight neighbours and `HEIGHT`, and which are below them and −`HEIGHT`.
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
    """Rings around extrema that tiles have space for."""
    return max(1, min(RINGS, side // 5))


def around(
    parts: Array, chosen: tuple[NDArray[np.bool_], ...], rings: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stack the parts of pixels around chosen ones.

    Parameters
    ----------
    parts : (n, side, side, n_bins)
        Part of the estimate that belongs to each pixel.
    chosen
        Inner pixels of each kind, see `extrema`.
    rings
        Largest distance in pixels.

    Returns
    -------
    sums : (n, n_kind, rings + 1)
        Sums over all pixels at a distance, rounded to whole pixels, from a chosen one.
    pixels : (n, n_kind, rings + 1)
        How many these are; a pixel counts as often as it is near a chosen one.
    """
    shape = (len(parts), len(chosen), rings + 1)
    sums, pixels = np.zeros(shape), np.zeros(shape)
    for dy in range(-rings, rings + 1):
        for dx in range(-rings, rings + 1):
            ring = round(float(np.hypot(dy, dx)))
            if ring > rings:
                continue
            there = _shifted(parts, dy, dx, rings)
            for kind, centre in enumerate(chosen):
                sums[:, kind, ring] += np.einsum("nyxb,nyxb->n", there, centre)
                pixels[:, kind, ring] += centre.sum(axis=(1, 2, 3))
    return sums, pixels


def _shifted(maps: NDArray, dy: int, dx: int, margin: int) -> NDArray:
    """Pixels (dy, dx) away from those that are `margin` pixels from the edges."""
    side = maps.shape[1]
    rows, columns = (slice(margin + d, side - margin + d) for d in (dy, dx))
    return maps[:, rows, columns]
