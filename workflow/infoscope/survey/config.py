"""Config of the redshift distributions."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import (
    Field,
    model_validator,
)

from infoscope.models import InputFile, Model


class TableNz(Model):
    """n(z) from text files."""

    kind: Literal["table"] = "table"
    files: list[InputFile] = Field(
        min_length=1,
        description="Tables with the columns z, n_1, n_2 … of the tomographic bins: "
        "one for all bins, or several, whose bins follow one another.",
    )

    @property
    def paths(self) -> list[Path]:
        """Files that are read."""
        return [Path(file) for file in self.files]


class FitsNz(Model):
    """n(z) from a FITS file with data of two-point functions."""

    kind: Literal["fits"] = "fits"
    file: InputFile = Field(description="FITS file.")
    extension: str = Field(
        "NZ_SOURCE", description="Extension with the columns Z_MID, BIN1, BIN2 …."
    )

    @property
    def paths(self) -> list[Path]:
        """Files that are read."""
        return [Path(self.file)]


class SmailNz(Model):
    """All n(z) ∝ z^α exp[−(z / z0)^β], cut into bins of photometric redshift."""

    kind: Literal["smail"] = "smail"
    z0: float = Field(gt=0, description="Redshift z0 of the cut-off.")
    alpha: float = Field(2, gt=0, description="Power α at low redshift.")
    beta: float = Field(gt=0, description="Steepness β of the cut-off.")
    sigma_z: float = Field(
        ge=0.01,
        le=0.5,
        description="Scatter of the photometric redshifts, in units of 1 + z.",
    )
    bias: float = Field(
        0.0, ge=-0.2, le=0.2, description="Their bias, in units of 1 + z."
    )
    n_bins: int | None = Field(
        None, ge=1, le=20, description="Number of bins with equal numbers of galaxies."
    )
    edges: list[float] | None = Field(
        None, min_length=2, description="Instead: photometric redshifts between bins."
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
