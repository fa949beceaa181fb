"""Comparison of two posterior widths: their ratio, its error and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from infoscope.results.measurements import Measurement
from infoscope.vocabulary import GAINS, METRICS, Calibration, Verdict

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num
    from numpy.typing import NDArray

SIGNIFICANCE = 0.05
OUTLIER_SIGNIFICANCE = 0.01


@dataclass(frozen=True)
class Variance:
    """A variance for each metric, and the degrees of freedom of its estimate."""

    value: Float[NDArray, " n_metric"]
    dof: Num[NDArray, " n_metric"]


class SeedScatter:
    """Scatter of the logarithm of a width between training runs.

    Two or three seeds hardly constrain their scatter. It is assumed to be the same for
    all degradations of an estimator and is estimated from all of them (pooled). A
    degradation whose variance is significantly larger than that of the others (at 1 %,
    see `_outliers`) is excluded from the pool and keeps its own variance.

    Parameters
    ----------
    measurements
        Measurements of the whole study.
    """

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._variances: dict[Measurement, Variance] = {}
        for estimator in dict.fromkeys(m.estimator for m in measurements):
            group = [m for m in measurements if m.estimator == estimator]
            repeated = [m for m in group if m.n_seeds > 1]
            self._pool(group, repeated)

    def of(self, measurement: Measurement) -> Variance:
        """Variance of the mean over the seeds of a measurement."""
        return self._variances[measurement]

    def _pool(
        self, group: Sequence[Measurement], repeated: Sequence[Measurement]
    ) -> None:
        """Pool the variances of the measurements of one estimator.

        Parameters
        ----------
        group
            All measurements of the estimator.
        repeated
            Those with several seeds.
        """
        n_metric = group[0].width.shape[1]
        dof = np.array([m.n_seeds - 1 for m in repeated])[:, None]
        variances = np.array([m.seed_variance for m in repeated]).reshape(-1, n_metric)
        outliers = _outliers(variances, dof)
        pooled_dof = np.where(outliers, 0, dof)
        total_dof = pooled_dof.sum(axis=0)
        pooled = (variances * pooled_dof).sum(axis=0) / np.maximum(total_dof, 1)
        for measurement in group:
            variance, variance_dof = pooled, total_dof
            if measurement in repeated:
                row = repeated.index(measurement)
                variance = np.where(outliers[row], variances[row], pooled)
                variance_dof = np.where(outliers[row], dof[row], total_dof)
            self._variances[measurement] = Variance(
                variance / measurement.n_seeds, variance_dof
            )


def _outliers(
    variances: Float[NDArray, "n n_metric"], dof: Int[NDArray, "n 1"]
) -> Bool[NDArray, "n n_metric"]:
    """Find variances that are significantly larger than the others.

    Several outliers would mask each other if each were tested against all others. As in
    the generalised test of Rosner (1983), the k-th largest variance is tested against
    the smaller ones. The k largest are outliers for the largest k, up to half of them,
    for which an F-test rejects at `OUTLIER_SIGNIFICANCE`, divided by the number of
    variances that could have been the largest.

    Parameters
    ----------
    variances
        Variance over seeds of each measurement.
    dof
        Degrees of freedom of each variance.

    References
    ----------
    Rosner 1983, Technometrics 25, 165.
    """
    outliers = np.zeros(variances.shape, dtype=bool)
    n = len(variances)
    for metric, values in enumerate(variances.T):
        order = np.argsort(-values)
        for k in range(n // 2, 0, -1):
            candidate, others = order[k - 1], order[k:]
            weights = dof[others, 0]
            level = OUTLIER_SIGNIFICANCE / (n - k + 1)
            limit = f_distribution.isf(level, dof[candidate, 0], weights.sum())
            if values[candidate] > limit * np.average(values[others], weights=weights):
                outliers[order[:k], metric] = True
                break
    return outliers


@dataclass(frozen=True)
class Ratio:
    """The ratio of two widths.

    Attributes
    ----------
    metric
        Name of the metric.
    value
        The ratio; nan if one of the widths is withheld.
    log_error
        Standard error of ln(ratio).
    dof
        Degrees of freedom of this error.
    """

    metric: str
    value: float
    log_error: float
    dof: float

    @property
    def error(self) -> float:
        """Standard error."""
        return self.value * self.log_error

    @property
    def p_value(self) -> float:
        """Two-sided p value of Student's t-test that the ratio is 1."""
        t = abs(np.log(self.value))
        if self.log_error > 0:
            t /= self.log_error
        elif t > 0:
            t = np.inf
        return float(2 * t_distribution.sf(t, self.dof))

    def within(self, margin: float) -> bool:
        """Whether the ratio is shown to be within 1 + margin and its inverse.

        Two one-sided t-tests of ln(ratio) at `SIGNIFICANCE`.

        Examples
        --------
        >>> Ratio("sigma_s8", 1.01, log_error=0.01, dof=10).within(0.05)
        True
        >>> Ratio("sigma_s8", 1.01, log_error=0.03, dof=10).within(0.05)
        False
        """
        distance = np.log1p(margin) - abs(np.log(self.value))
        quantile = t_distribution.isf(SIGNIFICANCE, self.dof)
        return bool(distance > quantile * self.log_error)

    def verdict(self, margin: float, p_value: float | None = None) -> str:
        """`wider`, `narrower`, `equivalent`, `undecided` or `withheld`.

        Parameters
        ----------
        margin
            Margin of equivalence.
        p_value
            P value corrected for multiple tests; by default that of this ratio alone.

        Examples
        --------
        >>> Ratio("sigma_s8", 1.1, log_error=0.01, dof=10).verdict(margin=0.05).value
        'wider'
        """
        if np.isnan(self.value):
            return Calibration.WITHHELD
        if (self.p_value if p_value is None else p_value) < SIGNIFICANCE:
            wider = (self.value > 1) != (self.metric in GAINS)
            return Verdict.WIDER if wider else Verdict.NARROWER
        return Verdict.EQUIVALENT if self.within(margin) else Verdict.UNDECIDED


def compare(
    measurement: Measurement, other: Measurement, metric: str, scatter: SeedScatter
) -> Ratio:
    """Ratio of the width of a measurement to that of another one.

    The error adds two parts in quadrature: the scatter between the seeds of both
    measurements, and the scatter of the ratio over bootstrap resamples of the skies.
    Both measurements share the resamples, so that common fluctuations cancel. The
    degrees of freedom are those of Welch and Satterthwaite.
    """
    i = METRICS.index(metric)
    log = measurement.log_width[i] - other.log_width[i]
    if measurement is other:
        return Ratio(metric, float(np.exp(log)), 0.0, np.inf)
    resampled = measurement.log_bootstrap[:, i] - other.log_bootstrap[:, i]
    parts = [(resampled.var(ddof=1), len(resampled) - 1)]
    for term in (measurement, other):
        variance = scatter.of(term)
        parts.append((variance.value[i], variance.dof[i]))
    total = sum(value for value, _ in parts)
    denominator = sum(value**2 / dof for value, dof in parts if dof > 0)
    dof = total**2 / denominator if denominator > 0 else np.inf
    return Ratio(metric, float(np.exp(log)), float(np.sqrt(total)), float(dof))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for multiple tests by Holm's method.

    If they are compared with a significance level, the probability of rejecting any
    true hypothesis is at most this level.

    Examples
    --------
    >>> [round(p, 3) for p in holm([0.03, 0.01, 0.02, 0.9])]
    [0.06, 0.04, 0.06, 0.9]
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    raised = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(raised, 1)
    return [float(p) for p in adjusted]
