"""Background and non-linear matter power of a cosmology, from CAMB."""

from __future__ import annotations

from dataclasses import dataclass

import camb
import numpy as np
from numpy.typing import NDArray

from infoscope.config import CosmologyConfig
from infoscope.cosmology import Z_MAX

SPEED_OF_LIGHT_KM_S = 299792.458
K_MAX = 10.0  # Mpc⁻¹, far beyond ℓ_max / χ of every shell that matters


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

    z: NDArray
    chi_mpc: NDArray
    hubble_mpc: NDArray
    growth: NDArray
    omega_m: float
    h: float

    def redshift(self, chi_mpc: NDArray) -> NDArray:
        """Redshift at a comoving distance in Mpc."""
        return np.interp(chi_mpc, self.chi_mpc, self.z)


class Matter:
    """Background and non-linear matter power of one cosmology, from CAMB.

    Parameters
    ----------
    theta
        (Ω_m, σ_8).
    config
        The fixed parameters.
    """

    def __init__(self, theta: NDArray, config: CosmologyConfig) -> None:
        omega_m, sigma_8 = (float(value) for value in theta)
        h = config.h
        parameters = camb.CAMBparams()
        parameters.set_cosmology(
            H0=100 * h,
            ombh2=config.omega_b * h**2,
            omch2=(omega_m - config.omega_b) * h**2,
            mnu=0,
            num_massive_neutrinos=0,
        )
        initial_as = 2e-9
        parameters.InitPower.set_params(As=initial_as, ns=config.n_s)
        parameters.NonLinear = camb.model.NonLinear_none
        # without the CMB: a third of the time, σ_8 and P(k) the same to 3e-4
        parameters.WantCls = False
        redshifts = np.linspace(Z_MAX, 0, 40)
        parameters.set_matter_power(redshifts=redshifts, kmax=K_MAX, silent=True)
        results = camb.get_transfer_functions(parameters)
        results.calc_power_spectra()
        linear = results.get_matter_power_interpolator(
            nonlinear=False, hubble_units=False, k_hunit=False
        )
        # σ_8 is met by rescaling A_s, which leaves the transfer functions as they are
        results.Params.InitPower.As = (
            initial_as * (sigma_8 / results.get_sigma8_0()) ** 2
        )
        results.Params.NonLinear = camb.model.NonLinear_both
        results.Params.NonLinearModel.set_params(halofit_version="takahashi")
        results.calc_power_spectra()
        self._power = results.get_matter_power_interpolator(
            nonlinear=True, hubble_units=False, k_hunit=False, extrap_kmax=1e3
        )
        self.sigma_8 = float(results.get_sigma8_0())
        z = np.linspace(0, Z_MAX, 251)
        k_linear = 0.05
        self.background = Background(
            z=z,
            chi_mpc=results.comoving_radial_distance(z),
            hubble_mpc=np.asarray(results.hubble_parameter(z)) / SPEED_OF_LIGHT_KM_S,
            growth=np.sqrt(
                np.array([linear.P(value, k_linear) for value in z])
                / linear.P(0, k_linear)
            ),
            omega_m=omega_m,
            h=h,
        )

    def power(self, z: float, k_mpc: NDArray) -> NDArray:
        """Non-linear matter power in Mpc³ at wavenumbers in Mpc⁻¹."""
        return self._power.P(z, k_mpc)
