"""Convergence of Gaussian and lognormal matter, drawn shell by shell.

GLASS computes the spectra of the Gaussian fields. The maps are drawn here instead of by
GLASS, because one spherical transform per shell dominates the cost: ducc0 takes half of
healpy's time, and single precision halves the remaining cost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import ducc0
import glass
import numpy as np
from scipy.linalg.blas import sgemm

from infoscope.cosmology.matter import Matter
from infoscope.maps.harmonics import ell_of_alm
from infoscope.skies.shells import map_weights, shell_edges, shell_spectra
from infoscope.survey.survey import RedshiftDistribution

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Num
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

# Shells per matrix product, which reads and writes the maps only once.
SHELLS_AT_ONCE = 8
TOLERANCE = 1e-3


def skies(
    matter: Matter,
    nz: RedshiftDistribution,
    nside: int,
    generators: Sequence[np.random.Generator],
    shell_width_mpc: float,
    *,
    lognormal: bool,
) -> Iterator[Float32[NDArray, "1+n_order n_bins n_pix"]]:
    """Draw all skies from the same spectra; see `Simulator.skies`.

    Maps are band-limited at ℓ = 2 nside and have no pixel window.
    """
    edges = shell_edges(matter.background, nz, shell_width_mpc)
    spectra = shell_spectra(matter, edges, lmax=2 * nside)
    weights = map_weights(matter.background, nz, edges)
    if lognormal:
        spectra = [gaussian_spectrum(cl) for cl in spectra]
    for generator in generators:
        yield sum_of_shells(spectra, weights, nside, generator, lognormal)


def gaussian_spectrum(cl: Float[NDArray, " n_ell"]) -> Float[NDArray, " n_ell"]:
    """Spectrum of the Gaussian field whose lognormal transform has a given spectrum.

    The lognormal field has shift 1 and the spectrum `cl` within `TOLERANCE` (norm over
    ℓ). GLASS's default tolerance, 1e-5, and its padding take three times as long.
    """
    transform = glass.grf.Lognormal(1.0)
    gaussian, _, status = glass.grf.solve(
        cl, transform, pad=len(cl), cltol=TOLERANCE, monopole=0.0
    )
    if not status:
        log.warning("warning: the Gaussian spectrum of a shell did not converge")
    return gaussian


def sum_of_shells(
    spectra: Sequence[Float[NDArray, " n_ell"]],
    weights: Float[NDArray, "*maps n_shell"],
    nside: int,
    generator: np.random.Generator,
    lognormal: bool,
) -> Float32[NDArray, "*maps n_pix"]:
    """Draw the shells one by one and sum them.

    Parameters
    ----------
    spectra
        Spectrum of the Gaussian field of each shell.
    weights
        Weight of each shell in each map.
    nside
        HEALPix nside of the maps.
    generator
        Random number generator.
    lognormal
        Whether the overdensity of a shell is exp(g − σ² / 2) − 1 of the Gaussian field
        g instead of g itself.
    """
    flat = weights.reshape(-1, len(spectra)).astype(np.float32)
    maps = np.zeros((len(flat), 12 * nside**2), np.float32)
    block = np.empty((SHELLS_AT_ONCE, maps.shape[1]), np.float32)
    for first in range(0, len(spectra), SHELLS_AT_ONCE):
        block_spectra = spectra[first : first + SHELLS_AT_ONCE]
        for cl, shell in zip(block_spectra, block, strict=False):
            draw_gaussian(cl, nside, generator, out=shell)
            if lognormal:
                ell = np.arange(len(cl))
                shell -= (2 * ell + 1) @ cl / (8 * np.pi)
                np.expm1(shell, out=shell)
        # In place: `maps += weights @ block` would need temporary maps.
        n = len(block_spectra)
        block_weights = flat[:, first : first + n]
        sgemm(1, block[:n].T, block_weights.T, 1, maps.T, overwrite_c=True)
    return maps.reshape(*weights.shape[:-1], -1)


@cache
def _rings(nside: int) -> dict[str, Any]:
    """Positions of the pixels, for ducc0."""
    return ducc0.healpix.Healpix_Base(nside, "RING").sht_info()


def draw_gaussian(
    cl: Float[NDArray, " n_ell"],
    nside: int,
    generator: np.random.Generator,
    out: Num[NDArray, " n_pix"],
) -> None:
    """Draw a Gaussian map with a given spectrum into `out`, in single precision."""
    lmax = len(cl) - 1
    ell = ell_of_alm(lmax)
    normal = generator.standard_normal((len(ell), 2), np.float32)
    # Coefficients with m = 0 come first, and are real.
    normal[: lmax + 1] *= [np.sqrt(2), 0]
    normal *= np.sqrt(cl / 2).astype(np.float32)[ell, None]
    ducc0.sht.synthesis(
        alm=normal.view(np.complex64).reshape(1, -1),
        map=out[None],
        spin=0,
        lmax=lmax,
        nthreads=1,
        **_rings(nside),
    )
