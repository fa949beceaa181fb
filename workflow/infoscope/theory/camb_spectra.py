"""Convergence spectra from CAMB's own lensing windows, used to check simulators.

The simulators share nothing with this module (`cosmology.matter`, `skies`): not the
Born sum, the shells or the normalisation to σ_8. CAMB integrates along the line of
sight, and the non-linear power is halofit (Takahashi et al. 2012).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import camb
import numpy as np
from camb.sources import SplinedSourceWindow

from infoscope.cosmology.config import CosmologyConfig
from infoscope.survey.survey import RedshiftDistribution

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

K_MAX = 10.0  # Mpc⁻¹
# CAMB uses the Limber approximation above this multipole. With its default, 100, the
# integrals over Bessel functions take five times as long, and their largest multipoles
# are 0.4 % too low.
LIMBER_FROM = 50
MARGIN = 200  # multipoles beyond lmax: CAMB's largest ones are wrong
N_Z = 1000


def lensing_spectra(
    theta: Float[NDArray, " 2"],
    config: CosmologyConfig,
    nz: RedshiftDistribution,
    lmax: int,
) -> Float[NDArray, "n_bins n_bins n_ell"]:
    """Auto- and cross-spectra of the convergence.

    They are within 0.5 % of CAMB's spectra without the Limber approximation, which
    take minutes.

    Parameters
    ----------
    theta
        (Ω_m, σ_8).
    config
        The fixed parameters.
    nz
        Redshift distribution of the bins, linear between its points.
    lmax
        Largest multipole.

    Returns
    -------
        Spectra for ℓ = 0 … lmax; 0 for ℓ < 2.
    """
    omega_m, sigma_8 = (float(value) for value in theta)
    parameters = camb.CAMBparams()
    parameters.set_cosmology(
        H0=100 * config.h,
        ombh2=config.omega_b * config.h**2,
        omch2=(omega_m - config.omega_b) * config.h**2,
        mnu=0,
        num_massive_neutrinos=0,
    )
    amplitude = 2e-9
    parameters.InitPower.set_params(As=amplitude, ns=config.n_s)
    parameters.NonLinear = camb.model.NonLinear_none
    parameters.WantCls = False
    parameters.set_matter_power(redshifts=[0.0], kmax=K_MAX, silent=True)
    trial_sigma_8 = camb.get_results(parameters).get_sigma8_0()
    amplitude *= (sigma_8 / trial_sigma_8) ** 2
    parameters.InitPower.set_params(As=amplitude, ns=config.n_s)
    parameters.WantCls = True
    parameters.Want_CMB = False
    parameters.NonLinear = camb.model.NonLinear_both
    parameters.NonLinearModel.set_params(halofit_version="takahashi")
    parameters.set_for_lmax(lmax + MARGIN)
    parameters.SourceTerms.limber_windows = True
    parameters.SourceTerms.limber_phi_lmin = LIMBER_FROM
    parameters.SourceWindows = _windows(nz)
    cls = camb.get_results(parameters).get_source_cls_dict(lmax=lmax, raw_cl=True)
    names = [f"W{i + 1}" for i in range(len(nz.density))]
    return np.array([[cls[f"{a}x{b}"][: lmax + 1] for b in names] for a in names])


def _windows(nz: RedshiftDistribution) -> list[SplinedSourceWindow]:
    """Tabulate n(z) of each bin finely enough that CAMB's splines do not overshoot."""
    first, last = np.flatnonzero(nz.density.max(axis=0))[[0, -1]]
    start, stop = nz.z[max(first - 1, 0)], nz.z[min(last + 1, len(nz.z) - 1)]
    z = np.linspace(start, stop, N_Z)
    z = z[z > 0]
    return [
        SplinedSourceWindow(z=z, W=np.interp(z, nz.z, density), source_type="lensing")
        for density in nz.density
    ]
