"""The posterior of a linear-Gaussian problem is known exactly."""

import numpy as np

from infoscope.posterior import fit_density, grid_axis, widths_of

PRIOR = ((0.15, 0.45), (0.5, 1.2))
CENTRE = np.array([0.3, 0.85])
SLOPE = np.array([[1.0, 0.1], [0.4, 0.9]])
COVARIANCE = np.array([[4.0e-4, 1.5e-4], [1.5e-4, 9.0e-4]])


def observe(theta, rng):
    noise = rng.multivariate_normal([0, 0], COVARIANCE, size=len(theta))
    return (theta - CENTRE) @ SLOPE.T + noise


def test_widths_are_exact():
    rng = np.random.default_rng(5)
    theta = rng.uniform(*np.transpose(PRIOR), (250, 2)).repeat(48, axis=0)
    density = fit_density(observe(theta, rng), theta, np.ones(len(theta)))
    mocks = observe(np.tile(CENTRE, (384, 1)), rng)
    axes = [grid_axis(interval, 96) for interval in PRIOR]
    median = np.median(widths_of(density, mocks, *axes), axis=0)

    exact = np.linalg.inv(SLOPE.T @ np.linalg.inv(COVARIANCE) @ SLOPE)
    # Derivatives of S_8 at the centre, where √(Ω_m / 0.3) = 1.
    gradient = np.array([CENTRE[1] / (2 * CENTRE[0]), 1.0])
    area = -2 * np.pi * np.log(1 - 0.683) * np.sqrt(np.linalg.det(exact))
    expected = [
        np.sqrt(gradient @ exact @ gradient),
        np.sqrt(exact[0, 0]),
        np.sqrt(exact[1, 1]),
        area,
        1 / area,
    ]
    np.testing.assert_allclose(median[:3], expected[:3], rtol=0.03)
    np.testing.assert_allclose(median[3:], expected[3:], rtol=0.04)
