"""The tables of results: what each degradation costs, and whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from infoscope.errors import InfoscopeError
from infoscope.inference.inference import CALIBRATED, CORRECTED, WITHHELD
from infoscope.inference.posterior import METRICS
from infoscope.results.comparison import (
    EQUIVALENT,
    NARROWER,
    SIGNIFICANCE,
    UNDECIDED,
    WIDER,
    Ratio,
    SeedScatter,
    compare,
    holm,
)
from infoscope.results.measurements import Measurement
from infoscope.vocabulary import REFERENCE

Array = NDArray[np.float64]
Row = dict[str, str | int | float]

PRIOR_LIMITED = 0.7

MEANINGS = {
    "sigma_s8": "standard deviation of the posterior of S_8 = σ_8 √(Ω_m/0.3)",
    "sigma_omega_m": "standard deviation of the posterior of Ω_m",
    "sigma_sigma8": "standard deviation of the posterior of σ_8",
    "area68": "area in (Ω_m, σ_8) of the smallest region with 68.3 % of the mass",
    "area95": "the same with 95.4 %",
    "fom": "figure of merit 1 / area68",
    "information": "expected information gain in bits, the mean over the prior of the "
    "Kullback-Leibler divergence of the posterior from the prior",
}


def measure(
    measurements: Sequence[Measurement], of_prior: Array, margin: float
) -> pd.DataFrame:
    """Tabulate widths, their ratios to the reference, errors and verdicts.

    Parameters
    ----------
    measurements
        One for each degradation and estimator.
    of_prior
        Metrics (n_metric,) of the prior.
    margin
        Within 1 + margin a ratio is equivalent.

    Returns
    -------
        One row for each measurement and metric. Widths that are withheld are nan.

    Raises
    ------
    InfoscopeError
        If there is no reference.
    """
    scatter = SeedScatter(measurements)
    references = {m.estimator: m for m in measurements if m.degradation == REFERENCE}
    for measurement in measurements:
        if measurement.estimator not in references:
            raise InfoscopeError(
                f"{measurement.estimator}: no posterior of the degradation {REFERENCE}"
            )
    rows: list[Row] = []
    by_metric = {}
    for metric in METRICS:
        ratios = [
            compare(m, references[m.estimator], metric, scatter) for m in measurements
        ]
        by_metric[metric] = ratios, _verdicts(measurements, ratios, margin)
    for number, measurement in enumerate(measurements):
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
                | _ensemble(measurement, metric)
                | _prior(measurement, metric, of_prior)
                | {
                    "calibration": measurement.calibration,
                    "training_verdict": measurement.training.verdict,
                    "n_seeds": measurement.n_seeds,
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
        One for each row; a training with all may be in several.
    trained_with
        For each of them, what the curve varies (cosmologies, skies or steps), and its
        number.

    Returns
    -------
        One row for each measurement, in their order; errors as in `measure`.
    """
    scatter = SeedScatter(list(dict.fromkeys(measurements)))
    rows = []
    for measurement, (axis, number) in zip(measurements, trained_with, strict=True):
        row = names(measurement) | {"axis": axis, "number": number}
        row["n_seeds"] = measurement.n_seeds
        for metric in METRICS:
            width = _width(measurement, metric, scatter)
            row |= {metric: width["value"], f"{metric}_error": width["error"]}
        row["calibration"] = measurement.calibration
        rows.append(row | measurement.training.columns)
    return pd.DataFrame(rows)


def names(measurement: Measurement) -> Row:
    """Columns that say which measurement a row belongs to."""
    keys = ("degradation", "label", "estimator", "kind")
    return {key: getattr(measurement, key) for key in keys}


def _width(measurement: Measurement, metric: str, scatter: SeedScatter) -> Row:
    """Mean over seeds and its error."""
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


def _verdicts(
    measurements: Sequence[Measurement], ratios: Sequence[Ratio], margin: float
) -> list[str]:
    """Verdicts on one metric, corrected for the number of degradations."""
    found = [REFERENCE] * len(ratios)
    for estimator in dict.fromkeys(m.estimator for m in measurements):
        tested = [
            i
            for i, m in enumerate(measurements)
            if m.estimator == estimator and m.degradation != REFERENCE
        ]
        shown = [i for i in tested if not np.isnan(ratios[i].value)]
        adjusted = holm([ratios[i].p_value for i in shown])
        p_values = dict(zip(shown, adjusted, strict=True))
        for i in tested:
            found[i] = ratios[i].verdict(margin, p_values.get(i))
    return found


def _ensemble(measurement: Measurement, metric: str) -> Row:
    """Width of the ensemble over that of a single training; errors are of skies."""
    i = METRICS.index(metric)
    single = measurement.width[:, i].mean()
    resampled = measurement.bootstrap[:, :, i].mean(axis=0)
    return {
        "ensemble_ratio": float(measurement.ensemble[i] / single),
        "ensemble_ratio_error": float(
            (measurement.ensemble_bootstrap[:, i] / resampled).std(ddof=1)
        ),
    }


def _prior(measurement: Measurement, metric: str, of_prior: Array) -> Row:
    """How far the prior sets a width; areas are limited where a parameter is.

    A Gaussian likelihood in the middle of a uniform prior has 0.7 of the width of the
    prior where the prior narrows the posterior by 5 %.
    """
    if metric == "information":  # the prior has none
        return {"prior_fraction": np.nan, "prior_limited": False}
    of_posterior = np.exp(measurement.log_width)
    by_name = {
        name: float(of_posterior[i] / of_prior[i])
        for i, name in enumerate(METRICS)
        if name != "information"
    }
    regions = ("sigma_omega_m", "sigma_sigma8")
    limiting = (metric,) if metric.startswith("sigma") else regions
    fraction = by_name[metric]
    return {
        "prior_fraction": 1 / fraction if metric == "fom" else fraction,
        "prior_limited": max(by_name[name] for name in limiting) > PRIOR_LIMITED,
    }


def columns() -> pd.DataFrame:
    """Tabulate table, column and meaning of all columns that are written."""
    metrics = "; ".join(f"`{name}`: {meaning}" for name, meaning in MEANINGS.items())
    identity = {
        "degradation": "Name of the degradation in the config",
        "label": "Name of the degradation in figures",
        "estimator": "Name of the estimator in the config",
        "kind": "Kind of the estimator",
    }
    calibration = (
        f"`{CALIBRATED}`: ranks and coverage of held-out test skies agree with the "
        f"posteriors; `{CORRECTED}`: they did not, the likelihood was raised to a "
        f"power, and then they did; `{WITHHELD}`: that did not help"
    )
    training_verdict = (
        "`falling`: the validation loss still fell, more steps would help; "
        "`overfit`: it lies above the training loss, more skies would help"
    )
    tables = {
        "widths.csv": identity
        | {
            "metric": metrics,
            "value": "Median over mock observations (of `information`, mean over the "
            f"prior), mean over seeds; empty if `calibration` is `{WITHHELD}`",
            "error": "Standard error of the value: the next two, in quadrature",
            "error_seeds": "Scatter over trainings, pooled over the degradations of "
            "the estimator, over the root of their number; with one it is not known, "
            "and 0",
            "error_skies": "Scatter over bootstrap resamples of test skies and mocks",
            "ratio": f"Value over that of the degradation `{REFERENCE}`",
            "ratio_error": "Standard error of the ratio; skies are resampled in pairs",
            "p_value": "Two-sided p of Welch's t-test that ln(ratio) is 0",
            "verdict": f"`{WIDER}` or `{NARROWER}`: that test, with Holm's correction "
            "for the degradations of the estimator and metric, rejects a ratio of 1 at "
            f"{SIGNIFICANCE:.0%}; `{EQUIVALENT}`: it does not, and two one-sided tests "
            "at the same level put the ratio within the margin "
            f"posterior.equivalence; else `{UNDECIDED}`",
            "ensemble_ratio": "Value of the mean summary of all seeds over `value`",
            "ensemble_ratio_error": "Its standard error (skies)",
            "prior_fraction": "Value over that of the prior (of `fom`: the inverse)",
            "prior_limited": f"Whether that is above {PRIOR_LIMITED}, so that the "
            "prior narrows the posterior; of areas: that of Ω_m or of σ_8",
            "calibration": calibration,
            "training_verdict": training_verdict,
            "n_seeds": "Trainings",
        },
        "mocks.csv": identity
        | {
            "training": "Number of the seed, or `ensemble`: the mean summary of all",
            "sky": "Number of the fiducial sky",
            "tile": "Number of the tile, the mock observation, in its sky",
        }
        | {name: f"Of its posterior: {meaning}" for name, meaning in MEANINGS.items()}
        | {"information": "Divergence of its posterior from the prior, in bits"},
        "diagnostics.csv": identity
        | {
            "train_nll": "Training loss at the best step in nat, mean over seeds",
            "validation_nll": "The same of the validation skies",
            "validation_error": "Standard error of validation_nll (skies)",
            "final_drop": "Fall of validation_nll in the last tenth of the steps",
            "training_verdict": training_verdict,
            "calibration": calibration,
            "calibration_p_value": "p of the largest deviation of any coverage or rank "
            "curve from the diagonal, if the truth is within 0.02 of it (multiplier "
            "bootstrap over skies); 0.01 rejects",
            "power": "Exponent of the likelihood; 1 unless it was corrected",
            "information": "Expected information gain in bits",
            "score": "Mean log₂ of posterior over prior at the truth; at most the "
            "mutual information, and less than `information` if overconfident",
            "marginalised_over": "Nuisance parameters that vary and are not known",
            "conditioned_on": "Those that are known to have their fiducial values",
            "largest_deviation": "Largest deviation of a curve from the diagonal",
            "largest_deviation_of": "Which curve that is",
            "coverage68_tarp": "Share of truths in 68 % regions (TARP)",
            "coverage68_omega_m": "Share of truths in 68 % intervals of Ω_m",
            "coverage68_s8": "The same of S_8",
            "coverage68_sigma8": "The same of σ_8",
        },
    }
    rows = [
        (table, column, meaning)
        for table, meanings in tables.items()
        for column, meaning in meanings.items()
    ]
    return pd.DataFrame(rows, columns=["table", "column", "meaning"])
