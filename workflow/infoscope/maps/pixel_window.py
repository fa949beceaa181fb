r"""The pixel window of HEALPix: what averaging over pixels takes from a spectrum.

.. math:: W_\ell^2 = \left\langle \frac{1}{\Omega^2} \int_p d\Omega \int_p d\Omega'
          P_\ell(\cos\vartheta) \right\rangle_p

It is computed here because healpy would download a table of it.
"""

from __future__ import annotations

import ducc0
import numpy as np
from numpy.typing import NDArray
from scipy.special import j0

PIXELS = 256  # pixels of the sphere that are averaged
SIDE = 16  # points along the sides of a pixel
ANGLES = 400  # bins in ϑ


def pixel_window(nside: int, lmax: int) -> NDArray:
    r"""Root of the mean power that is left in pixel averages, for ℓ = 0 … lmax.

    With :math:`P_\ell(\cos\vartheta) \approx J_0((\ell + 1/2)\vartheta)`, which pixels
    are small enough for, and points instead of areas within a pixel.
    """
    fine = ducc0.healpix.Healpix_Base(nside * SIDE, "NEST")
    # evenly over the sphere, and the same in every run
    chosen = np.linspace(0, 12 * nside**2 - 1, min(PIXELS, 12 * nside**2)).astype(int)
    offset = np.arange(SIDE**2)
    points = ducc0.healpix.Healpix_Base(nside, "NEST").pix2vec(chosen)
    inside = fine.pix2vec((chosen[:, None] * SIDE**2 + offset).ravel())
    # relative to the centre of the pixel: no digits are lost to the unit sphere
    local = inside.reshape(len(chosen), SIDE**2, 3) - points[:, None]
    largest = 4 / nside
    counts = np.zeros(ANGLES)
    second = 0.0
    for vectors in local:
        square = (vectors**2).sum(-1)
        chord = square[:, None] + square - 2 * vectors @ vectors.T
        angle = 2 * np.arcsin(np.sqrt(np.maximum(chord, 0)) / 2)
        counts += np.histogram(angle, ANGLES, (0, largest))[0]
        second += (angle**2).mean()
    angle = (np.arange(ANGLES) + 0.5) * largest / ANGLES
    # points at the middle of small areas: the spread of these areas is missing
    spread = second / len(local)
    measured = (counts @ angle**2) / counts.sum()
    angle *= np.sqrt(spread / measured / (1 - SIDE**-2))
    ell = np.arange(lmax + 1)
    window: NDArray = np.sqrt(j0((ell[:, None] + 0.5) * angle) @ counts / counts.sum())
    return window
