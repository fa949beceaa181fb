"""Degradations: a list of operations, and noise, between a sky and its tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky, per_bin
from infoscope.errors import InfoscopeError
from infoscope.maps.tiles import to_tiles
from infoscope.survey.survey import Survey
from infoscope.vocabulary import NoiseOrder


def check(survey: Survey, operations: Sequence[Operation], noise: NoiseOrder) -> Survey:
    """Refuse operations that a survey makes impossible.

    Returns
    -------
        What operations leave of the survey: its bins, its noise.

    Raises
    ------
    InfoscopeError
        One line that begins with the number of the operation in the list.
    """
    for i, parameters in enumerate(operations):
        try:
            left = parameters.check(survey)
        except ValueError as error:
            raise InfoscopeError(f"{i}.{error}") from None
        if noise == "none" and left.noise_factor != survey.noise_factor:
            raise InfoscopeError(f"{i}: there is no noise to scale (noise: none)")
        survey = left
    return survey


def add_noise(sky: Sky, rng: np.random.Generator) -> Sky:
    """Add white shape noise, σ_e / √(n_gal A_pix) a pixel.

    It is drawn in RING order wherever the sky is, so that degradations of one sky
    share its noise.
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
) -> NDArray:
    """Apply operations to a sky and cut it into tiles.

    Parameters
    ----------
    sky
        Noiseless maps on the sphere.
    operations
        In order, those of the survey first.
    noise
        Whether noise comes before or after the operations, or not at all.
    noise_rng, rng
        Generators of the noise (the same for every degradation) and of operations.

    Returns
    -------
        Tiles (n_tile, side, side, n_bins), float32, each bin of zero mean.

    Raises
    ------
    InfoscopeError
        If an operation is impossible or makes values that are not finite.
    """
    left = check(sky.survey, operations, noise)
    sky = replace(sky, survey=replace(sky.survey, noise_factor=left.noise_factor))
    if noise == "before":
        sky = add_noise(sky, noise_rng)
    for parameters in operations:
        name = parameters.name_in_config
        try:
            sky = parameters.apply(sky.to(*parameters.domains), rng)
        except InfoscopeError as error:
            raise InfoscopeError(f"{name}: {error}") from None
        if not np.isfinite(sky.maps if sky.alm is None else sky.alm).all():
            raise InfoscopeError(f"{name}: made values that are not finite")
    if noise == "after":
        sky = add_noise(sky, noise_rng)
    tiles = sky.to("tile").maps
    # the mean convergence of a patch is not observable
    tiles = tiles - tiles.mean(axis=(2, 3), keepdims=True)
    return np.ascontiguousarray(np.moveaxis(tiles, 0, -1), np.float32)
