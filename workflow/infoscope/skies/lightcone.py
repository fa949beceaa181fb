r"""Shells of matter around an observer in a periodic box, on HEALPix.

The box is repeated periodically in all directions. A pixel holds the mean overdensity
along the ray through its centre, from the near to the far edge of the shell. Modes with
:math:`k > \ell_{max} / \chi`, where :math:`\chi` is the distance of the near edge, and
modes beyond the mesh's Nyquist frequency are first removed from the mesh. The
projection keeps only modes perpendicular to the line of sight. Hence the maps are
limited to :math:`\ell < \ell_{max}`, and one ray per pixel, with points at most
:math:`\pi / k` apart, samples them without aliasing. There is no sampling noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ducc0
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy.spatial.transform import Rotation

from infoscope.skies.mesh import cic_window, read, wavenumber_squared

if TYPE_CHECKING:
    from jaxtyping import Complex, Float, Int
    from numpy.typing import NDArray


def directions(nside: int) -> Float[NDArray, "n_pix 3"]:
    """Return unit vectors to the pixels in RING order."""
    return ducc0.healpix.Healpix_Base(nside, "RING").pix2vec(np.arange(12 * nside**2))


def random_view(
    generator: np.random.Generator,
) -> tuple[Float[NDArray, "3 3"], Float[NDArray, " 3"]]:
    """Draw a uniformly distributed rotation, and a position in the unit box."""
    quaternion = generator.standard_normal(4)
    return Rotation.from_quat(quaternion).as_matrix(), generator.random(3)


@jax.jit
def _filtered(
    delta_k: Complex[jax.Array, "n n n//2+1"], k_max: Float[jax.Array, ""]
) -> Float[jax.Array, "n n n"]:
    """Overdensity of the modes up to k_max.

    It is corrected for two CIC windows: that of painting the particles, and that of
    reading values along rays, which comes later.
    """
    n = len(delta_k)
    below = wavenumber_squared(n) <= k_max**2
    return jnp.fft.irfftn(jnp.where(below, delta_k / cic_window(n) ** 2, 0), (n, n, n))


@jax.jit
def _mean_along(
    delta: Float[jax.Array, "n n n"],
    rays: Float[jax.Array, "n_ray 3"],
    origin: Float[jax.Array, " 3"],
    near: Float[jax.Array, ""],
    spacing: Float[jax.Array, ""],
    n_points: int,
) -> Float[jax.Array, " n_ray"]:
    """Mean of a mesh over equidistant points along rays."""

    def add(
        index: Int[jax.Array, ""], total: Float[jax.Array, " n_ray"]
    ) -> Float[jax.Array, " n_ray"]:
        radius = near + (index + 0.5) * spacing
        return total + read(delta, origin + radius * rays)

    zero = jnp.zeros(len(rays), delta.dtype)
    return lax.fori_loop(0, n_points, add, zero) / n_points


def shell(
    delta_k: Complex[jax.Array, "n n n//2+1"],
    edges: tuple[float, float],
    lmax: int,
    rays: Float[jax.Array, "n_ray 3"],
    origin: Float[NDArray, " 3"],
) -> Float[jax.Array, " n_ray"]:
    """Mean overdensity of a shell along each ray.

    Parameters
    ----------
    delta_k
        Modes of the density painted on a mesh.
    edges
        Distances of the near and the far edge of the shell, in cells of the mesh.
    lmax
        Largest multipole of the maps.
    rays
        Unit vectors.
    origin
        Position of the observer, in cells of the mesh.
    """
    near, far = edges
    # The near edge sets the limit: there, a multipole has the largest wavenumber.
    k_max = min(np.pi, lmax / near) if near > 0 else np.pi
    n_points = int(np.ceil((far - near) * k_max / np.pi))
    return _mean_along(
        _filtered(delta_k, np.float32(k_max)),
        rays,
        np.asarray(origin, np.float32),
        np.float32(near),
        np.float32((far - near) / n_points),
        n_points,
    )
