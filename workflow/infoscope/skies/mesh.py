r"""Periodic cubic meshes: wavenumbers, derivatives, and interpolation to particles.

Lengths are in cells of the mesh. Particles and meshes exchange mass and forces by
cloud-in-cell (CIC) interpolation, whose window function in Fourier space is
:math:`\prod_i \mathrm{sinc}^2(k_i / 2\pi)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def wavenumbers(
    n: int,
) -> tuple[
    Float[jax.Array, "n 1 1"],
    Float[jax.Array, "1 n 1"],
    Float[jax.Array, "1 1 n//2+1"],
]:
    """Components of k of a real transform, in radians per cell."""
    full = 2 * jnp.pi * jnp.fft.fftfreq(n)
    half = 2 * jnp.pi * jnp.fft.rfftfreq(n)
    return full[:, None, None], full[None, :, None], half[None, None, :]


def wavenumber_squared(n: int) -> Float[jax.Array, "n n n//2+1"]:
    """Square of k of a real transform, in radians² per cell²."""
    return sum(k**2 for k in wavenumbers(n))  # type: ignore[return-value]


def inverse_laplacian(n: int) -> Float[jax.Array, "n n n//2+1"]:
    """Inverse Laplacian in Fourier space: -1 / k², and 0 for the mean."""
    k2 = wavenumber_squared(n)
    return jnp.where(k2 > 0, -1 / jnp.where(k2 > 0, k2, 1), 0)


def cic_window(n: int) -> Float[jax.Array, "n n n//2+1"]:
    """Return the window function of a cloud-in-cell interpolation."""
    x, y, z = (jnp.sinc(k / (2 * jnp.pi)) ** 2 for k in wavenumbers(n))
    return x * y * z


def _corners(
    position: Float[jax.Array, "n_point 3"], n: int
) -> Iterator[tuple[Int[jax.Array, " n_point"], Float[jax.Array, " n_point"]]]:
    """Flat index and weight of each of the eight cells around every position."""
    cell = jnp.floor(position)
    offset = position - cell
    low = jnp.mod(cell.astype(jnp.int32), n)
    # A comparison is several times faster than another remainder.
    high = jnp.where(low == n - 1, 0, low + 1)
    sides = [
        ((low[:, i], 1 - offset[:, i]), (high[:, i], offset[:, i])) for i in range(3)
    ]
    for (i, x), (j, y), (k, z) in product(*sides):
        yield (i * n + j) * n + k, x * y * z


def paint(
    position: Float[jax.Array, "n_particle 3"], n: int
) -> Float[jax.Array, "n n n"]:
    """Overdensity of particles of equal mass on a mesh."""
    mass = jnp.zeros(n**3, jnp.float32)
    for index, weight in _corners(position, n):
        mass = mass.at[index].add(weight)
    return mass.reshape(n, n, n) * (n**3 / len(position)) - 1


def read(
    mesh: Float[jax.Array, "n n n *shape"], position: Float[jax.Array, "n_point 3"]
) -> Float[jax.Array, " n_point *shape"]:
    """Interpolate a mesh to positions."""
    n = len(mesh)
    flat = mesh.reshape(n**3, -1)
    values = jnp.zeros((len(position), flat.shape[1]), mesh.dtype)
    for index, weight in _corners(position, n):
        values += weight[:, None] * flat[index]
    return values.reshape(len(position), *mesh.shape[3:])


def gradient(mesh: Float[jax.Array, "n n n"]) -> Float[jax.Array, "n n n 3"]:
    """Gradient by central differences of fourth order."""
    return jnp.stack(
        [
            8 / 12 * (jnp.roll(mesh, -1, axis) - jnp.roll(mesh, 1, axis))
            - 1 / 12 * (jnp.roll(mesh, -2, axis) - jnp.roll(mesh, 2, axis))
            for axis in range(3)
        ],
        axis=-1,
    )
