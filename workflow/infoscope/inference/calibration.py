r"""Are posteriors as wide as they should be? Coverage, ranks and their test.

If posteriors are right, the truth is a draw from them. Its rank among draws of the
posterior is then uniform, parameter by parameter (simulation-based calibration, Talts
et al., arXiv 1804.06788), and so is the share of draws that lie closer to a random
point than the truth does (TARP, Lemos et al., arXiv 2302.03026), which sees all
parameters together. Everything here is a distribution of such numbers in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PARAMETERS = ("omega_m", "s8", "sigma8")
# TARP, credible intervals of each parameter, ranks of each parameter
CURVES = (
    "tarp",
    *(f"interval_{name}" for name in PARAMETERS),
    *(f"rank_{name}" for name in PARAMETERS),
)
LEVELS = np.arange(1, 100) / 100
# where a normal distribution describes the share of truths
TESTED = (LEVELS >= 0.05) & (LEVELS <= 0.95)
# Intervals that are 4 % too wide or narrow, or off by 5 % of their standard deviation,
# deviate so much.
TOLERANCE = 0.02
BOOTSTRAPS = 2000


def ranks(truth: Array, draws: Array, rng: np.random.Generator) -> Array:
    """Ranks of the truth among draws, as numbers that are uniform in [0, 1].

    Parameters
    ----------
    truth
        Parameters (n, d).
    draws
        Draws (n, n_draw, d) of their posteriors.
    rng
        Breaks the ties of whole ranks, so that the distribution is continuous.

    Returns
    -------
        Numbers (n, d).
    """
    below = (draws < truth[:, None]).sum(axis=1)
    uniform: Array = (below + rng.random(below.shape)) / (draws.shape[1] + 1)
    return uniform


def tarp(truth: Array, draws: Array, points: Array, rng: np.random.Generator) -> Array:
    """Share of draws that lie closer to a random point than the truth.

    Parameters
    ----------
    truth, draws
        As for `ranks`, in units in which distances mean something.
    points
        Points (n, d) that do not depend on the truth.
    rng
        Breaks ties.

    Returns
    -------
        Numbers (n,); their distribution function at α is the expected coverage of
        regions with the mass α.
    """
    distance = np.linalg.norm(draws - points[:, None], axis=-1)
    own = np.linalg.norm(truth - points, axis=-1)
    return ranks(own[:, None], distance[..., None], rng)[:, 0]


@dataclass(frozen=True)
class Coverage:
    """Distributions of numbers that should be uniform.

    Attributes
    ----------
    curves
        Shares (n_level, …) of the numbers that are at most each of `LEVELS`.
    errors
        Their standard errors, over skies.
    p_value
        Probability of deviations as significant as the most significant of them if
        the truth is within `TOLERANCE` of the diagonal everywhere.
    """

    curves: Array
    errors: Array
    p_value: float

    @property
    def deviations(self) -> Array:
        """Largest distance (…) of each curve from the diagonal."""
        result: Array = np.abs(self.curves - _like(self.curves)).max(axis=0)
        return result


def coverage(numbers: Array, rng: np.random.Generator) -> Coverage:
    """Distributions of numbers in [0, 1], and a test that they are uniform.

    A test of several distributions together, for tiles of one sky that are not
    independent. Deviations from the diagonal, less `TOLERANCE`, are divided by their
    errors, and the largest of any curve at any of the `TESTED` levels is compared with
    what a multiplier bootstrap gives, in which the deviations of every sky from the
    mean curves are multiplied by one normal random number.

    Parameters
    ----------
    numbers
        Numbers (n_sky, n_tile, …) that are uniform if posteriors are right.
    rng
        For the bootstrap.

    Returns
    -------
        Curves, errors and test.
    """
    n_sky = len(numbers)
    by_sky = np.stack(
        [(numbers <= level).mean(axis=1) for level in LEVELS], axis=1, dtype=np.float64
    )
    curves = by_sky.mean(axis=0)
    centred = (by_sky - curves) / np.sqrt(n_sky * max(1, n_sky - 1))
    errors = np.sqrt((centred**2).sum(axis=0))
    scale = np.maximum(errors[TESTED], 1 / numbers[..., 0].size)
    excess = np.abs(curves - _like(curves))[TESTED] - TOLERANCE
    noise = np.tensordot(
        rng.standard_normal((BOOTSTRAPS, n_sky)), centred[:, TESTED] / scale, 1
    )
    largest = np.abs(noise).reshape(BOOTSTRAPS, -1).max(axis=1)
    exceeding = (largest >= (excess / scale).max()).sum()
    return Coverage(curves, errors, float((exceeding + 1) / (BOOTSTRAPS + 1)))


def _like(curves: Array) -> Array:
    """Levels with as many dimensions as curves."""
    return LEVELS.reshape(-1, *[1] * (curves.ndim - 1))
