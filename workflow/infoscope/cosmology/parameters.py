"""Parameters, their grid over the prior, and distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass

C_KM_S = 299792.458
NODE, WEIGHT = np.polynomial.legendre.leggauss(32)
Z_MAX = 2.5  # distances and matter power are tabulated up to here


def omega_m_s8(theta: NDArray) -> NDArray:
    """Turn (Ω_m, σ_8) of shape (…, 2) into (Ω_m, S_8), S_8 = σ_8 √(Ω_m / 0.3)."""
    omega_m, sigma_8 = theta[..., 0], theta[..., 1]
    return np.stack([omega_m, sigma_8 * np.sqrt(omega_m / 0.3)], axis=-1)


def comoving_distance_mpc(z: NDArray, omega_m: float, h: float) -> NDArray:
    """Comoving distance in Mpc, flat ΛCDM without radiation.

    Gauss-Legendre quadrature of c / H: at the precision of floats up to `Z_MAX`, and
    two seconds faster to import than a library, in every job that Snakemake starts.
    """
    z = np.atleast_1d(np.asarray(z, float))
    along = z[:, None] * (NODE + 1) / 2
    inverse_e = 1 / np.sqrt(omega_m * (1 + along) ** 3 + 1 - omega_m)
    return C_KM_S / (100 * h) * z / 2 * (inverse_e @ WEIGHT)
