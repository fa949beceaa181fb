"""Rule `measure_widths`: tables of posterior widths and their diagnostics."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from infoscope.files.atomic import atomic_path
from infoscope.files.hdf5 import open_for_reading
from infoscope.inference.calibration import CURVES, LEVELS
from infoscope.inference.posterior import Grid, widths
from infoscope.results.data_processing import Bounds
from infoscope.results.measurements import Measurement, Training
from infoscope.results.widths import columns, measure, names
from infoscope.vocabulary import METRICS, Calibration

PRIOR_CELLS = 512


def run(spec: dict[str, Any], posteriors: list[Path], output: Path) -> None:
    """Tabulate the widths of all degradations and estimators.

    Parameters
    ----------
    spec
        `prior`, `equivalence`, `labels` by degradation, `bounds` by estimator, and the
        degradations that are `counterfactuals`.
    posteriors
        Outputs of `infer_posterior`, in the order of the rows.
    output
        widths.csv. Written beside it are mocks.csv, with a row for each mock
        observation and training run, diagnostics.csv, with a row for each degradation
        and estimator, and columns.csv, which explains the columns of all three.
    """
    measurements = [read(path, spec["labels"]) for path in posteriors]
    grid = Grid.of_prior(spec["prior"], PRIOR_CELLS)
    of_prior = widths(np.full((1, grid.size**2), grid.size**-2.0), grid)[0]
    pairs = list(zip(posteriors, measurements, strict=True))
    tables = {
        output.name: measure(
            measurements,
            of_prior,
            spec["equivalence"],
            bounds_of(spec),
            spec["counterfactuals"],
        ),
        "mocks.csv": pd.concat([_mocks(*pair) for pair in pairs], ignore_index=True),
        "diagnostics.csv": pd.DataFrame([_diagnostics(*pair) for pair in pairs]),
        "columns.csv": columns(),
    }
    for name, table in tables.items():
        with atomic_path(output.with_name(name)) as temporary:
            table.to_csv(temporary, index=False)


def bounds_of(spec: dict[str, Any]) -> dict[str, Bounds]:
    """Return the bounds on the scores of each estimator in a spec."""
    return {name: Bounds(**bounds) for name, bounds in spec["bounds"].items()}


def read(path: Path, labels: dict[str, str]) -> Measurement:
    """Read the measurement in an output of `infer_posterior`.

    Parameters
    ----------
    path
        HDF5 file.
    labels
        Labels by degradation.
    """
    with open_for_reading(path) as file:
        attributes = file.attrs
        degradation = str(attributes["degradation"])
        # with several seeds, the last row is their ensemble
        seeds = [name != "ensemble" for name in attributes["training"]]
        width, bootstrap = file["width"][:], file["bootstrap"][:]
        score = file["sky_score"][:]
        return Measurement(
            degradation=degradation,
            label=labels[degradation],
            estimator=str(attributes["estimator"]),
            kind=str(attributes["kind"]),
            width=width[seeds],
            bootstrap=bootstrap[seeds],
            ensemble=width[-1],
            ensemble_bootstrap=bootstrap[-1],
            score=score[seeds],
            sky=file["sky"][:],
            cosmology=file["cosmology"][:],
            calibration=str(attributes["calibration"]),
            training=Training(
                **{f.name: float(attributes[f.name]) for f in fields(Training)}
            ),
            same_as=str(attributes["same_as"]),
        )


def _mocks(path: Path, measurement: Measurement) -> pd.DataFrame:
    """Tabulate the metrics of all mock observations with all training runs."""
    with open_for_reading(path) as file:
        metrics = file["widths"][:]
        training_runs = list(file.attrs["training"])
        n_sky = int(file.attrs["fiducial_skies"])
    if measurement.calibration == Calibration.WITHHELD:
        metrics = np.full_like(metrics, np.nan)
    n_mock = metrics.shape[1]
    sky, tile = np.divmod(np.arange(n_mock), n_mock // n_sky)
    table = pd.DataFrame(metrics.reshape(-1, len(METRICS)), columns=list(METRICS))
    identity = names(measurement) | {
        "training": np.repeat(training_runs, n_mock),
        "sky": np.tile(sky, len(training_runs)),
        "tile": np.tile(tile, len(training_runs)),
    }
    for i, (name, value) in enumerate(identity.items()):
        table.insert(i, name, value)
    return table


def _diagnostics(path: Path, measurement: Measurement) -> dict[str, Any]:
    """Return losses and calibration, the mean or the worst of all training runs."""
    with open_for_reading(path) as file:
        curves = file["coverage"][:]
        row: dict[str, Any] = names(measurement) | measurement.training.columns
        row["calibration"] = measurement.calibration
        row["calibration_p_value"] = float(file.attrs["calibration_p_value"])
        row["power"] = float(file["power"][:].mean())
        row["information"] = float(file["information"][:].mean())
        row["score"] = float(file["score"][:].mean())
        for name in ("marginalised_over", "conditioned_on"):
            row[name] = str(file.attrs[name])
    deviations = np.abs(curves - LEVELS[:, None]).max(axis=(0, 1))
    row["largest_deviation"] = float(deviations.max())
    row["largest_deviation_of"] = CURVES[int(deviations.argmax())]
    coverage = curves[:, np.searchsorted(LEVELS, 0.68)].mean(axis=0)
    for curve, value in zip(CURVES, coverage, strict=True):
        if not curve.startswith("rank"):
            row[f"coverage68_{curve.removeprefix('interval_')}"] = float(value)
    return row
