r"""Calibration of posteriors: ranks, expected coverage and a test of both.

If posteriors are calibrated, the truth is distributed like a draw from its posterior.
Its rank among posterior draws is then uniform for every parameter (simulation-based
calibration, [1]_). The fraction of draws closer to a random point than the truth is
also uniform (TARP, [2]_), which tests all parameters jointly. Both are probability
integral transforms (PIT), and this module tests whether they are uniform in [0, 1].

References
----------
.. [1] Talts et al. 2018, arXiv 1804.06788.
.. [2] Lemos et al. 2023, arXiv 2302.03026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

PARAMETERS = ("omega_m", "s8", "sigma8")
# TARP, and the central credible intervals and ranks of each parameter
CURVES = (
    "tarp",
    *(f"interval_{name}" for name in PARAMETERS),
    *(f"rank_{name}" for name in PARAMETERS),
)
LEVELS = np.arange(1, 100) / 100
# levels at which the normal approximation of the binomial distribution holds
TESTED = (LEVELS >= 0.05) & (LEVELS <= 0.95)
# deviation from the diagonal of intervals that are 4 % too wide or narrow, or shifted
# by 5 % of their standard deviation
TOLERANCE = 0.02
BOOTSTRAPS = 2000


def ranks(
    truth: Float[NDArray, "n d"],
    draws: Float[NDArray, "n n_draw d"],
    rng: np.random.Generator,
) -> Float[NDArray, "n d"]:
    """Compute normalised ranks of the truth among posterior draws.

    Parameters
    ----------
    truth
        True parameters.
    draws
        Posterior draws for each truth.
    rng
        Random numbers that spread each integer rank uniformly, so that the
        distribution is continuous.

    Returns
    -------
        Ranks in [0, 1], uniform if the posteriors are calibrated.
    """
    below = (draws < truth[:, None]).sum(axis=1)
    uniform: NDArray = (below + rng.random(below.shape)) / (draws.shape[1] + 1)
    return uniform


def tarp(
    truth: Float[NDArray, "n d"],
    draws: Float[NDArray, "n n_draw d"],
    points: Float[NDArray, "n d"],
    rng: np.random.Generator,
) -> Float[NDArray, " n"]:
    """Compute the fraction of draws closer to a random point than the truth.

    Parameters
    ----------
    truth, draws
        As for `ranks`, in units in which distances are meaningful.
    points
        Reference points, independent of the truth.
    rng
        As for `ranks`.

    Returns
    -------
        Fractions in [0, 1]. Their cumulative distribution at α is the expected
        coverage of regions with credibility α.
    """
    draw_distance = np.linalg.norm(draws - points[:, None], axis=-1)
    truth_distance = np.linalg.norm(truth - points, axis=-1)
    return ranks(truth_distance[:, None], draw_distance[..., None], rng)[:, 0]


@dataclass(frozen=True)
class Coverage:
    """Cumulative distributions of probability integral transforms.

    Attributes
    ----------
    curves
        Fraction of the transforms that is at most each of `LEVELS`.
    errors
        Standard errors of the curves, from the scatter between skies.
    p_value
        Probability of a maximum deviation at least as significant as the observed one,
        if all curves are within `TOLERANCE` of the diagonal.
    """

    curves: Float[NDArray, "n_level ..."]
    errors: Float[NDArray, "n_level ..."]
    p_value: float

    @property
    def deviations(self) -> Float[NDArray, "*curve"]:
        """Largest distance of each curve from the diagonal."""
        distance: NDArray = np.abs(self.curves - _diagonal(self.curves)).max(axis=0)
        return distance


def coverage(
    pit: Float[NDArray, "n_sky n_tile ..."], rng: np.random.Generator
) -> Coverage:
    """Compute the distributions of transforms and test whether they are uniform.

    All distributions are tested jointly, and tiles of the same sky may be correlated.
    The test statistic is the deviation from the diagonal beyond `TOLERANCE`, in units
    of its standard error; its maximum is taken over all curves and the `TESTED`
    levels. The null distribution is a multiplier bootstrap: the deviations of each sky
    from the mean curves are multiplied by one standard normal number.

    Parameters
    ----------
    pit
        Probability integral transforms, uniform in [0, 1] if posteriors are calibrated.
    rng
        Random numbers of the bootstrap.

    Returns
    -------
        Curves, their errors and the p-value of the test.
    """
    n_sky = len(pit)
    by_sky = np.stack(
        [(pit <= level).mean(axis=1) for level in LEVELS], axis=1, dtype=np.float64
    )
    curves = by_sky.mean(axis=0)
    centred = (by_sky - curves) / np.sqrt(n_sky * max(1, n_sky - 1))
    errors = np.sqrt((centred**2).sum(axis=0))
    scale = np.maximum(errors[TESTED], 1 / pit[..., 0].size)
    excess = np.abs(curves - _diagonal(curves))[TESTED] - TOLERANCE
    noise = np.tensordot(
        rng.standard_normal((BOOTSTRAPS, n_sky)), centred[:, TESTED] / scale, 1
    )
    largest = np.abs(noise).reshape(BOOTSTRAPS, -1).max(axis=1)
    exceeding = (largest >= (excess / scale).max()).sum()
    return Coverage(curves, errors, float((exceeding + 1) / (BOOTSTRAPS + 1)))


def _diagonal(
    curves: Float[NDArray, "n_level ..."],
) -> Float[NDArray, "n_level ..."]:
    """Return the levels with as many dimensions as the curves."""
    return LEVELS.reshape(-1, *[1] * (curves.ndim - 1))
