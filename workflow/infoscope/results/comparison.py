"""Comparison of two posteriors: the ratio of their widths, and of their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from infoscope.errors import InfoscopeError
from infoscope.results.measurements import Measurement
from infoscope.vocabulary import GAINS, METRICS, Calibration, Verdict

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num
    from numpy.typing import NDArray

SIGNIFICANCE = 0.05
OUTLIER_SIGNIFICANCE = 0.01


@dataclass(frozen=True)
class Variance:
    """A variance for each quantity.

    Attributes
    ----------
    value
        The variance.
    dof
        Degrees of freedom of its estimate.
    pooled
        Whether the estimate is that of all measurements of the estimator.
    """

    value: Float[NDArray, " n_quantity"]
    dof: Num[NDArray, " n_quantity"]
    pooled: Bool[NDArray, " n_quantity"]


Quantities = Callable[[Measurement], "Float[NDArray, 'n_seed n_quantity']"]


def log_widths(measurement: Measurement) -> Float[NDArray, "n_seed n_metric"]:
    """Logarithm of the widths of each training run."""
    return measurement.log_widths


def scores(measurement: Measurement) -> Float[NDArray, "n_seed 1"]:
    """Mean score of each training run in bits."""
    return measurement.scores


class SeedScatter:
    """Scatter between training runs, of the logarithm of widths or of scores.

    Two or three seeds hardly constrain their scatter. It is assumed to be the same for
    all degradations of an estimator and is estimated from all of them (pooled). A
    degradation whose variance is significantly larger than that of the others (at 1 %,
    see `_outliers`) is excluded from the pool and keeps its own variance. Training runs
    that several degradations share count once.

    Parameters
    ----------
    measurements
        Measurements of the whole study.
    quantities
        The quantities of a measurement, for each training run: `log_widths` or
        `scores`.
    """

    def __init__(
        self, measurements: Sequence[Measurement], quantities: Quantities = log_widths
    ) -> None:
        self._quantities = quantities
        self._variances: dict[Measurement, Variance] = {}
        for estimator in dict.fromkeys(m.estimator for m in measurements):
            group = [m for m in measurements if m.estimator == estimator]
            distinct: list[Measurement] = []
            for measurement in sorted(group, key=lambda m: bool(m.same_as)):
                if not any(map(measurement.shares_runs, distinct)):
                    distinct.append(measurement)
            self._pool(distinct, [m for m in distinct if m.n_seeds > 1])
            for measurement in group:
                twin = next(filter(measurement.shares_runs, distinct))
                self._variances[measurement] = self._variances[twin]

    def of(self, measurement: Measurement) -> Variance:
        """Variance of the mean over the seeds of a measurement."""
        return self._variances[measurement]

    def of_both(
        self, measurement: Measurement, other: Measurement, quantity: int
    ) -> list[tuple[float, float]]:
        """Variances of the means over the seeds of two measurements.

        Returns
        -------
            Variances and degrees of freedom whose estimates are independent: their sum
            if both are from the same pool.
        """
        one, two = self.of(measurement), self.of(other)
        parts = [(float(v.value[quantity]), float(v.dof[quantity])) for v in (one, two)]
        alike = measurement.estimator == other.estimator
        if alike and one.pooled[quantity] and two.pooled[quantity]:
            return [(parts[0][0] + parts[1][0], parts[0][1])]
        return parts

    def _pool(
        self, group: Sequence[Measurement], repeated: Sequence[Measurement]
    ) -> None:
        """Pool the variances of the measurements of one estimator.

        Parameters
        ----------
        group
            All measurements of the estimator with different training runs.
        repeated
            Those with several seeds.
        """
        n_quantity = self._quantities(group[0]).shape[1]
        dof = np.array([m.n_seeds - 1 for m in repeated])[:, None]
        variances = np.array(
            [self._quantities(m).var(axis=0, ddof=1) for m in repeated]
        ).reshape(-1, n_quantity)
        outliers = _outliers(variances, dof)
        pooled_dof = np.where(outliers, 0, dof)
        total_dof = pooled_dof.sum(axis=0)
        pooled = (variances * pooled_dof).sum(axis=0) / np.maximum(total_dof, 1)
        for measurement in group:
            variance, variance_dof = pooled, total_dof
            from_pool = np.ones(n_quantity, bool)
            if measurement in repeated:
                row = repeated.index(measurement)
                variance = np.where(outliers[row], variances[row], pooled)
                variance_dof = np.where(outliers[row], dof[row], total_dof)
                from_pool = ~outliers[row]
            self._variances[measurement] = Variance(
                variance / measurement.n_seeds, variance_dof, from_pool
            )


def _outliers(
    variances: Float[NDArray, "n n_quantity"], dof: Int[NDArray, "n 1"]
) -> Bool[NDArray, "n n_quantity"]:
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
    for quantity, values in enumerate(variances.T):
        order = np.argsort(-values)
        for k in range(n // 2, 0, -1):
            candidate, others = order[k - 1], order[k:]
            weights = dof[others, 0]
            level = OUTLIER_SIGNIFICANCE / (n - k + 1)
            limit = f_distribution.isf(level, dof[candidate, 0], weights.sum())
            if values[candidate] > limit * np.average(values[others], weights=weights):
                outliers[order[:k], quantity] = True
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

    def verdict(
        self, margin: float, p_value: float | None = None, *, bounded: bool = False
    ) -> str:
        """`wider`, `narrower`, `reshaped`, `equivalent`, `undecided` or `withheld`.

        Parameters
        ----------
        margin
            Margin of equivalence.
        p_value
            P value corrected for multiple tests; by default that of this ratio alone.
        bounded
            Whether the other posterior holds at least as much information, so that a
            narrower one is `reshaped`.

        Examples
        --------
        >>> Ratio("sigma_s8", 1.1, log_error=0.01, dof=10).verdict(margin=0.05).value
        'wider'
        """
        if np.isnan(self.value):
            return Calibration.WITHHELD
        if (self.p_value if p_value is None else p_value) < SIGNIFICANCE:
            wider = (self.value > 1) != (self.metric in GAINS)
            if wider:
                return Verdict.WIDER
            return Verdict.RESHAPED if bounded else Verdict.NARROWER
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
    if measurement.shares_runs(other):
        return Ratio(metric, float(np.exp(log)), 0.0, np.inf)
    resampled = measurement.log_bootstrap[:, i] - other.log_bootstrap[:, i]
    skies = (float(resampled.var(ddof=1)), float(len(resampled) - 1))
    parts = [skies, *scatter.of_both(measurement, other, i)]
    return Ratio(metric, float(np.exp(log)), *_added(parts))


def _added(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Add variances with degrees of freedom, as Welch and Satterthwaite.

    Returns
    -------
    error, dof
        Square root of the sum, and its degrees of freedom.
    """
    total = sum(value for value, _ in parts)
    denominator = sum(value**2 / dof for value, dof in parts if dof > 0)
    dof = total**2 / denominator if denominator > 0 else np.inf
    return float(np.sqrt(total)), float(dof)


@dataclass(frozen=True)
class Difference:
    """The difference of two scores in bits.

    Attributes
    ----------
    value
        The difference; not finite if one of the scores is not.
    error
        Standard error.
    dof
        Degrees of freedom of this error.
    """

    value: float
    error: float
    dof: float

    @property
    def p_value(self) -> float:
        """P value of Student's t-test that the difference is not above 0.

        Examples
        --------
        >>> round(Difference(0.02, error=0.01, dof=1e9).p_value, 3)
        0.023
        """
        if self.error == 0:
            return float(self.value <= 0)
        return float(t_distribution.sf(self.value / self.error, self.dof))


def compare_scores(
    measurement: Measurement, other: Measurement, scatter: SeedScatter
) -> Difference:
    """Score of a measurement minus that of another one, averaged over seeds.

    The error adds the scatter between seeds, as for ratios, and the scatter of the
    difference between test skies, which are the same for both.

    Raises
    ------
    InfoscopeError
        If the test skies differ.
    """
    if measurement.shares_runs(other):
        return Difference(0.0, 0.0, np.inf)
    if not np.array_equal(measurement.sky, other.sky):
        names = " and ".join(
            f"{m.degradation} / {m.estimator}" for m in (measurement, other)
        )
        raise InfoscopeError(f"{names} have different test skies; infer them again")
    paired = measurement.score.mean(axis=0) - other.score.mean(axis=0)
    skies = _of_mean(paired, measurement.cosmology)
    parts = [skies, *scatter.of_both(measurement, other, 0)]
    return Difference(float(paired.mean()), *_added(parts))


def score_error(measurement: Measurement, scatter: SeedScatter) -> float:
    """Return the standard error of the mean score over seeds and skies."""
    skies, _ = _of_mean(measurement.score.mean(axis=0), measurement.cosmology)
    return float(np.sqrt(skies + scatter.of(measurement).value[0]))


def _of_mean(
    values: Float[NDArray, " n_sky"], cosmology: Int[NDArray, " n_sky"]
) -> tuple[float, float]:
    """Variance of the mean over skies, and its degrees of freedom.

    Only cosmologies are independent: skies of one cosmology are equally far from those
    to which the density of their summaries is fitted.
    """
    residual = values - values.mean()
    of_cosmology = np.bincount(
        np.unique(cosmology, return_inverse=True)[1], weights=residual
    )
    n = len(of_cosmology)
    if n < 2:
        return np.nan, 0.0
    variance = (of_cosmology**2).sum() / len(values) ** 2 * n / (n - 1)
    return float(variance), float(n - 1)


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
