r"""Filters: operations that remove scales.

A comoving length R corresponds to the angle R / χ(⟨z⟩) in each bin, which is the full
width at half maximum (FWHM) of a Gaussian beam. A multipole ℓ corresponds to the angle
π / ℓ.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator
from scipy.fft import dctn, idctn

from infoscope.degradations.operation import Operation, Response
from infoscope.degradations.patches import Constants, Patches, per_bin
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
            f"; choose at least "
            f"{np.ceil(10 * smallest) / 10:g}"
        )
    raise ValueError(
        f"ell: {ell:g} is not resolved by the pixels ; choose "
        f"at most {np.floor(np.pi / survey.pixel):g}"
    )


def _lowpass(
    fwhm: Float[NDArray, " n_bins"], profile: Profile, ell: Float[NDArray, " n_ell"]
) -> Float[NDArray, "n_bins n_ell"]:
    """Compute the transfer function of a low-pass."""
    if profile == "tophat":
        return np.where(ell * fwhm[:, None] <= np.pi, 1.0, 0.0)
    sigma = fwhm[:, None] / np.sqrt(8 * np.log(2))
    return np.exp(-ell * (ell + 1) * sigma**2 / 2)


class _Filter(Operation):
    """Filter with a floor of white noise."""

    family = Family.SCALES
    nanoseconds_per_pixel = 60
    profile: Profile = Field("gaussian", description=PROFILE)
    floor: float = Field(
        0.01,
        ge=0,
        description="White noise that is added after the filter, in units of the shape "
        "noise of a pixel: modes far below it are lost.",
    )

    def transfer(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function."""
        raise NotImplementedError

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Multiply the modes of patches by the transfer function, and add the floor."""
        survey, side = patches.survey, patches.survey.pixels
        number = np.arange(side)
        ell = np.pi / survey.side * np.hypot(number[:, None], number)
        transfer = self.transfer(survey, ell.ravel()).reshape(-1, 1, side, side)
        modes = dctn(patches.kappa, axes=(2, 3), norm="ortho") * transfer
        kappa = idctn(modes, axes=(2, 3), norm="ortho")
        floor = self.floor * survey.shape_noise
        kappa += per_bin(floor) * rng.standard_normal(kappa.shape)
        return replace(patches, kappa=kappa)

    def response(self, survey: Survey, ell: Float[NDArray, " n_ell"]) -> Response:
        """Return the transfer function and the floor."""
        weights = self.transfer(survey, ell).T[:, :, None] * np.eye(survey.n_bins)
        return Response(weights, (self.floor * survey.shape_noise * survey.pixel) ** 2)


class _Scale(_Filter):
    """Filter at one scale: a comoving length or a multipole."""

    scale_mpc_h: float | None = Field(
        None,
        gt=0,
        description="Comoving scale R in Mpc/h; the FWHM is R / χ(⟨z⟩) in each bin.",
    )
    ell: float | None = Field(
        None, gt=0, description="Multipole ℓ; the FWHM is π / ℓ in all bins."
    )

    @model_validator(mode="after")
    def _one_scale(self) -> _Scale:
        if (self.scale_mpc_h is None) == (self.ell is None):
            raise ValueError("give either scale_mpc_h or ell")
        return self

    def check(self, survey: Survey) -> Survey:
        """Check that the pixels resolve the scale."""
        _check_resolved(self.scale_mpc_h, self.ell, survey)
        return survey

    def lowpass(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function of the low-pass."""
        width = fwhm(self.scale_mpc_h, self.ell, survey)
        return _lowpass(width, self.profile, ell)


class _Band(_Filter):
    """Filter between two scales: comoving lengths or multipoles."""

    scale_mpc_h: Interval | None = Field(
        None, description="Smallest and largest comoving scale in Mpc/h."
    )
    ell: Interval | None = Field(None, description="Smallest and largest multipole ℓ.")

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

    def bandpass(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function of the band-pass."""
        small, large = (
            _lowpass(fwhm(*edge, survey), self.profile, ell) for edge in self._edges()
        )
        return small - large


class LowPass(_Scale):
    """Removes scales below a given scale.

    Does not commute with noise.
    """

    operation: Literal["lowpass"] = "lowpass"

    def transfer(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function."""
        return self.lowpass(survey, ell)


class HighPass(_Scale):
    """Removes scales above a given scale: the map minus its low-pass.

    Does not commute with noise.
    """

    operation: Literal["highpass"] = "highpass"

    def transfer(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function."""
        return 1 - self.lowpass(survey, ell)


class BandPass(_Band):
    """Keeps a range of scales: the difference of two low-passes.

    Does not commute with noise.
    """

    operation: Literal["bandpass"] = "bandpass"

    def transfer(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function."""
        return self.bandpass(survey, ell)


class BandStop(_Band):
    """Removes a range of scales: the map minus its band-pass.

    Does not commute with noise.
    """

    operation: Literal["bandstop"] = "bandstop"

    def transfer(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Compute the transfer function."""
        return 1 - self.bandpass(survey, ell)
