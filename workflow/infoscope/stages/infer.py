"""Rule `infer_posterior`: posteriors of the mock observations and their widths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoscope.datasets import create, open_for_reading
from infoscope.errors import InfoscopeError
from infoscope.posterior import (
    METRICS,
    Density,
    fit_density,
    grid_axis,
    posterior,
    widths_of,
)
from infoscope.seeds import seed_of

Array = NDArray[np.float64]

COARSE = 48
LOSSES = ("train_nll", "validation_nll", "validation_error", "final_drop")
NAMES = {
    "degradation": "degradation",
    "estimator": "estimator_name",
    "kind": "kind",
}


@dataclass(frozen=True)
class Skies:
    """Summaries (n_sky, n_tile, 2) and parameters (n_sky, 2) of a split."""

    summary: Array
    theta: Array

    @property
    def tiles(self) -> Array:
        """Summaries (n_sky · n_tile, 2)."""
        return self.summary.reshape(-1, 2)

    def fit(self, weights: Array, start: Density | None = None) -> Density:
        """Fit the density with weights (n_sky,), equal for all tiles of a sky."""
        n_tile = self.summary.shape[1]
        theta = self.theta.repeat(n_tile, axis=0)
        return fit_density(self.tiles, theta, weights.repeat(n_tile), start)


@dataclass(frozen=True)
class Inference:
    """What one training gives; shapes are those of the output without n_seed."""

    widths: Array
    width: Array
    bootstrap: Array
    density: Array


def run(spec: dict[str, Any], summaries: list[Path], output: Path) -> None:
    """Infer the parameters of every mock with every seed of an estimator.

    Parameters
    ----------
    spec
        prior, posterior (grid_size, bootstraps), study_seed; degradation,
        estimator_name and kind, which are copied to attributes.
    summaries
        Summaries of each seed.
    output
        HDF5 file with widths (n_seed, n_mock, n_metric), width (n_seed, n_metric),
        bootstrap (n_seed, n_boot, n_metric) and the posterior of the mean mock
        (n_seed, grid_size, grid_size).
    """
    size = spec["posterior"]["grid_size"]
    inferred, losses = [], []
    for path in summaries:
        with open_for_reading(path) as file:
            test, fiducial = (_read(file, name, path) for name in ("test", "fiducial"))
            losses.append([file.attrs[name] for name in LOSSES])
        try:
            inferred.append(_infer(spec, test, fiducial))
        except InfoscopeError as error:
            raise InfoscopeError(f"{path}: {error}") from None
    with create(output, spec) as file:
        for name in ("widths", "width", "bootstrap", "density"):
            file[name] = np.stack([getattr(seed, name) for seed in inferred])
        for name in ("omega_m", "sigma_8"):
            file[name] = grid_axis(spec["prior"][name], size)
        file["samples"] = _samples(spec, inferred[0].density)
        file.attrs["calibration"] = "calibrated"
        file.attrs["metric"] = list(METRICS)
        for name, key in NAMES.items():
            file.attrs[name] = spec[key]
        for name, mean in zip(LOSSES, np.mean(losses, axis=0), strict=True):
            file.attrs[name] = mean


def _samples(spec: dict[str, Any], density: Array) -> Array:
    """Draw (20000, 2) parameters: cells by their probability, uniform within."""
    rng = np.random.default_rng(seed_of(spec["study_seed"], "samples"))
    axes = _axes(spec, spec["posterior"]["grid_size"])
    cells = rng.choice(density.size, size=20_000, p=density.ravel())
    jitter = rng.uniform(-0.5, 0.5, (2, cells.size))
    return np.stack(
        [
            axis[i] + (axis[1] - axis[0]) * move
            for axis, i, move in zip(
                axes, np.unravel_index(cells, density.shape), jitter, strict=True
            )
        ],
        axis=1,
    )


def _read(file: Any, split: str, path: Path) -> Skies:
    summary = file[split]["summary"][:].astype(np.float64)
    if not np.isfinite(summary).all():
        raise InfoscopeError(f"{path}: {split} summaries are not finite")
    return Skies(summary, file[split]["theta"][:])


def _infer(spec: dict[str, Any], test: Skies, fiducial: Skies) -> Inference:
    size = spec["posterior"]["grid_size"]
    fine = _axes(spec, size)
    density = test.fit(np.ones(len(test.theta)))
    widths = widths_of(density, fiducial.tiles, *fine)
    width = np.median(widths, axis=0)
    return Inference(
        widths=widths,
        width=width,
        bootstrap=_bootstrap(spec, test, fiducial, density, width),
        # the mean observation: what scatters from sky to sky does not hide the shape
        density=posterior(density, fiducial.tiles.mean(axis=0)[None], *fine)[0],
    )


def _bootstrap(
    spec: dict[str, Any], test: Skies, fiducial: Skies, density: Density, width: Array
) -> Array:
    """Median widths (n_boot, n_metric) for resampled skies.

    A coarser grid is enough for the change that a resampling makes: its widths are
    multiplied by what the fine grid gives over what it gives for the actual skies.
    """
    axes = _axes(spec, min(COARSE, spec["posterior"]["grid_size"]))
    actual = np.median(widths_of(density, fiducial.tiles, *axes), axis=0)
    n_test, n_fiducial = len(test.theta), len(fiducial.theta)
    medians = []
    for i in range(spec["posterior"]["bootstraps"]):
        rng = np.random.default_rng(seed_of(spec["study_seed"], "bootstrap", i))
        weights = np.bincount(rng.integers(n_test, size=n_test), minlength=n_test)
        drawn = rng.integers(n_fiducial, size=n_fiducial)
        refitted = test.fit(weights.astype(np.float64), start=density)
        widths = widths_of(refitted, fiducial.tiles, *axes)
        by_sky = widths.reshape(n_fiducial, -1, len(METRICS))
        medians.append(np.median(by_sky[drawn].reshape(-1, len(METRICS)), axis=0))
    result: Array = np.array(medians) * (width / actual)
    return result


def _axes(spec: dict[str, Any], size: int) -> tuple[Array, Array]:
    prior = spec["prior"]
    return grid_axis(prior["omega_m"], size), grid_axis(prior["sigma_8"], size)
