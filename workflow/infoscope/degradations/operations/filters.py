r"""Filters: operations that remove scales.

A comoving length R corresponds to the angle R / χ(⟨z⟩) in each bin, which is the full
width at half maximum (FWHM) of a Gaussian beam. A multipole ℓ corresponds to the angle
π / ℓ. Pixels contain modes beyond the band limit of the transforms, ℓ = 3 nside - 1:
filters treat them like modes at the band limit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky
from infoscope.maps.harmonics import ell_of_alm, lmax_of
from infoscope.models import Interval, increasing
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

Profile = Literal["gaussian", "tophat"]
PROFILE = (
    "Shape of the filter: a Gaussian beam exp(−ℓ(ℓ+1)σ²/2), or a sharp cut at "
    "ℓ = π / FWHM."
)


def fwhm(
    scale_mpc_h: float | None, ell: float | None, survey: Survey
) -> Float[NDArray, " n_bins"]:
    """Convert a comoving length in Mpc/h or a multipole to the FWHM in radians."""
    if scale_mpc_h is not None:
        return scale_mpc_h / survey.chi_mpc_h
    assert ell is not None
    return np.full(survey.n_bins, np.pi / ell)


def _check_resolved(
    scale_mpc_h: float | None, ell: float | None, survey: Survey
) -> None:
    """Raise ValueError if a scale is smaller than a pixel in every bin."""
    if fwhm(scale_mpc_h, ell, survey).max() >= survey.pixel:
        return
    if scale_mpc_h is not None:
        smallest = survey.pixel * survey.chi_mpc_h.min()
        raise ValueError(
            f"scale_mpc_h: {scale_mpc_h:g} Mpc/h is smaller than a pixel in every bin "
            f"at nside {survey.nside}; choose at least "
            f"{np.ceil(10 * smallest) / 10:g}"
        )
    raise ValueError(
        f"ell: {ell:g} is not resolved by the pixels at nside {survey.nside}; choose "
        f"at most {np.floor(np.pi / survey.pixel):g}"
    )


def _lowpass(
    fwhm: Float[NDArray, " n_bins"], profile: Profile, survey: Survey
) -> Float[NDArray, "n_bins n_ell"]:
    """Compute the transfer function of a low-pass."""
    ell = np.arange(lmax_of(survey.nside) + 1)
    if profile == "tophat":
        return np.where(ell * fwhm[:, None] <= np.pi, 1.0, 0.0)
    sigma = fwhm[:, None] / np.sqrt(8 * np.log(2))
    return np.exp(-ell * (ell + 1) * sigma**2 / 2)


def filtered(sky: Sky, transfer: Float[NDArray, "n_bins n_ell"]) -> Sky:
    """Multiply the a_ℓm of a sky by a transfer function."""
    assert sky.alm is not None and sky.beyond is not None
    ell = ell_of_alm(lmax_of(sky.survey.nside))
    alm = np.empty_like(sky.alm)
    for out, values, factor in zip(alm, sky.alm, transfer, strict=True):
        np.multiply(values, factor[ell], out=out)
    return replace(sky, alm=alm, beyond=sky.beyond * transfer[:, -1])


class _Scale(Operation):
    """Filter at one scale: a comoving length or a multipole."""

    scale_mpc_h: float | None = Field(
        None,
        gt=0,
        description="Comoving scale R in Mpc/h; the FWHM is R / χ(⟨z⟩) in each bin.",
    )
    ell: float | None = Field(
        None, gt=0, description="Multipole ℓ; the FWHM is π / ℓ in all bins."
    )
    profile: Profile = Field("gaussian", description=PROFILE)

    @model_validator(mode="after")
    def _one_scale(self) -> _Scale:
        if (self.scale_mpc_h is None) == (self.ell is None):
            raise ValueError("give either scale_mpc_h or ell")
        return self

    def check(self, survey: Survey) -> Survey:
        """Check that the pixels resolve the scale."""
        _check_resolved(self.scale_mpc_h, self.ell, survey)
        return survey

    def lowpass(self, survey: Survey) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function of the low-pass."""
        width = fwhm(self.scale_mpc_h, self.ell, survey)
        return _lowpass(width, self.profile, survey)


class _Band(Operation):
    """Filter between two scales: comoving lengths or multipoles."""

    scale_mpc_h: Interval | None = Field(
        None, description="Smallest and largest comoving scale in Mpc/h."
    )
    ell: Interval | None = Field(None, description="Smallest and largest multipole ℓ.")
    profile: Profile = Field("gaussian", description=PROFILE)

    @model_validator(mode="after")
    def _one_band(self) -> _Band:
        band = self.ell if self.scale_mpc_h is None else self.scale_mpc_h
        if band is None or None not in (self.scale_mpc_h, self.ell):
            raise ValueError("give either scale_mpc_h or ell")
        if increasing(band)[0] <= 0:
            raise ValueError(f"scales must be positive, got {list(band)}")
        return self

    def check(self, survey: Survey) -> Survey:
        """Check that the pixels resolve both scales."""
        small, large = self._edges()
        _check_resolved(*small, survey)
        _check_resolved(*large, survey)
        return survey

    def _edges(
        self,
    ) -> tuple[tuple[float | None, float | None], tuple[float | None, float | None]]:
        """Return the smaller and the larger scale, each as (scale_mpc_h, ell)."""
        if self.scale_mpc_h is not None:
            small, large = self.scale_mpc_h
            return (small, None), (large, None)
        assert self.ell is not None
        return (None, self.ell[1]), (None, self.ell[0])

    def bandpass(self, survey: Survey) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function of the band-pass."""
        small, large = (
            _lowpass(fwhm(*edge, survey), self.profile, survey)
            for edge in self._edges()
        )
        return small - large


class LowPass(_Scale):
    """Removes scales below a given scale.

    Does not commute with noise.
    """

    operation: Literal["lowpass"] = "lowpass"
    family = Family.SCALES
    domains = ("harmonic",)
    nanoseconds_per_pixel = 20

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Multiply a_ℓm by the transfer function of the low-pass."""
        return filtered(sky, self.lowpass(sky.survey))


class HighPass(_Scale):
    """Removes scales above a given scale: the map minus its low-pass.

    Does not commute with noise.
    """

    operation: Literal["highpass"] = "highpass"
    family = Family.SCALES
    domains = ("harmonic",)
    nanoseconds_per_pixel = 20

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Multiply a_ℓm by the transfer function of the high-pass."""
        return filtered(sky, 1 - self.lowpass(sky.survey))


class BandPass(_Band):
    """Keeps a range of scales: the difference of two low-passes.

    Does not commute with noise.
    """

    operation: Literal["bandpass"] = "bandpass"
    family = Family.SCALES
    domains = ("harmonic",)
    nanoseconds_per_pixel = 20

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Multiply a_ℓm by the transfer function of the band-pass."""
        return filtered(sky, self.bandpass(sky.survey))


class BandStop(_Band):
    """Removes a range of scales: the map minus its band-pass.

    Does not commute with noise.
    """

    operation: Literal["bandstop"] = "bandstop"
    family = Family.SCALES
    domains = ("harmonic",)
    nanoseconds_per_pixel = 20

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Multiply a_ℓm by the transfer function of the band-stop."""
        return filtered(sky, 1 - self.bandpass(sky.survey))
