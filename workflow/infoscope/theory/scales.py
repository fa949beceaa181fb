r"""Which lengths maps resolve, and where structure becomes non-linear.

Operations call a length R what is seen at the distance :math:`\chi_s` of the mean
redshift of a bin under the angle :math:`\theta = R / \chi_s`, which is that of the
multipole :math:`\ell = \pi / \theta`. What lenses these galaxies is nearer, at
:math:`\chi_l`, and has the wavenumber :math:`k = \ell / \chi_l`, so that

.. math:: R = \frac{\pi}{k} \frac{\chi_s}{\chi_l} .

Structure is non-linear beyond :math:`k_{nl}`, where the dimensionless linear power is
one, :math:`k_{nl}^3 P_{lin}(k_{nl}, z_l) / 2 \pi^2 = 1` (Bernardeau et al. 2002, Phys.
Rep. 367, 1, where the Fourier transform makes it :math:`4 \pi k^3 P`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from infoscope.cosmology.matter import Background, Matter
from infoscope.maps.tiles import pixel_side
from infoscope.survey.survey import RedshiftDistribution

N_CHI = 400


def nonlinear_wavenumber(matter: Matter, z: float) -> float:
    """Wavenumber in Mpc⁻¹ where the dimensionless linear power is 1.

    NaN if it is below 1 everywhere in the table.
    """
    growth = np.interp(z, matter.background.z, matter.background.growth)
    k = matter.k_mpc
    log_delta2 = np.log(k**3 * matter.linear_power(k) * growth**2 / (2 * np.pi**2))
    above = np.flatnonzero(log_delta2 > 0)
    if len(above) == 0:
        return float("nan")
    around = slice(max(above[0] - 1, 0), above[0] + 1)
    return float(np.exp(np.interp(0, log_delta2[around], np.log(k[around]))))


def lens_distance_mpc(background: Background, z: NDArray, density: NDArray) -> float:
    r"""Mean comoving distance in Mpc of what lenses the galaxies of a bin.

    The mean over the lensing kernel
    :math:`q(\chi) \propto \chi (1 + z) \int dz' n(z') (1 - \chi / \chi')`.

    Parameters
    ----------
    background
        Distances.
    z, density
        n(z) of the bin, shapes (n_z,).
    """
    chi_source = np.interp(z, background.z, background.chi_mpc)
    chi = np.linspace(0, chi_source[density > 0][-1], N_CHI + 1)[1:]
    behind = np.maximum(1 - chi[:, None] / np.maximum(chi_source, 1e-6), 0)
    efficiency = np.trapezoid(density * behind, z, axis=1)
    kernel = chi * (1 + background.redshift(chi)) * efficiency
    return float(chi @ kernel / kernel.sum())


def scales_of_bins(
    matter: Matter, nz: RedshiftDistribution, nside: int
) -> pd.DataFrame:
    """Tabulate the pixel and the transition to non-linear structure.

    Parameters
    ----------
    matter
        Of the fiducial cosmology.
    nz
        Redshift distribution of the bins.
    nside
        Of the maps.

    Returns
    -------
        A row for each bin; lengths are in comoving Mpc/h.
    """
    background = matter.background
    rows = []
    for b, density in enumerate(nz.density):
        chi = float(np.interp(nz.mean[b], background.z, background.chi_mpc))
        chi_lens = lens_distance_mpc(background, nz.z, density)
        z_lens = float(background.redshift(np.array(chi_lens)))
        k_nl = nonlinear_wavenumber(matter, z_lens)
        rows.append(
            {
                "bin": b + 1,
                "mean_z": float(nz.mean[b]),
                "chi_mpc_h": chi * background.h,
                "pixel_mpc_h": pixel_side(nside) * chi * background.h,
                "lens_z": z_lens,
                "lens_chi_mpc_h": chi_lens * background.h,
                "k_nl_h_mpc": k_nl / background.h,
                "nonlinear_mpc_h": np.pi / k_nl * chi / chi_lens * background.h,
            }
        )
    return pd.DataFrame(rows)
