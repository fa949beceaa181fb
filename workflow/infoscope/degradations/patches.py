"""Patches: flat square maps of the tomographic bins, on which operations act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from infoscope.survey.survey import Survey

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

# Numbers that are fitted to patches of the fiducial cosmology, one per bin.
Constants: TypeAlias = dict[str, list[float]]


@dataclass(frozen=True)
class Patches:
    """Convergence on flat square patches, and their survey.

    Attributes
    ----------
    kappa
        Convergence. The mean of each patch and bin, which is not observable, is
        subtracted before the first operation.
    survey
        Size of the patches, and redshifts, densities and noise of the bins.
    """

    kappa: Float[NDArray, "n_bins n_patch side side"]
    survey: Survey

    def combined(
        self, weights: Float[NDArray, "n_new n_bins"], survey: Survey
    ) -> Patches:
        """Return linear combinations of the bins.

        Parameters
        ----------
        weights
            Weight of each bin in each new bin.
        survey
            Survey with the new bins.
        """
        return Patches(np.tensordot(weights, self.kappa, 1), survey)

    def without_mean(self) -> Patches:
        """Subtract the mean of each patch and bin."""
        mean = self.kappa.mean(axis=(2, 3), keepdims=True)
        return Patches(self.kappa - mean, self.survey)

    def read_only(self) -> Patches:
        """Return the same patches, whose values cannot be changed."""
        kappa = self.kappa.view()
        kappa.setflags(write=False)
        return Patches(kappa, self.survey)


def per_bin(
    values: Sequence[float] | Float[NDArray, " n_bins"],
) -> Float[NDArray, "n_bins 1 1 1"]:
    """Reshape one value per bin, so that it broadcasts over patches and pixels.

    >>> per_bin([1.0, 2.0]).shape
    (2, 1, 1, 1)
    """
    return np.reshape(values, (-1, 1, 1, 1))
