r"""Response of an estimate to S_8, and the shares of the parts of a tile in it.

Attributions :math:`A_k` to the parts of a tile sum to the estimate, but a large one
need not be informative: noise contributes too. The response is their slope in the true
parameter,

.. math:: r_k = \frac{\partial\langle A_k\rangle / \partial S_8}
                     {\sum_j \partial\langle A_j\rangle / \partial S_8},

at fixed :math:`\Omega_m`, from a linear regression over skies that fill the prior. For
independent features with minimum-variance weights, :math:`r_k` is the share of feature
k in the Fisher information: the weight of a feature of mean :math:`\mu` and variance
:math:`\sigma^2` is proportional to :math:`\mu' / \sigma^2`, and its response to
:math:`\mu'^2 / \sigma^2`. Hence responses can be compared with ablation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infoscope.cosmology.parameters import omega_m_s8

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import NDArray

BOOTSTRAPS = 200


@dataclass(frozen=True)
class Shares:
    """Shares of the response, with bootstrap resamples.

    Attributes
    ----------
    value, error
        Mean over training runs and its standard error.
    resampled
        Means of resampled skies, with the scatter between training runs.
    """

    value: Float[NDArray, " n_part"]
    error: Float[NDArray, " n_part"]
    resampled: Float[NDArray, "n_boot n_part"]


class Regression:
    """Linear regression in S_8 at fixed Ω_m, with bootstrap resamples.

    Parameters
    ----------
    theta
        (Ω_m, σ_8) of each tile.
    cosmology
        Number of the cosmology of each tile; cosmologies are resampled as a whole.
    seed
        Random seed.
    """

    def __init__(
        self, theta: Float[NDArray, "n 2"], cosmology: Int[NDArray, " n"], seed: int
    ) -> None:
        parameters = omega_m_s8(theta)
        x = np.column_stack([np.ones(len(theta)), parameters])
        cosmologies, of_tile = np.unique(cosmology, return_inverse=True)
        n = len(cosmologies)
        rng = np.random.default_rng(seed)
        resamples = rng.integers(n, size=(BOOTSTRAPS, n))
        counts = np.array([np.bincount(row, minlength=n) for row in resamples])
        # The first row has every tile once. The pseudo-inverse is needed if a resample
        # has fewer cosmologies than coefficients.
        weights = np.vstack([np.ones(len(theta)), counts[:, of_tile]])
        self._rng = rng
        self._solver = np.array(
            [(np.linalg.pinv(x.T @ (w[:, None] * x)) @ (x.T * w))[2] for w in weights]
        )

    def shares(
        self,
        parts: Float[NDArray, "n_training n n_part"],
        estimate: Float[NDArray, "n_training n"],
    ) -> Shares:
        """Measure the shares of parts in the response of an estimate.

        Parameters
        ----------
        parts
            Attributions to the parts of each tile, for each training run.
        estimate
            Estimates of S_8.

        Returns
        -------
            Shares, nan for a network that has learned nothing: it has no response.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.array(
                [
                    (self._solver @ part) / (self._solver @ total)[:, None]
                    for part, total in zip(parts, estimate, strict=True)
                ]
            )
        shares[~np.isfinite(shares)] = np.nan
        value, resampled = np.split(shares.mean(axis=0), [1])
        n = len(shares)
        if n > 1:
            # Normal deviates times these rows have the covariance of a mean of n runs.
            scatter = (shares[:, 0] - value) / np.sqrt(n * (n - 1))
            resampled = resampled + self._rng.normal(size=(BOOTSTRAPS, n)) @ scatter
        return Shares(value[0], resampled.std(axis=0, ddof=1), resampled)
