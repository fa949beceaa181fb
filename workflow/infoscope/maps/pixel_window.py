r"""The pixel window of HEALPix: how averaging over pixels damps a spectrum.

.. math:: W_\ell^2 = \left\langle \frac{1}{\Omega^2} \int_p d\Omega \int_p d\Omega'
          P_\ell(\cos\vartheta) \right\rangle_p

The window is computed because healpy would have to download its table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ducc0
import numpy as np
from scipy.special import j0

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

PIXELS = 256  # number of pixels that are averaged over
SIDE = 16  # sampling points along each side of a pixel
ANGLES = 400  # bins in ϑ


def pixel_window(nside: int, lmax: int) -> Float[NDArray, " n_ell"]:
    r"""Compute the pixel window :math:`W_\ell` for ℓ = 0 … lmax.

    Pixels are small enough for the approximation
    :math:`P_\ell(\cos\vartheta) \approx J_0((\ell + 1/2)\vartheta)`. The integrals over
    a pixel are sums over sampling points.
    """
    fine = ducc0.healpix.Healpix_Base(nside * SIDE, "NEST")
    # spread evenly over the sphere, and the same in every run
    pixels = np.linspace(0, 12 * nside**2 - 1, min(PIXELS, 12 * nside**2)).astype(int)
    offset = np.arange(SIDE**2)
    centres = ducc0.healpix.Healpix_Base(nside, "NEST").pix2vec(pixels)
    points = fine.pix2vec((pixels[:, None] * SIDE**2 + offset).ravel())
    # relative to the centre of the pixel, which avoids cancellation
    local = points.reshape(len(pixels), SIDE**2, 3) - centres[:, None]
    max_angle = 4 / nside
    counts = np.zeros(ANGLES)
    sum_of_squares = 0.0
    for vectors in local:
        norm = (vectors**2).sum(-1)
        chord = norm[:, None] + norm - 2 * vectors @ vectors.T
        angle = 2 * np.arcsin(np.sqrt(np.maximum(chord, 0)) / 2)
        counts += np.histogram(angle, ANGLES, (0, max_angle))[0]
        sum_of_squares += (angle**2).mean()
    angle = (np.arange(ANGLES) + 0.5) * max_angle / ANGLES
    # each point stands for a small area, whose spread is added here
    mean_square = sum_of_squares / len(local)
    binned = (counts @ angle**2) / counts.sum()
    angle *= np.sqrt(mean_square / binned / (1 - SIDE**-2))
    ell = np.arange(lmax + 1)
    window: Float[NDArray, " n_ell"] = np.sqrt(
        j0((ell[:, None] + 0.5) * angle) @ counts / counts.sum()
    )
    return window
