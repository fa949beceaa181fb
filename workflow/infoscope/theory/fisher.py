r"""The Fisher matrix of a survey whose fields are Gaussian, and what it predicts.

.. math:: F_{ij} = f_{sky} \sum_\ell \frac{2\ell + 1}{2}
          \mathrm{Tr}\left[C_\ell^{-1} \partial_i C_\ell
          C_\ell^{-1} \partial_j C_\ell\right]

with the spectra and cross-spectra of all bins in the matrix :math:`C_\ell`, noise
included, and the parameters (Ω_m, S_8); alignment parameters that are sampled are
marginalised over. The spectra are those that the Gaussian simulator draws from.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import (
    CosmologyConfig,
    IntrinsicAlignment,
    Parameters,
    Prior,
    fiducial_of,
)
from infoscope.cosmology.matter import Matter
from infoscope.cosmology.parameters import omega_m_s8
from infoscope.effects.intrinsic_alignment import alignment
from infoscope.inference.posterior import MASSES, METRICS, SMALLEST_LOG, Grid, widths
from infoscope.models import Interval
from infoscope.skies.shells import (
    born_weights,
    intrinsic_alignment_weights,
    shell_edges,
    shell_spectra,
)
from infoscope.survey.survey import ARCMIN2_SKY, RedshiftDistribution

Array = NDArray[np.float64]

# Relative step in Ω_m and S_8: CAMB's tables are smooth to a few 1e-4 only, which
# shows below 1 %, and the curvature of the spectra shows above 8 %.
STEP = 0.04
GRID_SIZE = 256
MOCKS = 256
# the information of a posterior depends on a prior, and its mean on all of it
PREDICTED = METRICS[:-1]


def convergence_spectra(
    matter: Matter,
    nz: RedshiftDistribution,
    edges: Array,
    lmax: int,
    a_ia: float = 0.0,
    eta_ia: float = 0.0,
) -> Array:
    """Spectra of the sum over shells, alignment included, without noise.

    Parameters
    ----------
    matter
        The cosmology.
    nz
        Redshift distribution of the bins.
    edges
        Bounds of the shells in comoving Mpc.
    lmax
        Largest multipole.
    a_ia, eta_ia
        Amplitude and redshift dependence of intrinsic alignment.

    Returns
    -------
        Spectra (lmax + 1, n_bins, n_bins).
    """
    weights = born_weights(matter.background, nz, edges)
    if a_ia:
        terms = intrinsic_alignment_weights(matter.background, nz, edges)
        weights += alignment(terms, a_ia, eta_ia, nz.mean)
    shells = np.array(shell_spectra(matter, edges, lmax))
    spectra: Array = np.einsum("is,sl,js->lij", weights, shells, weights)
    return spectra


def spectra_and_derivatives(
    cosmology: CosmologyConfig,
    nz: RedshiftDistribution,
    shell_width_mpc: float,
    lmax: int,
    intrinsic: IntrinsicAlignment,
) -> tuple[Array, Array]:
    """Spectra at the fiducial and their central differences in all parameters.

    Those are (Ω_m, S_8) and then what is sampled of (A_IA, η_IA).

    Returns
    -------
    spectra, derivatives
        Arrays (lmax + 1, n_bins, n_bins) and (n_parameter, lmax + 1, n_bins, n_bins).
    """
    fiducial = np.array([cosmology.fiducial.omega_m, cosmology.fiducial.sigma_8])
    background = matter_of(fiducial, cosmology).background
    n_edges = len(shell_edges(background, nz, shell_width_mpc))
    aligned = {
        "a_ia": fiducial_of(intrinsic.a_ia),
        "eta_ia": fiducial_of(intrinsic.eta_ia),
    }

    def spectra(parameters: Array) -> Array:
        omega_m, s_8 = parameters[:2]
        theta = np.array([omega_m, s_8 / sqrt(omega_m / 0.3)])
        matter = matter_of(theta, cosmology)
        # a shell more or less on one side would be divided by the step
        last = shell_edges(matter.background, nz, shell_width_mpc)[-1]
        edges = np.linspace(0, last, n_edges)
        varied = dict(zip(intrinsic.sampled, parameters[2:], strict=True))
        return convergence_spectra(matter, nz, edges, lmax, **(aligned | varied))

    centre = omega_m_s8(fiducial)
    steps = STEP * centre
    if intrinsic.sampled:
        centre = np.append(centre, [v.fiducial for v in intrinsic.sampled.values()])
        steps = np.append(steps, np.full(len(intrinsic.sampled), STEP))
    derivatives = [
        (spectra(centre + step) - spectra(centre - step)) / (2 * step.sum())
        for step in np.diag(steps)
    ]
    return spectra(centre), np.array(derivatives)


def noise_spectrum(sigma_e: Array, n_gal_arcmin2: Array) -> Array:
    """Spectrum σ_e² / n_gal of the shape noise, n_gal per steradian, bin by bin."""
    return sigma_e**2 / (n_gal_arcmin2 * ARCMIN2_SKY / (4 * pi))


def modes_of_a_tile(nside: int, tile_nside: int) -> tuple[NDArray, float]:
    """Multipoles that a tile holds, and the share of the sky that it is.

    They begin where f_sky ℓ² = 1, so that exactly one mode is left out, the mean that
    is subtracted from every tile, and end at the band limit of the maps.

    Returns
    -------
    ell, f_sky
        Integers from ⌈√n_tile⌉ to 2 nside, and 1 / n_tile.
    """
    n_tile = 12 * tile_nside**2
    return np.arange(ceil(sqrt(n_tile)), 2 * nside + 1), 1 / n_tile


def fisher_matrix(covariance: Array, derivatives: Array, modes: Array) -> Array:
    """Fisher matrix of Gaussian fields.

    Parameters
    ----------
    covariance
        Spectra with noise (n_ell, n_bins, n_bins).
    derivatives
        Their derivatives (n_parameter, n_ell, n_bins, n_bins).
    modes
        Number of modes (n_ell,) of each multipole, f_sky (2ℓ + 1).

    Returns
    -------
        The matrix (n_parameter, n_parameter).
    """
    relative = np.linalg.solve(covariance, derivatives)
    matrix: Array = np.einsum("l,ilab,jlba->ij", modes / 2, relative, relative)
    return matrix


def marginalised(matrix: Array, priors: Sequence[Interval]) -> Array:
    """Fisher matrix of (Ω_m, S_8), marginalised over the parameters after them.

    Parameters
    ----------
    matrix
        Fisher matrix (2 + k, 2 + k).
    priors
        Ranges of the uniform priors of the k others, which count as Gaussians of the
        same variance.

    Returns
    -------
        The matrix (2, 2).
    """
    known = [12 / (high - low) ** 2 for low, high in priors]
    others = matrix[2:, 2:] + np.diag(known)
    mixed = matrix[:2, 2:]
    result: Array = matrix[:2, :2] - mixed @ np.linalg.solve(others, mixed.T)
    return result


def widths_without_prior(matrix: Array, fiducial: Parameters) -> Array:
    """Widths of a Gaussian posterior in (Ω_m, S_8), propagated linearly.

    Parameters
    ----------
    matrix
        Fisher matrix (2, 2) of (Ω_m, S_8).
    fiducial
        Where it is.

    Returns
    -------
        Metrics (6,) in the order of `PREDICTED`.
    """
    omega_m, sigma_8 = fiducial.omega_m, fiducial.sigma_8
    # σ_8 = S_8 √(0.3 / Ω_m)
    jacobian = np.array([[1, 0], [-sigma_8 / (2 * omega_m), sqrt(0.3 / omega_m)]])
    covariance = np.linalg.inv(matrix)
    of_sigma_8 = jacobian @ covariance @ jacobian.T
    one_sigma = 2 * pi * sqrt(np.linalg.det(of_sigma_8))
    areas = [-log(1 - mass) * one_sigma for mass in MASSES]
    variances = [covariance[1, 1], covariance[0, 0], of_sigma_8[1, 1]]
    return np.array([*np.sqrt(variances), *areas, 1 / areas[0]])


def widths_in_prior(matrix: Array, fiducial: Parameters, prior: Prior) -> Array:
    """Median widths of likelihoods Gaussian in (Ω_m, S_8) times the uniform prior.

    As for the mock observations of a study, the median is one over data: the likelihood
    of each is highest somewhere else, and where it reaches an edge of the prior the
    posterior is narrower than one in the middle.

    Parameters
    ----------
    matrix
        Fisher matrix (2, 2) of (Ω_m, S_8).
    fiducial
        The truth, about which the maxima of the likelihoods scatter.
    prior
        Box in (Ω_m, σ_8).

    Returns
    -------
        Metrics (6,) in the order of `PREDICTED`.
    """
    grid = Grid.of_prior(prior.model_dump(), GRID_SIZE)
    theta = omega_m_s8(grid.theta)
    truth = omega_m_s8(np.array([fiducial.omega_m, fiducial.sigma_8]))
    scatter = qmc.MultivariateNormalQMC(truth, np.linalg.inv(matrix), rng=0)

    def of_mock(maximum: Array) -> Array:
        offset = theta - maximum
        log = -np.einsum("ai,ij,aj->a", offset, matrix, offset) / 2
        # the maximum may lie far outside of the prior
        posterior = np.exp(np.maximum(log - log.max(), SMALLEST_LOG))
        return widths((posterior / posterior.sum())[None], grid)[0]

    mocks = [of_mock(maximum) for maximum in scatter.random(MOCKS)]
    median: Array = np.median(mocks, axis=0)[: len(PREDICTED)]
    return median
