"""Tiles: square pieces of a HEALPix map."""

from __future__ import annotations

from functools import cache

import ducc0
import numpy as np
from numpy.typing import NDArray


def pixel_side(nside: int) -> float:
    """Side of a pixel in radians: the square root of its area."""
    return float(np.sqrt(4 * np.pi / 12)) / nside


def nside_of(n_pix: int) -> int:
    """Nside of a HEALPix map of the full sphere."""
    return int(np.sqrt(n_pix // 12))


@cache
def _tile_order(nside: int, tile_nside: int) -> NDArray:
    """RING index of every pixel of every tile, shape (n_tile, side, side).

    Within a superpixel the NESTED index interleaves the bits of the two coordinates
    along the sides of the rhombus, so un-interleaving them gives a square image.
    """
    side = nside // tile_nside
    index = np.arange(side)
    spread = np.zeros_like(index)
    for bit in range(side.bit_length()):
        spread |= ((index >> bit) & 1) << (2 * bit)
    nested = spread[None, :] + 2 * spread[:, None]
    first = np.arange(12 * tile_nside**2) * side**2
    order = first[:, None, None] + nested
    return ducc0.healpix.Healpix_Base(nside, "NEST").nest2ring(order)


def to_tiles(maps: NDArray, tile_nside: int) -> NDArray:
    """Cut RING maps (n_bins, n_pix) into tiles (n_bins, n_tile, side, side)."""
    return maps[:, _tile_order(nside_of(maps.shape[1]), tile_nside)]


def from_tiles(tiles: NDArray, tile_nside: int) -> NDArray:
    """Put tiles (n_bins, n_tile, side, side) back on the sphere, RING order."""
    n_bins, n_tile, side, _ = tiles.shape
    maps = np.empty((n_bins, n_tile * side**2), tiles.dtype)
    maps[:, _tile_order(side * tile_nside, tile_nside)] = tiles
    return maps


def averaged(maps: NDArray, nside: int) -> NDArray:
    """Mean over the pixels of RING maps (n_bins, n_pix) in each pixel of `nside`."""
    mean = to_tiles(maps, nside).mean(axis=(2, 3), keepdims=True, dtype=np.float64)
    return from_tiles(mean, nside)
