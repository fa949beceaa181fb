"""Background and matter power of a cosmology, and their tables over the prior."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import RectBivariateSpline

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Background:
    """Distances and growth on a redshift grid.

    Attributes
    ----------
    z, chi_mpc, hubble_mpc, growth
        Redshift, comoving distance (Mpc), H/c (Mpc⁻¹) and D(z)/D(0).
    omega_m, h
        Matter density parameter and H_0 / (100 km/s/Mpc).
    """

    z: Float[NDArray, " n_z"]
    chi_mpc: Float[NDArray, " n_z"]
    hubble_mpc: Float[NDArray, " n_z"]
    growth: Float[NDArray, " n_z"]
    omega_m: float
    h: float

    def redshift(self, chi_mpc: Float[NDArray, "*shape"]) -> Float[NDArray, "*shape"]:
        """Return the redshift at a comoving distance in Mpc."""
        return np.interp(chi_mpc, self.chi_mpc, self.z)


@dataclass(frozen=True)
class Matter:
    """Background and matter power of one cosmology.

    Attributes
    ----------
    background
        Distances and growth.
    z, k_mpc
        Redshifts and wavenumbers (Mpc⁻¹) of the tables below.
    log_power
        Logarithm of the non-linear power in Mpc³.
    log_linear
        Logarithm of the linear power at z = 0 in Mpc³.
    """

    background: Background
    z: Float[NDArray, " n_z"]
    k_mpc: Float[NDArray, " n_k"]
    log_power: Float[NDArray, "n_z n_k"]
    log_linear: Float[NDArray, " n_k"]

    def power(
        self, z: Float[NDArray, "*z_shape"] | float, k_mpc: Float[NDArray, "*k_shape"]
    ) -> Float[NDArray, "*shape"]:
        """Return the non-linear matter power in Mpc³.

        Redshifts and wavenumbers (Mpc⁻¹) are broadcast against each other. Outside the
        tabulated wavenumbers the power is extrapolated by power laws.
        """
        log_k = np.log(k_mpc)
        low, high = np.log(self.k_mpc[[0, -1]])
        inside = log_k.clip(low, high)
        slopes = (self._spline(z, end, dy=1, grid=False) for end in (low, high))
        beyond = np.where(log_k < low, *slopes) * (log_k - inside)
        power: NDArray = np.exp(self._spline(z, inside, grid=False) + beyond)
        return power

    def linear_power(self, k_mpc: Float[NDArray, "*shape"]) -> Float[NDArray, "*shape"]:
        """Return the linear matter power at z = 0 in Mpc³, for wavenumbers in Mpc⁻¹."""
        log_power = np.interp(np.log(k_mpc), np.log(self.k_mpc), self.log_linear)
        return np.exp(log_power)

    @cached_property
    def _spline(self) -> RectBivariateSpline:
        return RectBivariateSpline(self.z, np.log(self.k_mpc), self.log_power)


@dataclass(frozen=True)
class MatterTable:
    """Background and matter power at the Chebyshev nodes of a prior in (Ω_m, σ_8).

    Attributes
    ----------
    omega_m, sigma_8
        Nodes.
    h
        H_0 / (100 km/s/Mpc).
    background_z
        Redshifts of the background.
    chi_mpc, hubble_mpc, growth
        As in `Background`, for each node in Ω_m.
    z, k_mpc, log_power
        As in `Matter`, for each pair of nodes.
    log_linear
        As in `Matter`, for each node in Ω_m and σ_8 = 1.
    """

    omega_m: Float[NDArray, " n_omega_m"]
    sigma_8: Float[NDArray, " n_sigma_8"]
    h: float
    background_z: Float[NDArray, " n_z_background"]
    chi_mpc: Float[NDArray, "n_omega_m n_z_background"]
    hubble_mpc: Float[NDArray, "n_omega_m n_z_background"]
    growth: Float[NDArray, "n_omega_m n_z_background"]
    z: Float[NDArray, " n_z"]
    k_mpc: Float[NDArray, " n_k"]
    log_power: Float[NDArray, "n_omega_m n_sigma_8 n_z n_k"]
    log_linear: Float[NDArray, "n_omega_m n_k"]

    def at(self, theta: Float[NDArray, " 2"]) -> Matter:
        """Interpolate to (Ω_m, σ_8)."""
        omega_m, sigma_8 = (float(value) for value in theta)
        omega_m_weights = lagrange(self.omega_m, omega_m)
        sigma_8_weights = lagrange(self.sigma_8, sigma_8)
        background = Background(
            self.background_z,
            omega_m_weights @ self.chi_mpc,
            omega_m_weights @ self.hubble_mpc,
            omega_m_weights @ self.growth,
            omega_m,
            float(self.h),
        )
        log_power = np.einsum(
            "a,b,abzk->zk",
            omega_m_weights,
            sigma_8_weights,
            self.log_power,
            optimize=True,
        )
        log_linear = omega_m_weights @ self.log_linear + 2 * np.log(sigma_8)
        return Matter(background, self.z, self.k_mpc, log_power, log_linear)


def chebyshev_nodes(low: float, high: float, number: int) -> Float[NDArray, " number"]:
    """Return the zeros of a Chebyshev polynomial, scaled to an interval, increasing.

    >>> chebyshev_nodes(0, 1, 3).round(3).tolist()
    [0.067, 0.5, 0.933]
    """
    angle = np.pi * (np.arange(number) + 0.5) / number
    return (low + high) / 2 - (high - low) / 2 * np.cos(angle)


def lagrange(nodes: Float[NDArray, " n"], x: float) -> Float[NDArray, " n"]:
    """Return the weights of the values at the nodes in Lagrange interpolation at x.

    >>> lagrange(np.array([0.0, 1.0, 2.0]), 0.5).tolist()
    [0.375, 0.75, -0.125]
    """
    factors = (x - nodes) / (nodes[:, None] - nodes + np.eye(len(nodes)))
    np.fill_diagonal(factors, 1)
    return factors.prod(axis=1)
