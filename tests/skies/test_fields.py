"""Gaussian and lognormal shells, and their weighted sums."""

from __future__ import annotations

import glass
import healpy
import numpy as np
import pytest

from infoscope.skies import fields
from infoscope.skies.fields import (
    SHELLS_AT_ONCE,
    draw_gaussian,
    gaussian_spectrum,
    sum_of_shells,
)

NSIDE = 32
LMAX = 2 * NSIDE
CL = np.append(0, 3e-3 * np.arange(1, LMAX + 1) ** -0.7)


@pytest.mark.parametrize("lognormal", [False, True])
def test_sums_are_those_of_the_shells(lognormal: bool) -> None:
    """Unit weights select single shells, also across blocks of shells."""
    n_shell = SHELLS_AT_ONCE + 3
    spectra = [(i + 1) * CL for i in range(n_shell)]
    weights = np.random.default_rng(1).standard_normal((2, 3, n_shell))

    def draw(weights: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(7)
        return sum_of_shells(spectra, weights, NSIDE, rng, lognormal)

    shells = draw(np.eye(n_shell))
    assert shells.shape == (n_shell, 12 * NSIDE**2)
    np.testing.assert_allclose(
        draw(weights),
        np.tensordot(weights, shells, 1),
        atol=1e-5 * np.abs(shells).max(),
    )


def test_gaussian_maps_have_their_spectrum() -> None:
    """All multipoles agree within the scatter of 2 ℓ + 1 modes of 20 maps."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(20):
        out = np.empty(12 * NSIDE**2, np.float32)
        draw_gaussian(CL, NSIDE, rng, out)
        found.append(healpy.anafast(out.astype(float), lmax=LMAX, iter=3))
    ell = np.arange(2, LMAX - 2)
    ratio = np.mean(found, axis=0)[ell] / CL[ell]
    pull = (ratio - 1) / np.sqrt(2 / (2 * ell + 1) / 20)
    assert np.abs(pull).max() < 4
    assert abs(pull.mean()) < 4 / len(ell) ** 0.5
    assert pull.std() == pytest.approx(1, abs=0.3)


def test_lognormal_maps_have_the_moments_of_lognormals_and_those_of_glass() -> None:
    """The mean is 0, the variance s = Σ (2 ℓ + 1) C_ℓ / 4π, the skewness s³ + 3 s²."""
    gaussian = gaussian_spectrum(CL)
    ell = np.arange(LMAX + 1)
    variance = np.expm1((2 * ell + 1) @ gaussian / (4 * np.pi))
    rng = np.random.default_rng(5)
    ours = np.array(
        [
            sum_of_shells([gaussian], np.ones((1, 1)), NSIDE, rng, True)[0]
            for _ in range(60)
        ]
    )
    fields = [glass.grf.Lognormal(1.0)]
    theirs = np.array(
        [
            next(glass.generate(fields, [gaussian], NSIDE, ncorr=0, rng=rng))
            for _ in range(60)
        ]
    )
    for maps in (ours.astype(float), theirs):
        for power, expected in (
            (1, 0.0),
            (2, variance),
            (3, variance**3 + 3 * variance**2),
        ):
            of_map = (maps**power).mean(axis=1)
            error = of_map.std() / len(maps) ** 0.5
            assert abs(of_map.mean() - expected) < 4 * error
            assert power == 1 or error < 0.1 * expected


def test_a_spectrum_that_does_not_converge_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gaussian_spectrum(CL)
    assert not caplog.text
    monkeypatch.setattr(fields, "TOLERANCE", 0.0)
    # an exact solution is never reached, and steps do not become small enough to stop
    solve = fields.glass.grf.solve
    monkeypatch.setattr(
        fields.glass.grf, "solve", lambda *a, **k: solve(*a, gltol=0.0, maxiter=2, **k)
    )
    gaussian_spectrum(CL)
    assert "did not converge" in caplog.text


def test_skies_depend_on_their_generator_alone() -> None:
    weights = np.ones((1, 1))
    one, same, other = (
        sum_of_shells([CL], weights, NSIDE, np.random.default_rng(seed), True)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
