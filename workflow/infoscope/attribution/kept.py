"""What degradations keep of the parts of tiles, if they keep parts at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infoscope.attribution.decompositions import SMOOTHING_MPC_H, VALUE_EDGES
from infoscope.degradations.operation import Operation
from infoscope.degradations.operations.bins import SelectBins
from infoscope.degradations.operations.filters import (
    BandPass,
    BandStop,
    HighPass,
    LowPass,
)
from infoscope.degradations.operations.values import (
    ConvergenceRanges,
    KeepConvergence,
    RandomMask,
)
from infoscope.survey.survey import Survey

Array = NDArray[np.float64]

BEYOND = 1e3  # instead of infinitely many standard deviations


@dataclass(frozen=True)
class Profiles:
    """Attributions of an estimator, from its file.

    Attributes
    ----------
    ell : (n_ell,)
        Multipoles of `by_scale`.
    by_scale : (n_training, n, n_bins, n_ell)
        Parts of Fourier modes of each tile.
    by_value : (n_training, n, n_smoothing, n_value)
        Parts of pixels of a smoothed tile, in intervals of its values.
    area : (n, n_smoothing, n_value)
        Shares of pixels in these intervals.
    """

    ell: Array
    by_scale: Array
    by_value: Array
    area: Array

    def kept(
        self, operations: Sequence[Operation], survey: Survey
    ) -> NDArray[np.float64] | None:
        """Sum the parts that operations keep of each tile.

        Parameters
        ----------
        operations
            Of a degradation, beyond those of the reference.
        survey
            As it is before them.

        Returns
        -------
            Array (n_training, n), or None if operations do more than keep a part.
        """
        transfer = np.ones((survey.n_bins, len(self.ell)))
        for number, parameters in enumerate(operations):
            own = transfer_of(parameters, survey, self.ell)
            if own is None:
                last = number == len(operations) - 1
                smoothing = smoothing_of(operations[:number]) if last else None
                if smoothing is None:
                    return None
                return self._of_values(parameters, smoothing)
            transfer *= own
        return np.einsum("tnbl,bl->tn", self.by_scale, transfer)

    def _of_values(self, parameters: Operation, smoothing: int) -> Array | None:
        """Sum the parts of pixels that a mask keeps."""
        parts, area = self.by_value[:, :, smoothing], self.area[:, smoothing]
        if not isinstance(parameters, KeepConvergence | RandomMask) or parameters.fill:
            return None
        if isinstance(parameters, KeepConvergence):
            kept: Array = parts @ coverage(parameters, area.mean(axis=0))
            return kept
        share: float | Array = parameters.fraction or 0.0
        if parameters.area_of is not None:
            share = area @ coverage(parameters.area_of, area.mean(axis=0))
        random: Array = share * parts.sum(axis=-1)
        return random


def transfer_of(
    parameters: Operation, survey: Survey, ell: Array
) -> NDArray[np.float64] | None:
    """Factor (n_bins, n_ell) of each mode, if an operation is a filter, else None."""
    match parameters:
        case LowPass():
            transfer = parameters.lowpass(survey)
        case HighPass():
            transfer = 1 - parameters.lowpass(survey)
        case BandPass():
            transfer = parameters.bandpass(survey)
        case BandStop():
            transfer = 1 - parameters.bandpass(survey)
        case SelectBins():
            chosen = np.isin(np.arange(1, survey.n_bins + 1), parameters.bins)
            return np.repeat(chosen[:, None].astype(float), len(ell), axis=1)
        case _:
            return None
    at = np.minimum(np.rint(ell).astype(int), transfer.shape[1] - 1)
    found: Array = transfer[:, at]
    return found


def smoothing_of(operations: Sequence[Operation]) -> int | None:
    """Find the number of the smoothing that operations are, None if it is another."""
    if not operations:
        return SMOOTHING_MPC_H.index(0)
    first = operations[0]
    if len(operations) > 1 or not isinstance(first, LowPass):
        return None
    if first.profile != "gaussian" or first.scale_mpc_h not in SMOOTHING_MPC_H:
        return None
    return SMOOTHING_MPC_H.index(first.scale_mpc_h)


def coverage(ranges: ConvergenceRanges, area: Array) -> Array:
    """Share of each interval of values (n_value,) that lies in a union of ranges.

    `area` are the shares of pixels (n_value,), from which quantiles follow.
    """
    if ranges.by == "quantile":
        edges = np.concatenate([[0], np.cumsum(area)])
    else:
        edges = np.clip(VALUE_EDGES, -BEYOND, BEYOND)
    low, high = edges[:-1], edges[1:]
    covered = np.zeros(len(low))
    for start, stop in ranges.ranges:
        first = -BEYOND if start is None else start
        last = BEYOND if stop is None else stop
        overlap = np.minimum(high, last) - np.maximum(low, first)
        covered += np.maximum(overlap, 0) / np.maximum(high - low, 1e-12)
    return np.minimum(covered, 1)
