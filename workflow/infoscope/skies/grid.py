"""The cosmologies of each split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infoscope.seeds import seed_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    from infoscope.cosmology.config import CosmologyConfig


def grid(
    config: CosmologyConfig, split: str, start: int, stop: int, seed: int
) -> Float[NDArray, "stop-start 2"]:
    """Cosmologies of a split: scrambled Sobol points over the prior.

    A longer grid begins with the points of a shorter one.

    Parameters
    ----------
    config
        Prior and fiducial cosmology.
    split
        `train`, `validation`, `test`, or `fiducial` (the fiducial cosmology repeated).
    start, stop
        Range of the points in the sequence.
    seed
        Seed of the study.

    Returns
    -------
        (Ω_m, σ_8) of each cosmology.
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
