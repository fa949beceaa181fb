"""Patches have equal areas, one orientation and all modes up to their limit."""

from __future__ import annotations

import healpy
import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from scipy.special import sph_harm_y

from infoscope.maps.patches import band_limit, centres, cut, directions

GEOMETRIES = [(2, 24, 9), (5, 64, 3), (29.3, 32, 48), (40, 16, 25)]
NSIDE = 64


def vectors(places: np.ndarray) -> np.ndarray:
    colatitude, longitude = np.moveaxis(places, -1, 0)
    ring = np.sin(colatitude)
    components = ring * np.cos(longitude), ring * np.sin(longitude), np.cos(colatitude)
    return np.stack(components, axis=-1)


def triangle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the area of spherical triangles, their excess."""
    volume = np.abs((a * np.cross(b, c)).sum(-1))
    cosines = (a * b).sum(-1), (b * c).sum(-1), (c * a).sum(-1)
    return 2 * np.arctan2(volume, 1 + np.add.reduce(cosines))


@pytest.mark.parametrize(("side_deg", "pixels", "number"), GEOMETRIES)
def test_pixels_have_equal_areas(side_deg, pixels, number) -> None:
    # centres of these pixels are the corners of those
    wider = side_deg * (pixels + 1) / pixels
    corner = vectors(directions(wider, pixels + 1, number))
    a, b = corner[:, :-1, :-1], corner[:, 1:, :-1]
    c, d = corner[:, 1:, 1:], corner[:, :-1, 1:]
    area = triangle(a, b, c) + triangle(a, c, d)
    assert area.shape == (number, pixels, pixels)
    expected = np.radians(side_deg / pixels) ** 2
    # sides of pixels are not great circles
    assert area == pytest.approx(expected, rel=3e-4)
    assert area.sum(axis=(1, 2)) == pytest.approx(np.radians(side_deg) ** 2, rel=3e-4)


@pytest.mark.parametrize(("side_deg", "pixels", "number"), GEOMETRIES)
def test_first_axis_is_north_and_second_is_east_at_any_latitude(
    side_deg, pixels, number
) -> None:
    """Distances and position angles from the centres are those of astropy."""
    centre, pixel = (
        SkyCoord(places[..., 1], np.pi / 2 - places[..., 0], unit=units.rad)
        for places in (
            centres(number)[:, None, None],
            directions(side_deg, pixels, number),
        )
    )
    offset = np.radians(side_deg) * ((np.arange(pixels) + 0.5) / pixels - 0.5)
    north, east = np.meshgrid(offset, offset, indexing="ij")
    distance = 2 * np.arcsin(np.hypot(north, east) / 2)
    for found, expected in (
        (centre.separation(pixel).rad, distance),
        (centre.position_angle(pixel).rad, np.arctan2(east, north) % (2 * np.pi)),
    ):
        assert found == pytest.approx(np.broadcast_to(expected, found.shape), abs=1e-9)


@pytest.mark.parametrize("number", [1, 2, 48, 1650])
def test_centres_are_spread_evenly(number: int) -> None:
    places = centres(number)
    # as many patches in any belt of latitude as its area requires
    found = np.sort(np.cos(places[:, 0]))
    assert found == pytest.approx((2 * np.arange(number) + 1) / number - 1)
    assert ((places[:, 1] >= 0) & (places[:, 1] < 2 * np.pi)).all()
    if number > 2:
        cosines = vectors(places) @ vectors(places).T
        np.fill_diagonal(cosines, -1)
        nearest = np.arccos(cosines.max(axis=1))
        # a square lattice would have a spacing of √(4π / number)
        assert nearest.min() > 0.75 * np.sqrt(4 * np.pi / number)


def gaussian_alm(cl: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    lmax = len(cl) - 1
    ell, m = healpy.Alm.getlm(lmax)
    draws = rng.standard_normal((2, len(ell)))
    alm = np.where(m, (draws[0] + 1j * draws[1]) / np.sqrt(2), draws[0])
    return alm * np.sqrt(cl[ell])


def check(patches: np.ndarray, expected: np.ndarray, colatitude: np.ndarray) -> None:
    """Check values, which the quadrature of HEALPix makes less exact at the poles."""
    error = np.abs(patches - expected) / expected.std()
    assert error[np.sin(colatitude) > np.sin(np.radians(10))].max() < 0.015
    assert np.sqrt((error**2).mean()) < 0.005
    assert error.max() < 0.4


@pytest.mark.parametrize(("side_deg", "pixels", "number"), GEOMETRIES)
def test_cut_of_few_modes_is_the_sum_of_their_harmonics(
    side_deg, pixels, number
) -> None:
    """A monopole, a dipole and modes at ℓ = 20 have the values of scipy's harmonics."""
    modes = {(0, 0): 2.0, (1, 0): 1.0, (20, 0): 0.5, (20, 7): 1 - 2j, (20, 20): 1j}
    alm = np.zeros(healpy.Alm.getsize(24), complex)
    for (ell, m), value in modes.items():
        alm[healpy.Alm.getidx(24, ell, m)] = value
    kappa = healpy.alm2map(alm, NSIDE, pol=False)
    patches = cut(np.stack([kappa, -3 * kappa]), side_deg, pixels, number)
    colatitude, longitude = np.moveaxis(directions(side_deg, pixels, number), -1, 0)
    expected = sum(
        (1 if m == 0 else 2) * (value * sph_harm_y(ell, m, colatitude, longitude)).real
        for (ell, m), value in modes.items()
    )
    assert patches.dtype == np.float32
    check(patches[0], expected, colatitude)
    check(patches[1], -3 * expected, colatitude)


def test_dipole_is_the_cosine_of_the_colatitude() -> None:
    kappa = healpy.pix2vec(NSIDE, np.arange(12 * NSIDE**2))[2]
    colatitude = directions(29.3, 32, 48)[..., 0]
    check(cut(kappa[None], 29.3, 32, 48)[0], np.cos(colatitude), colatitude)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_cut_of_all_modes_is_the_exact_synthesis(precision) -> None:
    """The error of a map with ℓ ≤ 2 nside is 10⁻⁶ of its power up to there."""
    nside, geometry = 32, (29.3, 16, 48)
    lmax = 2 * nside
    ell = np.arange(lmax + 1)
    alm = gaussian_alm(1 / (ell + 20.0) ** 2, seed=1)
    kappa = healpy.alm2map(alm, nside, pol=False).astype(precision)
    patches = cut(kappa[None], *geometry)[0, ::8]
    places = directions(*geometry)[::8].reshape(-1, 2)
    exact = np.zeros(len(places))
    for m in range(lmax + 1):
        orders = np.arange(m, lmax + 1)
        first = healpy.Alm.getidx(lmax, m, m)
        weights = alm[first : first + len(orders)] * (1 if m == 0 else 2)
        exact += (weights @ sph_harm_y(orders[:, None], m, *places.T)).real
    exact = exact.reshape(patches.shape)
    error = patches - exact
    assert error.std() < 0.02 * exact.std()
    # most of the error is beyond 2 nside, where the map has no power
    low = wavenumbers(*geometry[:2]) < 1.7 * nside
    power, signal = (
        np.median(spectra_2d(values, geometry[0]), axis=0)[low]
        for values in (error, exact)
    )
    assert power.sum() < 3e-6 * signal.sum()


def wavenumbers(side_deg: float, pixels: int) -> np.ndarray:
    k = 2 * np.pi * np.fft.fftfreq(pixels, np.radians(side_deg) / pixels)
    return np.hypot(*np.meshgrid(k, k))


def spectra_2d(patches: np.ndarray, side_deg: float) -> np.ndarray:
    """Return the power per steradian of every mode, under a Hann window."""
    pixels = patches.shape[-1]
    hann = 1 - np.cos(2 * np.pi * (np.arange(pixels) + 0.5) / pixels)
    window = np.outer(hann, hann)
    window /= np.sqrt((window**2).mean())
    power = np.abs(np.fft.fft2(patches * window)) ** 2 / pixels**2
    return power * np.radians(side_deg / pixels) ** 2


def drawn(cl: np.ndarray, nside: int, seed: int = 2) -> np.ndarray:
    return healpy.alm2map(gaussian_alm(cl, seed), nside, pol=False)[None]


@pytest.mark.parametrize(
    ("side_deg", "pixels", "number", "nside"),
    [(2, 16, 2000, 512), (5, 16, 800, 256), (29.3, 32, 48, 64), (40, 32, 25, 64)],
)
@pytest.mark.parametrize("slope", [0, -2])
def test_spectrum_of_patches_is_that_of_the_map(
    side_deg, pixels, number, nside, slope
) -> None:
    limit = min(band_limit(nside, side_deg, pixels), 2 * nside)
    ell = np.arange(limit + 1)
    cl = (ell + 30.0) ** slope
    patches = cut(drawn(cl, nside), side_deg, pixels, number)[0]
    power = spectra_2d(patches, side_deg).mean(axis=0)
    k, resolution = wavenumbers(side_deg, pixels), 360 / side_deg
    edges = np.linspace(2.5 * resolution, limit - 2 * resolution, 4)
    for low, high in zip(edges, edges[1:], strict=False):
        inside = (k >= low) & (k < high)
        expected = (k[inside] + 30) ** slope
        # modes of overlapping windows are correlated, and k is not exactly ℓ
        error = 4 * np.sqrt(4 / inside.sum() / number) + 0.03
        assert (power[inside] / expected).mean() == pytest.approx(1, abs=error)


@pytest.mark.parametrize(
    ("side_deg", "pixels", "number"), [(10, 8, 100), (29.3, 32, 48), (40, 16, 25)]
)
def test_power_beyond_the_band_limit_does_not_alias(side_deg, pixels, number) -> None:
    """Modes that pixels cannot resolve leave 10⁻³ of their variance, others stay."""
    nside = 128
    limit = band_limit(nside, side_deg, pixels)
    cl = np.zeros(2 * nside + 1)
    cl[limit + 1 :] = 1
    kappa = drawn(cl, nside)
    patches = cut(kappa, side_deg, pixels, number)
    assert patches.var() < 1e-3 * kappa.var()
    # the highest modes that are kept stay where they are on the plane
    cl = np.zeros(2 * nside + 1)
    cl[int(0.85 * limit) : int(0.9 * limit)] = 1
    patches = cut(drawn(cl, nside), side_deg, pixels, number)[0]
    power = spectra_2d(patches, side_deg).mean(axis=0)
    k, resolution = wavenumbers(side_deg, pixels), 360 / side_deg
    elsewhere = (k < 0.85 * limit - 2 * resolution) | (k > 0.9 * limit + 3 * resolution)
    assert power[elsewhere].sum() < 1e-2 * power.sum()


def test_constant_is_kept_everywhere() -> None:
    """Also at the poles, however large it is beside the variations of the map."""
    maps = np.random.default_rng(6).normal(0, 1e-3, (1, 12 * NSIDE**2))
    patches = cut(maps, 29.3, 32, 48)
    assert cut(maps + 1, 29.3, 32, 48) - 1 == pytest.approx(patches, abs=2e-7)
    assert cut(np.ones_like(maps), 29.3, 32, 48) == pytest.approx(1, abs=1e-7)


def test_maps_are_cut_independently() -> None:
    rng = np.random.default_rng(4)
    maps = rng.standard_normal((3, 12 * NSIDE**2)).astype(np.float32)
    together = cut(maps, 10, 12, 30)
    for index in range(3):
        assert np.array_equal(cut(maps[[index]], 10, 12, 30)[0], together[index])
