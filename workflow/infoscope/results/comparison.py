"""Widths of two measurements, compared: their ratio, its error and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from infoscope.inference.inference import WITHHELD
from infoscope.inference.posterior import GAINS, METRICS
from infoscope.results.measurements import Measurement

Array = NDArray[np.float64]

SIGNIFICANCE = 0.05
OUTLYING = 0.01
WIDER, NARROWER = "wider", "narrower"
EQUIVALENT, UNDECIDED = "equivalent", "undecided"


@dataclass(frozen=True)
class Variance:
    """A variance (n_metric,) and the degrees of freedom with which it is known."""

    value: Array
    freedom: Array


class SeedScatter:
    """How much the logarithm of a width scatters between trainings.

    Two or three seeds tell little about their own scatter. It is taken to be the same
    for all degradations of an estimator, so that all their seeds tell it together; but
    where it is significantly larger than in the others (at 1 %, see `_outlying`) a
    degradation has its own, which then is no part of what the others have.

    Parameters
    ----------
    measurements
        Of a whole study.
    """

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._known: dict[Measurement, Variance] = {}
        for estimator in dict.fromkeys(m.estimator for m in measurements):
            group = [m for m in measurements if m.estimator == estimator]
            repeated = [m for m in group if m.n_seeds > 1]
            self._pool(group, repeated)

    def of(self, measurement: Measurement) -> Variance:
        """Variance of the mean over the seeds of a measurement."""
        return self._known[measurement]

    def _pool(
        self, group: Sequence[Measurement], repeated: Sequence[Measurement]
    ) -> None:
        n_metric = group[0].width.shape[1]
        freedom = np.array([m.n_seeds - 1 for m in repeated])[:, None]
        own = np.array([m.own_variance for m in repeated]).reshape(-1, n_metric)
        outlying = _outlying(own, freedom)
        kept = np.where(outlying, 0, freedom)
        total = kept.sum(axis=0)
        pooled = (own * kept).sum(axis=0) / np.maximum(total, 1)
        for measurement in group:
            value, known = pooled, total
            if measurement in repeated:
                row = repeated.index(measurement)
                value = np.where(outlying[row], own[row], pooled)
                known = np.where(outlying[row], freedom[row], total)
            self._known[measurement] = Variance(value / measurement.n_seeds, known)


def _outlying(own: Array, freedom: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Find variances that are larger than what the others have in common.

    Several large ones would hide each other if each were tested against all others.
    So, as in the generalised test of Rosner (1983, Technometrics 25, 165), the k-th
    largest is tested against those below it, and the k largest are outlying for the
    largest k, up to half of them, whose F-test rejects at `OUTLYING`, divided by the
    number of those that could have been the largest.

    Parameters
    ----------
    own : (n, n_metric)
        Variances.
    freedom : (n, 1)
        Their degrees of freedom.
    """
    found = np.zeros(own.shape, dtype=bool)
    n = len(own)
    for metric, values in enumerate(own.T):
        order = np.argsort(-values)
        for k in range(n // 2, 0, -1):
            suspect, others = order[k - 1], order[k:]
            weights = freedom[others, 0]
            level = OUTLYING / (n - k + 1)
            limit = f_distribution.isf(level, freedom[suspect, 0], weights.sum())
            if values[suspect] > limit * np.average(values[others], weights=weights):
                found[order[:k], metric] = True
                break
    return found


@dataclass(frozen=True)
class Ratio:
    """The ratio of two widths, and what it says.

    Attributes
    ----------
    metric
        Which width.
    value
        The ratio; nan if one of the widths is withheld.
    log_error
        Standard error of its logarithm.
    freedom
        Degrees of freedom of that error.
    """

    metric: str
    value: float
    log_error: float
    freedom: float

    @property
    def error(self) -> float:
        """Standard error."""
        return self.value * self.log_error

    @property
    def p_value(self) -> float:
        """Two-sided p of Student's t-test that the ratio is 1."""
        t = abs(np.log(self.value))
        if self.log_error > 0:
            t /= self.log_error
        elif t > 0:
            t = np.inf
        return float(2 * t_distribution.sf(t, self.freedom))

    def within(self, margin: float) -> bool:
        """Whether the ratio is within 1 + margin and its inverse.

        Two one-sided t-tests at `SIGNIFICANCE`, of the logarithm.
        """
        distance = np.log1p(margin) - abs(np.log(self.value))
        quantile = t_distribution.isf(SIGNIFICANCE, self.freedom)
        return bool(distance > quantile * self.log_error)

    def verdict(self, margin: float, p_value: float | None = None) -> str:
        """`wider`, `narrower`, `equivalent` within a margin, or `undecided`.

        `p_value` replaces that of this ratio alone where others are tested with it.
        """
        if np.isnan(self.value):
            return WITHHELD
        if (self.p_value if p_value is None else p_value) < SIGNIFICANCE:
            grows = (self.value > 1) != (self.metric in GAINS)
            return WIDER if grows else NARROWER
        return EQUIVALENT if self.within(margin) else UNDECIDED


def compare(
    measurement: Measurement, other: Measurement, metric: str, scatter: SeedScatter
) -> Ratio:
    """Ratio of the width of a measurement to that of another one.

    The error has two parts, added in quadrature: the scatter over the seeds of both,
    and the scatter of the ratio over resamplings of the skies, which both share: what
    is common to them does not make a ratio uncertain. Its degrees of freedom are those
    of Welch and Satterthwaite.
    """
    i = METRICS.index(metric)
    log = measurement.log_width[i] - other.log_width[i]
    if measurement is other:
        return Ratio(metric, float(np.exp(log)), 0.0, np.inf)
    resampled = measurement.log_bootstrap[:, i] - other.log_bootstrap[:, i]
    parts = [(resampled.var(ddof=1), len(resampled) - 1)]
    for one in (measurement, other):
        variance = scatter.of(one)
        parts.append((variance.value[i], variance.freedom[i]))
    total = sum(value for value, _ in parts)
    slack = sum(value**2 / freedom for value, freedom in parts if freedom > 0)
    freedom = total**2 / slack if slack > 0 else np.inf
    return Ratio(metric, float(np.exp(log)), float(np.sqrt(total)), float(freedom))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values that may be compared with one significance for all tests together.

    Holm's method: the chance that any true hypothesis is rejected is at most the
    significance.
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    raised = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(raised, 1)
    return [float(p) for p in adjusted]
