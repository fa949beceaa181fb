"""Config of the redshift distributions and of the patches."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import (
    Field,
    model_validator,
)

from infoscope.models import InputFile, Model

SQUARE_DEGREES = 4 * math.pi * (180 / math.pi) ** 2  # of the sphere


class TableNz(Model):
    """n(z) from text files."""

    kind: Literal["table"] = "table"
    files: list[InputFile] = Field(
        min_length=1,
        description="Tables with the columns z, n_1, n_2 …, one column per tomographic "
        "bin. The bins of several tables are concatenated.",
    )

    @property
    def paths(self) -> list[Path]:
        """Input files."""
        return [Path(file) for file in self.files]


class FitsNz(Model):
    """n(z) from a FITS file in the "2pt" format."""

    kind: Literal["fits"] = "fits"
    file: InputFile = Field(description="FITS file.")
    extension: str = Field(
        "NZ_SOURCE", description="Extension with the columns Z_MID, BIN1, BIN2 …."
    )

    @property
    def paths(self) -> list[Path]:
        """Input files."""
        return [Path(self.file)]


class SmailNz(Model):
    """n(z) ∝ z^α exp[−(z / z0)^β], divided into bins of photometric redshift."""

    kind: Literal["smail"] = "smail"
    z0: float = Field(gt=0, description="Cut-off redshift z0.")
    alpha: float = Field(2, gt=0, description="Power-law index α at low redshift.")
    beta: float = Field(gt=0, description="Steepness β of the cut-off.")
    sigma_z: float = Field(
        ge=0.01,
        le=0.5,
        description="Scatter of photometric redshifts, in units of 1 + z.",
    )
    bias: float = Field(
        0.0,
        ge=-0.2,
        le=0.2,
        description="Bias of photometric redshifts, in units of 1 + z.",
    )
    n_bins: int | None = Field(
        None, ge=1, le=20, description="Number of equally populated bins."
    )
    edges: list[float] | None = Field(
        None,
        min_length=2,
        description="Edges of the bins in photometric redshift, instead of `n_bins`.",
    )
    paths: ClassVar[list[Path]] = []

    @model_validator(mode="after")
    def _bins(self) -> SmailNz:
        if (self.n_bins is None) == (self.edges is None):
            raise ValueError("give either n_bins or edges")
        edges = self.edges or []
        if any(low >= high for low, high in pairwise(edges)):
            raise ValueError(f"edges: must increase, got {edges}")
        return self


NzSource = Annotated[TableNz | FitsNz | SmailNz, Field(discriminator="kind")]


class PatchConfig(Model):
    """The patches of a sky: flat squares, each of which is one survey."""

    side_deg: float = Field(
        29.3, ge=2, le=40, description="Side of a patch in degrees."
    )
    pixels: int = Field(
        32, ge=8, le=2048, description="Number of pixels along a side of a patch."
    )
    per_sky: int | None = Field(
        None,
        ge=1,
        description="Number of patches per sky, spread evenly; by default the area of "
        "the sky divided by that of a patch, rounded down.",
    )

    @property
    def number(self) -> int:
        """Number of patches per sky."""
        return self.per_sky or int(SQUARE_DEGREES / self.side_deg**2)

    @property
    def pixel_arcmin(self) -> float:
        """Side of a pixel in arcmin."""
        return 60 * self.side_deg / self.pixels

    @model_validator(mode="after")
    def _fits(self) -> PatchConfig:
        most = int(SQUARE_DEGREES / self.side_deg**2)
        if self.number > most:
            raise ValueError(
                f"per_sky: {self.per_sky} patches of {self.side_deg:g}° have more area "
                f"than the sky; choose at most {most}"
            )
        return self
