r"""The smallest scale of the maps, and the onset of non-linear structure.

Operations take a comoving length R at the mean redshift of a bin, whose distance is
:math:`\chi_s`. It subtends the angle :math:`\theta = R / \chi_s`, which corresponds to
the multipole :math:`\ell = \pi / \theta`. The lenses of these galaxies are nearer, at
:math:`\chi_l`, where this multipole is the wavenumber :math:`k = \ell / \chi_l`. Hence

.. math:: R = \frac{\pi}{k} \frac{\chi_s}{\chi_l} .

Structure is non-linear beyond :math:`k_{nl}`, where the dimensionless linear power is
one, :math:`k_{nl}^3 P_{lin}(k_{nl}, z_l) / 2 \pi^2 = 1`.

References
----------
Bernardeau et al. 2002, Phys. Rep. 367, 1, who write this power as
:math:`4 \pi k^3 P` in their convention of the Fourier transform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infoscope.cosmology.matter import Background, Matter
from infoscope.survey.survey import RedshiftDistribution

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

N_CHI = 400


def nonlinear_wavenumber(matter: Matter, z: float) -> float:
    """Wavenumber in Mpc⁻¹ at which the dimensionless linear power is 1.

    It is NaN if the power is below 1 in the whole table.
    """
    growth = np.interp(z, matter.background.z, matter.background.growth)
    k = matter.k_mpc
    log_delta2 = np.log(k**3 * matter.linear_power(k) * growth**2 / (2 * np.pi**2))
    above = np.flatnonzero(log_delta2 > 0)
    if len(above) == 0:
        return float("nan")
    crossing = slice(max(above[0] - 1, 0), above[0] + 1)
    return float(np.exp(np.interp(0, log_delta2[crossing], np.log(k[crossing]))))


def lens_distance_mpc(
    background: Background, z: Float[NDArray, " n_z"], density: Float[NDArray, " n_z"]
) -> float:
    r"""Mean comoving distance in Mpc of the lenses of the galaxies of a bin.

    The mean is weighted by the lensing kernel
    :math:`q(\chi) \propto \chi (1 + z) \int dz' n(z') (1 - \chi / \chi')`.

    Parameters
    ----------
    background
        Distances.
    z, density
        n(z) of the bin.
    """
    chi_source = np.interp(z, background.z, background.chi_mpc)
    chi = np.linspace(0, chi_source[density > 0][-1], N_CHI + 1)[1:]
    ratio = np.maximum(1 - chi[:, None] / np.maximum(chi_source, 1e-6), 0)
    efficiency = np.trapezoid(density * ratio, z, axis=1)
    kernel = chi * (1 + background.redshift(chi)) * efficiency
    return float(chi @ kernel / kernel.sum())


def scales_of_bins(
    matter: Matter, nz: RedshiftDistribution, pixel: float
) -> pd.DataFrame:
    """Tabulate the pixel size and the onset of non-linear structure.

    Parameters
    ----------
    matter
        Matter of the fiducial cosmology.
    nz
        Redshift distribution of the bins.
    pixel
        Side of a pixel in radians.

    Returns
    -------
        One row per bin; lengths in comoving Mpc/h.
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
                "pixel_mpc_h": pixel * chi * background.h,
                "lens_z": z_lens,
                "lens_chi_mpc_h": chi_lens * background.h,
                "k_nl_h_mpc": k_nl / background.h,
                "nonlinear_mpc_h": np.pi / k_nl * chi / chi_lens * background.h,
            }
        )
    return pd.DataFrame(rows)
