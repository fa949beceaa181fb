"""The grid of cosmologies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from infoscope.seeds import seed_of

if TYPE_CHECKING:
    from infoscope.cosmology.config import CosmologyConfig


def grid(
    config: CosmologyConfig, split: str, start: int, stop: int, seed: int
) -> NDArray:
    """Cosmologies of a split: scrambled Sobol points over the prior.

    The first N points of a longer grid are the grid of N.

    Parameters
    ----------
    config
        Prior and fiducial.
    split
        `train`, `validation`, `test`, or `fiducial` (the fiducial repeated).
    start, stop
        Which points of the sequence.
    seed
        Seed of the study.

    Returns
    -------
        Array of shape (stop - start, 2) of (Ω_m, σ_8).
    """
    if split == "fiducial":
        fiducial = config.fiducial
        return np.tile([fiducial.omega_m, fiducial.sigma_8], (stop - start, 1))
    from scipy.stats import qmc

    sobol = qmc.Sobol(2, scramble=True, rng=seed_of(seed, "grid", split))
    if start:
        sobol.fast_forward(start)
    prior = config.prior
    low, high = zip(prior.omega_m, prior.sigma_8, strict=True)
    return qmc.scale(sobol.random(stop - start), low, high)
