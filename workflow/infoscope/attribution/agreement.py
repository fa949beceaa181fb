"""Agreement of attribution with ablation.

A degradation that keeps a part of each tile (scales, bins, ranges of values) keeps a
share of the response of a network trained on whole tiles. A network trained on that
part alone has a posterior width σ. For independent features and optimal networks, the
share of the response equals that of the information, (σ_ref / σ)². The two differ if
features are redundant (a new network finds the information elsewhere), if features are
informative only together, or if a network does not extract all information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from infoscope.vocabulary import OrderAgreement

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

INTERVAL = (2.5, 97.5)  # percentiles
CHANCE = 95  # percentile of the correlation of random orders
DRAWS = 2000
FEWEST = 4  # three degradations are in the same order by chance in one of six cases


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of the degradations by attribution and by ablation.

    Attributes
    ----------
    correlation
        Spearman's rank correlation; nan for fewer than four degradations.
    low, high
        Its 95 % interval, from the errors of the ranked quantities.
    by_chance
        95th percentile of the correlation of random orders.
    """

    correlation: float
    low: float
    high: float
    by_chance: float

    @classmethod
    def of(
        cls,
        attributed: Float[NDArray, " n"],
        ablated: Float[NDArray, " n"],
        ablated_error: Float[NDArray, " n"],
        resampled: Float[NDArray, "n_draw n"],
        seed: int,
    ) -> Agreement:
        """Correlate attribution and ablation over n degradations.

        Parameters
        ----------
        attributed
            Share of the response that each degradation keeps.
        ablated, ablated_error
            Share of the information that each keeps, and its standard error.
        resampled
            Bootstrap resamples of `attributed`.
        seed
            Random seed.
        """
        n = len(attributed)
        if n < FEWEST or not np.isfinite(resampled).all():
            return cls(np.nan, np.nan, np.nan, np.nan)
        rng = np.random.default_rng(seed)
        attributed_draws = resampled[rng.integers(len(resampled), size=DRAWS)]
        ablated_draws = ablated + ablated_error * rng.standard_normal((DRAWS, n))
        low, high = np.percentile(_spearman(attributed_draws, ablated_draws), INTERVAL)
        order = np.arange(n, dtype=float)[None]
        random_orders = rng.permuted(np.repeat(order, 10 * DRAWS, axis=0), axis=1)
        chance = np.percentile(_spearman(order, random_orders), CHANCE)
        measured = _spearman(attributed[None], ablated[None])[0]
        return cls(float(measured), float(low), float(high), float(chance))

    @property
    def verdict(self) -> str:
        """Whether the interval lies above, or below, the correlation by chance."""
        if self.low > self.by_chance:
            return OrderAgreement.AGREE
        return (
            OrderAgreement.DISAGREE
            if self.high < self.by_chance
            else OrderAgreement.UNDECIDED
        )


def _spearman(
    one: Float[NDArray, "#n_row n"], other: Float[NDArray, "#n_row n"]
) -> Float[NDArray, " n_row"]:
    """Spearman's rank correlation of each row of one with that of the other."""
    a, b = (rankdata(rows, axis=1) for rows in (one, other))
    a, b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (a, b))
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis=1) / norm


def information_left(
    ratio: Float[NDArray, " n"], error: Float[NDArray, " n"]
) -> tuple[Float[NDArray, " n"], Float[NDArray, " n"]]:
    """Share of the information that is left, (σ_ref / σ)², and its error.

    Parameters
    ----------
    ratio, error
        Ratios σ / σ_ref and their standard errors.

    Examples
    --------
    >>> information_left(np.array([2.0]), np.array([0.1]))
    (array([0.25]), array([0.025]))
    """
    return ratio**-2, 2 * ratio**-3 * error
