"""Statistics of skies with random phases, and of skies with flat spectra."""

from __future__ import annotations

import numpy as np
import pytest

from infoscope.degradations.operation import Sky
from infoscope.maps import harmonics

from ..conftest import NSIDE

LMAX = 3 * NSIDE - 1


def spectra(sky: Sky) -> np.ndarray:
    return harmonics.spectra(sky.to("harmonic").alm, LMAX)


def skewness(maps: np.ndarray) -> np.ndarray:
    x = maps - maps.mean(axis=1, keepdims=True)
    return (x**3).mean(axis=1) / x.std(axis=1) ** 3


def equilateral_bispectrum(sky: Sky) -> float:
    """Return ⟨κ³⟩ / σ³ of the first bin in a band of multipoles."""
    ell = harmonics.ell_of_alm(LMAX)
    alm = np.where((ell >= 10) & (ell < 20), sky.to("harmonic").alm[:1], 0)
    band = harmonics.synthesis(alm, NSIDE)[0]
    return float((band**3).mean() / band.std() ** 3)


@pytest.fixture
def lognormal(sky: Sky) -> Sky:
    return Sky(np.exp(sky.maps), sky.survey)


def test_random_phases_keep_all_spectra_exactly(lognormal, apply) -> None:
    out = apply(lognormal, to="harmonic", operation="randomize_phases")
    assert np.allclose(spectra(out), spectra(lognormal), rtol=1e-13)
    assert np.iscomplexobj(out.alm) and not out.alm[:, : LMAX + 1].imag.any()


def test_random_phases_keep_the_spectra_of_the_map(lognormal, apply) -> None:
    out = apply(lognormal, operation="randomize_phases")
    before, after = spectra(lognormal), spectra(out)
    # pixels do not hold modes near 2 nside and beyond exactly
    bands = [x[..., 1 : 1 + 7 * 8].reshape(2, 2, 7, 8).sum(-1) for x in (before, after)]
    assert np.allclose(bands[0], bands[1], rtol=0.01)
    x, y = lognormal.maps[0], out.maps[0]
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.2


def test_random_phases_remove_skewness_and_bispectrum(lognormal, apply) -> None:
    assert (skewness(lognormal.maps) > 1).all()
    # the scatter of Gaussian skies with these spectra: other phases
    skies = [
        apply(lognormal, seed=seed, operation="randomize_phases") for seed in range(24)
    ]
    drawn = np.array([skewness(out.maps)[0] for out in skies])
    assert abs(drawn.mean()) < 4 * drawn.std() / len(drawn) ** 0.5
    assert drawn.std() < 0.1 * skewness(lognormal.maps)[0]
    bispectra = np.array([equilateral_bispectrum(out) for out in skies])
    assert abs(bispectra.mean()) < 4 * bispectra.std() / len(bispectra) ** 0.5
    assert equilateral_bispectrum(lognormal) > 3 * bispectra.std()


def test_random_phases_keep_the_noise_of_a_survey(white, apply) -> None:
    mixed = Sky(np.array([[1.0, 0.0], [0.5, 1.0]]) @ white.maps, white.survey)
    out = apply(mixed, operation="randomize_phases").maps
    assert np.cov(out) == pytest.approx(np.cov(mixed.maps), rel=0.03)
    for maps in (out, mixed.maps):
        power = spectra(Sky(maps, white.survey))[0, 0, 10:]
        assert power.mean() == pytest.approx(4 * np.pi / maps.shape[1], rel=0.05)


def test_flat_spectra_are_one_and_cross_spectra_vanish(lognormal, apply) -> None:
    noise = np.random.default_rng(2).standard_normal(lognormal.maps.shape)
    noisy = Sky(lognormal.maps + 0.3 * noise, lognormal.survey)
    flat = apply(noisy, to="harmonic", operation="flatten_spectrum")
    cl = spectra(flat)[..., 1:]
    assert np.allclose(cl, np.eye(2)[..., None], atol=1e-10)
    # the rest, beyond the band limit, is white at the same level
    maps = flat.to("sphere").maps
    assert maps.var(axis=1) == pytest.approx(
        [maps.shape[1] / (4 * np.pi)] * 2, rel=0.03
    )


def test_flat_spectra_keep_phases(lognormal, apply) -> None:
    one = apply(lognormal, operation="select_bins", bins=[1])
    flat = apply(one, to="harmonic", operation="flatten_spectrum")
    before = one.to("harmonic").alm
    turned = flat.alm * before.conj()
    assert (turned.real > 0).all() and np.allclose(turned.imag, 0, atol=1e-9)
    cl = spectra(one)[0, 0, 1:]
    assert cl.max() > 10 * cl.min()
    # non-Gaussian structure remains
    assert skewness(flat.to("sphere").maps)[0] > 0.02


def test_flat_spectra_follow_a_template(white, apply) -> None:
    points = [[10, 1e-8], [40, 1e-9]]
    flat = apply(white, to="harmonic", operation="flatten_spectrum", template=points)
    cl = spectra(flat)[0, 0]
    assert cl[[5, 10, 20, 40, 80]] == pytest.approx(
        [1e-8, 1e-8, 1e-8 * 10**-0.5, 1e-9, 1e-9]
    )


def test_flat_spectra_of_a_smooth_sky_stay_finite(sky, apply) -> None:
    smooth = apply(sky, operation="lowpass", ell=20, profile="tophat")
    out = apply(smooth, operation="flatten_spectrum").maps
    assert np.isfinite(out).all()
