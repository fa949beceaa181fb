"""Posteriors of mock observations on a grid, and how wide they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from infoscope.cosmology.parameters import omega_m_s8
from infoscope.inference.densities import Density, log_likelihood_ratios

Array = NDArray[np.float64]
# Single precision: exponentials, logarithms and sorting take a third of the time.
Probabilities = NDArray[np.float32]
Interval = tuple[float, float]

METRICS = (
    "sigma_s8",
    "sigma_omega_m",
    "sigma_sigma8",
    "area68",
    "area95",
    "fom",
    "information",
)
# of which more means a narrower posterior
GAINS = ("fom", "information")
MASSES = (0.683, 0.954)
CELLS_AT_ONCE = 1_000_000
# no sum notices e^-70, and its products are no denormal numbers, which are slow
SMALLEST_LOG = -70


@dataclass(frozen=True)
class Grid:
    """Equal cells that fill the box of the uniform prior.

    Attributes
    ----------
    low, high
        Bounds (2,) of (Ω_m, σ_8).
    size
        Cells along each parameter.
    """

    low: Array
    high: Array
    size: int

    @classmethod
    def of_prior(cls, prior: Mapping[str, Interval], size: int) -> Grid:
        """Grid over the intervals omega_m and sigma_8."""
        low, high = np.transpose([prior["omega_m"], prior["sigma_8"]])
        return cls(low, high, size)

    @property
    def cell(self) -> Array:
        """Sides (2,) of a cell."""
        return (self.high - self.low) / self.size

    @property
    def axes(self) -> tuple[Array, Array]:
        """Centres (size,) of the cells along Ω_m and σ_8."""
        steps = (np.arange(self.size) + 0.5)[:, None]
        omega_m, sigma_8 = (self.low + steps * self.cell).T
        return omega_m, sigma_8

    @cached_property
    def theta(self) -> Array:
        """Parameters (size², 2) of all cells, σ_8 varying fastest."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), -1).reshape(-1, 2)


def posterior(
    density: Density, observed: Array, grid: Grid, power: float = 1.0
) -> Probabilities:
    """Posteriors under the uniform prior over the box of the grid.

    Parameters
    ----------
    density
        Density of summaries.
    observed
        Summaries (m, 2) of mock observations.
    grid
        Where to evaluate them.
    power
        Exponent of the likelihood; 1 is Bayes' theorem.

    Returns
    -------
        Probabilities (m, size²) of the cells; those of a mock sum to 1.
    """
    exact = power * log_likelihood_ratios(density, observed, grid.theta)
    log = (exact - exact.max(axis=1, keepdims=True)).astype(np.float32)
    np.maximum(log, SMALLEST_LOG, out=log)
    probabilities: Probabilities = np.exp(log, out=log)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities


def widths(probabilities: Probabilities, grid: Grid) -> Array:
    """Widths of posteriors.

    Parameters
    ----------
    probabilities
        Probabilities (m, size²) of the cells.
    grid
        Their grid.

    Returns
    -------
        Metrics (m, 7) in the order of `METRICS`: standard deviations of S_8, Ω_m and
        σ_8; areas in (Ω_m, σ_8) of the smallest regions with 68.3 and 95.4 % of the
        probability, and the inverse of the first; and the Kullback-Leibler divergence
        from the prior in bits.
    """
    values = np.column_stack([omega_m_s8(grid.theta)[:, ::-1], grid.theta[:, 1]])
    values -= values.mean(axis=0)
    moments = probabilities @ np.concatenate([values, values**2], axis=1)
    variance = moments[:, 3:] - moments[:, :3] ** 2
    areas = grid.cell.prod() * _cells_with(MASSES, probabilities)
    return np.column_stack(
        [
            np.sqrt(np.maximum(variance, 0)),
            areas,
            1 / areas[:, 0],
            information(probabilities),
        ]
    )


def information(probabilities: Probabilities) -> Array:
    """Kullback-Leibler divergence (m,) from the uniform prior, in bits."""
    logs = np.log2(probabilities)
    divergence = (probabilities * logs).sum(axis=1)
    result: Array = np.log2(probabilities.shape[1]) + divergence.astype(np.float64)
    return result


def widths_of(
    density: Density, observed: Array, grid: Grid, power: float = 1.0
) -> Array:
    """Metrics (m, 7) of the posteriors of mocks (m, 2), in chunks to save memory."""
    return np.concatenate(
        [
            widths(posterior(density, chunk, grid, power), grid)
            for chunk in chunks(observed, grid)
        ]
    )


def chunks(observed: Array, grid: Grid) -> Iterator[Array]:
    """Split mocks so that the posteriors of a part fit into a cache or two."""
    step = max(1, CELLS_AT_ONCE // grid.size**2)
    for first in range(0, len(observed), step):
        yield observed[first : first + step]


def draw(
    probabilities: Probabilities, grid: Grid, number: int, rng: np.random.Generator
) -> Array:
    """Draw from posteriors, uniformly within a cell.

    Parameters
    ----------
    probabilities
        Probabilities (m, size²) of the cells.
    grid
        Their grid.
    number
        Draws of each.
    rng
        Source of randomness.

    Returns
    -------
        (Ω_m, σ_8) of the draws, (m, number, 2).
    """
    total = probabilities.cumsum(axis=1)
    drawn = rng.random((len(total), number), dtype=np.float32) * total[:, -1:]
    cells = np.stack(
        [np.searchsorted(row, u) for row, u in zip(total, drawn, strict=True)]
    )
    within = (rng.random((*cells.shape, 2)) - 0.5) * grid.cell
    result: Array = grid.theta[cells] + within
    return result


def _cells_with(masses: tuple[float, ...], probabilities: Probabilities) -> Array:
    """Fewest cells (m, n) with each mass, between whole numbers of cells."""
    ordered = np.sort(probabilities, axis=1)[:, ::-1]
    total = np.cumsum(ordered, axis=1, dtype=np.float64)
    rows = np.arange(len(total))

    def cells_with(mass: float) -> Array:
        target = mass * total[:, -1]
        number = (total < target[:, None]).sum(axis=1)
        missing = total[rows, number] - target
        cells: Array = number + 1 - missing / ordered[rows, number].astype(float)
        return cells

    return np.stack([cells_with(mass) for mass in masses], axis=1)
