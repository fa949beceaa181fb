"""From the summaries of a training to posterior widths, their errors and calibration.

The density of the summaries is fitted to the test skies, and the widths are those of
the mock observations. Posteriors are checked on the test skies themselves, with
densities that were fitted without the cosmology in question.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.errors import InfoscopeError
from infoscope.eta import log_progress
from infoscope.inference import calibration
from infoscope.inference.calibration import Coverage, coverage, ranks, tarp
from infoscope.inference.densities import Density, fit_density
from infoscope.inference.posterior import (
    METRICS,
    Grid,
    Probabilities,
    chunks,
    draw,
    information,
    posterior,
    widths_of,
)
from infoscope.seeds import seed_of

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

FOLDS = 8
DRAWS = 200
COARSE = 48
TILES = 4  # of a sky: averages over skies hardly need more
SIGNIFICANCE = 0.01
POWERS = (0.2, 5.0)
INFORMATION = METRICS.index("information")

CALIBRATED, CORRECTED, WITHHELD = "calibrated", "corrected", "withheld"


@dataclass(frozen=True)
class Skies:
    """What is known of the skies of a split.

    Attributes
    ----------
    summary
        Summaries (n_sky, n_tile, 2).
    theta
        Their (Ω_m, σ_8), shape (n_sky, 2).
    nuisance
        Offsets (n_sky, k), of order one, of the nuisance parameters that posteriors
        are conditioned on from their fiducial values; None if there are none.
    """

    summary: Array
    theta: Array
    nuisance: Array | None = None

    @property
    def tiles(self) -> Array:
        """Summaries (n_sky · n_tile, 2)."""
        return self.summary.reshape(-1, 2)

    def fit(self, weights: Array, start: Density | None = None) -> Density:
        """Fit the density with weights (n_sky,)."""
        return fit_density(self.summary, self.theta, weights, start, self.nuisance)

    def density_of(self, sky: int, density: Density) -> Density:
        """Density of the summaries of one sky, given its nuisance parameters."""
        return density if self.nuisance is None else density.given(self.nuisance[sky])

    def parts(self, density: Density, grid: Grid) -> Iterator[tuple[Density, Array]]:
        """Yield all summaries in order, as many (n, 2) at a time as share a density."""
        if self.nuisance is None:
            yield from ((density, part) for part in chunks(self.tiles, grid))
        else:
            for sky, summary in enumerate(self.summary):
                yield self.density_of(sky, density), summary

    def thinned(self, number: int) -> Skies:
        """Evenly chosen tiles of every sky, at most `number`."""
        n_tile = self.summary.shape[1]
        chosen = np.arange(min(number, n_tile)) * n_tile // min(number, n_tile)
        return replace(self, summary=self.summary[:, chosen])


@dataclass(frozen=True)
class Inference:
    """What the summaries of one network, or of several together, tell.

    Attributes
    ----------
    test, fiducial
        Test skies and mock observations.
    grid
        Where posteriors are evaluated.
    n_bootstrap
        Resamplings of the skies.
    seed
        Seed of the study.
    power
        Exponent of the likelihood.
    """

    test: Skies
    fiducial: Skies
    grid: Grid
    n_bootstrap: int
    seed: int
    power: float = 1.0

    @cached_property
    def density(self) -> Density:
        """Density of the summaries of all test skies."""
        return self.test.fit(np.ones(len(self.test.theta)))

    @cached_property
    def of_mocks(self) -> Array:
        """Metrics (n_mock, n_metric) of every mock observation."""
        return widths_of(self.density, self.fiducial.tiles, self.grid, self.power)

    @property
    def width(self) -> Array:
        """Metrics (n_metric,): medians over mocks, information over the prior.

        What is expected is an average over the prior, so information is averaged over
        the test skies; the posterior of each is one that has not seen its cosmology.
        """
        result: Array = np.median(self.of_mocks, axis=0)
        result[INFORMATION] = self.held_out.information.mean()
        return result

    @property
    def of_mean_mock(self) -> Probabilities:
        """Posterior (size²,) of the mean summary of all mocks.

        What scatters from sky to sky does not hide its shape.
        """
        mean = self.fiducial.tiles.mean(axis=0)
        return posterior(self.density, mean[None], self.grid, self.power)[0]

    @cached_property
    def held_out(self) -> HeldOut:
        """Test skies in the light of densities fitted without their cosmology."""
        return HeldOut.of(self)

    def bootstrap(self) -> Array:
        """Metrics (n_bootstrap, n_metric) for resampled test skies and mocks.

        The resamplings are the same for all trainings of a study. A coarser grid is
        enough for the change that a resampling makes: its metrics are multiplied by
        what the fine grid gives over what it gives for the actual skies.
        """
        coarse = replace(
            self, grid=replace(self.grid, size=min(COARSE, self.grid.size))
        )
        n_test, n_fiducial = len(self.test.theta), len(self.fiducial.theta)
        actual = coarse.resampled(self.density, np.ones(n_test), np.arange(n_fiducial))
        resampled = []
        numbers = range(self.n_bootstrap)
        for i in log_progress(numbers, len(numbers), "resamplings", log):
            rng = np.random.default_rng(seed_of(self.seed, "bootstrap", i))
            drawn = rng.integers(n_test, size=n_test)
            weights = np.bincount(drawn, minlength=n_test).astype(np.float64)
            density = self.test.fit(weights, start=self.density)
            mocks = rng.integers(n_fiducial, size=n_fiducial)
            resampled.append(coarse.resampled(density, weights, mocks))
        return np.array(resampled) * (self.width / actual)

    def resampled(self, density: Density, weights: Array, mocks: Rows) -> Array:
        """Metrics (n_metric,) for weighted test skies and some fiducial skies."""
        of_mocks = widths_of(density, self.fiducial.tiles, self.grid, self.power)
        by_sky = of_mocks.reshape(len(self.fiducial.theta), -1, len(METRICS))
        result: Array = np.median(by_sky[mocks].reshape(-1, len(METRICS)), axis=0)
        few = self.test.thinned(TILES)
        known = np.concatenate(
            [
                information(posterior(of_part, part, self.grid, self.power))
                for of_part, part in few.parts(density, self.grid)
            ]
        )
        known = known.reshape(len(few.theta), -1).mean(axis=1)
        result[INFORMATION] = np.average(known, weights=weights)
        return result


@dataclass(frozen=True)
class HeldOut:
    """Test skies in the light of densities fitted without their cosmology.

    Attributes
    ----------
    numbers
        For every test tile and each of `calibration.CURVES` a number that is uniform
        if posteriors are right, (n_sky, n_tile, n_curve).
    information
        Divergence (n_sky, n_tile) of the posterior from the prior, in bits.
    score
        Log₂ (n_sky, n_tile) of the posterior at the truth over the prior there. Its
        mean is at most the mutual information, and less if posteriors are wrong.
    """

    numbers: Array
    information: Array
    score: Array

    @classmethod
    def of(cls, inference: Inference) -> HeldOut:
        """Compare the posterior of every test tile with the truth."""
        test, grid = inference.test, inference.grid
        rng = np.random.default_rng(seed_of(inference.seed, "calibration"))
        shape = test.summary.shape[:2]
        found = cls(
            np.empty((*shape, len(calibration.CURVES))),
            np.empty(shape),
            np.empty(shape),
        )
        for rows, density in _without_each(test, inference.density):
            for i in rows:
                summary = test.summary[i]
                of_sky = test.density_of(i, density)
                probabilities = posterior(of_sky, summary, grid, inference.power)
                truth = np.tile(test.theta[i], (len(summary), 1))
                draws = draw(probabilities, grid, DRAWS, rng)
                found.numbers[i] = _numbers(truth, draws, grid, rng)
                found.information[i] = information(probabilities)
                found.score[i] = _score(probabilities, truth, grid)
        return found


def _without_each(test: Skies, start: Density) -> Iterator[tuple[Rows, Density]]:
    """Rows of a part of the cosmologies, and the density of the skies of the others."""
    # skies of one cosmology stay together; neighbours in a Sobol sequence do not lie
    # in one corner of the prior, but every eighth point does
    _, cosmology = np.unique(test.theta, axis=0, return_inverse=True)
    shuffled = np.random.default_rng(0).permutation(cosmology.max() + 1)
    part = shuffled[cosmology] % FOLDS
    for fold in np.unique(part):
        yield np.flatnonzero(part == fold), test.fit((part != fold) * 1.0, start)


def _numbers(truth: Array, draws: Array, grid: Grid, rng: np.random.Generator) -> Array:
    """Numbers (n, n_curve) that are uniform if the draws are right."""
    low, side = grid.low, grid.high - grid.low
    points = rng.random(truth.shape)
    distant = tarp((truth - low) / side, (draws - low) / side, points, rng)
    rank = ranks(_all_parameters(truth), _all_parameters(draws), rng)
    return np.column_stack([distant, np.abs(2 * rank - 1), rank])


def _all_parameters(theta: Array) -> Array:
    """(Ω_m, S_8, σ_8) of (Ω_m, σ_8)."""
    return np.concatenate([omega_m_s8(theta), theta[..., 1:]], axis=-1)


def _score(probabilities: Probabilities, truth: Array, grid: Grid) -> Array:
    """Log₂ of the posterior at the truth over the uniform prior."""
    cell = ((truth - grid.low) / grid.cell).astype(int).clip(0, grid.size - 1)
    at_truth = probabilities[np.arange(len(cell)), cell @ [grid.size, 1]]
    result: Array = np.log2(at_truth) + 2 * np.log2(grid.size)
    return result


@dataclass(frozen=True)
class Calibrated:
    """Inferences whose calibration has been tested, and corrected where needed.

    Attributes
    ----------
    inferences
        The inferences, tempered if that was needed.
    coverage
        Their coverage: curves (n_level, n_inference, n_curve).
    verdict
        `calibrated`, `corrected` or `withheld`.
    """

    inferences: list[Inference]
    coverage: Coverage
    verdict: str


def calibrate(inferences: Sequence[Inference]) -> Calibrated:
    """Test the posteriors of some inferences together; temper them if they fail.

    Where the hypothesis of calibrated posteriors is rejected at `SIGNIFICANCE`, the
    likelihood of each inference is raised to the power that makes it cover the truths
    of held-out skies best, and the test is repeated.
    """
    tested = list(inferences)
    covered = _coverage(tested)
    if covered.p_value >= SIGNIFICANCE:
        return Calibrated(tested, covered, CALIBRATED)
    tested = [replace(inference, power=best_power(inference)) for inference in tested]
    covered = _coverage(tested)
    good = covered.p_value >= SIGNIFICANCE
    return Calibrated(tested, covered, CORRECTED if good else WITHHELD)


def best_power(inference: Inference) -> float:
    """Exponent of the likelihood with which regions cover what they should.

    The mean square deviation from the diagonal is smallest, over credibilities and
    over TARP and the intervals of all parameters.
    """
    n_curve = 1 + len(calibration.PARAMETERS)

    def loss(log_power: float) -> float:
        numbers = replace(inference, power=float(np.exp(log_power))).held_out.numbers
        covering = np.sort(numbers[..., :n_curve].reshape(-1, n_curve), axis=0)
        # uniform numbers, once ordered, are their own quantiles
        quantiles = (np.arange(len(covering)) + 0.5) / len(covering)
        return float(((covering - quantiles[:, None]) ** 2).mean())

    found = minimize_scalar(
        loss, bounds=np.log(POWERS), method="bounded", options={"xatol": 0.01}
    )
    return float(np.exp(found.x))


def _coverage(inferences: Sequence[Inference]) -> Coverage:
    numbers = np.stack([inference.held_out.numbers for inference in inferences], axis=2)
    rng = np.random.default_rng(seed_of(inferences[0].seed, "coverage"))
    return coverage(numbers, rng)


def ensemble(trainings: Sequence[Skies]) -> Skies:
    """Mean summaries of several trainings, which saw the same skies."""
    first = trainings[0]
    if any((skies.theta != first.theta).any() for skies in trainings):
        raise InfoscopeError("trainings of an ensemble have summarised other skies")
    return replace(first, summary=np.mean([s.summary for s in trainings], axis=0))
