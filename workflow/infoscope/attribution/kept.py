"""Attributions to the parts of tiles that degradations keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infoscope.attribution.decompositions import SMOOTHING_MPC_H, VALUE_EDGES, Annuli
from infoscope.degradations.operation import Operation
from infoscope.degradations.operations.bins import SelectBins
from infoscope.degradations.operations.filters import (
    BandPass,
    BandStop,
    HighPass,
    LowPass,
    ell_of_modes,
)
from infoscope.degradations.operations.values import (
    ConvergenceRanges,
    KeepConvergence,
    RandomMask,
)
from infoscope.survey.survey import Survey

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

LARGEST_VALUE = 1e3  # in standard deviations, in place of infinity


@dataclass(frozen=True)
class Profiles:
    """Attributions of an estimator to the parts of tiles, from its file.

    Attributes
    ----------
    ell
        Multipoles of `by_scale`.
    by_scale
        Attribution to the cosine modes of each tile.
    by_value
        Attribution to the pixels of a tile by their value, for each smoothing.
    area
        Fraction of the pixels with these values.
    """

    ell: Float[NDArray, " n_ell"]
    by_scale: Float[NDArray, "n_training n n_bins n_ell"]
    by_value: Float[NDArray, "n_training n n_smoothing n_value"]
    area: Float[NDArray, "n n_smoothing n_value"]

    def kept(
        self, operations: Sequence[Operation], survey: Survey
    ) -> Float[NDArray, "n_training n"] | None:
        """Sum the attributions to the part of each tile that operations keep.

        Parameters
        ----------
        operations
            Operations of a degradation, without those of the reference.
        survey
            Survey before these operations.

        Returns
        -------
            Sum for each training run and tile, or None if the operations do anything
            but keep a part of a tile.
        """
        transfer = np.ones((survey.n_bins, len(self.ell)))
        for number, operation in enumerate(operations):
            factor = transfer_of(operation, survey)
            if factor is None:
                last = number == len(operations) - 1
                smoothing = smoothing_of(operations[:number]) if last else None
                if smoothing is None:
                    return None
                return self._kept_by_mask(operation, smoothing)
            transfer *= factor
        return np.einsum("tnbl,bl->tn", self.by_scale, transfer)

    def _kept_by_mask(
        self, operation: Operation, smoothing: int
    ) -> Float[NDArray, "n_training n"] | None:
        """Sum the attributions to the pixels that a mask keeps; None if it is none."""
        parts, area = self.by_value[:, :, smoothing], self.area[:, smoothing]
        if not isinstance(operation, KeepConvergence | RandomMask) or operation.fill:
            return None
        ranges = (
            operation if isinstance(operation, KeepConvergence) else operation.area_of
        )
        if ranges is not None and ranges.by == "kappa":
            return None
        if isinstance(operation, KeepConvergence):
            return parts @ coverage(operation, area.mean(axis=0))
        fraction: float | Float[NDArray, " n"] = operation.fraction or 0.0
        if operation.area_of is not None:
            fraction = area @ coverage(operation.area_of, area.mean(axis=0))
        return fraction * parts.sum(axis=-1)


def transfer_of(
    operation: Operation, survey: Survey
) -> Float[NDArray, "n_bins n_ell"] | None:
    """Mean transfer function of an operation in annuli; None if it is not a filter."""
    annuli = Annuli.of(survey.pixels, survey.pixel)
    if isinstance(operation, LowPass | HighPass | BandPass | BandStop):
        index = annuli.index.ravel()
        transfer = operation.transfer(survey, ell_of_modes(survey).ravel())
        total = np.array([np.bincount(index, of_bin) for of_bin in transfer])
        return total / np.bincount(index)
    if isinstance(operation, SelectBins):
        selected = np.isin(np.arange(1, survey.n_bins + 1), operation.bins)
        return np.repeat(selected[:, None].astype(float), len(annuli.ell), axis=1)
    return None


def smoothing_of(operations: Sequence[Operation]) -> int | None:
    """Index in `SMOOTHING_MPC_H` of the smoothing by operations; None for any other.

    Examples
    --------
    >>> smoothing_of([]), smoothing_of([LowPass(scale_mpc_h=8)])
    (0, 1)
    """
    if not operations:
        return SMOOTHING_MPC_H.index(0)
    first = operations[0]
    if len(operations) > 1 or not isinstance(first, LowPass):
        return None
    if first.profile != "gaussian" or first.scale_mpc_h not in SMOOTHING_MPC_H:
        return None
    return SMOOTHING_MPC_H.index(first.scale_mpc_h)


def coverage(
    ranges: ConvergenceRanges, area: Float[NDArray, " n_value"]
) -> Float[NDArray, " n_value"]:
    """Fraction of each interval of `VALUE_EDGES` that a union of ranges covers.

    Parameters
    ----------
    ranges
        Ranges of values, in standard deviations or quantiles, which are taken to be
        those of each tile.
    area
        Fraction of the pixels in each interval, which defines the quantiles.
    """
    if ranges.by == "quantile":
        edges = np.concatenate([[0], np.cumsum(area)])
    else:
        edges = np.clip(VALUE_EDGES, -LARGEST_VALUE, LARGEST_VALUE)
    low, high = edges[:-1], edges[1:]
    covered = np.zeros(len(low))
    for start, stop in ranges.ranges:
        lower = -LARGEST_VALUE if start is None else start
        upper = LARGEST_VALUE if stop is None else stop
        overlap = np.minimum(high, upper) - np.maximum(low, lower)
        covered += np.maximum(overlap, 0) / np.maximum(high - low, 1e-12)
    return np.minimum(covered, 1)
