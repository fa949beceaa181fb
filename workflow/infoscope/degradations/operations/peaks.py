"""Operations that keep local extrema of the convergence and the pixels around them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Literal

import ducc0
import numpy as np
from pydantic import Field

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky
from infoscope.errors import InfoscopeError
from infoscope.maps.tiles import nside_of
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import NDArray


class _Extrema(Operation):
    """Local extrema and the pixels around them."""

    rings: int = Field(
        1,
        ge=0,
        le=16,
        description="Number of rings of pixels that are kept around each extremum.",
    )
    fill: float = Field(0.0, description="Value of the removed pixels.")


class SelectPeaks(_Extrema):
    """Keeps peaks, which are pixels above all their neighbours, and rings around them.

    Does not commute with noise.
    """

    operation: Literal["select_peaks"] = "select_peaks"
    family = Family.VALUES
    domains = ("sphere",)
    nanoseconds_per_pixel = 45
    above: float | None = Field(
        None, description="Smallest κ / σ_κ of a peak; null keeps all peaks."
    )

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Set pixels that are not near a local maximum to the fill value."""
        return _keep(sky, 1, self.above, self)


class SelectVoids(_Extrema):
    """Keeps voids, which are pixels below all their neighbours, and rings around them.

    Does not commute with noise.
    """

    operation: Literal["select_voids"] = "select_voids"
    family = Family.VALUES
    domains = ("sphere",)
    nanoseconds_per_pixel = 45
    below: float | None = Field(
        None, description="Largest κ / σ_κ of a void; null keeps all voids."
    )

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Set pixels that are not near a local minimum to the fill value."""
        return _keep(sky, -1, self.below, self)


@cache
def _neighbours(nside: int) -> Int[NDArray, "8 n_pix"]:
    """Return the indices of the neighbours of all pixels in RING order.

    In the 24 pixels with only seven neighbours, one of them is listed twice.
    """
    sphere = ducc0.healpix.Healpix_Base(nside, "RING")
    index = np.arange(sphere.npix())
    neighbours = sphere.neighbors(index).T.astype(np.int32)
    missing = neighbours < 0
    # the pixel itself would not do: no pixel is above itself, hence none is a peak
    neighbours = np.where(missing, np.roll(neighbours, 1, axis=0), neighbours)
    return np.ascontiguousarray(neighbours)


def around_peaks(
    values: Float[NDArray, " n_pix"], threshold: float, rings: int
) -> Bool[NDArray, " n_pix"]:
    """Return a mask of the peaks of a map in RING order and of the rings around them.

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
        larger = near.copy()
        for index in neighbours:
            larger |= near[index]
        near = larger
    return near


def _keep(sky: Sky, sign: int, height: float | None, config: _Extrema) -> Sky:
    """Keep extrema above `height` (in σ_κ) of the maps times `sign`."""
    maps = np.full(sky.maps.shape, config.fill)
    for out, values in zip(maps, sky.maps, strict=True):
        threshold = -np.inf if height is None else sign * height * values.std()
        near = around_peaks(sign * values, threshold, config.rings)
        out[near] = values[near]
    return replace(sky, maps=maps)
