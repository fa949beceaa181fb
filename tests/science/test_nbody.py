"""Particle-mesh simulations have the clustering that theory and other codes predict."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.nbody_power import (
    COSMOLOGY,
    THETA,
    fixed_modes,
    predicted,
    simulated,
    snapshots,
)

from infoscope.cosmology.boltzmann import matter_of
from infoscope.skies.growth import Growth
from infoscope.skies.mesh import wavenumber_squared

BOX, N, MESH = 384.0, 64, 128


@pytest.mark.parametrize("omega_m", [0.15, 0.2915, 0.45])
def test_growth_is_that_of_camb(omega_m: float) -> None:
    """With radiation, as in CAMB, growth since z = 2 is faster by a few 1e-4."""
    background = matter_of(np.array([omega_m, 0.8]), COSMOLOGY).background
    ours = Growth.of(omega_m).at_redshift(background.z)
    np.testing.assert_allclose(ours, background.growth, rtol=2e-3)


@pytest.mark.slow
def test_matter_power_is_that_of_hmcode() -> None:
    """They agree to 5 % from k = 0.05 to 40 % of the Nyquist frequency of particles."""
    redshifts = (1.0, 0.5, 0.0)
    k, power = simulated(BOX, N, MESH, redshifts)
    theory = predicted(k, redshifts, "mead2020")
    edges = np.geomspace(0.05, 0.4 * np.pi * N / BOX, 5)
    for low, high in zip(edges, edges[1:], strict=False):
        inside = (k >= low) & (k < high)
        ratio = (power / theory)[:, inside].mean(axis=1)
        assert ratio == pytest.approx(1, abs=0.05), (low, high)


def tophat(x: np.ndarray) -> np.ndarray:
    """Return the window function of a sphere in Fourier space."""
    x = np.maximum(x, 1e-2)
    return 3 * (np.sin(x) - x * np.cos(x)) / x**3


@pytest.mark.slow
def test_skewness_is_that_of_perturbation_theory() -> None:
    """S_3 = 34/7 + d ln σ² / d ln R of top-hat spheres, to 5 % where σ² is 0.1.

    See the review of Bernardeau et al. 2002, astro-ph/0112551. Over a field and its
    negative, the skewness of the initial conditions has no mean.
    """
    radius = 14.0
    matter = matter_of(THETA, COSMOLOGY)
    k = np.geomspace(
        2 * np.pi / BOX, 5, 2000
    )  # h/Mpc, starting with the fundamental mode of the box
    power = matter.linear_power(k * COSMOLOGY.h) * COSMOLOGY.h**3

    def log_variance(r: float) -> float:
        return np.log(np.trapezoid(k**3 * power * tophat(k * r) ** 2, np.log(k)))

    slope = (log_variance(1.02 * radius) - log_variance(radius / 1.02)) / (
        2 * np.log(1.02)
    )
    moments = []
    for sign in (1, -1):
        (modes,) = snapshots(BOX, sign * fixed_modes(N, 1), MESH, (1.0,))
        wave = np.sqrt(np.asarray(wavenumber_squared(MESH))) * MESH / BOX
        smooth = modes * tophat(wave * radius)
        delta = np.fft.irfftn(smooth, (MESH,) * 3, axes=(0, 1, 2)).astype(float)
        moments.append([(delta**2).mean(), (delta**3).mean()])
    variance, third = np.mean(moments, axis=0)
    assert 0.05 < variance < 0.15
    assert third / variance**2 == pytest.approx(34 / 7 + slope, rel=0.05)
