"""Apply a degradation, a list of operations and noise, and cut the sky into tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky, per_bin
from infoscope.errors import InfoscopeError
from infoscope.maps.tiles import to_tiles
from infoscope.survey.survey import Survey
from infoscope.vocabulary import NoiseOrder

if TYPE_CHECKING:
    from jaxtyping import Float32
    from numpy.typing import NDArray


def check(survey: Survey, operations: Sequence[Operation], noise: NoiseOrder) -> Survey:
    """Check that operations are possible for a survey.

    Returns
    -------
        The survey after the operations, which may change its bins and its noise.

    Raises
    ------
    InfoscopeError
        One line that starts with the index of the impossible operation in the list.
    """
    for i, operation in enumerate(operations):
        try:
            degraded = operation.check(survey)
        except ValueError as error:
            raise InfoscopeError(f"{i}.{error}") from None
        if noise == "none" and degraded.noise_factor != survey.noise_factor:
            raise InfoscopeError(
                f"{i}: there is no noise to scale (noise: none); remove the operation"
            )
        survey = degraded
    return survey


def add_noise(sky: Sky, rng: np.random.Generator) -> Sky:
    """Add white shape noise with a standard deviation of σ_e / √(n_gal A_pix).

    Noise is drawn in RING order in every domain, so that all degradations of a sky
    have the same noise realisation.
    """
    sky = sky.to("sphere", "tile")
    survey = sky.survey
    noise = rng.standard_normal((survey.n_bins, 12 * survey.nside**2))
    if sky.domain == "tile":
        noise = to_tiles(noise, survey.tile_nside)
    noise *= per_bin(survey.noise_sigma, noise)
    noise += sky.maps
    return replace(sky, maps=noise)


def degrade(
    sky: Sky,
    operations: Sequence[Operation],
    noise: NoiseOrder,
    noise_rng: np.random.Generator,
    rng: np.random.Generator,
) -> Float32[NDArray, "n_tile side side n_bins"]:
    """Apply operations to a sky and cut it into tiles.

    Parameters
    ----------
    sky
        Noiseless maps on the sphere.
    operations
        Operations in the order in which they are applied, those of the survey first.
    noise
        Whether noise is added before or after the operations, or not at all.
    noise_rng, rng
        Random number generators for the noise (in the same state for every
        degradation) and for the operations.

    Returns
    -------
        Convergence, with zero mean in each tile and bin.

    Raises
    ------
    InfoscopeError
        If an operation is impossible or returns values that are not finite.
    """
    degraded = check(sky.survey, operations, noise)
    sky = replace(sky, survey=replace(sky.survey, noise_factor=degraded.noise_factor))
    if noise == "before":
        sky = add_noise(sky, noise_rng)
    for operation in operations:
        name = operation.name_in_config
        try:
            sky = operation.apply(sky.to(*operation.domains), rng)
        except InfoscopeError as error:
            raise InfoscopeError(f"{name}: {error}") from None
        if not np.isfinite(sky.maps if sky.alm is None else sky.alm).all():
            raise InfoscopeError(
                f"{name}: returns values that are not finite; check its parameters"
            )
    if noise == "after":
        sky = add_noise(sky, noise_rng)
    tiles = sky.to("tile").maps
    # the mean convergence of a tile is not observable
    tiles = tiles - tiles.mean(axis=(2, 3), keepdims=True)
    return np.ascontiguousarray(np.moveaxis(tiles, 0, -1), np.float32)
