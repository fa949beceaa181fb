"""Spherical harmonic transforms of HEALPix maps, by ducc0.

All transforms go to ℓ = 3 nside - 1 and use the plain quadrature of equal weights,
4π / n_pix: for white noise it is exact within 0.6 % in power at every ℓ, while the
customary iterations lose up to 7 % beyond ℓ = 2 nside, where they do not converge.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ducc0
import numpy as np
from numpy.typing import NDArray

from infoscope.maps.tiles import nside_of


def lmax_of(nside: int) -> int:
    """Largest multipole of the transforms."""
    return 3 * nside - 1


@cache
def _geometry(nside: int) -> dict[str, Any]:
    rings = ducc0.healpix.Healpix_Base(nside, "RING").sht_info()
    return {"spin": 0, "lmax": lmax_of(nside), "nthreads": 1, **rings}


def analysis(maps: NDArray) -> NDArray:
    """Transform RING maps (n_maps, n_pix) to a_ℓm (n_maps, n_alm), m by m."""
    n_pix = maps.shape[1]
    geometry = _geometry(nside_of(n_pix))
    alm = np.empty((len(maps), len(ell_of_alm(geometry["lmax"]))), complex)
    for values, coefficients in zip(maps, alm, strict=True):
        ducc0.sht.adjoint_synthesis(
            map=values[None], alm=coefficients[None], **geometry
        )
        coefficients *= 4 * np.pi / n_pix
    return alm


def synthesis(alm: NDArray, nside: int) -> NDArray:
    """Transform a_ℓm (n_maps, n_alm) to RING maps (n_maps, n_pix)."""
    maps = np.empty((len(alm), 12 * nside**2))
    for coefficients, values in zip(alm, maps, strict=True):
        ducc0.sht.synthesis(
            alm=coefficients[None], map=values[None], **_geometry(nside)
        )
    return maps


@cache
def ell_of_alm(lmax: int) -> NDArray:
    """ℓ of every coefficient; those of m = 0 come first, then m = 1 …."""
    return np.concatenate([np.arange(m, lmax + 1) for m in range(lmax + 1)])


def spectra(alm: NDArray, lmax: int) -> NDArray:
    """Auto- and cross-spectra of a_ℓm (n_maps, n_alm), shape (n, n, lmax + 1)."""
    ell = ell_of_alm(lmax)
    n = len(alm)
    cl = np.empty((n, n, lmax + 1))
    for i in range(n):
        for j in range(i + 1):
            power = alm[i].real * alm[j].real + alm[i].imag * alm[j].imag
            power[lmax + 1 :] *= 2  # m < 0
            cl[i, j] = cl[j, i] = np.bincount(ell, power)
    return cl / (2 * np.arange(lmax + 1) + 1)


def covariance(alm: NDArray, lmax: int) -> NDArray:
    """Second moments over the sphere, Σ (2ℓ + 1) C_ℓ / 4π, shape (n_maps, n_maps)."""
    zonal = alm[:, : lmax + 1].real
    return (2 * (alm @ alm.conj().T).real - zonal @ zonal.T) / (4 * np.pi)
