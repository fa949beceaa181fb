r"""Fisher forecast for a patch of Gaussian fields, and for what operations leave of it.

.. math:: F_{ij} = \frac{1}{2} \sum_k \mathrm{Tr}\left[C_k^{-1} \partial_i C_k
          C_k^{-1} \partial_j C_k\right]

where the sum is over the cosine modes of the patch (`theory.modes`), and the matrix
:math:`C_k` has the auto- and cross-spectra of all bins in a mode, including noise. The
parameters are (Ω_m, S_8); sampled parameters of systematic effects are marginalised
over. The spectra are those of the Gaussian simulator.

With four bins and the default noise, the σ(S_8) of this sum is within 1 % of the exact
value, which follows from the covariance of all pixels, for patches of 5° to 29.3°, also
after filters (`benchmarks/modes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import qmc

from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import CosmologyConfig, Parameters, Prior
from infoscope.cosmology.matter import Matter
from infoscope.cosmology.parameters import omega_m_s8
from infoscope.degradations.degrade import check
from infoscope.degradations.operation import Operation
from infoscope.effects.effect import Effect
from infoscope.inference.posterior import MASSES, SMALLEST_LOG, Grid, widths
from infoscope.models import Interval
from infoscope.skies.shells import born_weights, shell_edges, shell_spectra
from infoscope.survey.survey import RedshiftDistribution, Survey
from infoscope.vocabulary import METRICS, NoiseOrder

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

# Relative step in Ω_m and S_8. CAMB's tables are smooth to a few 1e-4 only, which
# matters for steps below 1 %, and the curvature of the spectra matters above 8 %.
STEP = 0.04
GRID_SIZE = 256
MOCKS = 256
# The expected information gain is a mean over the whole prior.
PREDICTED = METRICS[:-1]
# Variance of a combination of bins, in units of the shape noise, below which nothing is
# left of it: rounding errors of a mode that a filter without a floor has removed.
NOTHING = 1e-12
# Information that is added to each parameter, so that matrices can be inverted if all
# information is removed. It corresponds to a standard deviation of 1000.
LEAST = 1e-6


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


@dataclass(frozen=True)
class Gaussian:
    """Spectra of a Gaussian field in the modes of a patch.

    Attributes
    ----------
    signal
        Spectra without noise.
    derivatives
        Derivatives of the signal.
    noise
        Spectra of the noise.
    shape_noise
        Spectrum of the shape noise of each bin, the unit of `NOTHING`.
    """

    signal: Float[NDArray, "n_mode n_bins n_bins"]
    derivatives: Float[NDArray, "n_parameter n_mode n_bins n_bins"]
    noise: Float[NDArray, "n_mode n_bins n_bins"]
    shape_noise: Float[NDArray, " n_bins"]


def after_operations(
    signal: Float[NDArray, "n_mode n_bins n_bins"],
    derivatives: Float[NDArray, "n_parameter n_mode n_bins n_bins"],
    ell: Float[NDArray, " n_mode"],
    survey: Survey,
    operations: Sequence[Operation],
    noise: NoiseOrder,
) -> Gaussian | None:
    """Apply linear operations to the spectra of Gaussian fields, and add noise.

    Parameters
    ----------
    signal
        Spectra of the modes of a patch without noise.
    derivatives
        Derivatives of these spectra.
    ell
        Multipoles of the modes.
    survey
        Survey before the operations.
    operations
        Operations in the order in which they are applied.
    noise
        Whether shape noise is added before or after the operations, or not at all.

    Returns
    -------
        The spectra after the operations; None if an operation is not linear.

    Raises
    ------
    InfoscopeError
        If an operation is impossible.
    """
    degraded = check(survey, operations, noise)
    noisy = replace(survey, noise_factor=degraded.noise_factor)
    noise_of_modes = np.zeros_like(signal)
    if noise == "before":
        noise_of_modes += np.diag((noisy.noise_sigma * survey.pixel) ** 2)
    for operation in operations:
        response = operation.response(survey, ell)
        if response is None:
            return None
        weights, transposed = response.weights, response.weights.swapaxes(-1, -2)
        signal = weights @ signal @ transposed
        derivatives = weights @ derivatives @ transposed
        noise_of_modes = weights @ noise_of_modes @ transposed + np.diag(response.noise)
        survey = operation.check(survey)
    if noise == "after":
        noise_of_modes = noise_of_modes + np.diag(
            (degraded.noise_sigma * survey.pixel) ** 2
        )
    shape_noise = (survey.shape_noise * survey.pixel) ** 2
    return Gaussian(signal, derivatives, noise_of_modes, shape_noise)


def fisher_matrix(
    field: Gaussian, modes: Float[NDArray, " n_mode"]
) -> Float[NDArray, "n_parameter n_parameter"]:
    """Fisher matrix of a Gaussian field.

    Combinations of bins with less variance than `NOTHING` contain no information.

    Parameters
    ----------
    field
        Spectra of the field.
    modes
        Number of modes with these spectra.
    """
    unit = np.sqrt(np.outer(field.shape_noise, field.shape_noise))
    variance, combination = np.linalg.eigh((field.signal + field.noise) / unit)
    left = variance > NOTHING
    scale = np.where(left, np.where(left, variance, 1) ** -0.5, 0)
    whitening = combination * scale[:, None]
    relative = whitening.swapaxes(-1, -2) @ (field.derivatives / unit) @ whitening
    return np.einsum("k,ikab,jkba->ij", modes / 2, relative, relative)


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
    matrix = matrix + LEAST * np.eye(2)
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
    matrix = matrix + LEAST * np.eye(2)
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
