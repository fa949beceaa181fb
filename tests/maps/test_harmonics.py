"""Transforms agree with healpy, and a sky survives every conversion."""

from __future__ import annotations

import healpy
import numpy as np
import pytest

from infoscope.degradations.operation import Sky
from infoscope.maps import harmonics

from ..conftest import NSIDE

LMAX = 3 * NSIDE - 1


def test_transforms_are_those_of_healpy(white: Sky) -> None:
    alm = harmonics.analysis(white.maps)
    maps = harmonics.synthesis(alm, NSIDE)
    for values, coefficients, back in zip(white.maps, alm, maps, strict=True):
        expected = healpy.map2alm(values, lmax=LMAX, iter=0, pol=False)
        assert np.allclose(coefficients, expected, atol=1e-12)
        assert np.allclose(back, healpy.alm2map(expected, NSIDE, lmax=LMAX, pol=False))


def test_ell_of_alm_is_that_of_healpy() -> None:
    assert np.array_equal(harmonics.ell_of_alm(LMAX), healpy.Alm.getlm(LMAX)[0])


def test_spectra_are_those_of_healpy(white: Sky) -> None:
    alm = harmonics.analysis(white.maps)
    cl = harmonics.spectra(alm, LMAX)
    for i in range(2):
        for j in range(2):
            expected = healpy.alm2cl(alm[i], alm[j], lmax=LMAX)
            assert np.allclose(cl[i, j], expected, atol=1e-15)
    weights = (2 * np.arange(LMAX + 1) + 1) / (4 * np.pi)
    assert np.allclose(harmonics.covariance(alm, LMAX), cl @ weights)


@pytest.mark.parametrize("domain", ["tile", "harmonic"])
def test_sky_survives_the_way_there_and_back(white: Sky, domain) -> None:
    there = white.to(domain)
    assert there.domain == domain
    assert np.allclose(there.to("sphere").maps, white.maps, atol=1e-12)


def test_sky_stays_where_it_may(white: Sky) -> None:
    tiles = white.to("tile")
    assert tiles.to("sphere", "tile") is tiles
    assert tiles.to("harmonic").domain == "harmonic"


def test_variance_beyond_the_band_limit_is_its_share_of_the_modes(white: Sky) -> None:
    beyond = white.to("harmonic").covariance_beyond()
    share = 1 - (LMAX + 1) ** 2 / (12 * NSIDE**2)
    assert np.diag(beyond) == pytest.approx([share, share], rel=0.05)
    assert abs(beyond[0, 1]) < 0.02
