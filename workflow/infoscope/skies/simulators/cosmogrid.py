"""Skies of CosmoGridV1, read from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from infoscope.errors import InfoscopeError
from infoscope.models import InputFile
from infoscope.skies.simulator import Simulator

NSIDE, N_BINS = 512, 4  # of the maps on disk


class CosmoGrid(Simulator):
    """Stage-III maps of CosmoGridV1, read from disk (docs/cosmogrid.md)."""

    name: Literal["cosmogrid"] = "cosmogrid"
    caveat = (
        "Skies are CosmoGridV1 N-body simulations: softening and pixels of nside 512 "
        "limit their small scales."
    )
    rules = "cosmogrid"
    pixel_averaged = True
    nuisance = ("h", "omega_b", "n_s", "w_0")

    root: InputFile = Field(
        description="Folder that contains `CosmoGridV1_metainfo.h5` and "
        "`stage3_forecast`."
    )
    baryons: Literal["nobaryons", "baryonified"] = Field(
        "nobaryons", description="Maps without or with baryonic feedback."
    )

    def check(
        self, n_bins: int, nside: int, h: float, scales: Mapping[str, Sequence[float]]
    ) -> None:
        """Check that the folder exists, and that its maps fit the study."""
        if nside > NSIDE:
            raise InfoscopeError(
                f"config: survey.nside: the maps of CosmoGridV1 have nside {NSIDE}; "
                f"set survey.nside: {NSIDE}"
            )
        if n_bins != N_BINS:
            raise InfoscopeError(
                f"config: survey.nz: n(z) has {n_bins} bins, but the maps of "
                f"CosmoGridV1 have {N_BINS}; give an n(z) with {N_BINS} bins"
            )
        if not Path(self.root).is_dir():
            raise InfoscopeError(
                f"config: simulator.root: {self.root}: no such folder; give the folder "
                "of your copy of CosmoGridV1 (docs/cosmogrid.md)"
            )

    def seconds(self, nside: int, n_shells: int, h: float) -> tuple[float, float]:
        """Return the time per cosmology, and per sky, whose maps are read."""
        return 0.0, 2e-6 * nside**2

    def terms_on_disk(self, n_terms: int) -> int:
        """Count the terms on disk: the maps have at most one of alignment."""
        return min(n_terms, 1)
