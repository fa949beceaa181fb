"""Tiles: square pieces of a HEALPix map."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import ducc0
import numpy as np

from infoscope.maps.harmonics import nside_of

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped
    from numpy.typing import NDArray


@cache
def _tile_order(nside: int, tile_nside: int) -> Int[NDArray, "n_tile side side"]:
    """Return the RING index of every pixel of every tile.

    Within a superpixel the NESTED index interleaves the bits of the two coordinates
    along the sides of the rhombus. De-interleaving them gives a square image.
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


def to_tiles(
    maps: Shaped[NDArray, "n_bins n_pix"], tile_nside: int
) -> Shaped[NDArray, "n_bins n_tile side side"]:
    """Cut maps in RING order into tiles."""
    return maps[:, _tile_order(nside_of(maps.shape[1]), tile_nside)]


def from_tiles(
    tiles: Shaped[NDArray, "n_bins n_tile side side"], tile_nside: int
) -> Shaped[NDArray, "n_bins n_pix"]:
    """Assemble maps in RING order from tiles."""
    n_bins, n_tile, side, _ = tiles.shape
    maps = np.empty((n_bins, n_tile * side**2), tiles.dtype)
    maps[:, _tile_order(side * tile_nside, tile_nside)] = tiles
    return maps


def averaged(
    maps: Float[NDArray, "n_bins n_pix"], nside: int
) -> Float[NDArray, "n_bins n_pix_coarse"]:
    """Downgrade maps in RING order to a coarser `nside` by averaging pixels."""
    mean = to_tiles(maps, nside).mean(axis=(2, 3), keepdims=True, dtype=np.float64)
    return from_tiles(mean, nside)
