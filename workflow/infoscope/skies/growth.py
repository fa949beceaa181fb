r"""Growth of structure to second order in flat ΛCDM without radiation.

Displacements of matter are :math:`D \psi^{(1)} + E \psi^{(2)}`, with

.. math:: D'' + \left(2 - \tfrac{3}{2} \Omega_m(a)\right) D'
          = \tfrac{3}{2} \Omega_m(a) D, \qquad
          E'' + \left(2 - \tfrac{3}{2} \Omega_m(a)\right) E'
          = \tfrac{3}{2} \Omega_m(a) \left(E - D^2\right),

where primes are derivatives in ln a (Bouchet et al. 1995, astro-ph/9406013). The time
of a simulation is D, so that displacements to first order are linear in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

A_EARLY = 1e-3  # matter dominates, and both solutions are powers of a


@dataclass(frozen=True)
class Growth:
    """Growth on a grid of scale factors.

    Attributes
    ----------
    a, first, second, slope
        Scale factor, D (1 today), E (of about -3/7 D²) and dE/dD, shape (n_a,).
    """

    a: NDArray
    first: NDArray
    second: NDArray
    slope: NDArray

    @classmethod
    def of(cls, omega_m: float) -> Growth:
        """Solve both equations for one Ω_m."""

        def derivative(ln_a: float, y: NDArray) -> list[float]:
            matter = omega_m / (omega_m + (1 - omega_m) * np.exp(3 * ln_a))
            pull, drag = 1.5 * matter, 2 - 1.5 * matter
            d, d_prime, e, e_prime = y
            return [
                d_prime,
                pull * d - drag * d_prime,
                e_prime,
                pull * (e - d**2) - drag * e_prime,
            ]

        early = [A_EARLY, A_EARLY, -3 / 7 * A_EARLY**2, -6 / 7 * A_EARLY**2]
        ln_a = np.linspace(np.log(A_EARLY), 0, 1001)
        d, d_prime, e, e_prime = solve_ivp(
            derivative, ln_a[[0, -1]], early, t_eval=ln_a, rtol=1e-8, atol=1e-12
        ).y
        today = d[-1]
        return cls(
            a=np.exp(ln_a),
            first=d / today,
            second=e / today**2,
            slope=e_prime / d_prime / today,
        )

    def at_redshift(self, z: NDArray | float) -> NDArray:
        """D at a redshift."""
        return np.interp(1 / (1 + np.asarray(z)), self.a, self.first)

    def second_at(self, d: float) -> tuple[float, float]:
        """E and dE/dD at the time D."""
        return (
            float(np.interp(d, self.first, self.second)),
            float(np.interp(d, self.first, self.slope)),
        )
