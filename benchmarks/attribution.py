"""Time of attributing the estimates of a network to the parts of a tile.

    PYTHONPATH=workflow NPROC=1 python benchmarks/attribution.py [side:stem ...]

Prints CPU seconds for one training run and 256 tiles of 4 bins: for gradients at one
point of the paths, for the sums over parts, and for both with 32 points. The network
has random weights.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from infoscope.attribution import decompositions as parts
from infoscope.attribution import integrated_gradients as attribution
from infoscope.attribution.decompositions import Annuli
from infoscope.estimators.kinds.cnn import CNN

TILES, N_BINS, BATCH, POINTS = 256, 4, 64, 32


def seconds(run: Callable[[], Any]) -> float:
    """Time of the processor, of the second run."""
    run()
    start = time.process_time()
    run()
    return time.process_time() - start


def main(sizes: list[str]) -> None:
    """Print a line for each size."""
    print("side  stem  one point  GFLOP/s  parts  32 points and parts  [s]")
    for size in sizes:
        side, stem = map(int, size.split(":"))
        config = CNN(stem=stem)
        network = config.network()
        rng = np.random.default_rng(1)
        tiles = rng.standard_normal((TILES, side, side, N_BINS), np.float32)
        batches = np.array_split(tiles, TILES // BATCH)
        params = jax.jit(network.init)(jax.random.key(0), batches[0])

        def estimate(x: Any, network: Any = network, params: Any = params) -> jax.Array:
            values: jax.Array = network.apply(params, x)[0][:, 1]
            return values

        slope = attribution.gradient_of(estimate)
        one = seconds(lambda: [np.asarray(slope(x)) for x in batches])  # noqa: B023
        gradient = np.concatenate([np.asarray(slope(x)) for x in batches])
        annuli, rings = Annuli.of(side, 0.004), parts.rings_of(side)

        def sums() -> None:
            parts.by_scale(tiles, gradient, annuli)  # noqa: B023
            parts.power(gradient, annuli)  # noqa: B023
            for _ in range(2):
                parts.by_value(tiles, gradient)  # noqa: B023
            chosen = parts.extrema(parts.in_sigma(tiles), rings)  # noqa: B023
            parts.around(tiles * gradient, chosen, rings)  # noqa: B023

        rest = seconds(sums)
        flop = TILES * config.flop_of_step(side, N_BINS) / config.batch_size
        print(
            f"{side:4d}  {stem:4d}  {one:9.2f}  {flop / one / 1e9:7.1f}  {rest:5.1f}  "
            f"{POINTS * one + rest:19.1f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["32:4", "128:8"])
