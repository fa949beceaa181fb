"""Attributions are complete, and agree with exact solutions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.fft import dctn

from infoscope.attribution import decompositions, integrated_gradients
from infoscope.attribution.decompositions import Annuli
from infoscope.attribution.integrated_gradients import gradient_of
from infoscope.estimators.kinds.cnn import CNN
from infoscope.estimators.kinds.deeplss import DeepLSS

SIDE, N_BINS = 16, 2
ANNULI = Annuli.of(SIDE, 0.01)


@pytest.fixture
def tiles() -> np.ndarray:
    """Return tiles of white noise, each bin of zero mean."""
    rng = np.random.default_rng(1)
    maps = rng.standard_normal((6, SIDE, SIDE, N_BINS), np.float32)
    return maps - maps.mean(axis=(1, 2), keepdims=True)


def test_of_a_linear_function_it_is_each_term(tiles: np.ndarray) -> None:
    weights = np.random.default_rng(2).standard_normal(tiles.shape[1:], np.float32)
    estimate = lambda x: (x * weights).sum(axis=(1, 2, 3)) + 5  # noqa: E731
    gradient = integrated_gradients.path_gradient(gradient_of(estimate), tiles, 1)
    np.testing.assert_allclose(gradient, np.broadcast_to(weights, tiles.shape), 1e-6)
    # a wave that mirrors at the edges continue is one mode
    wave = np.cos(np.pi * 3 * (np.arange(SIDE) + 0.5) / SIDE)[:, None] * np.ones(SIDE)
    only = np.zeros_like(tiles[:1])
    only[0, ..., 1] = wave
    of_scale = decompositions.by_scale(only, gradient[:1], ANNULI)
    expected = np.zeros((N_BINS, len(ANNULI.ell)))
    expected[1, 3] = (wave * weights[..., 1]).sum()
    np.testing.assert_allclose(of_scale[0], expected, atol=1e-4)


def test_of_power_it_is_the_power_of_each_scale(tiles: np.ndarray) -> None:
    """A quadratic function Σ w |x_ℓ|²: a network that reads spectra."""
    weight = 1 / (1.0 + ANNULI.index)[None, :, :, None]

    def estimate(x: jax.Array) -> jax.Array:
        modes = dctn(x, axes=(1, 2), norm="ortho")
        return (weight * modes**2).sum(axis=(1, 2, 3))

    # gradients vanish at zero, and are linear along the path
    assert np.abs(jax.grad(lambda x: estimate(x).sum())(0 * tiles)).max() == 0
    gradient = integrated_gradients.path_gradient(gradient_of(estimate), tiles, 1)
    of_scale = decompositions.by_scale(tiles, gradient, ANNULI)
    power = decompositions.power(tiles, ANNULI)
    np.testing.assert_allclose(
        of_scale, power / (1.0 + np.arange(len(ANNULI.ell))), rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(of_scale.sum(axis=(1, 2)), estimate(tiles), rtol=1e-4)


def test_cross_terms_are_split_in_halves(tiles: np.ndarray) -> None:
    """The product of two bins belongs to either by half."""
    estimate = lambda x: (x[..., 0] * x[..., 1]).sum(axis=(1, 2))  # noqa: E731
    gradient = integrated_gradients.path_gradient(gradient_of(estimate), tiles, 1)
    of_bin = decompositions.by_scale(tiles, gradient, ANNULI).sum(axis=2)
    half = np.asarray(estimate(tiles)) / 2
    np.testing.assert_allclose(of_bin, np.column_stack([half, half]), rtol=1e-3)


@pytest.mark.parametrize(
    "estimator",
    [
        CNN(stem=4, features=16, channels=4, blocks=2),
        DeepLSS(channels=8, blocks=2),
    ],
    ids=["cnn", "deeplss"],
)
def test_parts_of_a_network_sum_to_its_estimate(
    estimator: CNN | DeepLSS, tiles: np.ndarray
) -> None:
    network = estimator.network()
    params = jax.jit(network.init)(jax.random.key(0), tiles)
    # far from linear
    params = jax.tree.map(lambda value: 3 * value, params)
    estimate = jax.jit(lambda x: network.apply(params, x)[0][:, 1])
    gradient = gradient_of(estimate)
    nodes, error = integrated_gradients.enough_nodes(estimate, gradient, tiles)
    assert (
        nodes in integrated_gradients.NODES and error < integrated_gradients.TOLERANCE
    )
    path = integrated_gradients.path_gradient(gradient, tiles, nodes)
    gradient = integrated_gradients.without_mean(path)
    values = np.asarray(estimate(tiles))
    whole = values - np.asarray(estimate(0 * tiles[:1]))
    for of_part in (
        decompositions.by_scale(tiles, gradient, ANNULI).sum(axis=(1, 2)),
        decompositions.by_value(tiles, gradient)[0].sum(axis=1),
    ):
        assert (
            np.abs(of_part - whole).max()
            < 2 * integrated_gradients.TOLERANCE * values.std()
        )


def test_few_points_are_not_enough_for_what_is_not_smooth(tiles: np.ndarray) -> None:
    """The error is measured: it is large where a path has a step."""

    def estimate(x: jax.Array) -> jax.Array:
        mean = jnp.abs(x).mean(axis=(1, 2, 3))
        return mean + 0.1 * jnp.tanh(20 * (mean - 0.4))

    gradient = gradient_of(estimate)
    assert integrated_gradients.completeness_error(estimate, gradient, tiles, 2) > 1
    nodes, error = integrated_gradients.enough_nodes(estimate, gradient, tiles)
    assert (
        nodes > integrated_gradients.NODES[0] and error < integrated_gradients.TOLERANCE
    )
