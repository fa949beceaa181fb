r"""Shells of matter around an observer in a periodic box, on HEALPix.

The box is repeated in all directions. A pixel holds the mean overdensity along the ray
through its centre, from one side of the shell to the other. Modes with
:math:`k > \ell_{max} / \chi` at its near side, and those beyond the mesh's Nyquist
frequency, are removed from the mesh first. Of a mode only what lies across the line of
sight survives a projection, so on the sphere this is the limit :math:`\ell <
\ell_{max}`, and what is left is sampled without aliasing by one ray a pixel and by
points at most :math:`\pi / k` apart. There is no noise of sampling.
"""

from __future__ import annotations

import ducc0
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from infoscope.skies.mesh import cic_window, read, wavenumber_squared


def directions(nside: int) -> NDArray:
    """Return unit vectors to the pixels (12 nside², 3), RING order."""
    return ducc0.healpix.Healpix_Base(nside, "RING").pix2vec(np.arange(12 * nside**2))


def random_view(generator: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Draw a rotation (3, 3), uniform among all, and a place in the unit box (3,)."""
    quaternion = generator.standard_normal(4)
    return Rotation.from_quat(quaternion).as_matrix(), generator.random(3)


@jax.jit
def _filtered(delta_k: Array, k_max: Array) -> Array:
    """Overdensity of modes up to k_max, free of painting and of the reading to come."""
    n = len(delta_k)
    kept = wavenumber_squared(n) <= k_max**2
    return jnp.fft.irfftn(jnp.where(kept, delta_k / cic_window(n) ** 2, 0), (n, n, n))


@jax.jit
def _mean_along(
    delta: Array,
    rays: Array,
    origin: Array,
    nearest: Array,
    spacing: Array,
    points: int,
) -> Array:
    """Mean of a mesh over points along rays (n_rays, 3), shape (n_rays,)."""

    def add(index: Array, total: Array) -> Array:
        radius = nearest + (index + 0.5) * spacing
        return total + read(delta, origin + radius * rays)

    zero = jnp.zeros(len(rays), delta.dtype)
    return lax.fori_loop(0, points, add, zero) / points


def shell(
    delta_k: Array,
    edges: tuple[float, float],
    lmax: int,
    rays: Array,
    origin: NDArray,
) -> Array:
    """Mean overdensity of a shell along each ray.

    Parameters
    ----------
    delta_k
        Modes of a density that was painted on a mesh, (n, n, n // 2 + 1).
    edges
        Distances that bound the shell, in cells of the mesh.
    lmax
        Multipole up to which structure is kept.
    rays
        Unit vectors (n_rays, 3).
    origin
        Where the observer is, in cells (3,).

    Returns
    -------
        Overdensity (n_rays,).
    """
    near, far = edges
    # what is too small for pixels at the near side is larger than some at the far side
    kept = min(np.pi, lmax / near) if near > 0 else np.pi
    points = int(np.ceil((far - near) * kept / np.pi))
    return _mean_along(
        _filtered(delta_k, np.float32(kept)),
        rays,
        np.asarray(origin, np.float32),
        np.float32(near),
        np.float32((far - near) / points),
        points,
    )
