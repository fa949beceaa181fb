"""Time of each part of a light-cone, at the default size or another one.

    NPROC=1 PYTHONPATH=workflow python benchmarks/nbody_sky.py [particles mesh nside]

Prints CPU seconds, which other programs on the machine affect less than elapsed time.
NPROC is the number of threads. A sky has about 55 steps; a shell is projected in 51.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from infoscope.skies.growth import Growth
from infoscope.skies.lightcone import directions, shell
from infoscope.skies.mesh import gradient, paint, read
from infoscope.skies.particles import Particles, step


def best_of_three(run: Callable[[], object]) -> float:
    """Seconds of the fastest run, after one that compiles."""
    jax.block_until_ready(run())
    seconds = []
    for _ in range(3):
        start = time.process_time()
        jax.block_until_ready(run())
        seconds.append(time.process_time() - start)
    return min(seconds)


def main(n: int, n_mesh: int, nside: int) -> None:
    """Print a line for each part."""
    rng = np.random.default_rng(1)
    axes = np.meshgrid(*[np.arange(n) * n_mesh / n] * 3, indexing="ij")
    lattice = np.stack(axes, -1).reshape(-1, 3)
    # displaced by what is typical today: 6 Mpc/h in cells of 2
    position = jnp.asarray(lattice + rng.normal(0, 3, lattice.shape), jnp.float32)
    delta = paint(position, n_mesh)
    delta_k = jnp.fft.rfftn(delta)
    rays = jnp.asarray(directions(nside), jnp.float32)
    growth = Growth.of(0.3)
    inverse = jax.jit(lambda modes: jnp.fft.irfftn(modes, (n_mesh,) * 3))
    painted, forces = jax.jit(paint, static_argnums=1), jax.jit(gradient)
    field = forces(delta)
    parts: dict[str, Callable[[], object]] = {
        "transform": lambda: jax.jit(jnp.fft.rfftn)(delta),
        "inverse transform": lambda: inverse(delta_k),
        "painting": lambda: painted(position, n_mesh),
        "gradient": lambda: forces(delta),
        "reading forces": lambda: jax.jit(read)(field, position),
        "whole step": lambda: step(
            # particles are consumed
            Particles(position + 0, 0 * position),
            growth,
            0.5,
            0.51,
            n_mesh,
        ),
        # of 67 Mpc/h at 1000 Mpc/h, in cells of 2
        "whole shell": lambda: shell(
            delta_k, (500.0, 533.0), 2 * nside, rays, np.zeros(3)
        ),
    }
    print(f"{n}³ particles, {n_mesh}³ cells, nside {nside}, seconds of CPUs")
    for name, run in parts.items():
        print(f"  {name:18s} {best_of_three(run):7.3f}", flush=True)


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]]
    main(*(numbers or (128, 256, 128)))
