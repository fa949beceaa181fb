"""Operations whose result contains that of another operation of the same kind.

One operation contains another if what the other leaves of a patch can be computed from
what this one leaves, with dice. The other one then cannot leave more information.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from infoscope.degradations.operation import Operation
from infoscope.degradations.operations.bins import SelectBins
from infoscope.degradations.operations.filters import (
    BandPass,
    BandStop,
    HighPass,
    LowPass,
)
from infoscope.degradations.operations.values import KeepConvergence

Range = tuple[float, float]
Filter = LowPass | HighPass | BandPass | BandStop


def contains(larger: Operation, smaller: Operation) -> bool:
    """Whether an operation contains another one that is applied to the same patches.

    Only cuts in the convergence, filters and selections of bins are compared; other
    operations contain none but themselves.

    Examples
    --------
    >>> high = KeepConvergence(ranges=[(1, None)])
    >>> both = KeepConvergence(ranges=[(None, -1), (1, None)])
    >>> contains(both, high), contains(high, both)
    (True, False)
    """
    if larger == smaller:
        return True
    if isinstance(larger, KeepConvergence) and isinstance(smaller, KeepConvergence):
        return _keeps(larger, smaller)
    if isinstance(larger, Filter) and isinstance(smaller, Filter):
        return _passes(larger, smaller)
    if isinstance(larger, SelectBins) and isinstance(smaller, SelectBins):
        return set(smaller.bins) <= set(larger.bins)
    return False


def _keeps(larger: KeepConvergence, smaller: KeepConvergence) -> bool:
    """Whether a cut keeps all pixels that another one keeps, and shows which."""
    # resampled pixels cannot be told from those that were kept
    if larger.fill == "resample":
        return False
    # the edges of the other cut must be known without the removed pixels
    if larger.of != "fiducial" or (larger.by, larger.of) != (smaller.by, smaller.of):
        return False
    lowest, highest = (0.0, 1.0) if larger.by == "quantile" else (-inf, inf)

    def ranges(cut: KeepConvergence) -> list[Range]:
        return [
            (lowest if low is None else low, highest if high is None else high)
            for low, high in cut.ranges
        ]

    return covers(ranges(larger), ranges(smaller))


def _passes(larger: Filter, smaller: Filter) -> bool:
    """Whether a filter passes at least as much of every mode, above the same floor."""
    alike = (larger.profile, larger.floor) == (smaller.profile, smaller.floor)
    if not alike or (larger.ell is None) != (smaller.ell is None):
        return False
    # The transfer function is the sum over ranges of scale of a positive function, so
    # it is larger if the ranges cover those of the other filter. The other filter is
    # then this one, followed by a filter and by white noise.
    return covers(_passed(larger), _passed(smaller))


def _passed(operation: Filter) -> list[Range]:
    """Ranges of scale that a filter passes, in Mpc/h or in 1/ℓ."""
    given = operation.scale_mpc_h if operation.ell is None else operation.ell
    edges = [given] if isinstance(given, float | int) else list(given or ())
    if operation.ell is not None:
        edges = [1 / edge for edge in reversed(edges)]
    match operation:
        case LowPass():
            return [(edges[0], inf)]
        case HighPass():
            return [(0.0, edges[0])]
        case BandPass():
            return [(edges[0], edges[1])]
        case _:
            return [(0.0, edges[0]), (edges[1], inf)]


def covers(outer: Sequence[Range], inner: Sequence[Range]) -> bool:
    """Whether a union of ranges covers another one.

    Examples
    --------
    >>> covers([(0, 1), (1, 3)], [(0.5, 2)])
    True
    >>> covers([(0, 1), (2, 3)], [(0.5, 2.5)])
    False
    """
    merged: list[Range] = []
    for low, high in sorted(outer):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return all(
        any(low <= start and end <= high for low, high in merged)
        for start, end in inner
    )
