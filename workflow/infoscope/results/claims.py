"""Statements about a study, tested: by ratios of widths, or by what a rule costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import t as t_distribution

from infoscope.estimators.stopping import TRAINED
from infoscope.inference.inference import WITHHELD
from infoscope.inference.posterior import GAINS
from infoscope.results.comparison import (
    EQUIVALENT,
    SIGNIFICANCE,
    UNDECIDED,
    WIDER,
    Ratio,
    SeedScatter,
    compare,
    holm,
)
from infoscope.results.config import Claim, ComparisonConfig, CostConfig
from infoscope.results.measurements import Measurement

Row = dict[str, str | float]

SUPPORTED, CONTRADICTED = "supported", "contradicted"


def judge(
    claims: Sequence[Claim],
    measurements: Sequence[Measurement],
    margin: float,
    seconds: Mapping[str, Sequence[float]],
) -> pd.DataFrame:
    """Tabulate what each claim expects, what was found, and the verdict.

    Parameters
    ----------
    claims
        Claims about these measurements.
    measurements
        Of a whole study: seeds of all degradations tell how much seeds scatter.
    margin
        Within 1 + margin a ratio is equivalent.
    seconds
        Of each job, by rule.

    Returns
    -------
        One row for each comparison, or cost, of each claim.
    """
    scatter = SeedScatter(measurements)
    found = {(m.degradation, m.estimator): m for m in measurements}
    rows = []
    for claim in claims:
        if claim.cost is not None:
            tested = [_cost(claim.cost, seconds)]
        else:
            tested = _comparisons(claim.comparisons, found, margin, scatter)
        identity: Row = {
            "claim": claim.claim,
            "source": claim.source or "",
            "claim_verdict": together([str(row["verdict"]) for row in tested]),
        }
        rows += [identity | row for row in tested]
    return pd.DataFrame(rows, columns=list(MEANINGS))


def together(verdicts: Sequence[str]) -> str:
    """Verdict on a claim that needs all of its comparisons."""
    if CONTRADICTED in verdicts:
        return CONTRADICTED
    return SUPPORTED if set(verdicts) == {SUPPORTED} else UNDECIDED


def p_values(
    ratio: Ratio, expected: ComparisonConfig, margin: float
) -> tuple[float, float]:
    """P values of Student's t-tests of the logarithm of a ratio.

    Parameters
    ----------
    ratio
        What was measured.
    expected
        What is expected of it.
    margin
        Within 1 + margin a ratio is equivalent where the claim does not say otherwise.

    Returns
    -------
        Of the hypothesis that what is expected is false, and of the hypothesis that it
        is true. Where any factor would do, the second is that of a factor that is not
        equivalent: a ratio that is known to be 1 within the margin contradicts.
    """
    # positive where the posterior is wider
    log = np.log(ratio.value) * (-1 if ratio.metric in GAINS else 1)
    if expected.expect == EQUIVALENT:
        edge = np.log1p(margin if expected.within is None else expected.within)
        # both tails, so that the size is right where the error exceeds the margin
        outside = _tail(abs(log) - edge, ratio) + _tail(abs(log) + edge, ratio)
        return _tail(edge - abs(log), ratio), min(1.0, outside)
    if expected.expect != WIDER:
        log = -log
    least, material = expected.by or 1.0, expected.by or 1 + margin
    return _tail(log - np.log(least), ratio), _tail(np.log(material) - log, ratio)


def _tail(distance: float, ratio: Ratio) -> float:
    """One-sided p of a distance from the edge of a hypothesis."""
    if ratio.log_error == 0:
        return float(distance <= 0)
    return float(t_distribution.sf(distance / ratio.log_error, ratio.freedom))


def _comparisons(
    comparisons: Sequence[ComparisonConfig],
    found: Mapping[tuple[str, str], Measurement],
    margin: float,
    scatter: SeedScatter,
) -> list[Row]:
    pairs = [tuple(found[key] for key in c.compared) for c in comparisons]
    ratios = [
        compare(one, other, c.metric, scatter)
        for (one, other), c in zip(pairs, comparisons, strict=True)
    ]
    p = np.array(
        [p_values(*tested, margin) for tested in zip(ratios, comparisons, strict=True)]
    )
    # one contradiction is enough, so that each further comparison is another chance
    shown = np.flatnonzero([not np.isnan(ratio.value) for ratio in ratios])
    p[shown, 1] = holm(p[shown, 1])
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
            "verdict": _verdict(support, contradict),
            "note": "; ".join(_notes(pairs[i], scatter, support, contradict)),
        }
        rows.append(row)
    return rows


def _expected(comparison: ComparisonConfig, margin: float) -> str:
    if comparison.expect == EQUIVALENT:
        within = margin if comparison.within is None else comparison.within
        return f"{EQUIVALENT} within {within:g}"
    by = "" if comparison.by is None else f" by more than {comparison.by:g}"
    return comparison.expect + by


def _limits(comparison: ComparisonConfig, margin: float) -> Row:
    """Smallest and largest ratio that is what is expected; nan if there is no limit."""
    if comparison.expect == EQUIVALENT:
        factor = 1 + (margin if comparison.within is None else comparison.within)
        return {"expected_low": 1 / factor, "expected_high": factor}
    factor = comparison.by or 1.0
    if (comparison.expect == WIDER) != (comparison.metric in GAINS):
        return {"expected_low": factor, "expected_high": np.nan}
    return {"expected_low": np.nan, "expected_high": 1 / factor}


def _verdict(support: float, contradict: float) -> str:
    """Verdict on one comparison; p values of what is withheld are nan."""
    if support < SIGNIFICANCE:
        return SUPPORTED
    return CONTRADICTED if contradict < SIGNIFICANCE else UNDECIDED


def _notes(
    pair: Sequence[Measurement], scatter: SeedScatter, support: float, contradict: float
) -> list[str]:
    """Say what a reader should know before believing a verdict."""
    notes = []
    for one in pair:
        name = f"{one.degradation} / {one.estimator}"
        if one.calibration == WITHHELD:
            notes.append(f"{name}: {WITHHELD}, the posteriors are not calibrated")
        if one.training.verdict != TRAINED:
            notes.append(f"{name}: training {one.training.verdict}")
        if (scatter.of(one).freedom == 0).any():
            notes.append(f"{name}: one training, whose scatter is not known")
    if support < SIGNIFICANCE and contradict < SIGNIFICANCE:
        notes.append("the difference is within the margin of equivalence")
    return notes


def _cost(cost: CostConfig, seconds: Mapping[str, Sequence[float]]) -> Row:
    """Share of the seconds of all jobs; a share has no error."""
    row: Row = {
        "metric": f"cost of {cost.rule}",
        "expected": f"share above {cost.share_above:g}",
        "expected_low": cost.share_above,
        "expected_high": 1.0,
    }
    missing = [rule for rule, of_jobs in seconds.items() if not of_jobs]
    if missing:
        note = f"no benchmark files of {', '.join(missing)}"
        return row | {"verdict": UNDECIDED, "note": note}
    own, total = sum(seconds[cost.rule]), sum(map(sum, seconds.values()))
    jobs = sum(map(len, seconds.values()))
    return row | {
        "ratio": own / total,
        "verdict": SUPPORTED if own > cost.share_above * total else CONTRADICTED,
        "note": f"{len(seconds[cost.rule])} of {jobs} jobs, "
        f"{own:.0f} of {total:.0f} seconds",
    }


MEANINGS = {
    "claim": "The statement, from the config",
    "source": "Where it is from",
    "claim_verdict": f"`{SUPPORTED}` if all comparisons of the claim are, "
    f"`{CONTRADICTED}` if any is, else `{UNDECIDED}`: this study is not precise enough",
    "degradation": "Name of the degradation in the config",
    "estimator": "Name of the estimator in the config",
    "against_degradation": "Degradation of the width that it is compared with",
    "against_estimator": "Estimator of that width",
    "metric": "Width that is compared, as in widths.csv, or the cost of a rule",
    "expected": "What the claim expects: a posterior that is wider or narrower (by "
    "more than a factor), or a ratio within 1 + a margin and its inverse; or a share",
    "expected_low": "Smallest ratio that is what is expected; empty if none is",
    "expected_high": "Largest one, likewise",
    "ratio": "Width over the other one; of a cost, seconds of the jobs of the rule "
    "over those of all jobs that lead to posteriors",
    "ratio_error": "Standard error of the ratio, as in widths.csv",
    "p_support": "One-sided p, by Student's t-test of ln(ratio), if what is expected "
    "were just false: wider, if the ratio were 1 (or the factor); equivalent, if it "
    "were at the edge of the margin (two one-sided tests)",
    "p_contradict": "The same if what is expected were just true: wider, if the ratio "
    "were 1 + posterior.equivalence (or the factor); equivalent, if it were at the "
    "edge of the margin. With Holm's correction for the comparisons of the claim, one "
    "of which is enough to contradict it",
    "verdict": f"`{SUPPORTED}` if p_support is below {SIGNIFICANCE:g}, else "
    f"`{CONTRADICTED}` if p_contradict is, else `{UNDECIDED}`; of a cost, by its share",
    "note": "What to know before believing the verdict",
}


def columns() -> pd.DataFrame:
    """Tabulate all columns and what they mean."""
    return pd.DataFrame(MEANINGS.items(), columns=["column", "meaning"])
