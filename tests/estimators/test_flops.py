"""The numbers of operations of networks agree with those of the compiler."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infoscope.estimators.estimator import Estimator
from infoscope.estimators.kinds.cnn import CNN
from infoscope.estimators.kinds.deeplss import DeepLSS
from infoscope.estimators.kinds.power_spectrum import PowerSpectrum
from infoscope.estimators.layers import negative_log_likelihood

SIDE, N_BINS = 128, 4


def compiled(config: Estimator, *, training: bool) -> float:
    """Return the number of operations per batch according to XLA."""
    tiles = np.zeros((config.batch_size, SIDE, SIDE, N_BINS), np.float32)
    x = jnp.asarray(config.inputs(tiles))
    network = config.network()
    params = network.init(jax.random.key(0), x)

    def loss(params: Any, x: jax.Array) -> jax.Array:
        outputs: Any = network.apply(params, x)
        return negative_log_likelihood(outputs, jnp.zeros((len(x), 2))).mean()

    function = jax.grad(loss) if training else loss
    analysis = jax.jit(function).lower(params, x).compile().cost_analysis()
    return float(analysis["flops"])


@pytest.mark.parametrize(
    "config",
    [
        CNN(batch_size=8),
        CNN(stem=8, features=64, channels=32, blocks=4, batch_size=8),
        DeepLSS(channels=32, blocks=3, batch_size=4),
        PowerSpectrum(hidden=256),
    ],
    ids=["cnn", "deep cnn", "deeplss", "power spectrum"],
)
def test_operations_are_those_of_the_compiler(config: Estimator) -> None:
    forward = config.flop_of_prediction(SIDE, N_BINS) * config.batch_size
    # XLA also counts activations, but not products with the padding of maps
    assert forward == pytest.approx(compiled(config, training=False), rel=0.1)
    step = config.flop_of_step(SIDE, N_BINS)
    assert step == pytest.approx(compiled(config, training=True), rel=0.1)
