"""Config of the cosmology: sampled and fixed parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from infoscope.models import Interval, Model, increasing

LARGEST_ALIGNMENT = 6.0  # |A_IA| and |η_IA|


class Prior(Model):
    """Uniform prior over the sampled parameters."""

    omega_m: Interval = Field((0.15, 0.45), description="Range of Ω_m.")
    sigma_8: Interval = Field((0.5, 1.2), description="Range of σ_8.")

    @field_validator("omega_m", "sigma_8")
    @classmethod
    def _range(cls, value: Interval) -> Interval:
        if value[0] <= 0:
            raise ValueError("must be positive")
        return increasing(value)


class Parameters(Model):
    """The two inferred parameters."""

    omega_m: float = Field(0.2915, gt=0, lt=1, description="Ω_m.")
    sigma_8: float = Field(0.7835, gt=0, description="σ_8.")


class CosmologyConfig(Model):
    """Flat ΛCDM: the prior, the fiducial cosmology and the fixed parameters."""

    prior: Prior = Field(Prior(), description="Prior of (Ω_m, σ_8).")
    fiducial: Parameters = Field(
        Parameters(), description="Cosmology of the mock observations."
    )
    h: float = Field(0.6736, gt=0.3, lt=1.5, description="H_0 / (100 km/s/Mpc).")
    omega_b: float = Field(0.0493, gt=0, lt=0.1, description="Ω_b.")
    n_s: float = Field(0.9649, gt=0, lt=2, description="Scalar spectral index.")

    @model_validator(mode="after")
    def _fiducial_inside(self) -> CosmologyConfig:
        for name in ("omega_m", "sigma_8"):
            low, high = getattr(self.prior, name)
            if not low < getattr(self.fiducial, name) < high:
                raise ValueError(f"fiducial.{name} lies outside prior.{name}")
        if self.omega_b >= self.prior.omega_m[0]:
            raise ValueError("omega_b must be below prior.omega_m")
        return self


class Sampled(Model):
    """A parameter that varies from sky to sky, and is marginalised over."""

    prior: Interval = Field(description="Range of the uniform prior.")
    fiducial: float = Field(description="Value in the mock observations.")

    @model_validator(mode="after")
    def _inside(self) -> Sampled:
        low, high = increasing(self.prior)
        if not low < self.fiducial < high:
            raise ValueError("fiducial lies outside prior")
        return self


def _is_sampled(value: Any) -> str:
    return "sampled" if isinstance(value, Mapping | Sampled) else "fixed"


FixedOrSampled = Annotated[
    Annotated[float, Tag("fixed")] | Annotated[Sampled, Tag("sampled")],
    Discriminator(_is_sampled),
]


class IntrinsicAlignment(Model):
    """Intrinsic alignment of galaxies: A_IA ((1 + z) / 1.62)^η_IA of the NLA model."""

    a_ia: FixedOrSampled = Field(
        0.0, description="Amplitude A_IA: a number, or a prior and a fiducial value."
    )
    eta_ia: FixedOrSampled = Field(
        0.0, description="Power η_IA of the redshift, likewise."
    )

    @field_validator("a_ia", "eta_ia")
    @classmethod
    def _moderate(cls, value: float | Sampled) -> float | Sampled:
        if max(map(abs, extremes(value))) > LARGEST_ALIGNMENT:
            raise ValueError(f"must lie within ± {LARGEST_ALIGNMENT}")
        return value

    @property
    def sampled(self) -> dict[str, Sampled]:
        """The parameters that are sampled."""
        both = {"a_ia": self.a_ia, "eta_ia": self.eta_ia}
        return {name: v for name, v in both.items() if isinstance(v, Sampled)}


def extremes(value: float | Sampled) -> Interval:
    """Smallest and largest value of a parameter that may be sampled."""
    return value.prior if isinstance(value, Sampled) else (value, value)


def fiducial_of(value: float | Sampled) -> float:
    """Value, in the mock observations, of a parameter that may be sampled."""
    return value.fiducial if isinstance(value, Sampled) else value
