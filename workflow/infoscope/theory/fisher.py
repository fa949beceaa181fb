r"""Fisher forecast for a survey of Gaussian fields.

.. math:: F_{ij} = f_{sky} \sum_\ell \frac{2\ell + 1}{2}
          \mathrm{Tr}\left[C_\ell^{-1} \partial_i C_\ell
          C_\ell^{-1} \partial_j C_\ell\right]

where the matrix :math:`C_\ell` has the auto- and cross-spectra of all bins, including
noise. The parameters are (Ω_m, S_8); sampled parameters of systematic effects are
marginalised over. The spectra are those of the Gaussian simulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import qmc

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import CosmologyConfig, Parameters, Prior
from infoscope.cosmology.matter import Matter
from infoscope.cosmology.parameters import omega_m_s8
from infoscope.effects.effect import Effect
from infoscope.inference.posterior import MASSES, SMALLEST_LOG, Grid, widths
from infoscope.models import Interval
from infoscope.skies.shells import born_weights, shell_edges, shell_spectra
from infoscope.survey.survey import ARCMIN2_SKY, RedshiftDistribution
from infoscope.vocabulary import METRICS

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import NDArray

# Relative step in Ω_m and S_8. CAMB's tables are smooth to a few 1e-4 only, which
# matters for steps below 1 %, and the curvature of the spectra matters above 8 %.
STEP = 0.04
GRID_SIZE = 256
MOCKS = 256
# The expected information gain is a mean over the whole prior.
PREDICTED = METRICS[:-1]


def convergence_spectra(
    matter: Matter,
    nz: RedshiftDistribution,
    edges: Float[NDArray, " n_edge"],
    lmax: int,
    effects: Sequence[Effect] = (),
) -> Float[NDArray, "n_ell n_bins n_bins"]:
    """Noiseless spectra of the sum over shells, with systematic effects.

    Parameters
    ----------
    matter
        Matter of the cosmology.
    nz
        Redshift distribution of the bins.
    edges
        Edges of the shells in comoving Mpc.
    lmax
        Largest multipole.
    effects
        Effects with fixed parameters.

    Returns
    -------
        Spectra for ℓ = 0 … lmax.
    """
    weights = born_weights(matter.background, nz, edges)
    for effect in effects:
        terms = np.empty((0, *weights.shape))
        if effect.n_terms:
            terms = effect.weights(matter.background, nz, edges)
        weights = effect.apply(weights, terms, nz.mean)
    shells = np.array(shell_spectra(matter, edges, lmax))
    return np.einsum("is,sl,js->lij", weights, shells, weights)


def spectra_and_derivatives(
    cosmology: CosmologyConfig,
    nz: RedshiftDistribution,
    shell_width_mpc: float,
    lmax: int,
    effects: Sequence[Effect] = (),
) -> tuple[
    Float[NDArray, "n_ell n_bins n_bins"],
    Float[NDArray, "n_parameter n_ell n_bins n_bins"],
]:
    """Spectra at the fiducial cosmology and their derivatives (central differences).

    Parameters
    ----------
    cosmology
        Fiducial cosmology.
    nz
        Redshift distribution of the bins.
    shell_width_mpc
        Comoving thickness of a shell in Mpc.
    lmax
        Largest multipole.
    effects
        Effects whose parameters are fixed or sampled.

    Returns
    -------
    spectra, derivatives
        Derivatives are with respect to Ω_m, S_8 and the sampled parameters of the
        effects, in their order.
    """
    fiducial = np.array([cosmology.fiducial.omega_m, cosmology.fiducial.sigma_8])
    background = matter_of(fiducial, cosmology).background
    n_edges = len(shell_edges(background, nz, shell_width_mpc))
    sampled = {
        name: value for effect in effects for name, value in effect.sampled.items()
    }

    def spectra(
        parameters: Float[NDArray, " n_parameter"],
    ) -> Float[NDArray, "n_ell n_bins n_bins"]:
        omega_m, s_8 = parameters[:2]
        theta = np.array([omega_m, s_8 / sqrt(omega_m / 0.3)])
        matter = matter_of(theta, cosmology)
        # The number of shells is fixed: the difference must not include another shell.
        last = shell_edges(matter.background, nz, shell_width_mpc)[-1]
        edges = np.linspace(0, last, n_edges)
        values = dict(zip(sampled, map(float, parameters[2:]), strict=True))
        fixed = [
            effect.fixed({name: values[name] for name in effect.sampled})
            for effect in effects
        ]
        return convergence_spectra(matter, nz, edges, lmax, fixed)

    centre = omega_m_s8(fiducial)
    steps = STEP * centre
    if sampled:
        centre = np.append(centre, [value.fiducial for value in sampled.values()])
        steps = np.append(steps, np.full(len(sampled), STEP))
    derivatives = [
        (spectra(centre + step) - spectra(centre - step)) / (2 * step.sum())
        for step in np.diag(steps)
    ]
    return spectra(centre), np.array(derivatives)


def noise_spectrum(
    sigma_e: Float[NDArray, "*n_bins"], n_gal_arcmin2: Float[NDArray, "*n_bins"]
) -> Float[NDArray, "*n_bins"]:
    """Spectrum σ_e² / n_gal of the shape noise of each bin, with n_gal per steradian.

    Parameters
    ----------
    sigma_e
        Standard deviation of one component of the ellipticity of a galaxy.
    n_gal_arcmin2
        Galaxies per arcmin².
    """
    return sigma_e**2 / (n_gal_arcmin2 * ARCMIN2_SKY / (4 * pi))


def modes_of_a_tile(
    nside: int, tile_nside: int
) -> tuple[Int[NDArray, " n_ell"], float]:
    """Multipoles of a tile, and the fraction of the sky that it covers.

    The smallest multipole has f_sky ℓ² = 1: exactly one mode is left out, for the mean
    that is subtracted from every tile. The largest is the band limit of the maps.

    Returns
    -------
    ell, f_sky
        Integers from ⌈√n_tile⌉ to 2 nside, and 1 / n_tile.

    Examples
    --------
    >>> ell, f_sky = modes_of_a_tile(nside=64, tile_nside=2)
    >>> int(ell[0]), int(ell[-1]), 1 / f_sky
    (7, 128, 48.0)
    """
    n_tile = 12 * tile_nside**2
    return np.arange(ceil(sqrt(n_tile)), 2 * nside + 1), 1 / n_tile


def fisher_matrix(
    covariance: Float[NDArray, "n_ell n_bins n_bins"],
    derivatives: Float[NDArray, "n_parameter n_ell n_bins n_bins"],
    modes: Float[NDArray, " n_ell"],
) -> Float[NDArray, "n_parameter n_parameter"]:
    """Fisher matrix of Gaussian fields.

    Parameters
    ----------
    covariance
        Spectra including noise.
    derivatives
        Derivatives of the spectra.
    modes
        Number of modes per multipole, f_sky (2ℓ + 1).
    """
    relative = np.linalg.solve(covariance, derivatives)
    return np.einsum("l,ilab,jlba->ij", modes / 2, relative, relative)


def marginalised(
    matrix: Float[NDArray, "n_parameter n_parameter"], priors: Sequence[Interval]
) -> Float[NDArray, "2 2"]:
    """Fisher matrix of (Ω_m, S_8), marginalised over all further parameters.

    Parameters
    ----------
    matrix
        Fisher matrix of all parameters, (Ω_m, S_8) first.
    priors
        Ranges of the uniform priors of the further parameters. They are replaced by
        Gaussians of the same variance.

    Examples
    --------
    >>> marginalised(np.array([[4.0, 0, 1], [0, 9, 0], [1, 0, 1]]), [(0, 2)])
    array([[3.75, 0.  ],
           [0.  , 9.  ]])
    """
    prior_information = [12 / (high - low) ** 2 for low, high in priors]
    nuisance = matrix[2:, 2:] + np.diag(prior_information)
    cross = matrix[:2, 2:]
    return matrix[:2, :2] - cross @ np.linalg.solve(nuisance, cross.T)


def widths_without_prior(
    matrix: Float[NDArray, "2 2"], fiducial: Parameters
) -> Float[NDArray, " n_predicted"]:
    """Widths of a posterior that is Gaussian in (Ω_m, S_8), in linear propagation.

    Parameters
    ----------
    matrix
        Fisher matrix of (Ω_m, S_8).
    fiducial
        Maximum of the posterior.

    Returns
    -------
        Metrics in the order of `PREDICTED`.
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


def widths_in_prior(
    matrix: Float[NDArray, "2 2"], fiducial: Parameters, prior: Prior
) -> Float[NDArray, " n_predicted"]:
    """Median widths of posteriors: Gaussian likelihoods times the uniform prior.

    The likelihoods are Gaussian in (Ω_m, S_8). As for the mock observations of a study,
    the median is over data. The maximum of the likelihood scatters between them, and a
    posterior that an edge of the prior cuts off is narrower than others.

    Parameters
    ----------
    matrix
        Fisher matrix of (Ω_m, S_8).
    fiducial
        True parameters, about which the maxima of the likelihoods scatter.
    prior
        Box in (Ω_m, σ_8).

    Returns
    -------
        Metrics in the order of `PREDICTED`.
    """
    grid = Grid.of_prior(prior.model_dump(), GRID_SIZE)
    theta = omega_m_s8(grid.theta)
    truth = omega_m_s8(np.array([fiducial.omega_m, fiducial.sigma_8]))
    maxima = qmc.MultivariateNormalQMC(truth, np.linalg.inv(matrix), rng=0)

    def mock_widths(maximum: Float[NDArray, " 2"]) -> Float[NDArray, " n_metric"]:
        offset = theta - maximum
        log_likelihood = -np.einsum("ai,ij,aj->a", offset, matrix, offset) / 2
        # The maximum may lie far outside the prior.
        log_likelihood -= log_likelihood.max()
        posterior = np.exp(np.maximum(log_likelihood, SMALLEST_LOG))
        return widths((posterior / posterior.sum())[None], grid)[0]

    mocks = [mock_widths(maximum) for maximum in maxima.random(MOCKS)]
    return np.median(mocks, axis=0)[: len(PREDICTED)]
