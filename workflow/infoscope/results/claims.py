"""Tests of claims about a study, by ratios of widths or by the cost of a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import t as t_distribution

from infoscope.results.comparison import SIGNIFICANCE, Ratio, SeedScatter, compare, holm
from infoscope.results.config import Claim, ComparisonConfig, CostConfig
from infoscope.results.data_processing import Bounds, Excess, excesses
from infoscope.results.measurements import Measurement
from infoscope.vocabulary import (
    GAINS,
    Calibration,
    Expectation,
    TrainingVerdict,
    Verdict,
)

Row = dict[str, str | float]


def judge(
    claims: Sequence[Claim],
    measurements: Sequence[Measurement],
    margin: float,
    seconds: Mapping[str, Sequence[float]],
    bounds: Mapping[str, Bounds],
) -> pd.DataFrame:
    """Tabulate the expectation, the measurement and the verdict of each claim.

    Parameters
    ----------
    claims
        Claims about these measurements.
    measurements
        Measurements of the whole study. The scatter between seeds is estimated from all
        of them.
    margin
        Ratios between 1 / (1 + margin) and 1 + margin are equivalent.
    seconds
        Run times of the jobs of each rule.
    bounds
        Bounds on the scores of each estimator. A comparison with a measurement that
        scores higher than is possible decides nothing.

    Returns
    -------
        One row per comparison or cost of each claim.
    """
    scatter = SeedScatter(measurements)
    impossible = excesses(measurements, bounds)
    by_name = {(m.degradation, m.estimator): m for m in measurements}
    rows = []
    for claim in claims:
        if claim.cost is not None:
            tested = [_cost(claim.cost, seconds)]
        else:
            tested = _comparisons(
                claim.comparisons, by_name, margin, scatter, impossible
            )
        identity: Row = {
            "claim": claim.claim,
            "source": claim.source or "",
            "claim_verdict": claim_verdict([str(row["verdict"]) for row in tested]),
        }
        rows += [identity | row for row in tested]
    return pd.DataFrame(rows, columns=list(MEANINGS))


def claim_verdict(verdicts: Sequence[str]) -> str:
    """Combine the verdicts on all comparisons of a claim.

    Examples
    --------
    >>> claim_verdict(["supported", "undecided"]).value
    'undecided'
    >>> claim_verdict(["supported", "undecided", "contradicted"]).value
    'contradicted'
    """
    if Verdict.CONTRADICTED in verdicts:
        return Verdict.CONTRADICTED
    return (
        Verdict.SUPPORTED if set(verdicts) == {Verdict.SUPPORTED} else Verdict.UNDECIDED
    )


def p_values(
    ratio: Ratio, expected: ComparisonConfig, margin: float
) -> tuple[float, float]:
    """P values of Student's t-tests of the logarithm of a ratio.

    Parameters
    ----------
    ratio
        The measured ratio.
    expected
        The expectation.
    margin
        Margin of equivalence, if the claim does not set its own.

    Returns
    -------
    support, contradict
        P values of the hypothesis that the expectation is false, and of the hypothesis
        that it is true. If the claim names no factor, the second one assumes a ratio of
        1 + margin, so that a ratio shown to be equivalent contradicts the claim.
    """
    # positive if the posterior is wider
    log_ratio = np.log(ratio.value) * (-1 if ratio.metric in GAINS else 1)
    if expected.expect == Expectation.EQUIVALENT:
        edge = np.log1p(margin if expected.within is None else expected.within)
        size = abs(log_ratio)
        # Both tails are needed for the right size if the error exceeds the margin.
        outside = _p_value(size - edge, ratio) + _p_value(size + edge, ratio)
        return _p_value(edge - size, ratio), min(1.0, outside)
    if expected.expect != Expectation.WIDER:
        log_ratio = -log_ratio
    smallest, material = expected.by or 1.0, expected.by or 1 + margin
    return (
        _p_value(log_ratio - np.log(smallest), ratio),
        _p_value(np.log(material) - log_ratio, ratio),
    )


def _p_value(distance: float, ratio: Ratio) -> float:
    """One-sided p value of a distance in ln(ratio) from the edge of a hypothesis."""
    if ratio.log_error == 0:
        return float(distance <= 0)
    return float(t_distribution.sf(distance / ratio.log_error, ratio.dof))


def _comparisons(
    comparisons: Sequence[ComparisonConfig],
    by_name: Mapping[tuple[str, str], Measurement],
    margin: float,
    scatter: SeedScatter,
    impossible: Mapping[Measurement, Sequence[Excess]],
) -> list[Row]:
    """Test all comparisons of a claim."""
    pairs = [tuple(by_name[key] for key in c.compared) for c in comparisons]
    ratios = [
        compare(one, other, c.metric, scatter)
        for (one, other), c in zip(pairs, comparisons, strict=True)
    ]
    p = np.array(
        [p_values(*pair, margin) for pair in zip(ratios, comparisons, strict=True)]
    )
    # A single contradiction decides the claim: correct for multiple comparisons.
    tested = np.flatnonzero([not np.isnan(ratio.value) for ratio in ratios])
    p[tested, 1] = holm(p[tested, 1])
    rows = []
    for i, (comparison, ratio) in enumerate(zip(comparisons, ratios, strict=True)):
        support, contradict = map(float, p[i])
        one, other = comparison.compared
        row: Row = {
            "degradation": one[0],
            "estimator": one[1],
            "against_degradation": other[0],
            "against_estimator": other[1],
            "metric": comparison.metric,
            "expected": _expected(comparison, margin),
            **_limits(comparison, margin),
            "ratio": ratio.value,
            "ratio_error": ratio.error,
            "p_support": support,
            "p_contradict": contradict,
            "verdict": Verdict.UNDECIDED
            if any(one in impossible for one in pairs[i])
            else _verdict(support, contradict),
            "note": "; ".join(
                _notes(pairs[i], scatter, impossible, support, contradict)
            ),
        }
        rows.append(row)
    return rows


def _expected(comparison: ComparisonConfig, margin: float) -> str:
    """Put the expectation into words."""
    if comparison.expect == Expectation.EQUIVALENT:
        within = margin if comparison.within is None else comparison.within
        return f"{Expectation.EQUIVALENT} within {within:g}"
    by = "" if comparison.by is None else f" by more than {comparison.by:g}"
    return comparison.expect + by


def _limits(comparison: ComparisonConfig, margin: float) -> Row:
    """Smallest and largest expected ratio; nan if there is no limit."""
    if comparison.expect == Expectation.EQUIVALENT:
        factor = 1 + (margin if comparison.within is None else comparison.within)
        return {"expected_low": 1 / factor, "expected_high": factor}
    factor = comparison.by or 1.0
    if (comparison.expect == Expectation.WIDER) != (comparison.metric in GAINS):
        return {"expected_low": factor, "expected_high": np.nan}
    return {"expected_low": np.nan, "expected_high": 1 / factor}


def _verdict(support: float, contradict: float) -> str:
    """Verdict on one comparison; p values are nan if a width is withheld."""
    if support < SIGNIFICANCE:
        return Verdict.SUPPORTED
    return Verdict.CONTRADICTED if contradict < SIGNIFICANCE else Verdict.UNDECIDED


def _notes(
    pair: Sequence[Measurement],
    scatter: SeedScatter,
    impossible: Mapping[Measurement, Sequence[Excess]],
    support: float,
    contradict: float,
) -> list[str]:
    """List caveats of a verdict."""
    notes = []
    for measurement in pair:
        name = f"{measurement.degradation} / {measurement.estimator}"
        if measurement.calibration == Calibration.WITHHELD:
            notes.append(
                f"{name}: {Calibration.WITHHELD}, the posteriors are not calibrated"
            )
        for excess in impossible.get(measurement, ()):
            notes.append(
                f"{name}: {Verdict.IMPOSSIBLE}, scores above "
                f"{excess.exceeded.degradation}"
            )
        if measurement.training.verdict != TrainingVerdict.TRAINED:
            notes.append(f"{name}: training {measurement.training.verdict}")
        if (scatter.of(measurement).dof == 0).any():
            notes.append(f"{name}: only one training run, scatter unknown")
    if pair[0].shares_runs(pair[1]):
        notes.append("the same inputs and training runs")
    if support < SIGNIFICANCE and contradict < SIGNIFICANCE:
        notes.append("the difference is within the margin of equivalence")
    return notes


def _cost(cost: CostConfig, seconds: Mapping[str, Sequence[float]]) -> Row:
    """Test the share of a rule in the run time of all jobs; it has no error."""
    row: Row = {
        "metric": f"cost of {cost.rule}",
        "expected": f"share above {cost.share_above:g}",
        "expected_low": cost.share_above,
        "expected_high": 1.0,
    }
    missing = [rule for rule, job_seconds in seconds.items() if not job_seconds]
    if missing:
        note = f"no benchmark files of {', '.join(missing)}"
        return row | {"verdict": Verdict.UNDECIDED, "note": note}
    rule_seconds, total = sum(seconds[cost.rule]), sum(map(sum, seconds.values()))
    n_jobs = sum(map(len, seconds.values()))
    above = rule_seconds > cost.share_above * total
    return row | {
        "ratio": rule_seconds / total,
        "verdict": Verdict.SUPPORTED if above else Verdict.CONTRADICTED,
        "note": f"{len(seconds[cost.rule])} of {n_jobs} jobs, "
        f"{rule_seconds:.0f} of {total:.0f} seconds",
    }


MEANINGS = {
    "claim": "The claim, from the config",
    "source": "Source of the claim",
    "claim_verdict": "`supported` if all comparisons of the claim are supported, "
    "`contradicted` if any is contradicted, else `undecided`: the study is not "
    "precise enough",
    "degradation": "Name of the degradation in the config",
    "estimator": "Name of the estimator in the config",
    "against_degradation": "Degradation of the width in the denominator of the ratio",
    "against_estimator": "Estimator of the width in the denominator of the ratio",
    "metric": "Metric that is compared, as in widths.csv, or the cost of a rule",
    "expected": "Expectation of the claim: a posterior that is wider or narrower (by "
    "more than a factor), a ratio within a margin of 1, or a share of the cost",
    "expected_low": "Smallest expected ratio; empty if there is no lower limit",
    "expected_high": "Largest expected ratio; empty if there is no upper limit",
    "ratio": "Ratio of the two widths; for a cost, run time of the jobs of the rule "
    "over that of all jobs needed for the posteriors",
    "ratio_error": "Standard error of the ratio, as in widths.csv",
    "p_support": "One-sided p value of Student's t-test of ln(ratio), for the "
    "hypothesis that the expectation is just false: a ratio of 1 (or of the factor) if "
    "`wider` or `narrower` is expected; a ratio at the edge of the margin if "
    "`equivalent` is expected (two one-sided tests)",
    "p_contradict": "The same for the hypothesis that the expectation is just true: a "
    "ratio of 1 + posterior.equivalence (or of the factor) if `wider` is expected, its "
    "inverse if `narrower` is expected, and a ratio at the edge of the margin if "
    "`equivalent` is expected. With Holm's correction for the comparisons of the "
    "claim, because a single one can contradict it",
    "verdict": f"`supported` if p_support is below {SIGNIFICANCE:g}, else "
    f"`contradicted` if p_contradict is below {SIGNIFICANCE:g}, else "
    f"`undecided`, also if one of the widths is `impossible` in widths.csv; for a "
    "cost, whether the share is above the expected one",
    "note": "Caveats of the verdict",
}


def columns() -> pd.DataFrame:
    """Tabulate the meaning of all columns."""
    return pd.DataFrame(MEANINGS.items(), columns=["column", "meaning"])
