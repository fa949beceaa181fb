"""Tiles per second of the CNN's training step: a Python loop against lax.scan.

    PYTHONPATH=workflow python benchmarks/training_step.py [side]

Set NPROC=1 for the speed on one thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from infoscope.config import CNNConfig
from infoscope.networks import CNN, gaussian_nll

N_BINS = 4
STEPS = 20


def flop_of_step(config: CNNConfig, side: int) -> float:
    """Floating-point operations of a forward and a backward pass of a batch."""
    positions = (side // config.stem) ** 2
    stem = config.stem**2 * N_BINS * config.channels
    convolutions = config.blocks * 2 * 9 * config.channels**2
    return 6.0 * positions * (stem + convolutions) * config.batch_size


def main(side: int) -> None:
    """Time both loops and print a line for each."""
    config = CNNConfig()
    network = CNN(config.stem, config.channels, config.blocks)
    shape = (STEPS, config.batch_size, side, side, N_BINS)
    tiles = jax.random.normal(jax.random.key(0), shape)
    target = jnp.zeros((config.batch_size, 2))
    params = network.init(jax.random.key(1), tiles[0])
    optimizer = optax.adam(1e-3)

    def step(carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        params, state = carry
        value, gradient = jax.value_and_grad(
            lambda p: gaussian_nll(network.apply(p, x), target)
        )(params)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), value

    compiled = jax.jit(step)

    def loop(carry: Any) -> Any:
        for x in tiles:
            carry, _ = compiled(carry, x)
        return carry

    def scan(carry: Any) -> Any:
        return jax.lax.scan(step, carry, tiles)[0]

    ways: dict[str, Callable[[Any], Any]] = {"loop": loop, "scan": jax.jit(scan)}
    start = (params, optimizer.init(params))
    for name, run in ways.items():
        jax.block_until_ready(run(start))
        began = time.perf_counter()
        jax.block_until_ready(run(start))
        seconds = (time.perf_counter() - began) / STEPS
        print(
            f"{name}: {config.batch_size / seconds:8.0f} tiles/s "
            f"{flop_of_step(config, side) / seconds / 1e9:6.1f} GFLOP/s",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 32)
