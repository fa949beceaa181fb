"""Coverage and ranks of posteriors with known calibration."""

import numpy as np
import pytest
from scipy.stats import norm

from infoscope.inference.calibration import LEVELS, coverage, ranks, tarp

N_SKY, N_TILE = 100, 40


def posteriors(width=1.0, shift=0.0, seed=0, shared=0.0):
    """Draw truths and posteriors of two parameters, with `width` times their width."""
    rng = np.random.default_rng(seed)
    n = N_SKY * N_TILE
    sky = rng.standard_normal((N_SKY, 1, 2)).repeat(N_TILE, axis=1).reshape(n, 2)
    error = np.sqrt(shared) * sky + np.sqrt(1 - shared) * rng.standard_normal((n, 2))
    # with a normal prior of standard deviation 3 the posterior is normal too
    truth = 3 * rng.standard_normal((n, 2))
    centre = 0.9 * (truth + error) + shift
    draws = rng.standard_normal((n, 150, 2)) * width * np.sqrt(0.9)
    return truth, centre[:, None] + draws, rng


def by_sky(numbers):
    return numbers.reshape(N_SKY, N_TILE, *numbers.shape[1:])


def checked(width=1.0, shift=0.0, seed=0, shared=0.0):
    truth, draws, rng = posteriors(width, shift, seed, shared)
    rank = ranks(truth, draws, rng)
    closer = tarp(truth, draws, 3 * rng.standard_normal(truth.shape), rng)
    numbers = np.column_stack([closer, np.abs(2 * rank - 1), rank])
    return coverage(by_sky(numbers), rng)


def test_right_posteriors_cover_what_they_should():
    found = checked()
    assert found.curves.shape == (len(LEVELS), 5)
    pull = (found.curves - LEVELS[:, None])[9::10] / found.errors[9::10]
    assert np.abs(pull).max() < 4
    assert found.p_value > 0.5


@pytest.mark.parametrize("width", [0.8, 1.25])
def test_intervals_of_wrong_width_cover_what_a_normal_distribution_says(width):
    found = checked(width)
    expected = 2 * norm.cdf(width * norm.ppf((1 + LEVELS) / 2)) - 1
    np.testing.assert_allclose(found.curves[:, 1], expected, atol=0.025)
    assert found.p_value < 0.01


def test_shifted_posteriors_are_found():
    found = checked(shift=0.2)
    # the truth is lower than the posterior
    assert (found.curves[40:60, 3] > LEVELS[40:60] + 0.05).all()
    assert found.p_value < 0.01


def test_tarp_of_far_points_is_a_rank():
    truth, draws, rng = posteriors(width=0.7)
    far = np.tile([1e6, 0.0], (len(truth), 1))
    closer = tarp(truth, draws, far, rng)
    # from a point far to the right, what is right of the truth is closer
    expected = 1 - ranks(truth, draws, rng)[:, 0]
    np.testing.assert_allclose(closer, expected, atol=0.02)


def test_tiles_of_a_sky_are_not_independent():
    apart, together = checked(), checked(shared=0.3)
    assert (together.errors[50] > 1.5 * apart.errors[50])[3:].all()
    # a simple test would reject them
    assert together.p_value > 0.05


def test_rejections_of_the_tolerated_are_rare():
    """At the edge of the tolerance the test has its nominal size, inside it less."""
    # intervals 4 % too narrow deviate by 0.02
    p_values = [checked(width=0.96, seed=seed).p_value for seed in range(40)]
    assert np.mean(np.array(p_values) < 0.05) < 0.15
