"""The density p(summary | θ), posteriors of mock observations and their widths.

The density is Gaussian. Its mean is a cubic polynomial in θ = (Ω_m, S_8) scaled to
[−1, 1]; the Cholesky factor of its precision has quadratic polynomials as its
off-diagonal and as the logarithms of its diagonal. It is fitted to test skies, which
the network has never seen: a network that is overconfident or biased gives wide
posteriors, not wrong ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from infoscope.cosmology import omega_m_s8
from infoscope.errors import InfoscopeError

Array = NDArray[np.float64]
Interval = tuple[float, float]

METRICS = ("sigma_s8", "sigma_omega_m", "sigma_sigma8", "area68", "fom")
MASS = 0.683
RIDGE = 1e-3
LARGEST_LOG = 15.0
MAX_ROUNDS = 50
TOLERANCE = 1e-7
CELLS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Scaling:
    """Linear maps that bring parameters and summaries to order one.

    Attributes
    ----------
    theta_centre, theta_half
        Middle and half range of (Ω_m, S_8).
    summary_mean, summary_std
        Mean and standard deviation of the summaries.
    """

    theta_centre: Array
    theta_half: Array
    summary_mean: Array
    summary_std: Array

    def theta(self, theta: Array) -> Array:
        """Scaled (Ω_m, S_8) of (…, 2) of (Ω_m, σ_8)."""
        return (omega_m_s8(theta) - self.theta_centre) / self.theta_half

    def summary(self, summary: Array) -> Array:
        """Standardised summaries."""
        return (summary - self.summary_mean) / self.summary_std


@dataclass(frozen=True)
class Density:
    """Gaussian p(summary | θ).

    Attributes
    ----------
    scaling
        Units of what follows.
    mean
        Coefficients (10, 2) of the cubic mean.
    factor
        Coefficients (6, 3) of a, b and c, with the precision L Lᵀ and
        L = [[exp a, 0], [b, exp c]].
    """

    scaling: Scaling
    mean: Array
    factor: Array


def fit_density(
    summary: Array, theta: Array, weights: Array, start: Density | None = None
) -> Density:
    """Fit the density by maximum weighted likelihood.

    The mean given the covariance is a linear least-squares problem and is solved
    exactly; the covariance given the mean is improved with L-BFGS; the two alternate
    until the likelihood no longer changes.

    Parameters
    ----------
    summary
        Summaries (n, 2).
    theta
        Their parameters (n, 2) = (Ω_m, σ_8).
    weights
        Weights (n,), for example multiplicities of a bootstrap.
    start
        Density of similar data, to begin with; its scaling is taken over.

    Returns
    -------
        The density.

    Raises
    ------
    InfoscopeError
        If summaries are not finite or do not vary.
    """
    if not np.isfinite(summary).all():
        raise InfoscopeError("summaries are not finite")
    used = weights > 0
    summary, theta = np.asarray(summary, float)[used], np.asarray(theta, float)[used]
    weights = np.asarray(weights, float)[used]
    scaling = _scaling(summary, theta, weights) if start is None else start.scaling
    s, u = scaling.summary(summary), scaling.theta(theta)
    cubic, quadratic = _polynomial(u, 3), _polynomial(u, 2)
    if start is None:
        mean = np.zeros((cubic.shape[1], 2))
        factor = np.zeros((quadratic.shape[1], 3))
    else:
        mean, factor = start.mean, start.factor
    previous = np.inf
    for _ in range(MAX_ROUNDS):
        mean = _fit_mean(s, cubic, weights, quadratic @ factor)
        factor, loss = _fit_factor(s - cubic @ mean, quadratic, weights, factor)
        if previous - loss < TOLERANCE * weights.sum():
            break
        previous = loss
    return Density(scaling, mean, factor)


def log_likelihood(density: Density, summary: Array, theta: Array) -> Array:
    """Log of p(summary | θ) for matching rows (n, 2)."""
    u = density.scaling.theta(theta)
    residual = density.scaling.summary(summary) - _polynomial(u, 3) @ density.mean
    a, b, c = _factors(_polynomial(u, 2) @ density.factor)
    z1 = np.exp(a) * residual[:, 0] + b * residual[:, 1]
    z2 = np.exp(c) * residual[:, 1]
    norm = np.log(2 * np.pi) + np.log(density.scaling.summary_std).sum()
    result: Array = a + c - norm - (z1**2 + z2**2) / 2
    return result


def grid_axis(interval: Interval, size: int) -> Array:
    """Centres of `size` equal cells of an interval."""
    low, high = interval
    return low + (high - low) * (np.arange(size) + 0.5) / size


def posterior(
    density: Density, observed: Array, omega_m: Array, sigma_8: Array
) -> Array:
    """Posteriors under a uniform prior over the box that the grid fills.

    Parameters
    ----------
    density
        Density of summaries.
    observed
        Summaries (m, 2) of mock observations.
    omega_m, sigma_8
        Centres of the cells along each axis, see `grid_axis`.

    Returns
    -------
        Probabilities (m, omega_m.size, sigma_8.size) of the cells; each mock sums to 1.
    """
    # The exponent is quadratic in the summary: one matrix product for all mocks.
    u = density.scaling.theta(_grid(omega_m, sigma_8))
    mean = _polynomial(u, 3) @ density.mean
    a, b, c = _factors(_polynomial(u, 2) @ density.factor)
    p11, p12, p22 = np.exp(2 * a), np.exp(a) * b, b**2 + np.exp(2 * c)
    v1 = p11 * mean[:, 0] + p12 * mean[:, 1]
    v2 = p12 * mean[:, 0] + p22 * mean[:, 1]
    constant = a + c - (mean[:, 0] * v1 + mean[:, 1] * v2) / 2
    coefficients = np.stack([-p11 / 2, -p12, -p22 / 2, v1, v2, constant])
    s1, s2 = density.scaling.summary(np.asarray(observed, float)).T
    log = np.stack([s1**2, s1 * s2, s2**2, s1, s2, np.ones_like(s1)], 1) @ coefficients
    log -= log.max(axis=1, keepdims=True)
    probabilities: Array = np.exp(log, out=log)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities.reshape(-1, omega_m.size, sigma_8.size)


def widths(probabilities: Array, omega_m: Array, sigma_8: Array) -> Array:
    """Widths of posteriors.

    Parameters
    ----------
    probabilities
        Probabilities (m, omega_m.size, sigma_8.size).
    omega_m, sigma_8
        Centres of the cells along each axis.

    Returns
    -------
        Metrics (m, 5) in the order of `METRICS`: standard deviations of S_8, Ω_m and
        σ_8, the area in (Ω_m, σ_8) of the smallest region with 68.3 % of the
        probability, and its inverse.
    """
    flat = probabilities.reshape(len(probabilities), -1)
    theta = _grid(omega_m, sigma_8)
    values = np.column_stack([omega_m_s8(theta)[:, ::-1], theta[:, 1]])
    values -= values.mean(axis=0)
    moments = flat @ np.concatenate([values, values**2], axis=1)
    variance = moments[:, 3:] - moments[:, :3] ** 2
    cell = (omega_m[1] - omega_m[0]) * (sigma_8[1] - sigma_8[0])
    area = cell * _cells_with_mass(flat)
    return np.column_stack([np.sqrt(np.maximum(variance, 0)), area, 1 / area])


def widths_of(
    density: Density, observed: Array, omega_m: Array, sigma_8: Array
) -> Array:
    """Metrics (m, 5) of the posteriors of mocks (m, 2), in chunks to save memory."""
    return np.concatenate(
        [
            widths(posterior(density, chunk, omega_m, sigma_8), omega_m, sigma_8)
            for chunk in _chunks(observed, omega_m.size * sigma_8.size)
        ]
    )


def _chunks(observed: Array, cells: int) -> Iterator[Array]:
    step = max(1, CELLS_AT_ONCE // cells)
    for first in range(0, len(observed), step):
        yield observed[first : first + step]


def _cells_with_mass(flat: Array) -> Array:
    """Fewest cells with `MASS`, interpolated between whole numbers of cells."""
    # Single precision sorts several times faster and is exact enough for an order.
    ordered = np.sort(flat.astype(np.float32), axis=1)[:, ::-1]
    total = np.cumsum(ordered, axis=1, dtype=np.float64)
    target = MASS * total[:, -1]
    number = (total < target[:, None]).sum(axis=1)
    rows = np.arange(len(flat))
    last = ordered[rows, number].astype(float)
    missing = total[rows, number] - target
    result: Array = number + 1 - missing / last
    return result


def _grid(omega_m: Array, sigma_8: Array) -> Array:
    """Parameters (omega_m.size · sigma_8.size, 2) of all cells."""
    return np.stack(np.meshgrid(omega_m, sigma_8, indexing="ij"), -1).reshape(-1, 2)


def _scaling(summary: Array, theta: Array, weights: Array) -> Scaling:
    parameters = omega_m_s8(theta)
    low, high = parameters.min(axis=0), parameters.max(axis=0)
    mean = np.average(summary, axis=0, weights=weights)
    std = np.sqrt(np.average((summary - mean) ** 2, axis=0, weights=weights))
    if not (high > low).all():
        raise InfoscopeError("the test skies all have the same parameters")
    if not (std > 0).all():
        raise InfoscopeError("summaries are all the same")
    return Scaling((low + high) / 2, (high - low) / 2, mean, std)


def _polynomial(u: Array, degree: int) -> Array:
    """Monomials (n, k) in two variables up to a total degree; the first is 1."""
    x, y = u.T
    return np.stack(
        [x**i * y ** (d - i) for d in range(degree + 1) for i in range(d, -1, -1)], 1
    )


def _factors(raw: Array) -> tuple[Array, Array, Array]:
    """Split (n, 3) into a, b and c, and keep the logarithms in a safe range."""
    a, b, c = raw.T
    return (
        np.clip(a, -LARGEST_LOG, LARGEST_LOG),
        b,
        np.clip(c, -LARGEST_LOG, LARGEST_LOG),
    )


def _penalties(n_terms: int) -> Array:
    """Ridge that acts only where data do not: too few cosmologies for all terms."""
    ridge = np.full(n_terms, RIDGE)
    ridge[0] = 0
    return ridge


def _fit_mean(s: Array, cubic: Array, weights: Array, raw: Array) -> Array:
    """Solve for the mean (k, 2) given the factors of the precision."""
    a, b, c = _factors(raw)
    p11, p12, p22 = np.exp(2 * a), np.exp(a) * b, b**2 + np.exp(2 * c)
    p11, p12, p22 = weights * p11, weights * p12, weights * p22
    off = cubic.T @ (p12[:, None] * cubic)
    matrix = np.block(
        [
            [cubic.T @ (p11[:, None] * cubic), off],
            [off, cubic.T @ (p22[:, None] * cubic)],
        ]
    )
    right = np.concatenate(
        [
            cubic.T @ (p11 * s[:, 0] + p12 * s[:, 1]),
            cubic.T @ (p12 * s[:, 0] + p22 * s[:, 1]),
        ]
    )
    matrix += np.diag(np.tile(_penalties(cubic.shape[1]), 2))
    solution: Array = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return solution.reshape(2, -1).T


def _fit_factor(
    residual: Array, quadratic: Array, weights: Array, start: Array
) -> tuple[Array, float]:
    """Fit the factors of the precision (6, 3) given residuals; also the loss."""
    r1, r2 = residual.T
    total = weights.sum()
    ridge = _penalties(len(start))[:, None]

    def loss_and_gradient(flat: Array) -> tuple[float, Array]:
        coefficients = flat.reshape(start.shape)
        a, b, c = _factors(quadratic @ coefficients)
        first = np.exp(a) * r1
        z1, z2 = first + b * r2, np.exp(c) * r2
        loss = weights @ ((z1**2 + z2**2) / 2 - a - c)
        loss += (ridge * coefficients**2).sum() / 2
        slopes = np.stack([z1 * first - 1, z1 * r2, z2**2 - 1], axis=1)
        gradient = quadratic.T @ (weights[:, None] * slopes) + ridge * coefficients
        return float(loss / total), (gradient / total).ravel()

    found: Any = minimize(
        loss_and_gradient,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 100, "maxcor": 20, "gtol": 1e-5, "ftol": 1e-10},
    )
    return found.x.reshape(start.shape), float(found.fun * total)
