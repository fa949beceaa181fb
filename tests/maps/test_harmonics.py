"""Transforms and spectra agree with healpy."""

from __future__ import annotations

import healpy
import numpy as np
import pytest

from infoscope.maps import harmonics

NSIDE = 32
LMAX = 3 * NSIDE - 1


@pytest.fixture
def white() -> np.ndarray:
    """White noise, which contains all modes of the pixels."""
    return np.random.default_rng(5).standard_normal((2, 12 * NSIDE**2))


def test_transforms_are_those_of_healpy(white: np.ndarray) -> None:
    alm = harmonics.analysis(white)
    maps = harmonics.synthesis(alm, NSIDE)
    for values, coefficients, back in zip(white, alm, maps, strict=True):
        expected = healpy.map2alm(values, lmax=LMAX, iter=0, pol=False)
        assert np.allclose(coefficients, expected, atol=1e-12)
        assert np.allclose(back, healpy.alm2map(expected, NSIDE, lmax=LMAX, pol=False))


@pytest.mark.parametrize("lmax", [20, NSIDE])
def test_analysis_may_end_earlier_and_be_in_single_precision(
    white: np.ndarray, lmax: int
) -> None:
    expected = healpy.map2alm(white[0], lmax=lmax, iter=0, pol=False)
    assert np.allclose(harmonics.analysis(white, lmax)[0], expected, atol=1e-12)
    single = harmonics.analysis(white.astype(np.float32), lmax)[0]
    assert single.dtype == np.complex64
    assert np.allclose(single, expected, atol=1e-5 * np.abs(expected).max())


def test_ell_of_alm_is_that_of_healpy() -> None:
    assert np.array_equal(harmonics.ell_of_alm(LMAX), healpy.Alm.getlm(LMAX)[0])


def test_spectra_are_those_of_healpy(white: np.ndarray) -> None:
    alm = harmonics.analysis(white)
    cl = harmonics.spectra(alm, LMAX)
    for i in range(2):
        for j in range(2):
            expected = healpy.alm2cl(alm[i], alm[j], lmax=LMAX)
            assert np.allclose(cl[i, j], expected, atol=1e-15)
