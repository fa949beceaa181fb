import numpy as np
import pytest

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.inference.densities import fit_density, log_likelihood
from infoscope.inference.posterior import Grid, draw, posterior, widths
from infoscope.vocabulary import METRICS

from .test_densities import simulate

PRIOR = {"omega_m": (0.15, 0.45), "sigma_8": (0.5, 1.2)}
FINE = Grid.of_prior(PRIOR, 96)


def gaussian(omega_m=0.02, sigma_8=0.05, grid=FINE):
    x, y = grid.theta.T
    density = np.exp(-(((x - 0.3) / omega_m) ** 2 + ((y - 0.85) / sigma_8) ** 2) / 2)
    return (density / density.sum()).astype(np.float32)


def named(metrics):
    return dict(zip(METRICS, metrics, strict=True))


def test_cells_fill_the_prior():
    omega_m, sigma_8 = FINE.axes
    assert omega_m[0] - FINE.cell[0] / 2 == pytest.approx(0.15)
    assert sigma_8[-1] + FINE.cell[1] / 2 == pytest.approx(1.2)
    np.testing.assert_allclose(FINE.theta[96 * 3 + 5], [omega_m[3], sigma_8[5]])


@pytest.mark.parametrize("power", [1.0, 0.7])
def test_posterior_is_likelihood_on_the_grid(power):
    summary, theta = simulate()
    density = fit_density(summary, theta, np.ones(len(theta)))
    grid = Grid.of_prior(PRIOR, 24)
    p = posterior(density, summary[0, :3], grid, power)
    one = np.tile(summary[0, 2], (len(grid.theta), 1))
    direct = np.exp(power * log_likelihood(density, one, grid.theta))
    np.testing.assert_allclose(p[2], direct / direct.sum(), atol=1e-6)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


def test_widths_of_a_gaussian_and_of_the_prior():
    flat = np.full_like(gaussian(), FINE.size**-2)
    narrow, prior = map(named, widths(np.stack([gaussian(), flat]), FINE))
    assert narrow["sigma_omega_m"] == pytest.approx(0.02, rel=1e-3)
    assert narrow["sigma_sigma8"] == pytest.approx(0.05, rel=1e-3)
    one_sigma = 2 * np.pi * 0.02 * 0.05
    for name, mass in (("area68", 0.683), ("area95", 0.954)):
        area = -np.log(1 - mass) * one_sigma
        assert narrow[name] == pytest.approx(area, rel=0.01)
        assert prior[name] == pytest.approx(mass * 0.3 * 0.7, rel=1e-3)
    assert narrow["fom"] == pytest.approx(1 / narrow["area68"])
    assert prior["sigma_omega_m"] == pytest.approx(0.3 / np.sqrt(12), rel=1e-3)
    # entropy of the prior minus that of a Gaussian
    expected = np.log2(0.3 * 0.7) - np.log2(np.e * one_sigma)
    assert narrow["information"] == pytest.approx(expected, rel=1e-3)
    assert prior["information"] == pytest.approx(0, abs=1e-4)


def test_draws_have_the_moments_of_the_cells():
    draws = draw(gaussian()[None], FINE, 40_000, np.random.default_rng(1))[0]
    np.testing.assert_allclose(draws.mean(axis=0), [0.3, 0.85], atol=1e-3)
    within = np.sqrt(np.array([0.02, 0.05]) ** 2 + FINE.cell**2 / 12)
    np.testing.assert_allclose(draws.std(axis=0), within, rtol=0.02)
    expected = named(widths(gaussian()[None], FINE)[0])["sigma_s8"]
    assert omega_m_s8(draws)[:, 1].std() == pytest.approx(expected, rel=0.02)


def test_few_cosmologies_do_not_break_the_fit():
    summary, theta = simulate(n_sky=4, n_tile=12)
    density = fit_density(summary, theta, np.ones(len(theta)))
    grid = Grid.of_prior(PRIOR, 24)
    assert np.isfinite(widths(posterior(density, summary[0], grid), grid)).all()
