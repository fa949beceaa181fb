"""Cosine modes of a patch: their number, and their spectra."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from numpy.polynomial.legendre import legval
from scipy.fft import dctn

from infoscope.theory.modes import Modes

SIDE, PIXELS = 0.4, 8


def test_all_modes_of_the_pixels_but_the_mean() -> None:
    modes = Modes.of(SIDE, PIXELS, lmax=1000)
    assert modes.degeneracy.sum() == PIXELS**2 - 1
    assert modes.ell.min() == pytest.approx(pi / SIDE)
    # up to half a wave per pixel, in both directions
    largest = pi / SIDE * (PIXELS - 1) * 2**0.5
    assert modes.ell.max() == pytest.approx(largest)


@pytest.mark.parametrize("lmax", [10, 30])
def test_modes_end_one_wave_beyond_the_band_limit(lmax: int) -> None:
    modes = Modes.of(SIDE, PIXELS, lmax)
    number = np.arange(PIXELS)
    ell = pi / SIDE * np.hypot(number[:, None], number)
    inside = (ell > 0) & (ell <= lmax + 2 * pi / SIDE)
    assert modes.degeneracy.sum() == inside.sum() < PIXELS**2 - 1


def test_spectra_are_variances_of_cosines_of_correlated_pixels() -> None:
    rng = np.random.default_rng(1)
    spectra = rng.uniform(1, 2, (40, 2, 2))
    modes = Modes.of(SIDE, PIXELS, 39)
    found = modes.spectra(spectra)

    place = SIDE / PIXELS * np.indices((PIXELS, PIXELS)).reshape(2, -1)
    square = ((place[:, :, None] - place[:, None]) ** 2).sum(axis=0)
    factor = (2 * np.arange(40) + 1) / (4 * pi)
    cosines = dctn(
        np.eye(PIXELS**2).reshape(-1, PIXELS, PIXELS), axes=(1, 2), norm="ortho"
    )
    for i, j in np.ndindex(2, 2):
        covariance = legval(1 - square / 2, factor * spectra[:, i, j])
        # pixel (k, l) is row 8 k + l, and so is cosine (m, n)
        basis = cosines.reshape(PIXELS**2, -1)
        variance = np.diag(basis.T @ covariance @ basis).reshape(PIXELS, PIXELS)
        expected = variance[tuple(modes.numbers.T)] * (SIDE / PIXELS) ** 2
        np.testing.assert_allclose(found[:, i, j], expected, rtol=1e-10)
    # derivatives are treated alike
    both = modes.spectra(np.stack([spectra, 2 * spectra]))
    np.testing.assert_allclose(both, np.stack([found, 2 * found]), rtol=1e-12)
