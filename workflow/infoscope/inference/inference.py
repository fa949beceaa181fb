"""Posterior widths, their errors and calibration from the summaries of a network.

The density of the summaries is fitted to the test skies, and widths are measured on
mock observations. Calibration is tested on the test skies by cross-validation: the
posterior of a test sky uses a density fitted without the skies of its cosmology.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.errors import InfoscopeError
from infoscope.eta import log_progress
from infoscope.inference import calibration
from infoscope.inference.calibration import Coverage, coverage, ranks, tarp
from infoscope.inference.densities import Density, fit_density
from infoscope.inference.posterior import (
    Grid,
    chunks,
    draw,
    information,
    posterior,
    widths_of,
)
from infoscope.seeds import seed_of
from infoscope.vocabulary import METRICS, Calibration

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Int
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

FOLDS = 8
DRAWS = 200
COARSE = 48
TILES = 4  # per sky; averages over skies hardly need more
SIGNIFICANCE = 0.01
POWERS = (0.2, 5.0)
INFORMATION = METRICS.index("information")


@dataclass(frozen=True)
class Skies:
    """Summaries and parameters of the skies of a split.

    Attributes
    ----------
    summary
        Summaries of the tiles.
    theta
        (Ω_m, σ_8) of the skies.
    nuisance
        Nuisance parameters that posteriors are conditioned on, as offsets of order one
        from their fiducial values; None if there are none.
    """

    summary: Float[NDArray, "n_sky n_tile 2"]
    theta: Float[NDArray, "n_sky 2"]
    nuisance: Float[NDArray, "n_sky n_nuisance"] | None = None

    @property
    def tiles(self) -> Float[NDArray, "n 2"]:
        """Summaries of the tiles of all skies."""
        return self.summary.reshape(-1, 2)

    def fit(
        self, weights: Float[NDArray, " n_sky"], start: Density | None = None
    ) -> Density:
        """Fit the density of the summaries with a weight for each sky."""
        return fit_density(self.summary, self.theta, weights, start, self.nuisance)

    def density_of(self, sky: int, density: Density) -> Density:
        """Return the density conditioned on the nuisance parameters of a sky."""
        return density if self.nuisance is None else density.given(self.nuisance[sky])

    def parts(
        self, density: Density, grid: Grid
    ) -> Iterator[tuple[Density, Float[NDArray, "n 2"]]]:
        """Yield chunks of the summaries in order, each with its conditional density."""
        if self.nuisance is None:
            yield from ((density, part) for part in chunks(self.tiles, grid))
        else:
            for sky, summary in enumerate(self.summary):
                yield self.density_of(sky, density), summary

    def thinned(self, number: int) -> Skies:
        """Keep at most `number` evenly spaced tiles of every sky."""
        n_tile = self.summary.shape[1]
        chosen = np.arange(min(number, n_tile)) * n_tile // min(number, n_tile)
        return replace(self, summary=self.summary[:, chosen])


@dataclass(frozen=True)
class Inference:
    """Inference from the summaries of one network, or of an ensemble.

    Attributes
    ----------
    test, fiducial
        Test skies and mock observations.
    grid
        Grid on which posteriors are evaluated.
    n_bootstrap
        Number of bootstrap samples of the skies.
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
        """Density of the summaries, fitted to all test skies."""
        return self.test.fit(np.ones(len(self.test.theta)))

    @cached_property
    def mock_widths(self) -> Float[NDArray, "n_mock n_metric"]:
        """Metrics of the posterior of every mock observation."""
        return widths_of(self.density, self.fiducial.tiles, self.grid, self.power)

    @property
    def width(self) -> Float[NDArray, " n_metric"]:
        """Metrics, as medians over mock observations.

        The information gain in bits is instead the expectation over the prior, which
        is the mean over the held-out test skies.
        """
        metrics: NDArray = np.median(self.mock_widths, axis=0)
        metrics[INFORMATION] = self.held_out.information.mean()
        return metrics

    @property
    def mean_mock_posterior(self) -> Float32[NDArray, " n_cell"]:
        """Posterior of the mean summary of all mock observations.

        Averaging suppresses the scatter between skies, which would shift the posterior.
        """
        mean = self.fiducial.tiles.mean(axis=0)
        return posterior(self.density, mean[None], self.grid, self.power)[0]

    @cached_property
    def held_out(self) -> HeldOut:
        """Cross-validated posteriors of the test skies."""
        return HeldOut.of(self)

    def bootstrap(self) -> Float[NDArray, "n_bootstrap n_metric"]:
        """Compute the metrics for bootstrap samples of test skies and mocks.

        All training runs of a study use the same samples. A coarse grid suffices for
        the relative change of the metrics between samples; the metrics are rescaled
        by the ratio of the fine to the coarse grid for the original skies.
        """
        coarse = replace(
            self, grid=replace(self.grid, size=min(COARSE, self.grid.size))
        )
        n_test, n_fiducial = len(self.test.theta), len(self.fiducial.theta)
        original = coarse.resampled(
            self.density, np.ones(n_test), np.arange(n_fiducial)
        )
        resampled = []
        numbers = range(self.n_bootstrap)
        for i in log_progress(numbers, len(numbers), "bootstrap samples", log):
            rng = np.random.default_rng(seed_of(self.seed, "bootstrap", i))
            drawn = rng.integers(n_test, size=n_test)
            weights = np.bincount(drawn, minlength=n_test).astype(np.float64)
            density = self.test.fit(weights, start=self.density)
            mocks = rng.integers(n_fiducial, size=n_fiducial)
            resampled.append(coarse.resampled(density, weights, mocks))
        return np.array(resampled) * (self.width / original)

    def resampled(
        self,
        density: Density,
        weights: Float[NDArray, " n_sky"],
        mocks: Int[NDArray, " n_fiducial"],
    ) -> Float[NDArray, " n_metric"]:
        """Compute the metrics for weighted test skies and resampled fiducial skies."""
        all_mocks = widths_of(density, self.fiducial.tiles, self.grid, self.power)
        by_sky = all_mocks.reshape(len(self.fiducial.theta), -1, len(METRICS))
        metrics: NDArray = np.median(by_sky[mocks].reshape(-1, len(METRICS)), axis=0)
        thinned = self.test.thinned(TILES)
        bits = np.concatenate(
            [
                information(posterior(conditional, part, self.grid, self.power))
                for conditional, part in thinned.parts(density, self.grid)
            ]
        )
        bits = bits.reshape(len(thinned.theta), -1).mean(axis=1)
        metrics[INFORMATION] = np.average(bits, weights=weights)
        return metrics


@dataclass(frozen=True)
class HeldOut:
    """Posteriors of test tiles from densities fitted without their cosmology.

    Attributes
    ----------
    pit
        Probability integral transforms for each of `calibration.CURVES`, uniform in
        [0, 1] if posteriors are calibrated.
    information
        Kullback-Leibler divergence of the posterior from the prior, in bits.
    score
        Log₂ of the ratio of posterior to prior density at the truth, in bits. Its mean
        is at most the mutual information, and lower if posteriors are wrong.
    """

    pit: Float[NDArray, "n_sky n_tile n_curve"]
    information: Float[NDArray, "n_sky n_tile"]
    score: Float[NDArray, "n_sky n_tile"]

    @property
    def score_of_sky(self) -> Float[NDArray, " n_sky"]:
        """Mean score of the tiles of each sky, in bits."""
        mean: NDArray = self.score.mean(axis=1)
        return mean

    @classmethod
    def of(cls, inference: Inference) -> HeldOut:
        """Compute the posterior of every test tile and compare it with the truth."""
        test, grid = inference.test, inference.grid
        rng = np.random.default_rng(seed_of(inference.seed, "calibration"))
        shape = test.summary.shape[:2]
        held_out = cls(
            np.empty((*shape, len(calibration.CURVES))),
            np.empty(shape),
            np.empty(shape),
        )
        for rows, density in _cross_validation(test, inference.density):
            for i in rows:
                summary = test.summary[i]
                conditional = test.density_of(i, density)
                probabilities = posterior(conditional, summary, grid, inference.power)
                truth = np.tile(test.theta[i], (len(summary), 1))
                draws = draw(probabilities, grid, DRAWS, rng)
                held_out.pit[i] = _pit(truth, draws, grid, rng)
                held_out.information[i] = information(probabilities)
                held_out.score[i] = _score(probabilities, truth, grid)
        return held_out


def _cross_validation(
    test: Skies, start: Density
) -> Iterator[tuple[Int[NDArray, " n"], Density]]:
    """Yield the skies of each fold, and the density fitted to all other skies."""
    # a fold contains all skies of its cosmologies; cosmologies are shuffled because
    # every eighth point of a Sobol sequence lies in the same corner of the prior
    _, cosmology = np.unique(test.theta, axis=0, return_inverse=True)
    shuffled = np.random.default_rng(0).permutation(cosmology.max() + 1)
    folds = shuffled[cosmology] % FOLDS
    for fold in np.unique(folds):
        yield np.flatnonzero(folds == fold), test.fit((folds != fold) * 1.0, start)


def _pit(
    truth: Float[NDArray, "n 2"],
    draws: Float[NDArray, "n n_draw 2"],
    grid: Grid,
    rng: np.random.Generator,
) -> Float[NDArray, "n n_curve"]:
    """Compute the probability integral transforms for `calibration.CURVES`."""
    low, side = grid.low, grid.high - grid.low
    points = rng.random(truth.shape)
    tarp_fraction = tarp((truth - low) / side, (draws - low) / side, points, rng)
    rank = ranks(_all_parameters(truth), _all_parameters(draws), rng)
    return np.column_stack([tarp_fraction, np.abs(2 * rank - 1), rank])


def _all_parameters(theta: Float[NDArray, "*shape 2"]) -> Float[NDArray, "*shape 3"]:
    """Convert (Ω_m, σ_8) to (Ω_m, S_8, σ_8)."""
    return np.concatenate([omega_m_s8(theta), theta[..., 1:]], axis=-1)


def _score(
    probabilities: Float32[NDArray, "n n_cell"],
    truth: Float[NDArray, "n 2"],
    grid: Grid,
) -> Float[NDArray, " n"]:
    """Compute log₂ of the ratio of posterior to prior at the truth, in bits."""
    cell = ((truth - grid.low) / grid.cell).astype(int).clip(0, grid.size - 1)
    at_truth = probabilities[np.arange(len(cell)), cell @ [grid.size, 1]]
    score: NDArray = np.log2(at_truth) + 2 * np.log2(grid.size)
    return score


@dataclass(frozen=True)
class Calibrated:
    """Inferences with tested and, if necessary, corrected calibration.

    Attributes
    ----------
    inferences
        The inferences, tempered if necessary.
    coverage
        Coverage of the inferences; its curves are (n_level, n_inference, n_curve).
    verdict
        `calibrated`, `corrected` or `withheld`.
    """

    inferences: list[Inference]
    coverage: Coverage
    verdict: str


def calibrate(inferences: Sequence[Inference]) -> Calibrated:
    """Test the calibration of several inferences jointly; temper them if they fail.

    If the hypothesis of calibrated posteriors is rejected at `SIGNIFICANCE`, the
    likelihood of each inference is raised to the power that gives the best coverage of
    held-out skies, and the test is repeated.
    """
    tested = list(inferences)
    result = _coverage(tested)
    if result.p_value >= SIGNIFICANCE:
        return Calibrated(tested, result, Calibration.CALIBRATED)
    tested = [replace(inference, power=best_power(inference)) for inference in tested]
    result = _coverage(tested)
    passed = result.p_value >= SIGNIFICANCE
    return Calibrated(
        tested, result, Calibration.CORRECTED if passed else Calibration.WITHHELD
    )


def best_power(inference: Inference) -> float:
    """Find the exponent of the likelihood with the best coverage.

    It minimises the mean square deviation of the coverage from the diagonal, for TARP
    and for the central intervals of all parameters.
    """
    n_curve = 1 + len(calibration.PARAMETERS)

    def loss(log_power: float) -> float:
        pit = replace(inference, power=float(np.exp(log_power))).held_out.pit
        ordered = np.sort(pit[..., :n_curve].reshape(-1, n_curve), axis=0)
        # sorted uniform values are the quantiles of the uniform distribution
        quantiles = (np.arange(len(ordered)) + 0.5) / len(ordered)
        return float(((ordered - quantiles[:, None]) ** 2).mean())

    optimum = minimize_scalar(
        loss, bounds=np.log(POWERS), method="bounded", options={"xatol": 0.01}
    )
    return float(np.exp(optimum.x))


def _coverage(inferences: Sequence[Inference]) -> Coverage:
    pit = np.stack([inference.held_out.pit for inference in inferences], axis=2)
    rng = np.random.default_rng(seed_of(inferences[0].seed, "coverage"))
    return coverage(pit, rng)


def ensemble(runs: Sequence[Skies]) -> Skies:
    """Average the summaries of several training runs for the same skies.

    Raises
    ------
    InfoscopeError
        If the parameters of the skies differ.
    """
    first = runs[0]
    if any((skies.theta != first.theta).any() for skies in runs):
        raise InfoscopeError("training runs of an ensemble have different skies")
    return replace(first, summary=np.mean([skies.summary for skies in runs], axis=0))
