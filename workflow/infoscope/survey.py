"""The survey: n(z), shape noise, and tiles (square pieces of a HEALPix map)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infoscope.cosmology import Z_MAX
from infoscope.errors import InfoscopeError

ARCMIN2_SKY = 4 * np.pi * (180 * 60 / np.pi) ** 2


@dataclass(frozen=True)
class RedshiftDistribution:
    """n(z) of the tomographic bins.

    Attributes
    ----------
    z
        Redshifts, shape (n_z,).
    density
        Normalised n(z), shape (n_bins, n_z).
    """

    z: NDArray
    density: NDArray

    @property
    def mean(self) -> NDArray:
        """Mean redshift of each bin, shape (n_bins,)."""
        return np.trapezoid(self.z * self.density, self.z, axis=1)


def read_nz(path: Path) -> RedshiftDistribution:
    """Read a table with the columns z, n_1, n_2 ….

    Raises
    ------
    InfoscopeError
        If the file is missing or is no n(z).
    """
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise InfoscopeError(f"survey.nz_file: {path}: {error}") from None
    if table.shape[1] < 2 or len(table) < 3:
        raise InfoscopeError(f"survey.nz_file: {path}: needs columns z, n_1, n_2 …")
    z, density = table[:, 0], table[:, 1:].T
    if not np.isfinite(table).all() or (np.diff(z) <= 0).any() or (density < 0).any():
        raise InfoscopeError(
            f"survey.nz_file: {path}: z must increase and n(z) be finite and ≥ 0"
        )
    if z[density.max(axis=0) > 0][-1:].sum() > Z_MAX:
        raise InfoscopeError(
            f"survey.nz_file: {path}: has galaxies beyond z = {Z_MAX}; cut n(z) there"
        )
    norm = np.asarray(np.trapezoid(density, z, axis=1))
    if (norm <= 0).any():
        raise InfoscopeError(f"survey.nz_file: {path}: a bin is empty")
    return RedshiftDistribution(z, density / norm[:, None])


def noise_sigma(sigma_e: float, n_gal_arcmin2: NDArray, nside: int) -> NDArray:
    """Compute the shape noise σ_e / √(n_gal A_pix) of a pixel (standard deviation)."""
    area = ARCMIN2_SKY / (12 * nside**2)
    return sigma_e / np.sqrt(np.asarray(n_gal_arcmin2) * area)


@cache
def _tile_order(nside: int, tile_nside: int) -> NDArray:
    """RING index of every pixel of every tile, shape (n_tile, side, side).

    Within a superpixel the NESTED index interleaves the bits of the two coordinates
    along the sides of the rhombus, so un-interleaving them gives a square image.
    """
    import healpy

    side = nside // tile_nside
    index = np.arange(side)
    spread = np.zeros_like(index)
    for bit in range(side.bit_length()):
        spread |= ((index >> bit) & 1) << (2 * bit)
    nested = spread[None, :] + 2 * spread[:, None]
    first = np.arange(12 * tile_nside**2) * side**2
    return healpy.nest2ring(nside, first[:, None, None] + nested)


def to_tiles(maps: NDArray, tile_nside: int) -> NDArray:
    """Cut RING maps (n_bins, n_pix) into tiles (n_tile, n_bins, side, side)."""
    nside = int(np.sqrt(maps.shape[-1] // 12))
    return np.moveaxis(maps[:, _tile_order(nside, tile_nside)], 0, 1)


def from_tiles(tiles: NDArray, tile_nside: int) -> NDArray:
    """Put tiles (n_tile, n_bins, side, side) back on the sphere, RING order."""
    n_tile, n_bins, side, _ = tiles.shape
    maps = np.empty((n_bins, n_tile * side**2), tiles.dtype)
    maps[:, _tile_order(side * tile_nside, tile_nside)] = np.moveaxis(tiles, 1, 0)
    return maps
