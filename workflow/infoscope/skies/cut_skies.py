"""Files of skies: their patches, and full-sky maps where they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infoscope.files.precision import ALIGNMENT, CONVERGENCE, Maps
from infoscope.maps.patches import cut
from infoscope.vocabulary import Split

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    from infoscope.files.hdf5 import NewFile

# a data set of full-sky maps, for the comparison with theory and the picture of a sky
FULL_SKY = "full_sky"


@dataclass(frozen=True)
class CutSkies:
    """Skies in a file that is being written; each map is a chunk.

    Attributes
    ----------
    file
        The file.
    geometry
        Side of a patch in degrees, pixels along a side, and number of patches.
    kappa
        Patches of the convergence (n_sky, n_bins, n_patch, pixels, pixels).
    terms
        Patches of the terms of each effect (n_sky, n_term, n_bins, n_patch, pixels,
        pixels), by the name of their data set.
    full_sky
        Convergence of fiducial skies (n_sky, n_bins, n_pix).
    """

    file: NewFile
    geometry: tuple[float, int, int]
    kappa: Maps
    terms: dict[str, Maps]
    full_sky: Maps | None

    @classmethod
    def create(
        cls,
        file: NewFile,
        spec: Mapping[str, Any],
        n_sky: int,
        n_bins: int,
        n_terms: Mapping[str, int],
    ) -> CutSkies:
        """Create the data sets.

        Parameters
        ----------
        file
            An empty file.
        spec
            `nside` of the maps, `split`, and the patches: `side_deg`, `pixels` and
            `n_patch`.
        n_sky, n_bins
            Numbers of skies and of redshift bins.
        n_terms
            Number of terms by the name of their data set.
        """
        side_deg, pixels, n_patch = (
            spec[key] for key in ("side_deg", "pixels", "n_patch")
        )
        patches = (n_patch, pixels, pixels)
        shape = (n_sky, n_bins, *patches)
        kappa = Maps.create(file, "kappa", CONVERGENCE, shape, (1, 1, *patches))
        terms = {
            name: Maps.create(
                file,
                name,
                ALIGNMENT,
                (n_sky, number, n_bins, *patches),
                (1, 1, 1, *patches),
                leading=2,
            )
            for name, number in n_terms.items()
        }
        full_sky = None
        if spec["split"] == Split.FIDUCIAL:
            n_pix = 12 * spec["nside"] ** 2
            full_sky = Maps.create(
                file, FULL_SKY, CONVERGENCE, (n_sky, n_bins, n_pix), (1, 1, n_pix)
            )
        return cls(file, (side_deg, pixels, n_patch), kappa, terms, full_sky)

    def write(
        self,
        sky: int,
        kappa: Float[NDArray, "n_bins n_pix"],
        terms: Mapping[str, Float[NDArray, "n_term n_bins n_pix"]],
    ) -> None:
        """Cut the maps of a sky, and write the patches."""
        self.kappa[sky] = cut(kappa, *self.geometry)
        for name, stored in self.terms.items():
            for number in range(stored.shape[1]):
                stored[sky, number] = cut(terms[name][number], *self.geometry)
        if self.full_sky is not None:
            self.full_sky[sky] = kappa
        self.file.flush()
