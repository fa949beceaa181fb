"""Tables of posterior widths, their ratios to the reference, and diagnostics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infoscope.errors import InfoscopeError
from infoscope.results.comparison import (
    SIGNIFICANCE,
    Ratio,
    SeedScatter,
    compare,
    compare_scores,
    holm,
    score_error,
    scores,
)
from infoscope.results.data_processing import Bounds, Excess, excesses
from infoscope.results.measurements import Measurement
from infoscope.vocabulary import METRICS, REFERENCE, Verdict

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

Row = dict[str, str | int | float]

PRIOR_LIMITED = 0.7

MEANINGS = {
    "sigma_s8": "standard deviation of the posterior of S_8 = σ_8 √(Ω_m/0.3)",
    "sigma_omega_m": "standard deviation of the posterior of Ω_m",
    "sigma_sigma8": "standard deviation of the posterior of σ_8",
    "area68": "area in (Ω_m, σ_8) of the smallest region with 68.3 % of the posterior "
    "mass",
    "area95": "area in (Ω_m, σ_8) of the smallest region with 95.4 % of the posterior "
    "mass",
    "fom": "figure of merit 1 / area68",
    "information": "expected information gain in bits: the mean over the prior of the "
    "Kullback-Leibler divergence of the posterior from the prior",
}


def measure(
    measurements: Sequence[Measurement],
    prior_metrics: Float[NDArray, " n_metric"],
    margin: float,
    bounds: Mapping[str, Bounds],
    counterfactuals: Collection[str] = (),
) -> pd.DataFrame:
    """Tabulate widths and scores, compare them with the reference, and judge them.

    Parameters
    ----------
    measurements
        One measurement per degradation and estimator.
    prior_metrics
        Metrics of the prior.
    margin
        Ratios between 1 / (1 + margin) and 1 + margin are equivalent.
    bounds
        Bounds on the scores of each estimator.
    counterfactuals
        Degradations whose maps are not made from those of the reference.

    Returns
    -------
        One row per measurement and metric. Withheld widths are nan.

    Raises
    ------
    InfoscopeError
        If an estimator has no reference.
    """
    scatter = SeedScatter(measurements)
    references = {m.estimator: m for m in measurements if m.degradation == REFERENCE}
    for measurement in measurements:
        if measurement.estimator not in references:
            raise InfoscopeError(
                f"{measurement.estimator}: the posterior of the degradation "
                f"{REFERENCE} is missing; infer it first"
            )
    impossible = excesses(measurements, bounds)
    bounded = [
        m.estimator in bounds and bounds[m.estimator].by(m.degradation, REFERENCE)
        for m in measurements
    ]
    rows: list[Row] = []
    by_metric = {}
    for metric in METRICS:
        ratios = [
            compare(m, references[m.estimator], metric, scatter) for m in measurements
        ]
        verdicts = _verdicts(measurements, ratios, margin, bounded)
        for i, measurement in enumerate(measurements):
            if measurement in impossible and measurement.degradation != REFERENCE:
                verdicts[i] = Verdict.IMPOSSIBLE
        by_metric[metric] = ratios, verdicts
    scatter_of_scores = SeedScatter(measurements, scores)
    for number, measurement in enumerate(measurements):
        reference = references[measurement.estimator]
        of_score = _score(measurement, reference, scatter_of_scores)
        of_score |= _excess(impossible.get(measurement, []))
        for metric, (ratios, verdicts) in by_metric.items():
            ratio = ratios[number]
            rows.append(
                names(measurement)
                | {"metric": metric}
                | _width(measurement, metric, scatter)
                | {
                    "ratio": ratio.value,
                    "ratio_error": ratio.error,
                    "p_value": ratio.p_value,
                    "verdict": verdicts[number],
                }
                | of_score
                | _ensemble(measurement, metric)
                | _prior(measurement, metric, prior_metrics)
                | {
                    "calibration": measurement.calibration,
                    "training_verdict": measurement.training.verdict,
                    "n_seeds": measurement.n_seeds,
                    "counterfactual": measurement.degradation in counterfactuals,
                    "same_as": measurement.same_as,
                }
            )
    return pd.DataFrame(rows)


def measure_curves(
    measurements: Sequence[Measurement], trained_with: Sequence[tuple[str, int]]
) -> pd.DataFrame:
    """Tabulate the widths of learning curves.

    Parameters
    ----------
    measurements
        One measurement per row. The one with the full training budget may be on
        several curves.
    trained_with
        For each measurement, the quantity that the curve varies (cosmologies, skies or
        steps) and its number.

    Returns
    -------
        One row per measurement, in the same order, with errors as in `measure`.
    """
    distinct = list(dict.fromkeys(measurements))
    scatter, of_scores = SeedScatter(distinct), SeedScatter(distinct, scores)
    rows = []
    for measurement, (axis, number) in zip(measurements, trained_with, strict=True):
        row = names(measurement) | {"axis": axis, "number": number}
        row["n_seeds"] = measurement.n_seeds
        for metric in METRICS:
            width = _width(measurement, metric, scatter)
            row |= {metric: width["value"], f"{metric}_error": width["error"]}
        row["score"] = float(measurement.score.mean())
        row["score_error"] = score_error(measurement, of_scores)
        row["calibration"] = measurement.calibration
        rows.append(row | measurement.training.columns)
    return pd.DataFrame(rows)


def names(measurement: Measurement) -> Row:
    """Columns that identify a measurement."""
    keys = ("degradation", "label", "estimator", "kind")
    return {key: getattr(measurement, key) for key in keys}


def _width(measurement: Measurement, metric: str, scatter: SeedScatter) -> Row:
    """Mean width over seeds and its error."""
    i = METRICS.index(metric)
    value = float(np.exp(measurement.log_width[i]))
    seeds = value * float(np.sqrt(scatter.of(measurement).value[i]))
    skies = value * float(measurement.log_bootstrap[:, i].std(ddof=1))
    return {
        "value": value,
        "error": float(np.hypot(seeds, skies)),
        "error_seeds": seeds,
        "error_skies": skies,
    }


def _score(
    measurement: Measurement, reference: Measurement, scatter: SeedScatter
) -> Row:
    """Score, and its difference to the reference."""
    difference = compare_scores(measurement, reference, scatter)
    return {
        "score": float(measurement.score.mean()),
        "score_error": score_error(measurement, scatter),
        "score_difference": difference.value,
        "score_difference_error": difference.error,
        "score_p_value": difference.p_value,
    }


def _excess(found: Sequence[Excess]) -> Row:
    """Names of the degradations that a score exceeds, and the causes."""
    return {
        "exceeds": "; ".join(excess.exceeded.degradation for excess in found),
        "cause": "; ".join(dict.fromkeys(excess.cause for excess in found)),
    }


def _verdicts(
    measurements: Sequence[Measurement],
    ratios: Sequence[Ratio],
    margin: float,
    bounded: Sequence[bool],
) -> list[str]:
    """Verdicts for one metric, corrected for the number of degradations."""
    verdicts: list[str] = [REFERENCE] * len(ratios)
    for estimator in dict.fromkeys(m.estimator for m in measurements):
        tested = [
            i
            for i, m in enumerate(measurements)
            if m.estimator == estimator and m.degradation != REFERENCE
        ]
        measured = [
            i
            for i in tested
            if not np.isnan(ratios[i].value) and not measurements[i].same_as
        ]
        adjusted = holm([ratios[i].p_value for i in measured])
        p_values = dict(zip(measured, adjusted, strict=True))
        for i in tested:
            verdicts[i] = ratios[i].verdict(margin, p_values.get(i), bounded=bounded[i])
    return verdicts


def _ensemble(measurement: Measurement, metric: str) -> Row:
    """Width of the ensemble over the mean one of single training runs.

    The error is the scatter over bootstrap resamples of the skies.
    """
    i = METRICS.index(metric)
    single = measurement.width[:, i].mean()
    resampled = measurement.bootstrap[:, :, i].mean(axis=0)
    return {
        "ensemble_ratio": float(measurement.ensemble[i] / single),
        "ensemble_ratio_error": float(
            (measurement.ensemble_bootstrap[:, i] / resampled).std(ddof=1)
        ),
    }


def _prior(
    measurement: Measurement, metric: str, prior_metrics: Float[NDArray, " n_metric"]
) -> Row:
    """Width over that of the prior, and whether the prior limits it.

    The prior limits areas if it limits one of the two parameters. Where a Gaussian
    likelihood in the middle of a uniform prior is narrowed by 5 %, the posterior has
    0.7 of the width of the prior.
    """
    if metric == "information":  # 0 for the prior
        return {"prior_fraction": np.nan, "prior_limited": False}
    posterior_metrics = np.exp(measurement.log_width)
    fractions = {
        name: float(posterior_metrics[i] / prior_metrics[i])
        for i, name in enumerate(METRICS)
        if name != "information"
    }
    parameters = ("sigma_omega_m", "sigma_sigma8")
    limiting = (metric,) if metric.startswith("sigma") else parameters
    fraction = fractions[metric]
    return {
        "prior_fraction": 1 / fraction if metric == "fom" else fraction,
        "prior_limited": max(fractions[name] for name in limiting) > PRIOR_LIMITED,
    }


def columns() -> pd.DataFrame:
    """Tabulate the meaning of all columns of all tables."""
    metrics = "; ".join(f"`{name}`: {meaning}" for name, meaning in MEANINGS.items())
    identity = {
        "degradation": "Name of the degradation in the config",
        "label": "Name of the degradation in figures",
        "estimator": "Name of the estimator in the config",
        "kind": "Kind of the estimator",
    }
    calibration = (
        "`calibrated`: ranks and coverage of held-out test skies agree with the "
        "posteriors; `corrected`: they agree after the likelihood was raised to a "
        "power; `withheld`: they disagree even after that correction"
    )
    training_verdict = (
        "`falling`: the validation loss was still decreasing, and more steps would "
        "help; `overfit`: the validation loss is above the training loss, and more "
        "skies would help; `trained`: neither"
    )
    tables = {
        "widths.csv": identity
        | {
            "metric": metrics,
            "value": "Median over mock observations (for `information`, mean over the "
            "prior), averaged over seeds; empty if `calibration` is `withheld`",
            "error": "Standard error of `value`: `error_seeds` and `error_skies` added "
            "in quadrature",
            "error_seeds": "Standard error from the scatter between training runs, "
            "which is pooled over the degradations of the estimator; 0 if every "
            "degradation has one training run only, so that the scatter is unknown",
            "error_skies": "Standard error from bootstrap resamples of the test skies "
            "and mock observations",
            "ratio": f"`value` over that of the degradation `{REFERENCE}`",
            "ratio_error": "Standard error of `ratio`; both widths use the same "
            "resamples of the skies",
            "p_value": "Two-sided p value of Welch's t-test that ln(ratio) is 0",
            "verdict": f"`wider` or `narrower`: this test, with Holm's correction "
            "for the degradations of the estimator and metric, rejects a ratio of 1 at "
            f"{SIGNIFICANCE:.0%}; `reshaped`: it does, and the posterior is narrower "
            "in this metric, but the maps are made from those of the reference and the "
            "score is not above that of the reference; `equivalent`: it does not, and "
            "two one-sided tests at the same level show that the ratio is within the "
            "margin posterior.equivalence; `undecided`: neither; `impossible`, in all "
            "metrics: see `exceeds`",
            "score": "Mean log₂ of posterior over prior density at the true parameters "
            "of held-out test skies, in bits, averaged over seeds; at most the mutual "
            "information",
            "score_error": "Standard error of `score`, from the scatter between "
            "training runs and between cosmologies",
            "score_difference": f"`score` minus that of the degradation `{REFERENCE}`: "
            "negative if information is lost",
            "score_difference_error": "Standard error of `score_difference`; both "
            "scores are of the same skies",
            "score_p_value": "One-sided p value of Welch's t-test that "
            "`score_difference` is not above 0",
            "exceeds": "Degradations whose maps contain everything in these maps, and "
            "whose score is nevertheless lower: one-sided t-tests at "
            f"{SIGNIFICANCE:.0%}, with Holm's correction for all such pairs of the "
            "estimator",
            "cause": "What the evidence says about an impossible score. `training`: "
            "the estimator is not at its limit on the maps that are exceeded, because "
            "its training is `falling` or `overfit`, its posteriors are withheld, or "
            "another estimator scores higher on the same maps; `operation`: there is "
            "no such sign",
            "ensemble_ratio": "Width for the mean summary of all seeds over the mean "
            "width of single training runs",
            "ensemble_ratio_error": "Standard error of `ensemble_ratio`, from "
            "bootstrap resamples of the skies",
            "prior_fraction": "`value` over that of the prior (for `fom`: the inverse)",
            "prior_limited": f"Whether `prior_fraction` is above {PRIOR_LIMITED}, so "
            "that the prior narrows the posterior; for areas and `fom`, whether that "
            "of σ(Ω_m) or σ(σ_8) is",
            "calibration": calibration,
            "training_verdict": training_verdict,
            "n_seeds": "Number of training runs",
            "counterfactual": "Whether the maps are not made from those of the "
            "reference (other noise, other effects, or noise after the operations), so "
            "that they may contain more information",
            "same_as": "Degradation with the same inputs whose training runs are used, "
            "because the estimator sees only spectra and the operations preserve them",
        },
        "mocks.csv": identity
        | {
            "training": "Number of the training seed, or `ensemble` for the mean "
            "summary of all seeds",
            "sky": "Number of the fiducial sky",
            "tile": "Number of the tile in the sky; each tile is a mock observation",
        }
        | {name: _capitalised(meaning) for name, meaning in MEANINGS.items()}
        | {
            "information": "Kullback-Leibler divergence of the posterior from the "
            "prior, in bits"
        },
        "diagnostics.csv": identity
        | {
            "train_nll": "Training loss at the best step in nat, mean over seeds",
            "validation_nll": "Validation loss at the best step in nat, mean over "
            "seeds",
            "validation_error": "Standard error of `validation_nll`, from the scatter "
            "between skies",
            "final_drop": "Decrease of the validation loss in the last tenth of the "
            "steps, in nat",
            "training_verdict": training_verdict,
            "calibration": calibration,
            "calibration_p_value": "P value of the most significant deviation of the "
            "coverage and rank curves from the diagonal, for the hypothesis that the "
            "true curves are within 0.02 of it (multiplier bootstrap over skies); "
            "rejected below 0.01",
            "power": "Power to which the likelihood was raised; 1 without correction",
            "information": "Expected information gain in bits",
            "score": "Mean log₂ of posterior over prior density at the true "
            "parameters, in bits; at most the mutual information, and below "
            "`information` if posteriors are overconfident",
            "marginalised_over": "Nuisance parameters that the posteriors are "
            "marginalised over",
            "conditioned_on": "Nuisance parameters that are fixed to their fiducial "
            "values",
            "largest_deviation": "Largest deviation of a curve from the diagonal",
            "largest_deviation_of": "Name of this curve",
            "coverage68_tarp": "Fraction of the true parameters in 68 % regions (TARP)",
            "coverage68_omega_m": "Fraction of the true Ω_m in 68 % intervals",
            "coverage68_s8": "Fraction of the true S_8 in 68 % intervals",
            "coverage68_sigma8": "Fraction of the true σ_8 in 68 % intervals",
        },
    }
    rows = [
        (table, column, meaning)
        for table, meanings in tables.items()
        for column, meaning in meanings.items()
    ]
    return pd.DataFrame(rows, columns=["table", "column", "meaning"])


def _capitalised(text: str) -> str:
    """Capitalise the first letter only."""
    return text[:1].upper() + text[1:]
