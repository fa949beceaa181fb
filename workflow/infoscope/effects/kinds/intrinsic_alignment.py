r"""Intrinsic alignment of galaxies in the non-linear alignment model (NLA).

The convergence of each bin changes by

.. math:: A_{IA} \int dz\, n_b(z) \left(\frac{1 + z}{1 + z_0}\right)^{\eta_{IA}}
          \left(-\frac{\bar C_1 \rho_{crit} \Omega_m}{D(z)}\right) \delta(z)

(e.g. Joachimi et al. 2011, arXiv 1008.3491, with the pivot of DES, Troxel et al. 2018,
arXiv 1708.01538). Skies store the first terms of an expansion about the mean redshift
of the bin, so that η_IA can change without a new simulation:

.. math:: \left(\frac{1 + z}{1 + z_0}\right)^\eta
          = \left(\frac{1 + \bar z_b}{1 + z_0}\right)^\eta
          \sum_k \eta^k \frac{L^k}{k!},
          \quad L = \ln \frac{1 + z}{1 + \bar z_b} .
"""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, field_validator

from infoscope.cosmology.shells import quadrature
from infoscope.effects.effect import (
    Effect,
    FixedOrSampled,
    Sampled,
    described,
    extremes,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    from infoscope.cosmology.matter import Background
    from infoscope.survey.survey import RedshiftDistribution

C1_RHO_CRITICAL = 0.0134  # C̄₁ ρ_crit, e.g. Hikage et al. 2019, arXiv 1809.09148
PIVOT_Z = 0.62
# Number of terms of the expansion. With the default n(z), three terms are accurate to
# 2 % in all spectra for |η_IA| ≤ 5; with only the first term, the error is up to 10 %
# for |η_IA| = 2.
ORDERS = 3
LARGEST = 6.0  # limit of |A_IA| and |η_IA|


class IntrinsicAlignment(Effect):
    """Intrinsic alignment of galaxies: A_IA ((1 + z) / 1.62)^η_IA of the NLA model."""

    key = "intrinsic_alignment"
    label = "alignment"
    n_terms = ORDERS
    data_set = "kappa_ia"

    a_ia: FixedOrSampled = Field(
        0.0, description="Amplitude A_IA: a number, or a prior and a fiducial value."
    )
    eta_ia: FixedOrSampled = Field(
        0.0,
        description="Exponent η_IA of the redshift dependence: a number, or a prior "
        "and a fiducial value.",
    )

    @field_validator("a_ia", "eta_ia")
    @classmethod
    def _moderate(cls, value: float | Sampled) -> float | Sampled:
        if max(map(abs, extremes(value))) > LARGEST:
            raise ValueError(f"must be between -{LARGEST:g} and {LARGEST:g}")
        return value

    def weights(
        self,
        background: Background,
        nz: RedshiftDistribution,
        edges: Float[NDArray, " n_edge"],
    ) -> Float[NDArray, "n_order n_bins n_shell"]:
        r"""Integrate the NLA kernel for A_IA = 1 over each shell.

        .. math:: W^{IA}_b(\chi) = -\frac{\bar C_1 \rho_{crit} \Omega_m}{D(z)}
                  n_b(z) \frac{dz}{d\chi}

        Returns
        -------
            Weights of the shells in each term of the expansion.
        """
        chi, step = quadrature(edges)
        z = background.redshift(chi)
        density = np.array([np.interp(z, nz.z, n, left=0, right=0) for n in nz.density])
        growth = np.interp(z, background.z, background.growth)
        dz_dchi = np.interp(z, background.z, background.hubble_mpc)
        amplitude = -C1_RHO_CRITICAL * background.omega_m / growth
        return (amplitude * density * dz_dchi * step * expansion(z, nz.mean)).sum(-1)

    def n_used(self) -> int:
        """Count the terms that do not vanish: only the first if η_IA = 0."""
        if not self.values["a_ia"]:
            return 0
        return ORDERS if self.values["eta_ia"] else 1

    def apply(
        self,
        kappa: Float[NDArray, "n_bins ..."],
        terms: Float[NDArray, "n_order n_bins ..."],
        mean_z: Float[NDArray, " n_bins"],
    ) -> Float[NDArray, "n_bins ..."]:
        """Add the sum of the terms of the expansion to the convergence.

        Parameters
        ----------
        kappa
            Convergence maps, or weights of shells in them.
        terms
            Maps of the terms for A_IA = 1, or weights of shells in them. With only one
            term, the amplitude of each bin is that of its mean redshift.
        mean_z
            Mean redshifts of the bins.
        """
        a_ia, eta_ia = self.values["a_ia"], self.values["eta_ia"]
        amplitude = a_ia * ((1 + mean_z) / (1 + PIVOT_Z)) ** eta_ia
        total = np.tensordot(eta_ia ** np.arange(len(terms)), terms, 1)
        return kappa + np.reshape(amplitude, (-1, *[1] * (total.ndim - 1))) * total

    def describe(self) -> str:
        """Return the parameters in words, for the first page of the report."""
        if isinstance(self.a_ia, float) and not self.a_ia:
            return "none"
        return f"NLA, A_IA {described(self.a_ia)}, η_IA {described(self.eta_ia)}"


def expansion(
    z: Float[NDArray, "*shape"], mean_z: Float[NDArray, " n_bins"]
) -> Float[NDArray, "n_order n_bins *shape"]:
    """Compute the terms L^k / k! of the expansion about the mean redshifts."""
    of_bins = np.reshape(1 + mean_z, (-1, *[1] * z.ndim))
    log = np.log((1 + z) / of_bins)
    return np.stack([log**k / factorial(k) for k in range(ORDERS)])
