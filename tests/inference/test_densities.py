from dataclasses import replace

import numpy as np
import pytest

from infoscope.errors import InfoscopeError
from infoscope.inference.densities import (
    Moments,
    fit_density,
    log_likelihood,
    log_likelihood_ratios,
)


def simulate(n_sky=64, n_tile=48, seed=0):
    rng = np.random.default_rng(seed)
    theta = rng.uniform([0.15, 0.5], [0.45, 1.2], (n_sky, 2))
    s_8 = theta[:, 1] * np.sqrt(theta[:, 0] / 0.3)
    mean = np.stack([0.3 + 0.2 * (theta[:, 0] - 0.3), s_8], 1)[:, None]
    std = np.stack([0.03 * np.ones_like(s_8), 0.05 * s_8], 1)[:, None]
    return mean + std * rng.standard_normal((n_sky, n_tile, 2)), theta


def likelihoods(density, summary, theta):
    n_tile = summary.shape[1]
    return log_likelihood(density, summary.reshape(-1, 2), theta.repeat(n_tile, axis=0))


def test_fit_is_better_than_neighbours():
    summary, theta = simulate()
    density = fit_density(summary, theta, np.ones(len(theta)))
    best = likelihoods(density, summary, theta).sum()
    rng = np.random.default_rng(1)
    for size in (0.003, 0.01):
        mean = density.mean + size * rng.standard_normal(density.mean.shape)
        factor = density.factor + size * rng.standard_normal(density.factor.shape)
        for other in (
            replace(density, mean=mean),
            replace(density, factor=factor),
        ):
            assert likelihoods(other, summary, theta).sum() < best


def test_recovers_a_density_that_is_a_polynomial():
    summary, theta = simulate(n_sky=400)
    density = fit_density(summary, theta, np.ones(len(theta)))
    middle = np.array([[0.3, 0.85]])
    near = np.linspace(-0.1, 0.1, 201)
    # σ of the second summary from the curvature of the likelihood
    log = log_likelihood(
        density,
        np.stack([np.full(201, 0.3), 0.85 + near], 1),
        middle.repeat(201, axis=0),
    )
    curvature = -2 * np.polyfit(near, log, 2)[0]
    assert curvature**-0.5 == pytest.approx(0.05 * 0.85, rel=0.03)
    assert near[log.argmax()] == pytest.approx(0, abs=0.002)


def test_moments_are_those_of_the_tiles():
    summary, _ = simulate(n_sky=5, n_tile=7)
    centre = np.random.default_rng(1).standard_normal((5, 2))
    x, y = np.moveaxis(summary - centre[:, None], -1, 0)
    expected = np.stack([x * x, x * y, y * y], axis=-1).mean(axis=1)
    np.testing.assert_allclose(Moments.of(summary).about(centre), expected)


def test_weights_equal_repeats_and_warm_starts_agree():
    summary, theta = simulate(n_sky=200)
    weights = np.random.default_rng(2).integers(0, 3, len(theta))
    base = fit_density(summary, theta, np.ones(len(theta)))
    rows = np.repeat(np.arange(len(theta)), weights)
    weighted = fit_density(summary, theta, weights, start=base)
    repeated = fit_density(summary[rows], theta[rows], np.ones(len(rows)))
    np.testing.assert_allclose(
        likelihoods(weighted, summary, theta),
        likelihoods(repeated, summary, theta),
        atol=0.03,
    )


def test_ratios_of_likelihoods_are_their_differences():
    summary, theta = simulate()
    density = fit_density(summary, theta, np.ones(len(theta)))
    found = log_likelihood_ratios(density, summary[0, :3], theta)
    for row, one in zip(found, summary[0, :3], strict=True):
        direct = log_likelihood(density, np.tile(one, (len(theta), 1)), theta)
        np.testing.assert_allclose(row - row[0], direct - direct[0], atol=1e-8)


def test_refuses_values_that_are_not_finite():
    summary, theta = simulate()
    summary[5, 0] = np.nan
    with pytest.raises(InfoscopeError, match="not finite"):
        fit_density(summary, theta, np.ones(len(theta)))


@pytest.mark.parametrize("what", ["summaries", "parameters"])
def test_refuses_what_does_not_vary(what):
    summary, theta = simulate()
    if what == "summaries":
        summary[:] = 1.0
    else:
        theta[:] = theta[0]
    with pytest.raises(InfoscopeError, match=f"{what}"):
        fit_density(summary, theta, np.ones(len(theta)))


@pytest.mark.parametrize(
    ("n_sky", "degrees"), [(4, (1, 1)), (36, (2, 2)), (60, (3, 3)), (128, (4, 3))]
)
def test_few_cosmologies_have_simple_densities(n_sky, degrees):
    summary, theta = simulate(n_sky, n_tile=6)
    assert fit_density(summary, theta, np.ones(n_sky)).degrees == degrees
    # more skies of the same cosmologies do not tell how the mean depends on them
    twice = fit_density(summary.repeat(3, 0), theta.repeat(3, 0), np.ones(3 * n_sky))
    assert twice.degrees == degrees


def test_recovers_what_nuisance_parameters_do():
    """The mean moves by (0.02 + 0.01 u) ν + 0.005 ν², the scatter by a tenth of ν."""
    rng = np.random.default_rng(5)
    summary, theta = simulate(n_sky=600, n_tile=200)
    nuisance = rng.uniform(-1.5, 1.5, (len(theta), 2))
    plain = fit_density(summary, theta, np.ones(len(theta)))
    u = plain.scaling.theta(theta)
    v = nuisance[:, 0]
    shift = (0.02 + 0.01 * u[:, 1]) * v + 0.005 * v**2
    centre = summary.mean(axis=1, keepdims=True)
    moved = centre + (summary - centre) * np.exp(0.1 * v)[:, None, None]
    moved[..., 1] += shift[:, None]
    density = fit_density(moved, theta, np.ones(len(theta)), nuisance=nuisance)
    # where there is no offset all is as it was
    expected, *factors = plain.at(theta)
    mean, *same = density.at(theta)
    assert np.abs(mean - expected).max() < 0.15
    assert np.abs(np.array(same) - factors).max() < 0.25
    at = np.array([1.2, -0.7])
    offset = density.given(at)
    difference = offset.at(theta)[0] - mean
    std = density.scaling.summary_std
    expected = (0.02 + 0.01 * u[:, 1]) * at[0] + 0.005 * at[0] ** 2
    np.testing.assert_allclose(difference[:, 1] * std[1], expected, atol=0.002)
    np.testing.assert_allclose(difference[:, 0] * std[0], 0, atol=0.002)
    # widths by 12 %: the logarithms of the precision fall
    np.testing.assert_allclose(offset.at(theta)[1] - same[0], -0.12, atol=0.02)
    np.testing.assert_allclose(offset.at(theta)[3] - same[2], -0.12, atol=0.02)


def test_no_nuisance_parameters_change_nothing():
    summary, theta = simulate()
    weights = np.ones(len(theta))
    plain = fit_density(summary, theta, weights)
    none = fit_density(summary, theta, weights, nuisance=np.empty((len(theta), 0)))
    np.testing.assert_array_equal(none.mean, plain.mean)
    np.testing.assert_array_equal(none.factor, plain.factor)
    np.testing.assert_array_equal(none.given(np.empty(0)).mean, plain.mean)
