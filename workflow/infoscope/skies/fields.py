"""Convergence of Gaussian and lognormal matter, drawn shell by shell.

GLASS finds the spectra of the Gaussian fields; drawing is here because one spherical
transform a shell is all that a sky has to cost: ducc0 takes half of healpy's time, and
single precision halves what is left beside the transforms.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import ducc0
import glass
import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import sgemm

from infoscope.cosmology.matter import Matter
from infoscope.maps.harmonics import ell_of_alm
from infoscope.skies.shells import map_weights, shell_edges, shell_spectra
from infoscope.survey.survey import RedshiftDistribution

log = logging.getLogger(__name__)

# Sums over so many shells are one matrix product, and read and write the maps once.
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
) -> Iterator[NDArray]:
    """Draw all skies from the same spectra; see `Simulator.skies`.

    Maps are band-limited at ℓ = 2 nside, without a pixel window.
    """
    edges = shell_edges(matter.background, nz, shell_width_mpc)
    spectra = shell_spectra(matter, edges, lmax=2 * nside)
    weights = map_weights(matter.background, nz, edges)
    if lognormal:
        spectra = [gaussian_spectrum(cl) for cl in spectra]
    for generator in generators:
        yield sum_of_shells(spectra, weights, nside, generator, lognormal)


def gaussian_spectrum(cl: NDArray) -> NDArray:
    """Spectrum of the Gaussian field that is behind a lognormal one of shift 1.

    That one has the spectrum `cl` within `TOLERANCE` (norm over ℓ); a third of the time
    of GLASS's own tolerance, 1e-5, and of its padding.
    """
    shift = glass.grf.Lognormal(1.0)
    solved: NDArray
    solved, _, status = glass.grf.solve(
        cl, shift, pad=len(cl), cltol=TOLERANCE, monopole=0.0
    )
    if not status:
        log.warning("warning: the Gaussian spectrum of a shell did not converge")
    return solved


def sum_of_shells(
    spectra: Sequence[NDArray],
    weights: NDArray,
    nside: int,
    generator: np.random.Generator,
    lognormal: bool,
) -> NDArray:
    """Draw shell after shell and sum them.

    Parameters
    ----------
    spectra
        Spectrum (lmax + 1,) of the Gaussian field of each shell.
    weights
        Shape (…, n_shell).
    nside
        Resolution.
    generator
        Source of randomness.
    lognormal
        Whether the matter of a shell is exp(g − σ² / 2) − 1 of a Gaussian field g, or g
        itself.

    Returns
    -------
        Maps (…, 12 nside²), single precision.
    """
    flat = weights.reshape(-1, len(spectra)).astype(np.float32)
    maps = np.zeros((len(flat), 12 * nside**2), np.float32)
    block = np.empty((SHELLS_AT_ONCE, maps.shape[1]), np.float32)
    for first in range(0, len(spectra), SHELLS_AT_ONCE):
        part = spectra[first : first + SHELLS_AT_ONCE]
        for cl, shell in zip(part, block, strict=False):
            draw_gaussian(cl, nside, generator, out=shell)
            if lognormal:
                ell = np.arange(len(cl))
                shell -= (2 * ell + 1) @ cl / (8 * np.pi)
                np.expm1(shell, out=shell)
        # in place, without the temporary maps of `maps += weights @ block`
        chosen = flat[:, first : first + len(part)]
        sgemm(1, block[: len(part)].T, chosen.T, 1, maps.T, overwrite_c=True)
    return maps.reshape(*weights.shape[:-1], -1)


@cache
def _rings(nside: int) -> dict[str, Any]:
    """Where the pixels are, for ducc0."""
    found: dict[str, Any] = ducc0.healpix.Healpix_Base(nside, "RING").sht_info()
    return found


def draw_gaussian(
    cl: NDArray, nside: int, generator: np.random.Generator, out: NDArray
) -> None:
    """Draw a Gaussian map with spectrum (lmax + 1,) into `out`, single precision."""
    lmax = len(cl) - 1
    ell = ell_of_alm(lmax)
    normal = generator.standard_normal((len(ell), 2), np.float32)
    # m = 0, which comes first, is real
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
