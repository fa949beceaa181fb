"""Tiles per second of the CNN's training step: a Python loop against lax.scan.

    PYTHONPATH=workflow python benchmarks/training_step.py [side ...]

Set NPROC=1 for the speed on one thread. The peak speed, with which the speeds are
compared, is that of a large matrix product on the same threads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from infoscope.estimators.kinds.cnn import CNN
from infoscope.estimators.layers import negative_log_likelihood
from infoscope.estimators.training import CLIP_NORM

N_BINS = 4
STEPS = 20
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-5
# Side of the matrices whose product measures the peak.
PRODUCT = 4096

Carry = Any
Step = Callable[[Carry, tuple[jax.Array, jax.Array]], tuple[Carry, jax.Array]]


def step_of(network: nn.Module) -> tuple[optax.GradientTransformation, Step]:
    """Return the optimiser of a training run and its step, not compiled."""
    optimizer = optax.chain(
        optax.clip_by_global_norm(CLIP_NORM),
        optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
    )

    def step(
        carry: Carry, batch: tuple[jax.Array, jax.Array]
    ) -> tuple[Carry, jax.Array]:
        params, state = carry
        x, target = batch

        def loss(params: Any) -> jax.Array:
            outputs: Any = network.apply(params, x)
            return negative_log_likelihood(outputs, target).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), value

    return optimizer, step


def best_of_three(run: Callable[[], Any]) -> float:
    """Seconds of the fastest run, after one that compiles."""
    jax.block_until_ready(run())
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def peak() -> float:
    """Operations per second of a product of two matrices."""
    matrix = jax.random.normal(jax.random.key(0), (PRODUCT, PRODUCT))
    product = jax.jit(jnp.matmul)
    return 2 * PRODUCT**3 / best_of_three(lambda: product(matrix, matrix))


def main(side: int, at_most: float) -> None:
    """Time both loops and print a line for each."""
    config = CNN()
    network = config.network()
    shape = (STEPS, config.batch_size, side, side, N_BINS)
    tiles = jax.random.normal(jax.random.key(1), shape)
    targets = jax.random.uniform(jax.random.key(2), (*shape[:2], 2), minval=-1)
    params = network.init(jax.random.key(3), tiles[0])
    optimizer, step = step_of(network)
    start = (params, optimizer.init(params))
    batches = list(zip(tiles, targets, strict=True))
    compiled = jax.jit(step)

    def loop() -> Carry:
        carry = start
        for batch in batches:
            carry, _ = compiled(carry, batch)
        return carry

    scan = jax.jit(lambda carry: jax.lax.scan(step, carry, (tiles, targets))[0])
    ways: dict[str, Callable[[], Carry]] = {"loop": loop, "scan": lambda: scan(start)}
    for name, run in ways.items():
        seconds = best_of_three(run) / STEPS
        speed = config.flop_of_step(side, N_BINS) / seconds
        print(
            f"side {side:3d}, {name}: {config.batch_size / seconds:8.0f} tiles/s "
            f"{speed / 1e9:6.1f} GFLOP/s {speed / at_most:6.1%} of the peak",
            flush=True,
        )


if __name__ == "__main__":
    measured = peak()
    print(f"peak: {measured / 1e9:.1f} GFLOP/s", flush=True)
    for side in [int(value) for value in sys.argv[1:]] or [32, 64, 128]:
        main(side, measured)
