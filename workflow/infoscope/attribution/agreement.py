"""Agreement of attribution with ablation: what is kept of the response, and the width.

A degradation that keeps a part of each tile (scales, bins, ranges of values) keeps a
share of the response of a network that was trained on all; and a network that was
trained on that part alone has a width. For independent features and networks that use
them as well as possible, the share is that of the information, (σ_ref / σ)². It is not
where features are redundant (a new network finds elsewhere what was taken), where they
say something together only, or where a network does not extract what there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

AGREE, DISAGREE, UNDECIDED = "agree", "disagree", "undecided"
INTERVAL = (2.5, 97.5)  # per cent
CHANCE = 95  # per cent of random orders are less alike
DRAWS = 2000
FEWEST = 4  # of three degradations every sixth order is the right one


@dataclass(frozen=True)
class Agreement:
    """Whether two orders of the degradations are alike.

    Attributes
    ----------
    correlation
        Spearman's rank correlation; nan if there are fewer than four degradations.
    low, high
        Its 95 % interval from the errors of what is ranked.
    by_chance
        What 95 % of random orders stay below.
    """

    correlation: float
    low: float
    high: float
    by_chance: float

    @classmethod
    def of(
        cls,
        attributed: Array,
        ablated: Array,
        ablated_error: Array,
        resampled: Array,
        seed: int,
    ) -> Agreement:
        """Compare the orders of degradations by attribution and by ablation.

        Parameters
        ----------
        attributed, ablated, ablated_error : (n,)
            Share of the response, and of the information, that each keeps.
        resampled : (n_draw, n)
            Shares of the response that may be the true ones instead.
        seed
            Decides what is drawn.
        """
        n = len(attributed)
        if n < FEWEST or not np.isfinite(resampled).all():
            return cls(np.nan, np.nan, np.nan, np.nan)
        rng = np.random.default_rng(seed)
        one = resampled[rng.integers(len(resampled), size=DRAWS)]
        other = ablated + ablated_error * rng.standard_normal((DRAWS, n))
        low, high = np.percentile(_spearman(one, other), INTERVAL)
        order = np.arange(n, dtype=float)[None]
        orders = rng.permuted(np.repeat(order, 10 * DRAWS, axis=0), axis=1)
        chance = np.percentile(_spearman(order, orders), CHANCE)
        measured = _spearman(attributed[None], ablated[None])[0]
        return cls(float(measured), float(low), float(high), float(chance))

    @property
    def verdict(self) -> str:
        """Whether the interval lies above, or below, what chance may do."""
        if self.low > self.by_chance:
            return AGREE
        return DISAGREE if self.high < self.by_chance else UNDECIDED


def _spearman(one: Array, other: Array) -> Array:
    """Rank correlation of each row (n_row, n) of one with that of the other."""
    a, b = (rankdata(rows, axis=1) for rows in (one, other))
    a, b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (a, b))
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        correlation: Array = (a * b).sum(axis=1) / norm
    return correlation


def information_left(ratio: Array, error: Array) -> tuple[Array, Array]:
    """Information that is left, (σ_ref / σ)², of ratios σ / σ_ref and their errors."""
    return ratio**-2, 2 * ratio**-3 * error
