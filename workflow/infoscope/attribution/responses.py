r"""Responses: through which parts of a tile an estimate follows the truth.

Attributions :math:`A_k` to the parts of a tile sum to the estimate, but their size says
little: noise has parts too. What follows the truth is their slope in it,

.. math:: r_k = \frac{\partial\langle A_k\rangle / \partial S_8}
                     {\sum_j \partial\langle A_j\rangle / \partial S_8},

at fixed :math:`\Omega_m`, by linear regression over skies that fill the prior. For
independent features and the weights of least variance, :math:`r_k` is the share of the
Fisher information that feature k has: the weight of a feature of mean :math:`\mu` and
variance :math:`\sigma^2` is proportional to :math:`\mu' / \sigma^2`, and its response
to :math:`\mu'^2 / \sigma^2`. So it can be compared with what ablation finds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infoscope.cosmology.parameters import omega_m_s8

Array = NDArray[np.float64]

BOOTSTRAPS = 200


@dataclass(frozen=True)
class Shares:
    """Shares of the response, and what they may be instead.

    Attributes
    ----------
    value, error : (n_part,)
        Mean over trainings and its standard error.
    resampled : (n_boot, n_part)
        Means that resampled skies and other trainings might have.
    """

    value: Array
    error: Array
    resampled: Array


class Regression:
    """Slopes in S_8 at fixed Ω_m, also of resampled skies.

    Parameters
    ----------
    theta : (n, 2)
        (Ω_m, σ_8) of each tile.
    cosmology : (n,)
        Number of its cosmology: all tiles of one are resampled together.
    seed
        Decides the resampling.
    """

    def __init__(self, theta: Array, cosmology: NDArray, seed: int) -> None:
        parameters = omega_m_s8(theta)
        x = np.column_stack([np.ones(len(theta)), parameters])
        known, of_tile = np.unique(cosmology, return_inverse=True)
        rng = np.random.default_rng(seed)
        drawn = rng.integers(len(known), size=(BOOTSTRAPS, len(known)))
        counts = np.array([np.bincount(row, minlength=len(known)) for row in drawn])
        # the first row has all tiles once; a pseudo-inverse bears few cosmologies
        weights = np.vstack([np.ones(len(theta)), counts[:, of_tile]])
        self._rng = rng
        self._solver = np.array(
            [(np.linalg.pinv(x.T @ (w[:, None] * x)) @ (x.T * w))[2] for w in weights]
        )

    def shares(self, parts: Array, estimate: Array) -> Shares:
        """Measure the shares of parts in the response of an estimate.

        Parameters
        ----------
        parts : (n_training, n, n_part)
            Attributions of each training.
        estimate : (n_training, n)
            Its estimates of S_8.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            # a network that has learned nothing has no response: nan
            every = np.array(
                [
                    (self._solver @ part) / (self._solver @ whole)[:, None]
                    for part, whole in zip(parts, estimate, strict=True)
                ]
            )
        every[~np.isfinite(every)] = np.nan
        value, resampled = np.split(every.mean(axis=0), [1])
        n = len(every)
        if n > 1:
            # of the covariance that the mean of n trainings has
            scatter = (every[:, 0] - value) / np.sqrt(n * (n - 1))
            resampled = resampled + self._rng.normal(size=(BOOTSTRAPS, n)) @ scatter
        return Shares(value[0], resampled.std(axis=0, ddof=1), resampled)
