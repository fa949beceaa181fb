"""The response to S_8, and its shares, with errors that are right."""

from __future__ import annotations

import numpy as np
import pytest

from infoscope.attribution.responses import Regression
from infoscope.cosmology.parameters import omega_m_s8


def skies(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw (Ω_m, σ_8) evenly from a prior."""
    return rng.uniform([0.15, 0.5], [0.45, 1.2], (n, 2))


def test_shares_of_the_best_weights_are_those_of_the_fisher_information() -> None:
    """Independent features of mean μ S_8 + c and variance σ², weights μ / σ²."""
    rng = np.random.default_rng(1)
    theta = skies(4000, rng)
    slope, sigma = np.array([1.0, 0.5, 2.0, 0.0]), np.array([1.0, 0.2, 3.0, 1.0])
    # noise and what depends on Ω_m only do not respond to S_8
    feature = 7 + omega_m_s8(theta)[:, 1:] * slope + theta[:, :1] * [3, -5, 1, 2]
    feature += sigma * rng.standard_normal(feature.shape)
    parts = (slope / sigma**2) * feature
    fisher = slope**2 / sigma**2
    regression = Regression(theta, np.arange(len(theta)), 1)
    shares = regression.shares(parts[None], parts.sum(axis=1)[None])
    assert shares.value.sum() == pytest.approx(1)
    expected = fisher / fisher.sum()
    assert shares.value[3] == shares.error[3] == 0
    pull = (shares.value - expected)[:3] / shares.error[:3]
    assert np.abs(pull).max() < 3
    assert shares.error.max() < 0.03


def test_errors_are_the_scatter_of_other_skies() -> None:
    rng = np.random.default_rng(2)
    values, errors = [], []
    for trial in range(40):
        theta = skies(100, rng)
        s_8 = omega_m_s8(theta)[:, 1:]
        parts = s_8 * [1, 3] + 0.3 * rng.standard_normal((100, 2))
        regression = Regression(theta, np.arange(100), trial)
        shares = regression.shares(parts[None], parts.sum(axis=1)[None])
        values.append(shares.value[0])
        errors.append(shares.error[0])
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.35)


def test_training_runs_that_differ_make_the_error_larger() -> None:
    rng = np.random.default_rng(3)
    theta = skies(100, rng)
    s_8 = omega_m_s8(theta)[:, 1:]
    parts = np.stack([s_8 * [1, 3], s_8 * [2, 2]])
    regression = Regression(theta, np.arange(100), 1)
    shares = regression.shares(parts, parts.sum(axis=2))
    np.testing.assert_allclose(shares.value, [0.375, 0.625])
    # two shares, 0.25 and 0.5, whose mean has an error of 0.125
    np.testing.assert_allclose(shares.error, 0.125, rtol=0.2)
    # what one part has more, the other has less
    np.testing.assert_allclose(shares.resampled.sum(axis=1), 1)


def test_network_that_learned_nothing_has_no_response() -> None:
    rng = np.random.default_rng(4)
    theta = skies(20, rng)
    regression = Regression(theta, np.arange(20), 1)
    shares = regression.shares(np.zeros((1, 20, 2)), np.zeros((1, 20)))
    assert np.isnan(shares.value).all()
