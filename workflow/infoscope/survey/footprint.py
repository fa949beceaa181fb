"""The footprint of a survey: which tiles a mask selects."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from infoscope.errors import InfoscopeError


def selected_tiles(
    path: Path, nside: int, tile_nside: int, fraction: float
) -> list[int]:
    """Find the tiles that lie in a mask.

    Parameters
    ----------
    path
        HEALPix FITS file in either order; pixels above 0 are inside, those that are
        missing or `UNSEEN` outside.
    nside, tile_nside
        Of the maps, and of the superpixels that are the tiles.
    fraction
        Smallest share of the pixels of a tile that is inside.

    Returns
    -------
        Numbers of the tiles, the NESTED indices of their superpixels.

    Raises
    ------
    InfoscopeError
        If there is no such mask, its nside is another one, or no tile is left.
    """
    # takes two seconds to import
    import healpy

    try:
        mask = healpy.read_map(path, nest=True, dtype=np.float64)
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        message = " ".join(str(error).split())
        raise InfoscopeError(f"survey.mask: {path}: {message}") from None
    if healpy.npix2nside(len(mask)) != nside:
        raise InfoscopeError(
            f"survey.mask: {path}: has nside {healpy.npix2nside(len(mask))}, and the "
            f"survey {nside}; make it with healpy.ud_grade"
        )
    # a superpixel is a run of NESTED pixels; UNSEEN is negative
    inside = (mask.reshape(12 * tile_nside**2, -1) > 0).mean(axis=1)
    tiles = np.flatnonzero(inside >= fraction)
    if not len(tiles):
        raise InfoscopeError(
            f"survey.mask: {path}: no tile has {fraction:.0%} of its pixels inside, at "
            f"most {inside.max():.1%}; tiles get smaller with a larger tile_nside, and "
            "mask_fraction lets some pixels be outside"
        )
    return [int(tile) for tile in tiles]
