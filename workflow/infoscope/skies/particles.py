r"""Particles of a cosmological box: 2LPT initial conditions and particle-mesh steps.

The time variable is the linear growth factor D, and velocities are dx/dD. Each step is
drift, kick, drift with the coefficients of BullFrog (Rampf, List and Hahn 2024,
arXiv 2409.19049),

.. math:: v_{n+1} = \alpha v_n + \beta A, \qquad
          \beta = \frac{1 - \alpha}{D_{n+1/2}}, \qquad
          \alpha = \frac{E'_{n+1} - F}{E'_n - F}, \qquad
          F = \frac{e - D_{n+1/2}^2}{D_{n+1/2}},

where A is the force with :math:`\nabla A = -\delta`, primes are derivatives with
respect to D, and :math:`e = E_n + E'_n \Delta D / 2` is E after the first drift. Steps
of any length are exact to first order of perturbation theory, and their velocities to
second order.

Lengths are in cells of the force mesh.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from infoscope.skies.growth import Growth
from infoscope.skies.mesh import (
    gradient,
    inverse_laplacian,
    paint,
    read,
    wavenumber_squared,
    wavenumbers,
)

if TYPE_CHECKING:
    from jaxtyping import Complex, Float
    from numpy.typing import NDArray


class Particles(NamedTuple):
    """Positions and velocities dx/dD, in cells."""

    position: Float[jax.Array, "n_particle 3"]
    velocity: Float[jax.Array, "n_particle 3"]


def linear_density(
    white: Float[NDArray, "n n n"],
    k_mpc: Float[NDArray, " n_k"],
    power_mpc3: Float[NDArray, " n_k"],
    box_mpc: float,
) -> Complex[jax.Array, "n n n//2+1"]:
    """Modes of the linear overdensity today.

    Parameters
    ----------
    white
        White noise of unit variance on the lattice of the particles.
    k_mpc, power_mpc3
        Table of the linear power spectrum today, in Mpc⁻¹ and Mpc³.
    box_mpc
        Side of the box in comoving Mpc.
    """
    n = len(white)
    k = jnp.sqrt(wavenumber_squared(n)) * (n / box_mpc)
    log_power = jnp.interp(
        jnp.log(jnp.maximum(k, k_mpc[0])), jnp.log(k_mpc), jnp.log(power_mpc3)
    )
    amplitude = jnp.exp(log_power / 2) * (n / box_mpc) ** 1.5
    return jnp.where(k > 0, amplitude, 0) * jnp.fft.rfftn(jnp.asarray(white))


@jax.jit
def displacements(
    delta_k: Complex[jax.Array, "n n n//2+1"],
) -> tuple[Float[jax.Array, "n n n 3"], Float[jax.Array, "n n n 3"]]:
    r"""First- and second-order displacements of a linear density field (2LPT).

    .. math:: \psi^{(1)} = -\nabla \phi, \quad \nabla^2 \phi = \delta, \qquad
              \psi^{(2)} = \nabla \nabla^{-2} \sum_{i < j}
              \left(\phi_{,ii} \phi_{,jj} - \phi_{,ij}^2\right)

    Returns
    -------
    first, second
        In cells of the lattice.
    """
    n = len(delta_k)
    shape = (n, n, n)
    k, inverse = wavenumbers(n), inverse_laplacian(n)

    def gradient_of(
        modes: Complex[jax.Array, "n n n//2+1"],
    ) -> Float[jax.Array, "n n n 3"]:
        """Gradient without the Nyquist frequency, whose derivative is not real."""
        odd = [jnp.where(jnp.abs(ki) < jnp.pi * (1 - 1e-6), ki, 0) for ki in k]
        return jnp.stack([jnp.fft.irfftn(1j * ki * modes, shape) for ki in odd], -1)

    potential = inverse * delta_k

    def tidal(i: int, j: int) -> Float[jax.Array, "n n n"]:
        """Second derivative of the potential."""
        return jnp.fft.irfftn(-k[i] * k[j] * potential, shape)

    x, y, z = (tidal(i, i) for i in range(3))
    source = x * y + y * z + z * x
    for i, j in ((0, 1), (1, 2), (2, 0)):
        source -= tidal(i, j) ** 2
    first = -gradient_of(potential)
    return first, gradient_of(inverse * jnp.fft.rfftn(source))


def start(
    delta_k: Complex[jax.Array, "n n n//2+1"], growth: Growth, d: float, n_mesh: int
) -> Particles:
    """Set up particles at time D from the linear density today.

    Parameters
    ----------
    delta_k
        Modes of the linear density on the lattice of the particles.
    growth
        Growth of the cosmology.
    d
        Growth factor D of the initial conditions.
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
    particles: Particles,
    drift: Float[jax.Array, ""],
    alpha: Float[jax.Array, ""],
    beta: Float[jax.Array, ""],
    n_mesh: int,
) -> tuple[Particles, Complex[jax.Array, "n_mesh n_mesh n_mesh//2+1"]]:
    """Drift, kick and drift; see the equations of the module."""
    position, velocity = particles
    position += drift * velocity
    delta_k = jnp.fft.rfftn(paint(position, n_mesh))
    potential = jnp.fft.irfftn(inverse_laplacian(n_mesh) * delta_k, (n_mesh,) * 3)
    velocity = alpha * velocity - beta * read(gradient(potential), position)
    return Particles(position + drift * velocity, velocity), delta_k


def step(
    particles: Particles, growth: Growth, begin: float, end: float, n_mesh: int
) -> tuple[Particles, Complex[jax.Array, "n_mesh n_mesh n_mesh//2+1"]]:
    """Advance particles from one time D to another.

    Parameters
    ----------
    particles
        Particles at the begin. Their buffers are donated and cannot be used again.
    growth
        Growth of the cosmology.
    begin, end
        Growth factors D of the step.
    n_mesh
        Cells of the force mesh along a side.

    Returns
    -------
    particles, delta_k
        Particles at the end, and modes of the painted density in the middle of the
        step.
    """
    drift = (end - begin) / 2
    middle = begin + drift
    e, slope = growth.second_at(begin)
    f = (e + slope * drift - middle**2) / middle
    alpha = (growth.second_at(end)[1] - f) / (slope - f)
    beta = (1 - alpha) / middle
    return _step(
        particles, np.float32(drift), np.float32(alpha), np.float32(beta), n_mesh=n_mesh
    )
