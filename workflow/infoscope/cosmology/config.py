"""Config of the cosmology: sampled and fixed parameters."""

from __future__ import annotations

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from infoscope.models import Interval, Model, increasing


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
