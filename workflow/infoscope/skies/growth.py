r"""Growth of structure to second order in flat ΛCDM without radiation.

Displacements of matter are :math:`D \psi^{(1)} + E \psi^{(2)}`, with

.. math:: D'' + \left(2 - \tfrac{3}{2} \Omega_m(a)\right) D'
          = \tfrac{3}{2} \Omega_m(a) D, \qquad
          E'' + \left(2 - \tfrac{3}{2} \Omega_m(a)\right) E'
          = \tfrac{3}{2} \Omega_m(a) \left(E - D^2\right),

where primes are derivatives with respect to ln a (Bouchet et al. 1995,
astro-ph/9406013). The time variable of the simulations is D, so that first-order
displacements are linear in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.integrate import solve_ivp

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

A_EARLY = 1e-3  # in matter domination, where both solutions are powers of a


@dataclass(frozen=True)
class Growth:
    """Growth factors on a grid of scale factors.

    Attributes
    ----------
    a
        Scale factor.
    first
        D, normalised to 1 today.
    second
        E, about -3/7 D².
    slope
        dE/dD.
    """

    a: Float[NDArray, " n_a"]
    first: Float[NDArray, " n_a"]
    second: Float[NDArray, " n_a"]
    slope: Float[NDArray, " n_a"]

    @classmethod
    def of(cls, omega_m: float) -> Growth:
        """Solve both equations for a given Ω_m."""

        def derivative(ln_a: float, y: Float[NDArray, " 4"]) -> list[float]:
            omega_m_a = omega_m / (omega_m + (1 - omega_m) * np.exp(3 * ln_a))
            source, friction = 1.5 * omega_m_a, 2 - 1.5 * omega_m_a
            d, d_prime, e, e_prime = y
            return [
                d_prime,
                source * d - friction * d_prime,
                e_prime,
                source * (e - d**2) - friction * e_prime,
            ]

        initial = [A_EARLY, A_EARLY, -3 / 7 * A_EARLY**2, -6 / 7 * A_EARLY**2]
        ln_a = np.linspace(np.log(A_EARLY), 0, 1001)
        d, d_prime, e, e_prime = solve_ivp(
            derivative, ln_a[[0, -1]], initial, t_eval=ln_a, rtol=1e-8, atol=1e-12
        ).y
        today = d[-1]
        return cls(
            a=np.exp(ln_a),
            first=d / today,
            second=e / today**2,
            slope=e_prime / d_prime / today,
        )

    def at_redshift(
        self, z: Float[NDArray, "*shape"] | float
    ) -> Float[NDArray, "*shape"]:
        """D at redshifts."""
        return np.interp(1 / (1 + np.asarray(z)), self.a, self.first)

    def second_at(self, d: float) -> tuple[float, float]:
        """E and dE/dD at the time D."""
        return (
            float(np.interp(d, self.first, self.second)),
            float(np.interp(d, self.first, self.slope)),
        )
