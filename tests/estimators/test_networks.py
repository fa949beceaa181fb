import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from infoscope.estimators.kinds.cnn import CNN
from infoscope.estimators.kinds.deeplss import DeepLSS
from infoscope.estimators.kinds.power_spectrum import PowerSpectrum
from infoscope.estimators.layers import (
    Standardise,
    negative_log_likelihood,
    space_to_depth,
)


def test_nll_agrees_with_scipy():
    generator = np.random.default_rng(1)
    mean, target = generator.normal(size=(2, 5, 2))
    cholesky = np.tril(generator.normal(size=(5, 2, 2)))
    cholesky[:, [0, 1], [0, 1]] = generator.uniform(0.5, 2, size=(5, 2))
    expected = -np.mean(
        [
            multivariate_normal(m, np.linalg.inv(low @ low.T)).logpdf(t)
            for m, low, t in zip(mean, cholesky, target, strict=True)
        ]
    )
    outputs = jnp.asarray(mean), jnp.asarray(cholesky)
    found = negative_log_likelihood(outputs, target).mean()
    assert float(found) + np.log(2 * np.pi) == pytest.approx(expected, rel=1e-4)


def test_space_to_depth_keeps_blocks_together():
    x = jnp.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    found = space_to_depth(x, 2)
    assert found.shape == (2, 2, 2, 12)
    np.testing.assert_array_equal(found[1, 0, 1], x[1, :2, 2:].ravel())


@pytest.mark.parametrize(
    ("estimator", "shape"),
    [
        (CNN(stem=4, features=16, channels=8, blocks=2), (3, 16, 16, 4)),
        (DeepLSS(channels=8, blocks=2), (3, 16, 16, 4)),
        (PowerSpectrum(hidden=16), (3, 20)),
    ],
)
def test_outputs_are_a_proper_gaussian(estimator, shape):
    network = estimator.network()
    x = jax.random.normal(jax.random.key(0), shape)
    params = network.init(jax.random.key(1), x)
    mean, cholesky = network.apply(params, 100 * x)
    assert mean.shape == (3, 2)
    assert cholesky.shape == (3, 2, 2)
    assert (cholesky[:, 0, 1] == 0).all()
    assert (jnp.diagonal(cholesky, axis1=1, axis2=2) > 0).all()


def test_standardise_starts_from_the_first_batch():
    x = 5 + 0.01 * jax.random.normal(jax.random.key(0), (200, 3))
    x = x.at[:, 2].set(7.0)
    layer = Standardise()
    found = layer.apply(layer.init(jax.random.key(1), x), x)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 0], atol=1e-3)
