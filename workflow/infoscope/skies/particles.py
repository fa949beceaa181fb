r"""Particles of a cosmological box: 2LPT start and particle-mesh steps.

Time is the linear growth D, and velocities are dx/dD. A step is drift, kick, drift
with the coefficients of BullFrog (Rampf, List and Hahn 2024, arXiv 2409.19049),

.. math:: v_{n+1} = \alpha v_n + (1 - \alpha) \frac{A}{D_{n+1/2}}, \qquad
          \alpha = \frac{E'_{n+1} - F}{E'_n - F}, \qquad
          F = \frac{e - D_{n+1/2}^2}{D_{n+1/2}},

where A is the force with :math:`\nabla A = -\delta`, primes are derivatives in D and
:math:`e = E_n + E'_n \Delta D / 2` is where the drift has led. Then a step of any
length is exact to first order of perturbation theory, and velocities are to second.

Lengths are cells of the force mesh.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from infoscope.skies.growth import Growth
from infoscope.skies.mesh import (
    gradient,
    inverse_laplacian,
    paint,
    read,
    wavenumber_squared,
    wavenumbers,
)


class Particles(NamedTuple):
    """Positions and velocities dx/dD, each (n_particles, 3), in cells."""

    position: Array
    velocity: Array


def linear_density(
    white: NDArray, k_mpc: NDArray, power_mpc3: NDArray, box_mpc: float
) -> Array:
    """Modes of the linear overdensity of today.

    Parameters
    ----------
    white
        White noise of unit variance at the particles' lattice, shape (n, n, n).
    k_mpc, power_mpc3
        Table of the linear power of today, in Mpc⁻¹ and Mpc³.
    box_mpc
        Side of the box.

    Returns
    -------
        Modes (n, n, n // 2 + 1).
    """
    n = len(white)
    k = jnp.sqrt(wavenumber_squared(n)) * (n / box_mpc)
    log_power = jnp.interp(
        jnp.log(jnp.maximum(k, k_mpc[0])), jnp.log(k_mpc), jnp.log(power_mpc3)
    )
    amplitude = jnp.exp(log_power / 2) * (n / box_mpc) ** 1.5
    return jnp.where(k > 0, amplitude, 0) * jnp.fft.rfftn(jnp.asarray(white))


@jax.jit
def displacements(delta_k: Array) -> tuple[Array, Array]:
    r"""First- and second-order displacements of a linear density, 2LPT.

    .. math:: \psi^{(1)} = -\nabla \phi, \quad \nabla^2 \phi = \delta, \qquad
              \psi^{(2)} = \nabla \nabla^{-2} \sum_{i < j}
              \left(\phi_{,ii} \phi_{,jj} - \phi_{,ij}^2\right)

    Returns
    -------
        Two fields (n, n, n, 3), in cells of the lattice.
    """
    n = len(delta_k)
    shape = (n, n, n)
    k, inverse = wavenumbers(n), inverse_laplacian(n)

    def along(modes: Array) -> Array:
        """Gradient; the highest frequency has none."""
        odd = [jnp.where(jnp.abs(ki) < jnp.pi * (1 - 1e-6), ki, 0) for ki in k]
        return jnp.stack([jnp.fft.irfftn(1j * ki * modes, shape) for ki in odd], -1)

    potential = inverse * delta_k

    def tidal(i: int, j: int) -> Array:
        return jnp.fft.irfftn(-k[i] * k[j] * potential, shape)

    x, y, z = (tidal(i, i) for i in range(3))
    source = x * y + y * z + z * x
    for i, j in ((0, 1), (1, 2), (2, 0)):
        source -= tidal(i, j) ** 2
    return -along(potential), along(inverse * jnp.fft.rfftn(source))


def start(delta_k: Array, growth: Growth, d: float, n_mesh: int) -> Particles:
    """Particles at the time D, from the linear density of today.

    Parameters
    ----------
    delta_k
        Modes of the linear density on the lattice of the particles.
    growth
        Growth of the cosmology.
    d
        The time.
    n_mesh
        Cells of the force mesh along a side.
    """
    n = len(delta_k)
    first, second = (n_mesh / n * psi for psi in displacements(delta_k))
    e, slope = growth.second_at(d)
    axis = jnp.arange(n, dtype=jnp.float32) * (n_mesh / n)
    lattice = jnp.stack(jnp.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return Particles(
        (lattice + d * first + e * second).reshape(-1, 3),
        (first + slope * second).reshape(-1, 3),
    )


@partial(jax.jit, static_argnames="n_mesh", donate_argnums=0)
def _step(
    particles: Particles, drift: Array, keep: Array, pull: Array, n_mesh: int
) -> tuple[Particles, Array]:
    position, velocity = particles
    position += drift * velocity
    delta_k = jnp.fft.rfftn(paint(position, n_mesh))
    potential = jnp.fft.irfftn(inverse_laplacian(n_mesh) * delta_k, (n_mesh,) * 3)
    velocity = keep * velocity - pull * read(gradient(potential), position)
    return Particles(position + drift * velocity, velocity), delta_k


def step(
    particles: Particles, growth: Growth, begin: float, end: float, n_mesh: int
) -> tuple[Particles, Array]:
    """Advance particles, which are consumed, from one time D to another.

    Returns
    -------
    particles, delta_k
        Particles at the end, and modes of the painted density in the middle of the
        step, shape (n_mesh, n_mesh, n_mesh // 2 + 1).
    """
    drift = (end - begin) / 2
    middle = begin + drift
    e, slope = growth.second_at(begin)
    force = (e + slope * drift - middle**2) / middle
    keep = (growth.second_at(end)[1] - force) / (slope - force)
    pull = (1 - keep) / middle
    return _step(
        particles, np.float32(drift), np.float32(keep), np.float32(pull), n_mesh=n_mesh
    )
