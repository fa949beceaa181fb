r"""Convergence as a sum over shells of matter (Born approximation).

The shells are top hats in comoving distance with Limber spectra,

.. math:: C_\ell = \frac{1}{\Delta\chi^2} \int \frac{d\chi}{\chi^2}
          P\left(\frac{\ell + 1/2}{\chi}, z\right),

and are uncorrelated with each other. Both approximations fail for a single thin shell
at low ℓ, but their errors cancel in a broad kernel: the convergence spectrum is the
Limber integral over the whole lensing kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infoscope.cosmology.matter import Background, Matter
from infoscope.cosmology.shells import STEPS, quadrature
from infoscope.effects.config import stored_effects
from infoscope.survey.survey import RedshiftDistribution

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


def shell_edges(
    background: Background, nz: RedshiftDistribution, width_mpc: float
) -> Float[NDArray, " n_edge"]:
    """Edges of the shells in comoving Mpc, from 0 to the last galaxies."""
    chi_max = np.interp(nz.last_z, background.z, background.chi_mpc)
    return np.linspace(0, chi_max, max(2, round(chi_max / width_mpc)) + 1)


def shell_spectra(
    matter: Matter, edges: Float[NDArray, " n_edge"], lmax: int
) -> list[Float[NDArray, " n_ell"]]:
    """Limber spectra of the mean overdensity in each shell, for ℓ = 0 … lmax."""
    ell = np.arange(lmax + 1)
    spectra = []
    for shell, step in zip(*quadrature(edges), strict=True):
        chi = shell[:, None]
        power = matter.power(matter.background.redshift(chi), (ell + 0.5) / chi)
        spectra.append((power / chi**2).mean(axis=0) / (step[0] * STEPS))
        spectra[-1][0] = 0  # the monopole is not observable
    return spectra


def born_weights(
    background: Background, nz: RedshiftDistribution, edges: Float[NDArray, " n_edge"]
) -> Float[NDArray, "n_bins n_shell"]:
    r"""Lensing kernel of each bin, integrated over each shell.

    .. math:: W_b(\chi) = \frac{3}{2} \Omega_m \frac{H_0^2}{c^2} (1 + z) \chi
              \int_\chi^\infty d\chi' n_b(\chi') \frac{\chi' - \chi}{\chi'}
    """
    chi, step = quadrature(edges)
    source = np.interp(nz.z, background.z, background.chi_mpc)
    ratio = np.clip(1 - chi[..., None] / np.maximum(source, 1e-6), 0, None)
    efficiency = np.trapezoid(nz.density[:, None, None, :] * ratio, nz.z, axis=-1)
    h0_mpc = background.hubble_mpc[0]
    z = background.redshift(chi)
    kernel = 1.5 * background.omega_m * h0_mpc**2 * (1 + z) * chi * efficiency
    return (kernel * step).sum(-1)


def map_weights(
    background: Background, nz: RedshiftDistribution, edges: Float[NDArray, " n_edge"]
) -> Float[NDArray, "n_map n_bins n_shell"]:
    """Weights of the shells in the convergence, and in the terms of effects after it.

    The terms are those of `stored_effects`, in this order.
    """
    terms = [effect().weights(background, nz, edges) for effect in stored_effects()]
    return np.concatenate([born_weights(background, nz, edges)[None], *terms])
