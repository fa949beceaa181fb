"""The footprint of a survey: the patches that a mask selects."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from infoscope.errors import InfoscopeError
from infoscope.maps.patches import around, centres
from infoscope.survey.config import PatchConfig


def selected_patches(path: Path, patch: PatchConfig, fraction: float) -> list[int]:
    """Select the patches inside a mask.

    Parameters
    ----------
    path
        HEALPix FITS file of any nside in either order. Pixels above 0 are inside;
        missing and `UNSEEN` pixels are outside.
    patch
        Geometry of the patches.
    fraction
        Minimum fraction of the pixel centres of a patch that must be inside.

    Returns
    -------
        The indices of the selected patches.

    Raises
    ------
    InfoscopeError
        If the mask cannot be read or selects no patch.
    """
    # importing healpy takes two seconds
    import healpy

    try:
        mask = healpy.read_map(path, dtype=np.float32)
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        message = " ".join(str(error).split())
        raise InfoscopeError(f"survey.mask: {path}: {message}") from None
    # UNSEEN is negative
    positive = mask > 0
    nside = healpy.npix2nside(len(mask))
    inside = np.empty(patch.number)
    # one by one, because every job reads the mask and should need little memory
    for index, centre in enumerate(centres(patch.number)):
        places = around(centre[None], patch.side_deg, patch.pixels)[0]
        pixels = healpy.ang2pix(nside, places[..., 0], places[..., 1])
        inside[index] = positive[pixels].mean()
    patches = np.flatnonzero(inside >= fraction)
    if not len(patches):
        raise InfoscopeError(
            f"survey.mask: {path}: no patch has {fraction:.0%} of its pixels inside "
            f"the mask, at most {inside.max():.1%}; reduce survey.patch.side_deg or "
            "lower survey.mask_fraction"
        )
    return [int(index) for index in patches]
