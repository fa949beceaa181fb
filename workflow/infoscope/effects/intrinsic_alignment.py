r"""Intrinsic alignment of galaxies, the non-linear alignment model (NLA).

Each bin of the convergence gets

.. math:: A_{IA} \int dz\, n_b(z) \left(\frac{1 + z}{1 + z_0}\right)^{\eta_{IA}}
          \left(-\frac{\bar C_1 \rho_{crit} \Omega_m}{D(z)}\right) \delta(z)

(e.g. Joachimi et al. 2011, arXiv 1008.3491, with the pivot of DES, Troxel et al. 2018,
arXiv 1708.01538). So that no sky has to be simulated again for another η_IA, the maps
hold the first terms of an expansion about the mean redshift of the bin,

.. math:: \left(\frac{1 + z}{1 + z_0}\right)^\eta
          = \left(\frac{1 + \bar z_b}{1 + z_0}\right)^\eta
          \sum_k \eta^k \frac{L^k}{k!},
          \quad L = \ln \frac{1 + z}{1 + \bar z_b} .
"""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import NDArray

PIVOT_Z = 0.62
# of the expansion. With the default n(z), three terms are right within 2 % in all
# spectra for |η_IA| ≤ 5; the first alone is wrong by up to 10 % for |η_IA| = 2.
ORDERS = 3


def expansion(z: NDArray, mean_z: NDArray) -> NDArray:
    """Terms L^k / k! of the expansion.

    Parameters
    ----------
    z
        Redshifts, of any shape.
    mean_z
        Mean redshifts of the bins, shape (n_bins,).

    Returns
    -------
        Array (ORDERS, n_bins, *z.shape).
    """
    per_bin = np.reshape(1 + mean_z, (-1, *[1] * z.ndim))
    log = np.log((1 + z) / per_bin)
    return np.stack([log**k / factorial(k) for k in range(ORDERS)])


def alignment(terms: NDArray, a_ia: float, eta_ia: float, mean_z: NDArray) -> NDArray:
    """Sum the terms of the expansion.

    Parameters
    ----------
    terms
        Maps, or weights, for A_IA = 1, shape (n_order, n_bins, …). With one term, each
        bin scales as its mean redshift.
    a_ia, eta_ia
        Amplitude, and power of (1 + z) / (1 + z_0).
    mean_z
        Mean redshifts of the bins, shape (n_bins,).

    Returns
    -------
        What is added to the convergence, shape (n_bins, …).
    """
    scale = a_ia * ((1 + mean_z) / (1 + PIVOT_Z)) ** eta_ia
    total = np.tensordot(eta_ia ** np.arange(len(terms)), terms, 1)
    return np.reshape(scale, (-1, *[1] * (total.ndim - 1))) * total
