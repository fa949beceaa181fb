"""Degradations: operations that remove one kind of information from a sky.

Each operation is a function of (sky, its parameters, a generator), registered for
its model in the config. Operations on the sphere work on RING maps, operations on
tiles on square images; `degrade` converts between the two only where needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import healpy
import numpy as np
from numpy.typing import NDArray

from infoscope import config
from infoscope.cosmology import comoving_distance_mpc
from infoscope.errors import InfoscopeError
from infoscope.survey import from_tiles, noise_sigma, to_tiles

Domain = Literal["sphere", "tile"]


@dataclass(frozen=True)
class Sky:
    """Maps of the tomographic bins, and what operations must know of them.

    Attributes
    ----------
    maps
        (n_bins, n_pix) in RING order, or (n_tile, n_bins, side, side).
    n_gal_arcmin2, chi_mpc_h
        Galaxy density and comoving distance at the mean redshift, shape (n_bins,).
    """

    maps: NDArray
    n_gal_arcmin2: NDArray
    chi_mpc_h: NDArray


Apply = Callable[[Sky, Any, np.random.Generator], Sky]
REGISTRY: dict[type[config.Operation], tuple[Domain, Apply]] = {}


def operation(
    model: type[config.Operation], domain: Domain
) -> Callable[[Apply], Apply]:
    """Register a function as the operation that a config model describes."""

    def register(apply: Apply) -> Apply:
        REGISTRY[model] = (domain, apply)
        return apply

    return register


def mean_distance_mpc_h(mean_z: NDArray, omega_m: float, h: float) -> NDArray:
    """Comoving distance in Mpc/h at the mean redshift of each bin."""
    return h * comoving_distance_mpc(mean_z, omega_m, h)


def fwhm_of_scale(
    scale_mpc_h: float | None, ell: float | None, chi_mpc_h: NDArray
) -> NDArray:
    """FWHM in radians of each bin: R / χ(⟨z⟩) of a length, π / ℓ of a multipole."""
    if scale_mpc_h is not None:
        return scale_mpc_h / chi_mpc_h
    assert ell is not None
    return np.full(len(chi_mpc_h), np.pi / ell)


def gaussian_lowpass(maps: NDArray, fwhm: NDArray) -> NDArray:
    """Convolve RING maps (n_bins, n_pix) with a Gaussian beam of each bin's FWHM."""
    nside = healpy.npix2nside(maps.shape[1])
    lmax = 3 * nside - 1
    smoothed = np.empty_like(maps)
    for b, (values, width) in enumerate(zip(maps, fwhm, strict=True)):
        alm = healpy.map2alm(values, lmax=lmax, iter=1, pol=False)
        beam = healpy.gauss_beam(width, lmax=lmax)
        smoothed[b] = healpy.alm2map(
            healpy.almxfl(alm, beam), nside, lmax=lmax, pol=False
        )
    return smoothed


@operation(config.LowPass, "sphere")
def lowpass(sky: Sky, p: config.LowPass, rng: np.random.Generator) -> Sky:
    """Remove scales smaller than the given one."""
    fwhm = fwhm_of_scale(p.scale_mpc_h, p.ell, sky.chi_mpc_h)
    return replace(sky, maps=gaussian_lowpass(sky.maps, fwhm))


@operation(config.HighPass, "sphere")
def highpass(sky: Sky, p: config.HighPass, rng: np.random.Generator) -> Sky:
    """Remove scales larger than the given one."""
    fwhm = fwhm_of_scale(p.scale_mpc_h, p.ell, sky.chi_mpc_h)
    return replace(sky, maps=sky.maps - gaussian_lowpass(sky.maps, fwhm))


@operation(config.BandPass, "sphere")
def bandpass(sky: Sky, p: config.BandPass, rng: np.random.Generator) -> Sky:
    """Keep scales between two: the difference of two low-passes."""
    if p.scale_mpc_h is not None:
        small, large = (fwhm_of_scale(r, None, sky.chi_mpc_h) for r in p.scale_mpc_h)
    else:
        assert p.ell is not None
        large, small = (fwhm_of_scale(None, ell, sky.chi_mpc_h) for ell in p.ell)
    band = gaussian_lowpass(sky.maps, small) - gaussian_lowpass(sky.maps, large)
    return replace(sky, maps=band)


@operation(config.KeepConvergence, "sphere")
def keep_convergence(
    sky: Sky, p: config.KeepConvergence, rng: np.random.Generator
) -> Sky:
    """Keep pixels whose convergence lies in a union of ranges, bin by bin.

    Not linear: it does not commute with noise.
    """
    maps = sky.maps
    keep = np.zeros(maps.shape, bool)
    sigma = maps.std(axis=1, keepdims=True)
    for low, high in p.ranges:
        if p.by == "sigma":
            lower = -np.inf if low is None else low * sigma
            upper = np.inf if high is None else high * sigma
        else:
            lower = np.quantile(maps, low or 0.0, axis=1, keepdims=True)
            upper = (
                np.inf
                if high is None
                else np.quantile(maps, high, axis=1, keepdims=True)
            )
        keep |= (maps >= lower) & (maps < upper)
    if not keep.any(axis=1).all():
        raise InfoscopeError(
            f"keep_convergence: ranges {p.ranges} keep no pixel of a bin; widen them"
        )
    return replace(sky, maps=np.where(keep, maps, p.fill))


@operation(config.ShufflePixels, "tile")
def shuffle_pixels(sky: Sky, p: config.ShufflePixels, rng: np.random.Generator) -> Sky:
    """Permute the pixels of each tile, all bins alike or each on its own."""
    n_tile, n_bins, side, _ = sky.maps.shape
    pixels = sky.maps.reshape(n_tile, n_bins, side**2)
    rows = n_bins if p.across_bins == "independent" else 1
    order = rng.permuted(
        np.broadcast_to(np.arange(side**2), (n_tile, rows, side**2)), axis=2
    )
    shuffled = np.take_along_axis(pixels, np.broadcast_to(order, pixels.shape), axis=2)
    return replace(sky, maps=shuffled.reshape(sky.maps.shape))


@operation(config.SumBins, "sphere")
def sum_bins(sky: Sky, p: config.SumBins, rng: np.random.Generator) -> Sky:
    """Average the bins by number of galaxies: a survey without redshifts.

    Its distance, for filters that follow, is the mean of those of the bins.
    """
    weight = sky.n_gal_arcmin2 / sky.n_gal_arcmin2.sum()
    return Sky(
        maps=weight[None] @ sky.maps,
        n_gal_arcmin2=sky.n_gal_arcmin2.sum(keepdims=True),
        chi_mpc_h=(weight @ sky.chi_mpc_h)[None],
    )


@operation(config.RandomizePhases, "sphere")
def randomize_phases(
    sky: Sky, p: config.RandomizePhases, rng: np.random.Generator
) -> Sky:
    """Multiply a_ℓm of all bins by one random phase.

    Auto- and cross-spectra of the a_ℓm survive exactly, those measured on the new
    map to the accuracy of the transforms (0.5 % at ℓ = 2 nside). A quarter of what
    pixels can hold lies beyond ℓ = 3 nside - 1, where there is noise only: it is
    replaced by Gaussian noise of the same variance, because dropping it would make
    a survey of lower noise.
    """
    nside = healpy.npix2nside(sky.maps.shape[1])
    lmax = 3 * nside - 1
    phase = np.exp(2j * np.pi * rng.random(healpy.Alm.getsize(lmax)))
    # m = 0 coefficients come first and are real: only their sign is free
    phase[: lmax + 1] = rng.choice([-1.0, 1.0], lmax + 1)

    def harmonics(values: NDArray) -> NDArray:
        return healpy.map2alm(values, lmax=lmax, iter=1, pol=False)

    def synthesis(alm: NDArray) -> NDArray:
        return healpy.alm2map(alm, nside, lmax=lmax, pol=False)

    maps = np.empty_like(sky.maps)
    for b, values in enumerate(sky.maps):
        alm = harmonics(values)
        beyond = (values - synthesis(alm)).std()
        noise = rng.standard_normal(values.size)
        noise -= synthesis(harmonics(noise))
        maps[b] = synthesis(phase * alm) + beyond / noise.std() * noise
    return replace(sky, maps=maps)


def add_noise(
    sky: Sky, sigma_e: float, domain: Domain, tile_nside: int, rng: np.random.Generator
) -> Sky:
    """Add white shape noise, σ_e / √(n_gal A_pix) a pixel."""
    if domain == "sphere":
        nside = healpy.npix2nside(sky.maps.shape[1])
        sigma = noise_sigma(sigma_e, sky.n_gal_arcmin2, nside)[:, None]
    else:
        nside = sky.maps.shape[-1] * tile_nside
        sigma = noise_sigma(sigma_e, sky.n_gal_arcmin2, nside)[:, None, None]
    return replace(sky, maps=sky.maps + sigma * rng.standard_normal(sky.maps.shape))


def degrade(
    sky: Sky,
    operations: Sequence[config.Operation],
    noise: config.NoiseOrder,
    sigma_e: float,
    tile_nside: int,
    noise_rng: np.random.Generator,
    rng: np.random.Generator,
) -> NDArray:
    """Apply operations to a sky and cut it into tiles.

    Parameters
    ----------
    sky
        Noiseless maps on the sphere.
    operations
        In order, those of the survey first.
    noise
        Whether noise comes before or after the operations, or not at all.
    sigma_e
        Shape noise of a galaxy.
    tile_nside
        nside of the tiles.
    noise_rng, rng
        Generators of the noise (the same for every degradation) and of operations.

    Returns
    -------
        Tiles (n_tile, side, side, n_bins), float32, each bin of zero mean.
    """
    domain: Domain = "sphere"
    if noise == "before":
        sky = add_noise(sky, sigma_e, domain, tile_nside, noise_rng)
    for parameters in operations:
        wanted, apply = REGISTRY[type(parameters)]
        sky, domain = _converted(sky, domain, wanted, tile_nside), wanted
        sky = apply(sky, parameters, rng)
    if noise == "after":
        sky = add_noise(sky, sigma_e, domain, tile_nside, noise_rng)
    tiles = _converted(sky, domain, "tile", tile_nside).maps
    # the mean convergence of a patch is not observable
    tiles = tiles - tiles.mean(axis=(2, 3), keepdims=True)
    return np.ascontiguousarray(np.moveaxis(tiles, 1, -1), np.float32)


def _converted(sky: Sky, domain: Domain, wanted: Domain, tile_nside: int) -> Sky:
    if domain == wanted:
        return sky
    convert = to_tiles if wanted == "tile" else from_tiles
    return replace(sky, maps=convert(sky.maps, tile_nside))
