"""What replaces the pixels that an operation removes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from infoscope.degradations.operation import Operation
from infoscope.degradations.patches import Patches

if TYPE_CHECKING:
    from jaxtyping import Bool
    from numpy.typing import NDArray


class Masking(Operation):
    """Base class of operations that keep some of the pixels."""

    abstract: ClassVar[bool] = True

    fill: float | Literal["resample"] = Field(
        0.0,
        description="Value of the removed pixels, or `resample`: values of random kept "
        "pixels of the same patch and bin, which hide where pixels were removed.",
    )

    def masked(
        self,
        patches: Patches,
        keep: Bool[NDArray, "n_bins n_patch side side"],
        rng: np.random.Generator,
    ) -> Patches:
        """Replace the pixels outside a mask.

        Where no pixel of a patch and bin is kept, there are none to draw from, and all
        become 0.
        """
        if self.fill != "resample":
            return replace(patches, kappa=np.where(keep, patches.kappa, self.fill))
        # as many random numbers for every mask
        uniform = rng.random(keep.shape)
        n_kept = keep.sum(axis=(2, 3), keepdims=True)
        # the kept pixels of each patch follow those of the patches before; the last
        # value is there only to be looked up
        kept = np.append(patches.kappa[keep], 0.0)
        first = np.cumsum(n_kept).reshape(n_kept.shape) - n_kept
        drawn = kept[first + (uniform * n_kept).astype(np.intp)]
        drawn = np.where(n_kept > 0, drawn, 0.0)
        return replace(patches, kappa=np.where(keep, patches.kappa, drawn))
