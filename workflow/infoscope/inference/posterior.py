"""Posteriors of mock observations on a grid, and their widths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.inference.densities import Density, log_likelihood_ratios

if TYPE_CHECKING:
    from jaxtyping import Float, Float32
    from numpy.typing import NDArray

Interval = tuple[float, float]
MASSES = (0.683, 0.954)
CELLS_AT_ONCE = 1_000_000
# e^-70 is negligible in every sum, and large enough to avoid slow denormal numbers
SMALLEST_LOG = -70


@dataclass(frozen=True)
class Grid:
    """Grid of equal cells over the uniform prior of (Ω_m, σ_8).

    Attributes
    ----------
    low, high
        Bounds of (Ω_m, σ_8).
    size
        Number of cells along each parameter.
    """

    low: Float[NDArray, " 2"]
    high: Float[NDArray, " 2"]
    size: int

    @classmethod
    def of_prior(cls, prior: Mapping[str, Interval], size: int) -> Grid:
        """Make a grid over the prior intervals `omega_m` and `sigma_8`."""
        low, high = np.transpose([prior["omega_m"], prior["sigma_8"]])
        return cls(low, high, size)

    @property
    def cell(self) -> Float[NDArray, " 2"]:
        """Side lengths of a cell."""
        return (self.high - self.low) / self.size

    @property
    def axes(self) -> tuple[Float[NDArray, " size"], Float[NDArray, " size"]]:
        """Centres of the cells along Ω_m and σ_8."""
        steps = (np.arange(self.size) + 0.5)[:, None]
        omega_m, sigma_8 = (self.low + steps * self.cell).T
        return omega_m, sigma_8

    @cached_property
    def theta(self) -> Float[NDArray, "n_cell 2"]:
        """(Ω_m, σ_8) at the centres of all cells, with σ_8 varying fastest."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), -1).reshape(-1, 2)


def posterior(
    density: Density,
    observed: Float[NDArray, "n_mock 2"],
    grid: Grid,
    power: float = 1.0,
) -> Float32[NDArray, "n_mock n_cell"]:
    """Compute posteriors under the uniform prior over the grid.

    In single precision, exponentials, logarithms and sorting take a third of the time.

    Parameters
    ----------
    density
        Density of summaries.
    observed
        Summaries of mock observations.
    grid
        Grid on which posteriors are evaluated.
    power
        Exponent of the likelihood; 1 gives Bayes' theorem.

    Returns
    -------
        Probabilities of the cells, which sum to 1 for each mock observation.
    """
    exact = power * log_likelihood_ratios(density, observed, grid.theta)
    log = (exact - exact.max(axis=1, keepdims=True)).astype(np.float32)
    np.maximum(log, SMALLEST_LOG, out=log)
    probabilities: NDArray = np.exp(log, out=log)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities


def widths(
    probabilities: Float32[NDArray, "n_mock n_cell"], grid: Grid
) -> Float[NDArray, "n_mock n_metric"]:
    """Compute the widths of posteriors.

    Parameters
    ----------
    probabilities
        Probabilities of the cells.
    grid
        Grid of the cells.

    Returns
    -------
        Metrics in the order of `METRICS`: standard deviations of S_8, Ω_m and σ_8;
        areas in (Ω_m, σ_8) of the smallest regions with 68.3 and 95.4 % of the
        probability; the figure of merit, which is the inverse of the first area; and
        the Kullback-Leibler divergence from the prior in bits.
    """
    values = np.column_stack([omega_m_s8(grid.theta)[:, ::-1], grid.theta[:, 1]])
    values -= values.mean(axis=0)
    moments = probabilities @ np.concatenate([values, values**2], axis=1)
    variance = moments[:, 3:] - moments[:, :3] ** 2
    areas = grid.cell.prod() * _region_sizes(MASSES, probabilities)
    return np.column_stack(
        [
            np.sqrt(np.maximum(variance, 0)),
            areas,
            1 / areas[:, 0],
            information(probabilities),
        ]
    )


def information(
    probabilities: Float32[NDArray, "n_mock n_cell"],
) -> Float[NDArray, " n_mock"]:
    """Compute the Kullback-Leibler divergence from the uniform prior, in bits.

    >>> information(np.array([[0.5, 0.5, 1e-30, 1e-30]])).tolist()
    [1.0]
    """
    logs = np.log2(probabilities)
    negative_entropy = (probabilities * logs).sum(axis=1)
    divergence: NDArray = np.log2(probabilities.shape[1]) + negative_entropy.astype(
        np.float64
    )
    return divergence


def widths_of(
    density: Density,
    observed: Float[NDArray, "n_mock 2"],
    grid: Grid,
    power: float = 1.0,
) -> Float[NDArray, "n_mock n_metric"]:
    """Compute the metrics of the posteriors of mock observations.

    The posteriors are computed in chunks to save memory. See `posterior` for the
    parameters and `widths` for the metrics.
    """
    return np.concatenate(
        [
            widths(posterior(density, chunk, grid, power), grid)
            for chunk in chunks(observed, grid)
        ]
    )


def chunks(
    observed: Float[NDArray, "n_mock 2"], grid: Grid
) -> Iterator[Float[NDArray, "n 2"]]:
    """Split mock observations into chunks whose posteriors fit into a CPU cache."""
    step = max(1, CELLS_AT_ONCE // grid.size**2)
    for first in range(0, len(observed), step):
        yield observed[first : first + step]


def draw(
    probabilities: Float32[NDArray, "n_mock n_cell"],
    grid: Grid,
    number: int,
    rng: np.random.Generator,
) -> Float[NDArray, "n_mock number 2"]:
    """Draw samples from posteriors, uniform within each cell.

    Parameters
    ----------
    probabilities
        Probabilities of the cells.
    grid
        Grid of the cells.
    number
        Number of draws from each posterior.
    rng
        Random number generator.

    Returns
    -------
        (Ω_m, σ_8) of the draws.
    """
    total = probabilities.cumsum(axis=1)
    drawn = rng.random((len(total), number), dtype=np.float32) * total[:, -1:]
    cells = np.stack(
        [np.searchsorted(row, u) for row, u in zip(total, drawn, strict=True)]
    )
    within = (rng.random((*cells.shape, 2)) - 0.5) * grid.cell
    return grid.theta[cells] + within


def _region_sizes(
    masses: tuple[float, ...], probabilities: Float32[NDArray, "n_mock n_cell"]
) -> Float[NDArray, "n_mock n_mass"]:
    """Return the interpolated number of cells of the smallest regions with `masses`."""
    ordered = np.sort(probabilities, axis=1)[:, ::-1]
    total = np.cumsum(ordered, axis=1, dtype=np.float64)
    rows = np.arange(len(total))

    def region_size(mass: float) -> Float[NDArray, " n_mock"]:
        target = mass * total[:, -1]
        last = (total < target[:, None]).sum(axis=1)
        excess = total[rows, last] - target
        size: NDArray = last + 1 - excess / ordered[rows, last].astype(float)
        return size

    return np.stack([region_size(mass) for mass in masses], axis=1)
