"""Skies of CosmoGridV1, read from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from infoscope.errors import InfoscopeError
from infoscope.files.atomic import atomic_symlink
from infoscope.models import InputFile
from infoscope.skies.simulator import Simulator

NSIDE, N_BINS = 512, 4  # of the maps on disk


class CosmoGrid(Simulator):
    """CosmoGridV1 Stage-III maps from disk: see docs/cosmogrid.md."""

    name: Literal["cosmogrid"] = "cosmogrid"
    caveat = (
        "Skies are CosmoGridV1 N-body simulations: softening and pixels of nside 512 "
        "limit their small scales."
    )
    rules = "cosmogrid"
    pixel_averaged = True
    nuisance = ("h", "omega_b", "n_s", "w_0")

    root: InputFile = Field(
        description="Folder with `CosmoGridV1_metainfo.h5` and `stage3_forecast`."
    )
    baryons: Literal["nobaryons", "baryonified"] = Field(
        "nobaryons", description="Maps of matter without or with baryonic feedback."
    )

    def check(
        self, n_bins: int, nside: int, h: float, scales: Mapping[str, Sequence[float]]
    ) -> None:
        """Refuse bins and pixels that the maps do not have, and a missing folder."""
        if nside > NSIDE:
            raise InfoscopeError(
                f"config: survey.nside: maps of CosmoGridV1 have nside {NSIDE} at most"
            )
        if n_bins != N_BINS:
            raise InfoscopeError(
                f"config: survey: the maps of CosmoGridV1 have {N_BINS} redshift bins, "
                f"but n(z) has {n_bins}"
            )
        if not Path(self.root).is_dir():
            raise InfoscopeError(
                f"config: simulator.root: {self.root}: no such folder; give the folder "
                "of your copy of CosmoGridV1 (docs/cosmogrid.md)"
            )

    def prepare(self, results: Path) -> None:
        """Link the folder of maps, to which skies refer through the link."""
        atomic_symlink(results / "cosmogrid", Path(self.root))

    def seconds(self, nside: int, n_shells: int, h: float) -> tuple[float, float]:
        """Time of a cosmology, and of each sky: maps may have to be averaged."""
        return 0.0, 0.05 if nside == NSIDE else 1.0

    @property
    def memory_mb(self) -> float:
        """Memory of a job beside that of its maps, which may be larger on disk."""
        return 600.0

    def maps_on_disk(self, nside: int, n_terms: int) -> int:
        """Count the maps per bin beside the convergence; none at full resolution.

        Skies refer to maps of the full resolution, and have one term of alignment.
        """
        return -1 if nside == NSIDE else 1
