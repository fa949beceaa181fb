r"""Periodic cubic meshes: wavenumbers, and the passage from and to particles.

Lengths are cells of the mesh. Particles and meshes exchange mass and forces by
cloud-in-cell (CIC) interpolation, whose window in Fourier space is
:math:`\prod_i \mathrm{sinc}^2(k_i / 2\pi)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import jax.numpy as jnp
from jax import Array


def wavenumbers(n: int) -> tuple[Array, Array, Array]:
    """Components of k of a real transform, in radians a cell, ready to broadcast."""
    full = 2 * jnp.pi * jnp.fft.fftfreq(n)
    half = 2 * jnp.pi * jnp.fft.rfftfreq(n)
    return full[:, None, None], full[None, :, None], half[None, None, :]


def wavenumber_squared(n: int) -> Array:
    """Square of k, shape (n, n, n // 2 + 1)."""
    return sum(k**2 for k in wavenumbers(n))  # type: ignore[return-value]


def inverse_laplacian(n: int) -> Array:
    """-1 / k², and 0 for the mean."""
    k2 = wavenumber_squared(n)
    return jnp.where(k2 > 0, -1 / jnp.where(k2 > 0, k2, 1), 0)


def cic_window(n: int) -> Array:
    """Compute the factor of each mode in one cloud-in-cell interpolation."""
    x, y, z = (jnp.sinc(k / (2 * jnp.pi)) ** 2 for k in wavenumbers(n))
    return x * y * z


def _corners(position: Array, n: int) -> Iterator[tuple[Array, Array]]:
    """Index and weight of the eight cells around each position (n_points, 3)."""
    cell = jnp.floor(position)
    share = position - cell
    low = jnp.mod(cell.astype(jnp.int32), n)
    # a comparison is several times faster than another remainder
    high = jnp.where(low == n - 1, 0, low + 1)
    sides = [
        ((low[:, i], 1 - share[:, i]), (high[:, i], share[:, i])) for i in range(3)
    ]
    for (i, x), (j, y), (k, z) in product(*sides):
        yield (i * n + j) * n + k, x * y * z


def paint(position: Array, n: int) -> Array:
    """Overdensity (n, n, n) of particles of equal mass (n_particles, 3)."""
    mass = jnp.zeros(n**3, jnp.float32)
    for index, weight in _corners(position, n):
        mass = mass.at[index].add(weight)
    return mass.reshape(n, n, n) * (n**3 / len(position)) - 1


def read(mesh: Array, position: Array) -> Array:
    """Values of a mesh (n, n, n, …) at positions (n_points, 3)."""
    n = len(mesh)
    flat = mesh.reshape(n**3, -1)
    values = jnp.zeros((len(position), flat.shape[1]), mesh.dtype)
    for index, weight in _corners(position, n):
        values += weight[:, None] * flat[index]
    return values.reshape(len(position), *mesh.shape[3:])


def gradient(mesh: Array) -> Array:
    """Gradient (n, n, n, 3) by central differences of fourth order."""
    near, far = 8 / 12, 1 / 12
    return jnp.stack(
        [
            near * (jnp.roll(mesh, -1, axis) - jnp.roll(mesh, 1, axis))
            - far * (jnp.roll(mesh, -2, axis) - jnp.roll(mesh, 2, axis))
            for axis in range(3)
        ],
        axis=-1,
    )
