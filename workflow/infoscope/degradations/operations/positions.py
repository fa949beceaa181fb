"""Operations that remove the positions of structures."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from infoscope.degradations.operation import Operation
from infoscope.degradations.patches import Constants, Patches
from infoscope.vocabulary import Family


class ShufflePixels(Operation):
    """Permutes the pixels of each patch, which preserves only one-point statistics."""

    operation: Literal["shuffle_pixels"] = "shuffle_pixels"
    family = Family.POSITIONS
    nanoseconds_per_pixel = 10
    across_bins: Literal["shared", "independent"] = Field(
        "shared",
        description="`shared`: one permutation for all bins of a patch; `independent`: "
        "one for each bin.",
    )

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Permute the pixels of each patch."""
        n_bins, n_patch, side, _ = patches.kappa.shape
        pixels = patches.kappa.reshape(n_bins, n_patch, side**2)
        rows = n_bins if self.across_bins == "independent" else 1
        order = np.tile(np.arange(side**2), (rows, n_patch, 1))
        rng.permuted(order, axis=2, out=order)
        shuffled = np.take_along_axis(
            pixels, np.broadcast_to(order, pixels.shape), axis=2
        )
        return replace(patches, kappa=shuffled.reshape(patches.kappa.shape))
