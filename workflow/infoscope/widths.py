"""The table of widths: what each degradation costs, with errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from infoscope.convergence import verdict
from infoscope.errors import InfoscopeError
from infoscope.posterior import METRICS

Array = NDArray[np.float64]

REFERENCE = "reference"
MEANINGS = {
    "sigma_s8": ("1", "Standard deviation of the posterior of S_8 = σ_8 √(Ω_m/0.3)"),
    "sigma_omega_m": ("1", "Standard deviation of the posterior of Ω_m"),
    "sigma_sigma8": ("1", "Standard deviation of the posterior of σ_8"),
    "area68": (
        "1",
        "Area in (Ω_m, σ_8) of the smallest region with 68.3 % of the mass",
    ),
    "fom": ("1", "Figure of merit 1 / area68"),
}


@dataclass(frozen=True)
class Training:
    """Losses of the networks of an estimator in nat, averaged over seeds.

    Attributes
    ----------
    train_nll, validation_nll
        Losses at the best step.
    validation_error
        Standard error of `validation_nll`.
    final_drop
        Fall of the validation loss in the last tenth of the steps.
    """

    train_nll: float
    validation_nll: float
    validation_error: float
    final_drop: float

    @property
    def verdict(self) -> str:
        """Whether the trainings converged."""
        gap = self.validation_nll - self.train_nll
        return verdict(self.final_drop, gap, self.validation_error)

    @property
    def columns(self) -> dict[str, str | float]:
        """Losses and verdict, as the tables have them."""
        return vars(self) | {"convergence": self.verdict}


@dataclass(frozen=True)
class Measurement:
    """Posterior widths under one degradation with one estimator.

    Attributes
    ----------
    degradation, label, estimator, kind
        Names of the degradation (in the config and in figures) and of the estimator
        (in the config and its kind).
    n_mocks
        Number of mock observations.
    width
        Median widths (n_seed, n_metric).
    bootstrap
        The same for resampled skies (n_seed, n_boot, n_metric), with resamplings that
        all degradations share.
    training
        How the networks were trained.
    """

    degradation: str
    label: str
    estimator: str
    kind: str
    n_mocks: int
    width: Array
    bootstrap: Array
    training: Training


def measure(measurements: Sequence[Measurement], prior_omega_m: float) -> pd.DataFrame:
    """Tabulate widths, their ratios to the reference and errors of both.

    The error of a width has two parts, added in quadrature: the scatter over trainings,
    divided by the root of their number, and the scatter over bootstrap resamples of the
    skies. Few seeds tell little about their own scatter, so that it is taken to be at
    least the scatter pooled over all degradations of the estimator. With one seed the
    first part is unknown and left out: see n_seeds. For a ratio the bootstrap is
    paired: skies that degradations share do not make it uncertain.

    Parameters
    ----------
    measurements
        One for each row.
    prior_omega_m
        Width of the uniform prior of Ω_m.

    Returns
    -------
        One row for each measurement, in their order.
    """
    references = {m.estimator: m for m in measurements if m.degradation == REFERENCE}
    pooled = _pooled(measurements)
    rows = []
    for measurement in measurements:
        reference = references.get(measurement.estimator)
        if reference is None:
            raise InfoscopeError(
                f"{measurement.estimator}: no posterior of the degradation {REFERENCE}"
            )
        rows.append(
            _row(measurement, reference, pooled[measurement.estimator], prior_omega_m)
        )
    return pd.DataFrame(rows)


def measure_curves(
    measurements: Sequence[Measurement], trained_with: Sequence[tuple[str, int]]
) -> pd.DataFrame:
    """Tabulate the widths of learning curves.

    Parameters
    ----------
    measurements
        One for each row.
    trained_with
        For each of them, what the curve varies (cosmologies, skies or steps), and its
        number.

    Returns
    -------
        One row for each measurement, in their order; errors as in `measure`.
    """
    pooled = _pooled(measurements)
    rows = []
    for measurement, (axis, number) in zip(measurements, trained_with, strict=True):
        width = measurement.width.mean(axis=0)
        error = _error(measurement, pooled[measurement.estimator])
        row: dict[str, str | int | float] = {
            "degradation": measurement.degradation,
            "label": measurement.label,
            "estimator": measurement.estimator,
            "axis": axis,
            "number": number,
            "n_seeds": len(measurement.width),
        }
        for i, metric in enumerate(METRICS):
            row |= {metric: float(width[i]), f"{metric}_error": float(error[i])}
        row |= measurement.training.columns
        rows.append(row)
    return pd.DataFrame(rows)


def columns() -> pd.DataFrame:
    """Tabulate column, unit and meaning of what `measure` returns."""
    rows = [
        ("degradation", "", "Name of the degradation in the config"),
        ("label", "", "Name of the degradation in figures"),
        ("estimator", "", "Name of the estimator in the config"),
        ("kind", "", "Kind of the estimator"),
        ("n_seeds", "", "Trainings; with 1, errors leave out their scatter"),
        ("n_mocks", "", "Mock observations (tiles) over which medians are taken"),
    ]
    for metric, (unit, meaning) in MEANINGS.items():
        rows += [
            (metric, unit, f"{meaning}; median over mocks, mean over seeds"),
            (f"{metric}_error", unit, f"1σ error of {metric} (seeds and skies)"),
            (f"{metric}_ratio", "1", f"{metric} over that of {REFERENCE}"),
            (
                f"{metric}_ratio_error",
                "1",
                f"1σ error of {metric}_ratio (paired skies)",
            ),
        ]
    rows += [
        ("train_nll", "nat", "Training loss at the best step, mean over seeds"),
        ("validation_nll", "nat", "Validation loss at the best step, mean over seeds"),
        ("validation_error", "nat", "Standard error of validation_nll (skies)"),
        ("final_drop", "nat", "Fall of the validation loss in the last tenth of steps"),
        (
            "convergence",
            "",
            "`falling`: the validation loss still fell, more steps would help; "
            "`overfit`: it lies above the training loss, more skies would help",
        ),
        (
            "prior_fraction_omega_m",
            "1",
            "sigma_omega_m over that of the prior; near 1, the prior sets the width",
        ),
    ]
    return pd.DataFrame(rows, columns=["column", "unit", "meaning"])


def _row(
    measurement: Measurement,
    reference: Measurement,
    pooled: Array,
    prior_omega_m: float,
) -> dict[str, str | int | float]:
    width, error = measurement.width.mean(axis=0), _error(measurement, pooled)
    ratio = width / reference.width.mean(axis=0)
    ratio_error = _ratio_error(measurement, reference, ratio, pooled)
    row: dict[str, str | int | float] = {
        "degradation": measurement.degradation,
        "label": measurement.label,
        "estimator": measurement.estimator,
        "kind": measurement.kind,
        "n_seeds": len(measurement.width),
        "n_mocks": measurement.n_mocks,
    }
    for i, metric in enumerate(METRICS):
        row[metric] = float(width[i])
        row[f"{metric}_error"] = float(error[i])
        row[f"{metric}_ratio"] = float(ratio[i])
        row[f"{metric}_ratio_error"] = float(ratio_error[i])
    row |= measurement.training.columns
    row["prior_fraction_omega_m"] = float(
        width[METRICS.index("sigma_omega_m")] / (prior_omega_m / np.sqrt(12))
    )
    return row


def _pooled(measurements: Sequence[Measurement]) -> dict[str, Array]:
    """Relative variance over seeds (n_metric,) of each estimator, over all rows."""
    return {
        estimator: np.mean(
            [_seed_variance(m) for m in measurements if m.estimator == estimator],
            axis=0,
        )
        for estimator in dict.fromkeys(m.estimator for m in measurements)
    }


def _seed_variance(measurement: Measurement) -> Array:
    """Relative variance (n_metric,) over seeds; zero if there is only one."""
    width = measurement.width
    if len(width) < 2:
        return np.zeros(width.shape[1])
    variance: Array = width.var(axis=0, ddof=1) / width.mean(axis=0) ** 2
    return variance


def _seed_part(measurement: Measurement, pooled: Array) -> Array:
    """Relative variance (n_metric,) of the mean over seeds."""
    largest: Array = np.maximum(_seed_variance(measurement), pooled)
    return largest / len(measurement.width)


def _error(measurement: Measurement, pooled: Array) -> Array:
    width = measurement.width.mean(axis=0)
    skies = measurement.bootstrap.mean(axis=0).std(axis=0, ddof=1)
    error: Array = np.sqrt(width**2 * _seed_part(measurement, pooled) + skies**2)
    return error


def _ratio_error(
    measurement: Measurement, reference: Measurement, ratio: Array, pooled: Array
) -> Array:
    if measurement is reference:
        return np.zeros_like(ratio)
    resampled = measurement.bootstrap.mean(axis=0) / reference.bootstrap.mean(axis=0)
    seeds = _seed_part(measurement, pooled) + _seed_part(reference, pooled)
    skies = resampled.std(axis=0, ddof=1)
    error: Array = np.sqrt(ratio**2 * seeds + skies**2)
    return error
