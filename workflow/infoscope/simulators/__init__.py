"""Simulators of full-sky convergence maps, chosen by name in the config.

A simulator turns one cosmology into as many skies as it is given generators. The
registry holds what tells one simulator from another: how the matter of a shell is
drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from infoscope.config import CosmologyConfig, GaussianConfig, LognormalConfig
from infoscope.matter import Matter
from infoscope.simulators.shells import (
    MatterField,
    born_weights,
    gaussian_field,
    intrinsic_alignment_weights,
    lognormal_field,
    shell_edges,
    shell_spectra,
    sky_of_shells,
)
from infoscope.survey import RedshiftDistribution

FIELDS: dict[str, MatterField] = {
    "gaussian": gaussian_field,
    "lognormal": lognormal_field,
}


def simulate(
    config: LognormalConfig | GaussianConfig,
    theta: NDArray,
    cosmology: CosmologyConfig,
    nz: RedshiftDistribution,
    nside: int,
    generators: Sequence[np.random.Generator],
) -> Iterator[tuple[NDArray, NDArray]]:
    """Draw skies of one cosmology.

    Parameters
    ----------
    config
        Which simulator, and its options.
    theta
        (Ω_m, σ_8).
    cosmology
        The fixed parameters.
    nz
        Redshift distribution of the bins.
    nside
        Resolution; maps are band-limited at ℓ = 2 nside, without a pixel window.
    generators
        One for each sky.

    Yields
    ------
    kappa, kappa_ia
        Convergence (n_bins, 12 nside²), and the terms (n_order, n_bins, 12 nside²) of
        `intrinsic_alignment` for A_IA = 1, in RING order.
    """
    matter = Matter(theta, cosmology)
    edges = shell_edges(matter.background, nz, config.shell_width_mpc)
    spectra = shell_spectra(matter, edges, lmax=2 * nside)
    weights = np.concatenate(
        [
            born_weights(matter.background, nz, edges)[None],
            intrinsic_alignment_weights(matter.background, nz, edges),
        ]
    )
    field = FIELDS[config.name](spectra)
    for generator in generators:
        maps = sky_of_shells(field, weights, nside, generator)
        yield maps[0], maps[1:]
