"""Operations that keep local extrema of the convergence and the pixels around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from infoscope.degradations.fill import Masking
from infoscope.degradations.patches import Constants, Patches, per_bin
from infoscope.errors import InfoscopeError
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy.typing import NDArray


class _Extrema(Masking):
    """Local extrema and the pixels around them."""

    family = Family.VALUES
    nanoseconds_per_pixel = 20
    sign: ClassVar[int]
    rings: int = Field(
        1,
        ge=0,
        le=16,
        description="Number of rings of pixels that are kept around each extremum.",
    )

    @property
    def threshold(self) -> float | None:
        """Threshold in units of σ_κ."""
        raise NotImplementedError

    @property
    def needs_fit(self) -> bool:
        """Whether there is a threshold."""
        return self.threshold is not None

    def fit(self, patches: Patches) -> Constants:
        """Measure the threshold in κ at the fiducial cosmology.

        Raises
        ------
        InfoscopeError
            If no extremum of a bin is beyond it.
        """
        assert self.threshold is not None
        sigma = patches.kappa.std(axis=(1, 2, 3))
        constants = {"threshold": (self.threshold * sigma).tolist()}
        none = ~self.extrema(patches, constants).any(axis=(1, 2, 3))
        if none.any():
            raise InfoscopeError(
                f"{'above' if self.sign > 0 else 'below'}: no extremum of bin "
                f"{int(np.argmax(none)) + 1} at the fiducial cosmology is beyond "
                f"{self.threshold:g} σ; choose a threshold nearer to 0"
            )
        return constants

    def extrema(
        self, patches: Patches, constants: Constants
    ) -> Bool[NDArray, "n_bins n_patch side side"]:
        """Return a mask of the extrema."""
        values = self.sign * patches.kappa
        found = peaks(values)
        if self.threshold is not None:
            found &= values >= self.sign * per_bin(constants["threshold"])
        return found

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Replace pixels that are not near an extremum."""
        from scipy.ndimage import maximum_filter

        found = self.extrema(patches, constants)
        width = 2 * self.rings + 1
        near = maximum_filter(found, (1, 1, width, width), mode="constant")
        return self.masked(patches, near, rng)


class SelectPeaks(_Extrema):
    """Keeps peaks, which are pixels above all their neighbours, and rings around them.

    Pixels at the edge of a patch, some of whose neighbours are unknown, are no peaks.
    Does not commute with noise.
    """

    operation: Literal["select_peaks"] = "select_peaks"
    sign = 1
    above: float | None = Field(
        None,
        description="Smallest κ / σ_κ of a peak, with σ_κ of the bin at the fiducial "
        "cosmology, noise included; null keeps all peaks.",
    )

    @property
    def threshold(self) -> float | None:
        """Smallest height in units of σ_κ."""
        return self.above


class SelectVoids(_Extrema):
    """Keeps voids, which are pixels below all their neighbours, and rings around them.

    Pixels at the edge of a patch, some of whose neighbours are unknown, are no voids.
    Does not commute with noise.
    """

    operation: Literal["select_voids"] = "select_voids"
    sign = -1
    below: float | None = Field(
        None,
        description="Largest κ / σ_κ of a void, with σ_κ of the bin at the fiducial "
        "cosmology, noise included; null keeps all voids.",
    )

    @property
    def threshold(self) -> float | None:
        """Largest depth in units of σ_κ."""
        return self.below


def peaks(
    values: Float[NDArray, "*shape side side"],
) -> Bool[NDArray, "*shape side side"]:
    """Return a mask of the pixels above all eight neighbours, none at the edge.

    >>> patch = np.zeros((4, 4))
    >>> patch[1, 2] = patch[0, 0] = 1
    >>> np.argwhere(peaks(patch)).tolist()
    [[1, 2]]
    """
    inner = values[..., 1:-1, 1:-1]
    found = np.zeros(values.shape, bool)
    above = np.ones(inner.shape, bool)
    side = values.shape[-1]
    for dy in range(3):
        for dx in range(3):
            if (dy, dx) != (1, 1):
                above &= inner > values[..., dy : side - 2 + dy, dx : side - 2 + dx]
    found[..., 1:-1, 1:-1] = above
    return found
