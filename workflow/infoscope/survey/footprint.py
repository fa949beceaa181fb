"""The footprint of a survey: the tiles that a mask selects."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from infoscope.errors import InfoscopeError


def selected_tiles(
    path: Path, nside: int, tile_nside: int, fraction: float
) -> list[int]:
    """Select the tiles inside a mask.

    Parameters
    ----------
    path
        HEALPix FITS file in either order. Pixels above 0 are inside; missing and
        `UNSEEN` pixels are outside.
    nside, tile_nside
        HEALPix nside of the maps, and of the superpixels that are the tiles.
    fraction
        Minimum fraction of the pixels of a tile that must be inside.

    Returns
    -------
        The selected tiles, as NESTED indices of their superpixels.

    Raises
    ------
    InfoscopeError
        If the mask cannot be read, has a different nside, or selects no tile.
    """
    # importing healpy takes two seconds
    import healpy

    try:
        mask = healpy.read_map(path, nest=True, dtype=np.float64)
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        message = " ".join(str(error).split())
        raise InfoscopeError(f"survey.mask: {path}: {message}") from None
    if healpy.npix2nside(len(mask)) != nside:
        raise InfoscopeError(
            f"survey.mask: {path}: has nside {healpy.npix2nside(len(mask))}, but "
            f"survey.nside is {nside}; convert the mask with healpy.ud_grade"
        )
    # the pixels of a superpixel are contiguous in NESTED order; UNSEEN is negative
    inside = (mask.reshape(12 * tile_nside**2, -1) > 0).mean(axis=1)
    tiles = np.flatnonzero(inside >= fraction)
    if not len(tiles):
        raise InfoscopeError(
            f"survey.mask: {path}: no tile has {fraction:.0%} of its pixels inside the "
            f"mask, at most {inside.max():.1%}; increase survey.tile_nside for smaller "
            "tiles or lower survey.mask_fraction"
        )
    return [int(tile) for tile in tiles]
