r"""Patches: flat squares cut out of HEALPix maps by Lambert's equal-area projection.

A patch is centred on a point of the sphere, and its axes are the local north and east.
A direction at the angular distance :math:`\vartheta` from the centre is
:math:`2 \sin(\vartheta / 2)` away from it on the plane, so that all pixels have the
same area. Distances along the radius are shortened by :math:`\cos(\vartheta / 2)`, at
most 3 % in the corners of a square of 40°.

Values are those of the spherical harmonic expansion of a map at the centres of pixels.
The expansion ends where the pixels of a patch cannot resolve it, so there is neither
interpolation nor aliasing. benchmarks/cutting.py measures how little is lost. The mean
of a map is set aside, because the quadrature of the expansion would turn a constant
into a spike at the poles.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import ducc0
import numpy as np

from infoscope.maps.harmonics import analysis, lmax_of, nside_of

if TYPE_CHECKING:
    from jaxtyping import Float, Float32
    from numpy.typing import NDArray

# Relative to the rms of a patch, the error is a tenth of this.
EPSILON = 1e-5


def centres(number: int) -> Float[NDArray, "number 2"]:
    """Spread the centres of patches over the sphere, on a Fibonacci lattice.

    Parameters
    ----------
    number
        Number of patches.

    Returns
    -------
        Colatitude and longitude of each centre, in radians.

    Examples
    --------
    >>> centres(2).round(3).tolist()
    [[1.047, 0.0], [2.094, 3.883]]
    """
    index = np.arange(number)
    golden = (1 + np.sqrt(5)) / 2
    colatitude = np.arccos(1 - (2 * index + 1) / number)
    return np.stack([colatitude, 2 * np.pi * (index / golden % 1)], axis=-1)


@lru_cache(maxsize=2)
def directions(
    side_deg: float, pixels: int, number: int
) -> Float[NDArray, "number pixels pixels 2"]:
    """Compute where on the sphere the centres of pixels are.

    Parameters
    ----------
    side_deg
        Side of a patch, in degrees: the square root of its area.
    pixels
        Number of pixels along a side.
    number
        Number of patches.

    Returns
    -------
        Colatitude and longitude of each pixel, in radians. The first axis of a patch
        runs to the north of its centre, and the second one to the east. The array is
        shared by all callers and cannot be written to.

    Examples
    --------
    A pixel north of the centre has a smaller colatitude:

    >>> np.degrees(directions(30, 3, 1)[0, :, 1, 0]).round().tolist()
    [100.0, 90.0, 80.0]
    """
    places = around(centres(number), side_deg, pixels)
    places.setflags(write=False)
    return places


def around(
    points: Float[NDArray, "number 2"], side_deg: float, pixels: int
) -> Float[NDArray, "number pixels pixels 2"]:
    """Compute colatitude and longitude of the pixels of patches around some points."""
    offset = np.radians(side_deg) * ((np.arange(pixels) + 0.5) / pixels - 0.5)
    north, east = np.meshgrid(offset, offset, indexing="ij")
    half_square = (north**2 + east**2) / 4  # sin²(ϑ / 2)
    outward = 1 - 2 * half_square  # cos ϑ
    scale = np.sqrt(1 - half_square)  # cos(ϑ / 2)
    colatitude, longitude = points.T[..., None, None]
    x = outward * np.sin(colatitude) - scale * north * np.cos(colatitude)
    y = scale * east
    z = outward * np.cos(colatitude) + scale * north * np.sin(colatitude)
    places = np.empty((*z.shape, 2))
    places[..., 0] = np.arctan2(np.hypot(x, y), z)
    places[..., 1] = (np.arctan2(y, x) + longitude) % (2 * np.pi)
    return places


def band_limit(nside: int, side_deg: float, pixels: int) -> int:
    """Return the largest multipole in patches: π / pixel, or that of the map.

    >>> band_limit(64, 29.3, 32), band_limit(512, 5, 64)
    (191, 1535)
    >>> band_limit(64, 29.3, 16)
    98
    """
    pixel = np.radians(side_deg) / pixels
    return min(lmax_of(nside), int(np.pi / pixel))


def cut(
    maps: Float[NDArray, "n_maps n_pix"], side_deg: float, pixels: int, number: int
) -> Float32[NDArray, "n_maps number pixels pixels"]:
    """Cut maps in RING order into patches.

    Parameters
    ----------
    maps
        Maps of the full sphere. The computation is in single precision.
    side_deg, pixels, number
        As in `directions`.

    Returns
    -------
        Patches in the unit of the maps, with their means.
    """
    lmax = band_limit(nside_of(maps.shape[1]), side_deg, pixels)
    places = directions(side_deg, pixels, number).reshape(-1, 2)
    patches = np.empty((len(maps), number, pixels, pixels), np.float32)
    for values, cut_out in zip(maps, patches, strict=True):
        mean = values.mean(dtype=np.float64)
        centred = np.subtract(values, mean, dtype=np.float64).astype(np.float32)
        ducc0.sht.synthesis_general(
            alm=analysis(centred[None], lmax),
            map=cut_out.reshape(1, -1),
            spin=0,
            lmax=lmax,
            loc=places,
            epsilon=EPSILON,
            nthreads=1,
        )
        cut_out += mean
    return patches
