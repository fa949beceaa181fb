"""Rule `infer_posterior`: posteriors of the mock observations and their widths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.errors import InfoscopeError
from infoscope.files.hdf5 import create, open_for_reading, read_nuisance, write
from infoscope.inference.calibration import CURVES, LEVELS, PARAMETERS
from infoscope.inference.inference import Inference, Skies, calibrate, ensemble
from infoscope.inference.posterior import Grid, draw
from infoscope.seeds import seed_of
from infoscope.vocabulary import METRICS

LOSSES = ("train_nll", "validation_nll", "validation_error", "final_drop")
NAMES = {
    "degradation": "degradation",
    "estimator": "estimator_name",
    "kind": "kind",
    "same_as": "same_as",
}
NUMBERS = ("sky", "cosmology")
SAMPLES = 20_000
BINS = 20


def run(spec: dict[str, Any], summaries: list[Path], output: Path) -> None:
    """Infer the parameters of all mock observations with all training runs.

    Parameters
    ----------
    spec
        `prior`, `posterior` (`grid_size`, `bootstraps`, `condition_on`) and
        `study_seed`; `degradation`, `estimator_name`, `kind` and `same_as` (the
        degradation with the same inputs whose summaries these are, or empty), which are
        copied to attributes.
    summaries
        Outputs of `train_estimator`, one per seed.
    output
        HDF5 file. Its attribute `training` lists the training runs: the seeds and, if
        there are several, `ensemble`, the mean summary of all seeds. For each there are
        `widths` (n_mock, n_metric), `width` (n_metric,), `bootstrap`
        (n_boot, n_metric), the posterior of the mean mock observation, `density`
        (size, size), its `power`, and the calibration on test skies: `coverage` and its
        error (n_level, n_curve), `ranks` (n_bin, n_parameter), which is a histogram,
        `score` and `information`, and `sky_score` (n_sky,), the mean score of the tiles
        of each test sky. `sky` and `cosmology` (n_sky,) are the numbers of these skies.
        `samples` (n_sample, 2) are draws from the last `density`.

    Raises
    ------
    InfoscopeError
        If summaries are not finite, or the inference fails.
    """
    condition_on = spec["posterior"]["condition_on"]
    seeds, losses = [], []
    for path in summaries:
        with open_for_reading(path) as file:
            nuisance = read_nuisance(file["test"])
            fixed = [name for name in nuisance.names if name in condition_on]
            test = _read(file, "test", path)
            if fixed:
                test = replace(test, nuisance=nuisance.offsets(fixed))
            splits = [test, _read(file, "fiducial", path)]
            losses.append([file.attrs[name] for name in LOSSES])
            numbers = {name: file["test"][name][:] for name in NUMBERS}
        seeds.append(splits)
    names = [str(i) for i in range(len(seeds))]
    if len(seeds) > 1:
        names.append("ensemble")
        seeds.append([ensemble(skies) for skies in zip(*seeds, strict=True)])
    grid = Grid.of_prior(spec["prior"], spec["posterior"]["grid_size"])
    inferences = [
        Inference(
            test, fiducial, grid, spec["posterior"]["bootstraps"], spec["study_seed"]
        )
        for test, fiducial in seeds
    ]
    try:
        calibrated = calibrate(inferences)
        results = [_arrays(inference) for inference in calibrated.inferences]
    except InfoscopeError as error:
        raise InfoscopeError(f"{summaries[0].parent.parent}: {error}") from None
    rng = np.random.default_rng(seed_of(spec["study_seed"], "samples"))
    last = calibrated.inferences[-1].mean_mock_posterior
    with create(output, spec) as file:
        for name in results[0]:
            write(file, name, np.stack([arrays[name] for arrays in results]))
        coverage = calibrated.coverage
        write(file, "coverage", np.moveaxis(coverage.curves, 1, 0))
        write(file, "coverage_error", np.moveaxis(coverage.errors, 1, 0))
        write(file, "level", LEVELS)
        for name, values in numbers.items():
            write(file, name, values)
        for name, axis in zip(("omega_m", "sigma_8"), grid.axes, strict=True):
            write(file, name, axis)
        write(file, "samples", draw(last[None], grid, SAMPLES, rng)[0])
        file.attrs["training"] = names
        file.attrs["fiducial_skies"] = len(inferences[0].fiducial.theta)
        file.attrs["metric"], file.attrs["curve"] = list(METRICS), list(CURVES)
        file.attrs["calibration"] = str(calibrated.verdict)
        free = [name for name in nuisance.names if name not in fixed]
        file.attrs["conditioned_on"] = ", ".join(fixed)
        file.attrs["marginalised_over"] = ", ".join(free)
        file.attrs["calibration_p_value"] = coverage.p_value
        for name, key in NAMES.items():
            file.attrs[name] = spec[key]
        for name, mean in zip(LOSSES, np.mean(losses, axis=0), strict=True):
            file.attrs[name] = mean


def _read(file: Any, split: str, path: Path) -> Skies:
    summary = file[split]["summary"][:].astype(np.float64)
    if not np.isfinite(summary).all():
        raise InfoscopeError(
            f"{path}: {split} summaries are not finite; delete the file and run again"
        )
    return Skies(summary, file[split]["theta"][:])


def _arrays(inference: Inference) -> dict[str, Any]:
    """Return the data sets of one training run."""
    held_out, size = inference.held_out, inference.grid.size
    rank = held_out.pit[..., -len(PARAMETERS) :]
    histogram = [
        np.histogram(rank[..., i], bins=BINS, range=(0, 1), density=True)[0]
        for i in range(len(PARAMETERS))
    ]
    return {
        "widths": inference.mock_widths,
        "width": inference.width,
        "bootstrap": inference.bootstrap(),
        "density": inference.mean_mock_posterior.reshape(size, size),
        "power": inference.power,
        "ranks": np.stack(histogram, axis=1),
        "score": held_out.score.mean(),
        "sky_score": held_out.score_of_sky,
        "information": held_out.information.mean(),
    }
