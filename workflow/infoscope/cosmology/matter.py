"""Background and matter power of a cosmology, and their table over the prior."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Background:
    """Distances and growth on a redshift grid.

    Attributes
    ----------
    z, chi_mpc, hubble_mpc, growth
        Redshift, comoving distance (Mpc), H/c (Mpc⁻¹) and D(z)/D(0), shape (n_z,).
    omega_m, h
        Density of matter and H_0 / (100 km/s/Mpc).
    """

    z: Array
    chi_mpc: Array
    hubble_mpc: Array
    growth: Array
    omega_m: float
    h: float

    def redshift(self, chi_mpc: NDArray) -> NDArray:
        """Redshift at a comoving distance in Mpc."""
        return np.interp(chi_mpc, self.chi_mpc, self.z)


@dataclass(frozen=True)
class Matter:
    """Background and matter power of one cosmology.

    Attributes
    ----------
    background
        Distances and growth.
    z, k_mpc
        Where the power is known: redshifts (n_z,) and wavenumbers (n_k,) in Mpc⁻¹.
    log_power
        Logarithm of the non-linear power in Mpc³, shape (n_z, n_k).
    log_linear
        Logarithm of the linear power of today, shape (n_k,).
    """

    background: Background
    z: Array
    k_mpc: Array
    log_power: Array
    log_linear: Array

    def power(self, z: NDArray | float, k_mpc: NDArray) -> NDArray:
        """Non-linear matter power in Mpc³ at redshifts and wavenumbers in Mpc⁻¹.

        Both are broadcast. Power laws continue it beyond the table.
        """
        log_k = np.log(k_mpc)
        low, high = np.log(self.k_mpc[[0, -1]])
        inside = log_k.clip(low, high)
        slopes = (self._spline(z, end, dy=1, grid=False) for end in (low, high))
        beyond = np.where(log_k < low, *slopes) * (log_k - inside)
        result: NDArray = np.exp(self._spline(z, inside, grid=False) + beyond)
        return result

    def linear_power(self, k_mpc: NDArray) -> NDArray:
        """Linear matter power of today in Mpc³ at wavenumbers in Mpc⁻¹."""
        log = np.interp(np.log(k_mpc), np.log(self.k_mpc), self.log_linear)
        return np.exp(log)

    @cached_property
    def _spline(self) -> RectBivariateSpline:
        return RectBivariateSpline(self.z, np.log(self.k_mpc), self.log_power)


@dataclass(frozen=True)
class MatterTable:
    """Matter at the Chebyshev nodes of a prior in (Ω_m, σ_8).

    Attributes
    ----------
    omega_m, sigma_8
        Nodes, shapes (n,) and (m,).
    h
        H_0 / (100 km/s/Mpc).
    background_z, chi_mpc, hubble_mpc, growth
        Redshifts (n_z',) and quantities of `Background`, shape (n, n_z').
    z, k_mpc
        As of `Matter`.
    log_power
        Shape (n, m, n_z, n_k).
    log_linear
        For σ_8 = 1, shape (n, n_k).
    """

    omega_m: Array
    sigma_8: Array
    h: float
    background_z: Array
    chi_mpc: Array
    hubble_mpc: Array
    growth: Array
    z: Array
    k_mpc: Array
    log_power: Array
    log_linear: Array

    def at(self, theta: Array) -> Matter:
        """Interpolate to (Ω_m, σ_8)."""
        omega_m, sigma_8 = (float(value) for value in theta)
        of_omega_m = lagrange(self.omega_m, omega_m)
        of_sigma_8 = lagrange(self.sigma_8, sigma_8)
        background = Background(
            self.background_z,
            of_omega_m @ self.chi_mpc,
            of_omega_m @ self.hubble_mpc,
            of_omega_m @ self.growth,
            omega_m,
            float(self.h),
        )
        log_power = np.einsum(
            "a,b,abzk->zk", of_omega_m, of_sigma_8, self.log_power, optimize=True
        )
        log_linear = of_omega_m @ self.log_linear + 2 * np.log(sigma_8)
        return Matter(background, self.z, self.k_mpc, log_power, log_linear)


def chebyshev_nodes(low: float, high: float, number: int) -> Array:
    """Zeros of the Chebyshev polynomial, scaled to an interval, increasing."""
    angle = np.pi * (np.arange(number) + 0.5) / number
    return (low + high) / 2 - (high - low) / 2 * np.cos(angle)


def lagrange(nodes: Array, x: float) -> Array:
    """Weights of values at the nodes in the polynomial through them, at x."""
    factors = (x - nodes) / (nodes[:, None] - nodes + np.eye(len(nodes)))
    np.fill_diagonal(factors, 1)
    return factors.prod(axis=1)
