"""Operations that keep local extrema of the convergence and their surroundings."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Literal

import ducc0
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky
from infoscope.errors import InfoscopeError
from infoscope.maps.tiles import nside_of
from infoscope.vocabulary import Family


class _Extrema(Operation):
    """Local extrema and what is around them."""

    rings: int = Field(
        1, ge=0, le=16, description="Rings of pixels that are kept around each."
    )
    fill: float = Field(0.0, description="Value of the removed pixels.")


class SelectPeaks(_Extrema):
    """Keeps local maxima, pixels above all their neighbours, and surroundings.

    Does not commute with noise.
    """

    operation: Literal["select_peaks"] = "select_peaks"
    family = Family.VALUES
    domains = ("sphere",)
    nanoseconds_per_pixel = 45
    above: float | None = Field(
        None, description="Smallest κ / σ_κ of a peak; null takes all."
    )

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Set pixels that are not near a local maximum to the fill value."""
        return _keep(sky, 1, self.above, self)


class SelectVoids(_Extrema):
    """Keeps local minima, pixels below all their neighbours, and surroundings.

    Does not commute with noise.
    """

    operation: Literal["select_voids"] = "select_voids"
    family = Family.VALUES
    domains = ("sphere",)
    nanoseconds_per_pixel = 45
    below: float | None = Field(
        None, description="Largest κ / σ_κ of a void; null takes all."
    )

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Set pixels that are not near a local minimum to the fill value."""
        return _keep(sky, -1, self.below, self)


@cache
def _neighbours(nside: int) -> NDArray:
    """Index of the neighbours (8, n_pix) of RING pixels; 24 pixels have only 7."""
    sphere = ducc0.healpix.Healpix_Base(nside, "RING")
    index = np.arange(sphere.npix())
    # a pixel beside itself is never above itself: the missing ones must be others
    found = sphere.neighbors(index).T.astype(np.int32)
    return np.ascontiguousarray(np.where(found < 0, np.roll(found, 1, axis=0), found))


def around_peaks(values: NDArray, threshold: float, rings: int) -> NDArray:
    """Tell which pixels of a RING map (n_pix,) are peaks or near one.

    Raises
    ------
    InfoscopeError
        If there is no peak.
    """
    neighbours = _neighbours(nside_of(values.size))
    near = values >= threshold
    for index in neighbours:
        near &= values > values[index]
    if not near.any():
        raise InfoscopeError("no peak or void is that extreme; lower the threshold")
    for _ in range(rings):
        grown = near.copy()
        for index in neighbours:
            grown |= near[index]
        near = grown
    return near


def _keep(sky: Sky, sign: int, height: float | None, p: _Extrema) -> Sky:
    maps = np.full(sky.maps.shape, p.fill)
    for out, values in zip(maps, sky.maps, strict=True):
        threshold = -np.inf if height is None else sign * height * values.std()
        near = around_peaks(sign * values, threshold, p.rings)
        out[near] = values[near]
    return replace(sky, maps=maps)
