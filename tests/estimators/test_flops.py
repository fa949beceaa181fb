"""Operations of networks are those that the compiler counts."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from infoscope.estimators.config import (
    CNNConfig,
    DeepLSSConfig,
    Estimator,
    PowerSpectrumConfig,
)
from infoscope.estimators.flops import flop_of_prediction, flop_of_step
from infoscope.estimators.networks import negative_log_likelihood
from infoscope.estimators.training import network_of

SIDE, N_BINS = 128, 4


def compiled(config: Estimator, *, training: bool) -> float:
    """Count the operations of a batch as XLA does."""
    n_pairs = N_BINS * (N_BINS + 1) // 2
    shape = (SIDE, SIDE, N_BINS)
    if isinstance(config, PowerSpectrumConfig):
        shape = (n_pairs * config.n_ell,)
    x = jnp.zeros((config.batch_size, *shape))
    network = network_of(config)
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
        CNNConfig(batch_size=8),
        CNNConfig(stem=8, features=64, channels=32, blocks=4, batch_size=8),
        DeepLSSConfig(channels=32, blocks=3, batch_size=4),
        PowerSpectrumConfig(hidden=256),
    ],
    ids=["cnn", "deep cnn", "deeplss", "power spectrum"],
)
def test_operations_are_those_of_the_compiler(config: Estimator) -> None:
    forward = flop_of_prediction(config, SIDE, N_BINS) * config.batch_size
    # it also counts activations, and leaves out products with zeros around maps
    assert forward == pytest.approx(compiled(config, training=False), rel=0.1)
    step = flop_of_step(config, SIDE, N_BINS)
    assert step == pytest.approx(compiled(config, training=True), rel=0.1)
