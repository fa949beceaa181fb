"""Summaries that are linear in (Ω_m, σ_8) with Gaussian noise, and exact widths."""

from __future__ import annotations

from functools import cache

import numpy as np

from infoscope.inference.inference import Inference, Skies
from infoscope.inference.posterior import MASSES, Grid

PRIOR = {"omega_m": (0.15, 0.45), "sigma_8": (0.5, 1.2)}
CENTRE = np.array([0.3, 0.85])
SLOPE = np.array([[1.0, 0.1], [0.4, 0.9]])
COVARIANCE = np.array([[4.0e-4, 1.5e-4], [1.5e-4, 9.0e-4]])
SHARED = 0.1  # fraction of the variance that tiles of a sky have in common


def noise(rng: np.random.Generator, n_sky: int, n_tile: int) -> np.ndarray:
    """Draw noise (n_sky, n_tile, 2) of unit covariance, correlated within a sky."""
    sky = rng.standard_normal((n_sky, 1, 2))
    tile = rng.standard_normal((n_sky, n_tile, 2))
    return np.sqrt(SHARED) * sky + np.sqrt(1 - SHARED) * tile


class Toy:
    """Skies whose noise can be increased, like that of degradations.

    Parameters
    ----------
    rng
        Random number generator.
    n_test, n_fiducial, n_tile
        Numbers of test and fiducial skies, and of tiles.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        n_test: int = 128,
        n_fiducial: int = 8,
        n_tile: int = 48,
    ) -> None:
        low, high = np.transpose(list(PRIOR.values()))
        self.theta = {
            "test": rng.uniform(low, high, (n_test, 2)),
            "fiducial": np.tile(CENTRE, (n_fiducial, 1)),
        }
        self.noise = {
            name: noise(rng, len(theta), n_tile) for name, theta in self.theta.items()
        }

    def inference(
        self,
        rng: np.random.Generator,
        size: float = 1.0,
        scale: float = 1.0,
        cells: int = 64,
        boots: int = 40,
        kind: type[Inference] = Inference,
    ) -> Inference:
        """Return the inference from summaries with `size` times the noise.

        The additional noise of a degradation is drawn from `rng`. The factor `scale` of
        all noise stands for the quality of a training run.
        """
        skies = {}
        for split, theta in self.theta.items():
            own = self.noise[split]
            more = noise(rng, *own.shape[:2]) * np.sqrt(size**2 - 1)
            scatter = scale * (own + more) @ np.linalg.cholesky(COVARIANCE).T
            mean = (theta - CENTRE) @ SLOPE.T
            skies[split] = Skies(mean[:, None] + scatter, theta)
        return kind(
            **skies, grid=Grid.of_prior(PRIOR, cells), n_bootstrap=boots, seed=1
        )


def exact_widths(covariance: np.ndarray = COVARIANCE) -> dict[str, float]:
    """Return the widths of the posterior at the centre, far from the prior edges.

    The information is that of summaries with the covariance of the toy.
    """
    covariance = np.linalg.inv(SLOPE.T @ np.linalg.inv(covariance) @ SLOPE)
    # derivatives of S_8 at the centre, where √(Ω_m / 0.3) = 1
    gradient = np.array([CENTRE[1] / (2 * CENTRE[0]), 1.0])
    one_sigma = 2 * np.pi * np.sqrt(np.linalg.det(covariance))
    area68, area95 = (-np.log(1 - mass) * one_sigma for mass in MASSES)
    return {
        "sigma_s8": float(np.sqrt(gradient @ covariance @ gradient)),
        "sigma_omega_m": float(np.sqrt(covariance[0, 0])),
        "sigma_sigma8": float(np.sqrt(covariance[1, 1])),
        "area68": area68,
        "area95": area95,
        "fom": 1 / area68,
        "information": exact_information(),
    }


@cache
def exact_information(n_draw: int = 4000, size: int = 200) -> float:
    """Return the mutual information of parameters and summaries in bits.

    It is the mean over draws of both of log2(posterior / prior) at the truth, with the
    edges of the prior.
    """
    rng = np.random.default_rng(0)
    low, high = np.transpose(list(PRIOR.values()))
    theta = rng.uniform(low, high, (n_draw, 2))
    root = np.linalg.cholesky(COVARIANCE)
    summary = (theta - CENTRE) @ SLOPE.T + rng.standard_normal((n_draw, 2)) @ root.T
    steps = (np.arange(size) + 0.5)[:, None] / size
    x, y = (low + steps * (high - low)).T
    cells = (np.stack(np.meshgrid(x, y), -1).reshape(-1, 2) - CENTRE) @ SLOPE.T
    whiten = np.linalg.inv(root).T
    cells, summary, truth = (
        values @ whiten for values in (cells, summary, (theta - CENTRE) @ SLOPE.T)
    )

    def log_ratio(s: np.ndarray, t: np.ndarray) -> float:
        likelihood = np.exp(-((cells - s) ** 2).sum(axis=1) / 2).mean()
        return float(-((t - s) ** 2).sum() / 2 - np.log(likelihood))

    return float(np.mean(list(map(log_ratio, summary, truth))) / np.log(2))
