r"""Filters: operations that remove scales.

A length R is an angle R / χ(⟨z⟩) in each bin, the full width at half maximum (FWHM)
of a Gaussian beam; a multipole ℓ is the angle π / ℓ. Modes beyond ℓ = 3 nside - 1,
which pixels can hold but transforms cannot, are treated as those at that ℓ.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky
from infoscope.maps.harmonics import ell_of_alm, lmax_of
from infoscope.models import Interval, increasing
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family

Profile = Literal["gaussian", "tophat"]
PROFILE = "Gaussian beam exp(−ℓ(ℓ+1)σ²/2), or a hard cut at ℓ = π / FWHM."


def fwhm(scale_mpc_h: float | None, ell: float | None, survey: Survey) -> NDArray:
    """FWHM in radians of each bin: R / χ(⟨z⟩) of a length, π / ℓ of a multipole."""
    if scale_mpc_h is not None:
        return scale_mpc_h / survey.chi_mpc_h
    assert ell is not None
    return np.full(survey.n_bins, np.pi / ell)


def _refuse_unresolved(
    scale_mpc_h: float | None, ell: float | None, survey: Survey
) -> None:
    """Refuse a scale that is smaller than a pixel in every bin."""
    if fwhm(scale_mpc_h, ell, survey).max() >= survey.pixel:
        return
    if scale_mpc_h is not None:
        smallest = survey.pixel * survey.chi_mpc_h.min()
        raise ValueError(
            f"scale_mpc_h: {scale_mpc_h:g} Mpc/h is below the pixel in every bin at "
            f"nside {survey.nside}; the smallest that makes sense is "
            f"{np.ceil(10 * smallest) / 10:g}"
        )
    raise ValueError(
        f"ell: {ell:g} is beyond the pixel at nside {survey.nside}; the largest that "
        f"makes sense is {np.floor(np.pi / survey.pixel):g}"
    )


def _lowpass(fwhm: NDArray, profile: Profile, survey: Survey) -> NDArray:
    """Transfer function of a low-pass, shape (n_bins, lmax + 1)."""
    ell = np.arange(lmax_of(survey.nside) + 1)
    if profile == "tophat":
        return np.where(ell * fwhm[:, None] <= np.pi, 1.0, 0.0)
    sigma = fwhm[:, None] / np.sqrt(8 * np.log(2))
    return np.exp(-ell * (ell + 1) * sigma**2 / 2)


def filtered(sky: Sky, transfer: NDArray) -> Sky:
    """Multiply the a_ℓm of a sky by a transfer function (n_bins, lmax + 1)."""
    assert sky.alm is not None and sky.beyond is not None
    ell = ell_of_alm(lmax_of(sky.survey.nside))
    alm = np.empty_like(sky.alm)
    for out, values, factor in zip(alm, sky.alm, transfer, strict=True):
        np.multiply(values, factor[ell], out=out)
    return replace(sky, alm=alm, beyond=sky.beyond * transfer[:, -1])


class _Scale(Operation):
    """A scale in comoving Mpc/h, or a multipole."""

    scale_mpc_h: float | None = Field(
        None,
        gt=0,
        description="Comoving scale R in Mpc/h; FWHM = R / χ(⟨z⟩) in each bin.",
    )
    ell: float | None = Field(
        None, gt=0, description="Multipole ℓ; FWHM = π / ℓ in all bins."
    )
    profile: Profile = Field("gaussian", description=PROFILE)

    @model_validator(mode="after")
    def _one_scale(self) -> _Scale:
        if (self.scale_mpc_h is None) == (self.ell is None):
            raise ValueError("give either scale_mpc_h or ell")
        return self

    def check(self, survey: Survey) -> Survey:
        """Refuse a scale below the pixel."""
        _refuse_unresolved(self.scale_mpc_h, self.ell, survey)
        return survey

    def lowpass(self, survey: Survey) -> NDArray:
        """Transfer function of the low-pass, shape (n_bins, lmax + 1)."""
        width = fwhm(self.scale_mpc_h, self.ell, survey)
        return _lowpass(width, self.profile, survey)


class _Band(Operation):
    """Two scales in comoving Mpc/h, or two multipoles."""

    scale_mpc_h: Interval | None = Field(
        None, description="Smallest and largest comoving scale in Mpc/h."
    )
    ell: Interval | None = Field(None, description="Smallest and largest ℓ.")
    profile: Profile = Field("gaussian", description=PROFILE)

    @model_validator(mode="after")
    def _one_band(self) -> _Band:
        band = self.ell if self.scale_mpc_h is None else self.scale_mpc_h
        if band is None or None not in (self.scale_mpc_h, self.ell):
            raise ValueError("give either scale_mpc_h or ell")
        if increasing(band)[0] <= 0:
            raise ValueError("scales must be positive")
        return self

    def check(self, survey: Survey) -> Survey:
        """Refuse a scale below the pixel."""
        small, large = self._edges()
        _refuse_unresolved(*small, survey)
        _refuse_unresolved(*large, survey)
        return survey

    def _edges(
        self,
    ) -> tuple[tuple[float | None, float | None], tuple[float | None, float | None]]:
        """Smaller and larger scale, each as (scale_mpc_h, ell)."""
        if self.scale_mpc_h is not None:
            small, large = self.scale_mpc_h
            return (small, None), (large, None)
        assert self.ell is not None
        return (None, self.ell[1]), (None, self.ell[0])

    def bandpass(self, survey: Survey) -> NDArray:
        """Transfer function of the band-pass, shape (n_bins, lmax + 1)."""
        small, large = (
            _lowpass(fwhm(*edge, survey), self.profile, survey)
            for edge in self._edges()
        )
        return small - large


class LowPass(_Scale):
    """Removes small scales. Does not commute with noise."""

    operation: Literal["lowpass"] = "lowpass"
    family = Family.SCALES
    domains = ("harmonic",)
    nanoseconds_per_pixel = 20

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Remove scales smaller than the given one."""
        return filtered(sky, self.lowpass(sky.survey))


class HighPass(_Scale):
    """Removes large scales: the map minus its low-pass.

    Does not commute with noise.
    """

    operation: Literal["highpass"] = "highpass"
    family = Family.SCALES
    domains = ("harmonic",)
    nanoseconds_per_pixel = 20

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Remove scales larger than the given one."""
        return filtered(sky, 1 - self.lowpass(sky.survey))


class BandPass(_Band):
    """Keeps scales between two: the difference of two low-passes.

    Does not commute with noise.
    """

    operation: Literal["bandpass"] = "bandpass"
    family = Family.SCALES
    domains = ("harmonic",)
    nanoseconds_per_pixel = 20

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Keep scales between two."""
        return filtered(sky, self.bandpass(sky.survey))


class BandStop(_Band):
    """Removes scales between two: the map minus its band-pass.

    Does not commute with noise.
    """

    operation: Literal["bandstop"] = "bandstop"
    family = Family.SCALES
    domains = ("harmonic",)
    nanoseconds_per_pixel = 20

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Remove scales between two."""
        return filtered(sky, 1 - self.bandpass(sky.survey))
