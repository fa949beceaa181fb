"""Where structure becomes non-linear."""

from __future__ import annotations

import numpy as np
import pytest

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import CosmologyConfig
from infoscope.cosmology.matter import Background, Matter
from infoscope.survey.survey import RedshiftDistribution
from infoscope.theory.scales import (
    lens_distance_mpc,
    nonlinear_wavenumber,
    scales_of_bins,
)

COSMOLOGY = CosmologyConfig()
Z = np.linspace(0, 2.5, 26)


def power_law(amplitude: float, slope: float) -> Matter:
    """Matter with P = A k^n today, growth 1 / (1 + z), and a distance of 3000 z Mpc."""
    k = np.geomspace(1e-3, 10, 50)
    background = Background(Z, 3000 * Z, np.ones(26), 1 / (1 + Z), 0.3, 0.7)
    log = np.log(amplitude * k**slope)
    return Matter(background, Z, k, np.zeros((26, 50)), log)


@pytest.mark.parametrize("z", [0.0, 0.5])
def test_power_law_becomes_nonlinear_where_it_should(z: float) -> None:
    found = nonlinear_wavenumber(power_law(800.0, -1.5), z)
    expected = (2 * np.pi**2 * (1 + z) ** 2 / 800) ** (1 / 1.5)
    assert found == pytest.approx(expected, rel=5e-3)


def test_linear_everywhere_is_nan() -> None:
    assert np.isnan(nonlinear_wavenumber(power_law(1e-9, -1.5), 0.0))


def eisenstein_hu(k_h: np.ndarray) -> np.ndarray:
    """Square of the transfer function without wiggles, eqs. 26 and 28 to 31.

    Eisenstein & Hu 1998, ApJ 496, 605; k in h/Mpc.
    """
    h, omega_m = COSMOLOGY.h, COSMOLOGY.fiducial.omega_m
    matter, share = omega_m * h**2, COSMOLOGY.omega_b / omega_m
    sound = (
        44.5
        * np.log(9.83 / matter)
        / np.sqrt(1 + 10 * (COSMOLOGY.omega_b * h**2) ** 0.75)
    )
    alpha = 1 - 0.328 * np.log(431 * matter) * share
    alpha += 0.38 * np.log(22.3 * matter) * share**2
    gamma = omega_m * h * (alpha + (1 - alpha) / (1 + (0.43 * k_h * h * sound) ** 4))
    q = k_h * (2.7255 / 2.7) ** 2 / gamma
    ln = np.log(2 * np.e + 1.8 * q)
    return (ln / (ln + (14.2 + 731 / (1 + 62.5 * q)) * q**2)) ** 2


def test_wavenumber_is_that_of_an_independent_power_spectrum() -> None:
    fiducial = COSMOLOGY.fiducial
    matter = matter_of(np.array([fiducial.omega_m, fiducial.sigma_8]), COSMOLOGY)
    k = np.geomspace(1e-4, 50, 4000)
    delta2 = k ** (3 + COSMOLOGY.n_s) * eisenstein_hu(k)
    x = 8 * k
    tophat = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    variance = np.trapezoid(delta2 * tophat**2, np.log(k))
    delta2 *= fiducial.sigma_8**2 / variance
    expected = np.interp(1, delta2, k)
    found = nonlinear_wavenumber(matter, 0.0) / COSMOLOGY.h
    assert found == pytest.approx(expected, rel=0.02)
    # less has grown at higher redshift
    assert nonlinear_wavenumber(matter, 0.5) > 1.2 * found * COSMOLOGY.h


def test_lenses_of_one_distance_are_halfway() -> None:
    """Without expansion the kernel is χ (1 − χ / χ_s), whose mean is χ_s / 2."""
    chi = np.array([0.0, 1e-6, 1.0, 2.0])
    background = Background(np.zeros(4), chi, np.ones(4), np.ones(4), 0.3, 0.7)
    background = Background(chi * 1e-9, chi * 1500, np.ones(4), np.ones(4), 0.3, 0.7)
    z = np.array([0.99, 1.0, 1.01]) * 1e-9
    found = lens_distance_mpc(background, z, np.array([0.0, 1.0, 0.0]))
    assert found == pytest.approx(750, rel=5e-3)


def test_scales_of_bins_follow_the_convention_of_filters() -> None:
    matter = power_law(800.0, -1.5)
    density = np.exp(-((Z - np.array([[0.5], [1.0]])) ** 2) / 0.02)
    density /= np.trapezoid(density, Z, axis=1)[:, None]
    table = scales_of_bins(matter, RedshiftDistribution(Z, density), 0.016)
    # θ = R / χ_s is the angle π / ℓ of k χ_l
    angle = table.nonlinear_mpc_h / table.chi_mpc_h
    np.testing.assert_allclose(
        np.pi / angle, table.k_nl_h_mpc * table.lens_chi_mpc_h, rtol=1e-12
    )
    np.testing.assert_allclose(table.chi_mpc_h, 0.7 * 3000 * table.mean_z, rtol=1e-6)
    assert (table.lens_chi_mpc_h < table.chi_mpc_h).all()
    np.testing.assert_allclose(table.pixel_mpc_h / table.chi_mpc_h, 0.016)
