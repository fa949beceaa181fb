"""Posterior widths by the package and by `sbi`, from the same summaries.

    pip install sbi h5py pydantic
    PYTHONPATH=workflow python benchmarks/sbi_widths.py RESULTS [--fits 8] [--mocks 96]
        [--degradations lowpass_100 ...] [--estimators cnn ...]

RESULTS is the folder of a study, for example `results/default`. Only the summaries of
its first seed and the prior of its posteriors are read. `sbi` fits small networks to
the summaries of test skies, which have 128 cosmologies in the default study.

- NLE learns p(summary | θ), as the package does, with a mixture density network or an
  autoregressive flow. The posterior is evaluated on the same grid.
- NPE learns p(θ | summary) with the default flow of `sbi`. The posterior is represented
  by samples, truncated at the prior. NPE has to learn a density in θ from 128 points,
  which is a disadvantage.

By default, `sbi` holds out tiles at random, which favours a network that has memorised
the test cosmologies. Here every fit holds out different skies, and stops when their
loss no longer improves.

Numbers are means over fits of the median over mocks from all fiducial skies. Errors
combine a bootstrap with the scatter of fits; the bootstrap resamples fiducial skies for
`sbi`, and test and fiducial skies for the package. The error of `sbi/package` contains
only the scatter of fits, because both use the same skies. Fits with other seeds use the
same test skies, so errors of `sbi` are somewhat underestimated.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from sbi.inference import NLE, NPE
from sbi.neural_nets import likelihood_nn, posterior_nn
from sbi.utils import BoxUniform
from torch import Tensor

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.inference.densities import fit_density
from infoscope.inference.posterior import Grid, widths, widths_of
from infoscope.vocabulary import METRICS

Array = NDArray[np.float64]

ESTIMATORS = ["cnn", "power_spectrum"]
DEGRADATIONS = ["lowpass_100", "high_convergence", "shuffle_pixels"]
SAMPLES = 2000
BOOTSTRAPS = 20


@dataclass(frozen=True)
class Method:
    """A method of sbi: what it learns, with which network, and how fast."""

    learns: str
    network: dict[str, Any]
    learning_rate: float

    @property
    def name(self) -> str:
        """Name in the table."""
        return f"{self.learns} {self.network['model']}"


METHODS = [
    Method(
        "NLE",
        {"model": "mdn", "hidden_features": 32, "num_components": 4},
        learning_rate=3e-3,
    ),
    Method(
        "NLE",
        {"model": "maf", "hidden_features": 16, "num_transforms": 2},
        learning_rate=3e-3,
    ),
    Method(
        "NPE",
        {"model": "maf", "hidden_features": 50, "num_transforms": 5},
        learning_rate=5e-4,
    ),
]


class BySky:
    """Mixin for methods of sbi: holds out whole skies.

    Attributes
    ----------
    split
        Rows to fit and rows to hold out.
    """

    split: tuple[Tensor, Tensor]

    def get_dataloaders(self, start: int, *args: Any, **kwargs: Any) -> Any:
        """Use the split that was set, as if resuming a training run."""
        self.train_indices, self.val_indices = self.split
        batch_size, fraction, _ = args
        method: Any = super()
        return method.get_dataloaders(start, batch_size, fraction, True, **kwargs)


class LikelihoodBySky(BySky, NLE):
    """NLE that holds out whole skies."""


class PosteriorBySky(BySky, NPE):
    """NPE that holds out whole skies."""


@dataclass(frozen=True)
class Case:
    """Summaries of a degradation and an estimator.

    Attributes
    ----------
    summary, theta
        Of test skies: (n_sky, n_tile, 2) and (n_sky, 2) = (Ω_m, σ_8).
    mocks
        Summaries (n_fiducial, n_tile, 2) of mocks.
    grid
        Where posteriors are evaluated.
    """

    summary: Array
    theta: Array
    mocks: Array
    grid: Grid

    @property
    def prior(self) -> Any:
        """The box that the grid fills."""
        return BoxUniform(tensor(self.grid.low), tensor(self.grid.high))


def tensor(values: Array) -> Tensor:
    """Convert to single precision, which networks need."""
    return torch.from_numpy(np.asarray(values, np.float32))


def read(folder: Path, name: str, n_mock: int) -> Case:
    """Read a case and choose mocks, the same number from every fiducial sky."""
    with h5py.File(folder / "training" / name / "seed_0" / "summaries.h5") as file:
        summary, theta = (file[f"test/{key}"][:] for key in ("summary", "theta"))
        mocks = file["fiducial/summary"][:]
    with h5py.File(folder / "posteriors" / f"{name}.h5") as file:
        spec = json.loads(file.attrs["spec"])
    grid = Grid.of_prior(spec["prior"], spec["posterior"]["grid_size"])
    every = max(1, mocks.shape[0] * mocks.shape[1] // n_mock)
    return Case(summary, theta, mocks[:, ::every], grid)


def by_package(case: Case, weights: Array) -> Array:
    """Widths (n_fiducial, n_mock, 2) with weights (n_sky,) of the test skies."""
    density = fit_density(case.summary, case.theta, weights)
    found = widths_of(density, case.mocks.reshape(-1, 2), case.grid)
    return found.reshape(*case.mocks.shape[:2], -1)[..., : len(METRICS)]


def fit(case: Case, method: Method, number: int, n_fit: int) -> Any:
    """Train, holding out every n_fit-th sky; returns a likelihood or a posterior."""
    torch.manual_seed(number)
    n_sky, n_tile = case.summary.shape[:2]
    held = np.zeros(n_sky, bool)
    held[np.random.default_rng(0).permutation(n_sky)[number::n_fit]] = True
    rows = np.repeat(held, n_tile)
    if method.learns == "NLE":
        network, trainer = likelihood_nn, LikelihoodBySky
    else:
        network, trainer = posterior_nn, PosteriorBySky
    inference: Any = trainer(
        prior=case.prior,
        density_estimator=network(**method.network),
        show_progress_bars=False,
        tracker=Silent(),
    )
    inference.split = tuple(torch.from_numpy(np.flatnonzero(x)) for x in (~rows, rows))
    theta = tensor(case.theta.repeat(n_tile, axis=0))
    inference.append_simulations(theta, tensor(case.summary.reshape(-1, 2)))
    with contextlib.redirect_stdout(io.StringIO()):
        density = inference.train(learning_rate=method.learning_rate)
    return density if method.learns == "NLE" else inference.build_posterior()


class Silent:
    """Tracker that writes no files."""

    log_dir = None

    def __getattr__(self, name: str) -> Any:
        """Ignore all calls."""
        return lambda *args, **kwargs: None


@torch.no_grad()
def by_sbi(case: Case, method: Method, learnt: Any) -> Array:
    """Widths (n_fiducial, n_mock, 2) of what `fit` returned."""
    mocks = tensor(case.mocks.reshape(-1, 2))
    if method.learns == "NLE":
        grid = tensor(case.grid.theta)
        log = torch.stack(
            [learnt.log_prob(x.expand(1, len(grid), 2), grid)[0] for x in mocks]
        )
        cells = torch.softmax(log.double(), dim=1).numpy()
        found = widths(cells, case.grid)[:, : len(METRICS)]
    else:
        samples = learnt.sample_batched(
            (SAMPLES,), mocks, max_sampling_batch_size=1000, show_progress_bars=False
        )
        found = omega_m_s8(samples.double().numpy()).std(axis=0)[:, ::-1]
    return found.reshape(*case.mocks.shape[:2], -1)


def median(found: Array) -> Array:
    """Median (…, 2) over mocks (…, n_fiducial, n_mock, 2)."""
    return np.median(found.reshape(*found.shape[:-3], -1, found.shape[-1]), axis=-2)


@dataclass(frozen=True)
class Width:
    """σ(S_8) and σ(Ω_m), each (2,).

    Attributes
    ----------
    value
        Width.
    draws
        The same (n_draw, 2) for resampled skies, which are the same ones in all cases.
    fits
        Error of the mean over fits.
    """

    value: Array
    draws: Array
    fits: Array

    @property
    def error(self) -> Array:
        """Error of the value."""
        return np.hypot(self.draws.std(axis=0), self.fits)

    def over(self, other: Width) -> Width:
        """Ratio of widths."""
        ratio = self.value / other.value
        fits = ratio * np.hypot(self.fits / self.value, other.fits / other.value)
        return Width(ratio, self.draws / other.draws, fits)

    def of_the_same(self, other: Width) -> Width:
        """Ratio of widths from the same skies: what is left is the scatter of fits."""
        still = np.ones((1, len(self.value)))
        return Width(self.value, still, self.fits).over(
            Width(other.value, still, other.fits)
        )


def of_package(case: Case) -> Width:
    """Width by the package; test and fiducial skies are resampled."""
    rng = np.random.default_rng(1)
    n_sky, n_fiducial = len(case.theta), len(case.mocks)
    value = median(by_package(case, np.ones(n_sky)))
    draws = []
    for _ in range(BOOTSTRAPS):
        weights = np.bincount(rng.integers(n_sky, size=n_sky), minlength=n_sky)
        drawn = rng.integers(n_fiducial, size=n_fiducial)
        draws.append(median(by_package(case, weights.astype(float))[drawn]))
    return Width(value, np.array(draws), np.zeros_like(value))


def of_sbi(case: Case, method: Method, n_fit: int) -> tuple[Width, float]:
    """Width by sbi and seconds of a fit; fiducial skies are resampled."""
    began = time.perf_counter()
    fits = [fit(case, method, number, n_fit) for number in range(n_fit)]
    seconds = (time.perf_counter() - began) / n_fit
    found = np.array([by_sbi(case, method, each) for each in fits])
    rng = np.random.default_rng(1)
    n = len(case.mocks)
    resampled = [found[:, rng.integers(n, size=n)] for _ in range(10 * BOOTSTRAPS)]
    draws = np.array([median(each).mean(axis=0) for each in resampled])
    medians = median(found)
    scatter = medians.std(axis=0, ddof=1) / np.sqrt(n_fit)
    return Width(medians.mean(axis=0), draws, scatter), seconds


def column(width: Width, metric: int) -> str:
    """Value and error."""
    return f" {width.value[metric]:8.4f} ± {width.error[metric]:.4f}"


def main() -> None:
    """Print a line for each case and metric."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, metavar="RESULTS")
    parser.add_argument("--fits", type=int, default=8)
    parser.add_argument("--mocks", type=int, default=96)
    parser.add_argument("--degradations", nargs="*", default=DEGRADATIONS)
    parser.add_argument("--estimators", nargs="+", default=ESTIMATORS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    heads = ("package", "sbi", "sbi/package", "package/reference", "sbi/reference")
    print(
        f"{'case':31s} {'sbi':7s} {'σ of':4s}"
        + "".join(f" {head:>17s}" for head in heads)
        + " seconds"
    )
    for estimator in options.estimators:
        references: dict[str, Width] = {}
        for degradation in ["reference", *options.degradations]:
            name = f"{degradation}/{estimator}"
            case = read(options.results, name, options.mocks)
            package = of_package(case)
            for method in METHODS:
                sbi, seconds = of_sbi(case, method, options.fits)
                columns = (
                    package,
                    sbi,
                    sbi.of_the_same(package),
                    package.over(references.setdefault("package", package)),
                    sbi.over(references.setdefault(method.name, sbi)),
                )
                for metric, symbol in enumerate(METRICS):
                    print(
                        f"{name:31s} {method.name:7s} {symbol:4s}"
                        + "".join(column(width, metric) for width in columns)
                        + f" {seconds:7.1f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
