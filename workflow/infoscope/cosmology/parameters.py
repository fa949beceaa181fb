"""Cosmological parameters and comoving distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

C_KM_S = 299792.458
NODE, WEIGHT = np.polynomial.legendre.leggauss(32)
Z_MAX = 2.5  # largest redshift of tabulated distances and matter power


def omega_m_s8(theta: Float[NDArray, "*shape 2"]) -> Float[NDArray, "*shape 2"]:
    """Convert (Ω_m, σ_8) to (Ω_m, S_8), with S_8 = σ_8 √(Ω_m / 0.3).

    >>> omega_m_s8(np.array([0.3, 0.8])).tolist()
    [0.3, 0.8]
    """
    omega_m, sigma_8 = theta[..., 0], theta[..., 1]
    return np.stack([omega_m, sigma_8 * np.sqrt(omega_m / 0.3)], axis=-1)


def comoving_distance_mpc(
    z: Float[NDArray, " n_z"], omega_m: float, h: float
) -> Float[NDArray, " n_z"]:
    """Return the comoving distance in Mpc in flat ΛCDM without radiation.

    The Gauss-Legendre quadrature of c / H is accurate to floating-point precision up
    to `Z_MAX`. A library would add two seconds to the start of every job.
    """
    z = np.atleast_1d(np.asarray(z, float))
    along = z[:, None] * (NODE + 1) / 2
    inverse_e = 1 / np.sqrt(omega_m * (1 + along) ** 3 + 1 - omega_m)
    return C_KM_S / (100 * h) * z / 2 * (inverse_e @ WEIGHT)
