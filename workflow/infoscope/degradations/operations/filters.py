r"""Filters: operations that remove scales, and add a floor of white noise.

A comoving length R corresponds to the angle R / χ(⟨z⟩) in each bin, which is the full
width at half maximum (FWHM) of a Gaussian beam. A multipole ℓ corresponds to the angle
π / ℓ.

Patches are filtered in the basis of a cosine transform, which continues them beyond
their edges as in a mirror. A hard cut then removes a subspace of the pixels, and the
jump between opposite edges does not leak into small scales (benchmarks/edges.py
compares other treatments of the edges). Without the floor, a network could divide
noisy maps by the transfer function of a filter, and nothing would be removed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Generic, Literal, TypeVar

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from infoscope.degradations.operation import Operation, Response
from infoscope.degradations.patches import Constants, Patches
from infoscope.models import Interval, increasing
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

PIXELS_AT_ONCE = 2**16  # in single precision, they stay in the cache of a core


def _positive(band: Interval) -> Interval:
    if increasing(band)[0] <= 0:
        raise ValueError(f"must be positive, got {list(band)}")
    return band


Scale = Annotated[float, Field(gt=0)]
Band = Annotated[Interval, AfterValidator(_positive)]
ScaleOrBand = TypeVar("ScaleOrBand", Scale, Band)


def ell_of_modes(survey: Survey) -> Float[NDArray, "side side"]:
    """Return the multipole π √(i² + j²) / side of each mode of the cosine transform."""
    ell = np.pi / survey.side * np.arange(survey.pixels)
    return np.hypot(ell[:, None], ell)


def filtered(
    kappa: Float[NDArray, "n_bins n_patch side side"],
    transfer: Float[NDArray, "n_bins side side"],
    floor: Float[NDArray, " n_bins"],
    rng: np.random.Generator,
) -> Float[NDArray, "n_bins n_patch side side"]:
    """Multiply the modes of patches by a transfer function, and add white noise.

    Transforms are in single precision, like degraded patches in files.

    Parameters
    ----------
    kappa
        Convergence.
    transfer
        Transfer function at the modes of the cosine transform.
    floor
        Standard deviation of the noise in each pixel.
    rng
        Random number generator.
    """
    # every job that Snakemake starts reads the operations
    from scipy.fft import dctn, idctn

    _, n_patch, side, _ = kappa.shape
    out = np.empty(kappa.shape)
    step = max(1, PIXELS_AT_ONCE // side**2)
    factors = transfer.astype(np.float32)
    for maps, factor, sigma, result in zip(kappa, factors, floor, out, strict=True):
        for part in (slice(i, i + step) for i in range(0, n_patch, step)):
            modes = dctn(maps[part].astype(np.float32), axes=(1, 2), norm="ortho")
            modes *= factor
            result[part] = idctn(modes, axes=(1, 2), norm="ortho", overwrite_x=True)
            if sigma:
                noise = rng.standard_normal(modes.shape, np.float32)
                noise *= np.float32(sigma)
                result[part] += noise
    return out


class _Filter(Operation, Generic[ScaleOrBand]):
    """A low-pass or a band-pass, or the map minus that."""

    scale_mpc_h: ScaleOrBand | None = Field(
        None,
        description="Comoving scale R in Mpc/h (of a band: the smallest and the "
        "largest); the FWHM is R / χ(⟨z⟩) in each bin.",
    )
    ell: ScaleOrBand | None = Field(
        None,
        description="Multipole ℓ (of a band: the smallest and the largest); the FWHM "
        "is π / ℓ in all bins.",
    )
    profile: Literal["gaussian", "tophat"] = Field(
        "gaussian",
        description="Shape of the filter: a Gaussian beam exp(−ℓ(ℓ+1)σ²/2), or a sharp "
        "cut at ℓ = π / FWHM.",
    )
    floor: float = Field(
        0.01,
        ge=0,
        description="Standard deviation of the white noise that is added after the "
        "filter, in units of the shape noise of a pixel. Modes below it are lost.",
    )

    family = Family.SCALES
    nanoseconds_per_pixel = 13
    complement: ClassVar[bool] = False  # whether the low-pass or band-pass is removed

    @model_validator(mode="after")
    def _one_scale(self) -> _Filter[ScaleOrBand]:
        if (self.scale_mpc_h is None) == (self.ell is None):
            raise ValueError("give either scale_mpc_h or ell")
        return self

    @property
    def invertible(self) -> bool:
        """Whether no mode is lost: Gaussian, without a floor."""
        return self.profile == "gaussian" and self.floor == 0

    def fwhm(self, survey: Survey) -> Float[NDArray, "n_scales n_bins"]:
        """Convert the scale, or the smaller and the larger one, to radians."""
        if self.scale_mpc_h is not None:
            return np.atleast_1d(self.scale_mpc_h)[:, None] / survey.chi_mpc_h
        assert self.ell is not None
        return np.pi / np.atleast_1d(self.ell)[::-1, None] * np.ones(survey.n_bins)

    def check(self, survey: Survey) -> Survey:
        """Check that patches have the scales, and modes between them."""
        patches = f"patches of {survey.side_deg:g}°"
        chi = survey.chi_mpc_h
        key = "ell" if self.scale_mpc_h is None else "scale_mpc_h"
        for fwhm in self.fwhm(survey):
            if fwhm.max() < survey.pixel:
                problem = "is not resolved by the pixels in any bin"
                in_mpc_h = f"least {np.ceil(10 * survey.pixel * chi.min()) / 10:g}"
                in_ell = f"most {np.floor(np.pi / survey.pixel):g}"
            elif fwhm.min() > survey.side:
                problem = f"does not fit into {patches} in any bin"
                in_mpc_h = f"most {np.floor(10 * survey.side * chi.max()) / 10:g}"
                in_ell = f"least {np.ceil(np.pi / survey.side):g}"
            else:
                continue
            if key == "ell":
                value, choice = f"{np.pi / fwhm[0]:g}", in_ell
            else:
                value, choice = f"{fwhm[0] * chi[0]:g} Mpc/h", in_mpc_h
            raise ValueError(f"{key}: {value} {problem}; choose at {choice}")
        if not self._passed(survey, ell_of_modes(survey).ravel()[1:]).any():
            raise ValueError(f"{key}: {patches} have no mode in this band; widen it")
        return survey

    def _passed(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Transfer function of the low-pass or of the band-pass."""
        fwhm = self.fwhm(survey)[..., None]
        if self.profile == "tophat":
            passes = (ell * fwhm <= np.pi).astype(float)
        else:
            passes = np.exp(-ell * (ell + 1) * fwhm**2 / (16 * np.log(2)))
        return passes[0] - passes[1:].sum(axis=0)

    def transfer(
        self, survey: Survey, ell: Float[NDArray, " n_ell"]
    ) -> Float[NDArray, "n_bins n_ell"]:
        """Return the factor by which modes at multipoles ℓ are multiplied."""
        passed = self._passed(survey, ell)
        return 1 - passed if self.complement else passed

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Multiply modes by the transfer function, and add the floor."""
        survey = patches.survey
        ell = ell_of_modes(survey)
        transfer = self.transfer(survey, ell.ravel()).reshape(-1, *ell.shape)
        floor = self.floor * survey.shape_noise
        return replace(patches, kappa=filtered(patches.kappa, transfer, floor, rng))

    def response(self, survey: Survey, ell: Float[NDArray, " n_ell"]) -> Response:
        """Return the transfer function, and the spectrum of the floor."""
        weights = self.transfer(survey, ell).T[..., None] * np.eye(survey.n_bins)
        return Response(weights, (self.floor * survey.shape_noise * survey.pixel) ** 2)


class LowPass(_Filter[Scale]):
    """Removes scales below a given scale.

    Does not commute with noise.
    """

    operation: Literal["lowpass"] = "lowpass"


class HighPass(_Filter[Scale]):
    """Removes scales above a given scale: the map minus its low-pass.

    Does not commute with noise.
    """

    operation: Literal["highpass"] = "highpass"
    complement = True


class BandPass(_Filter[Band]):
    """Keeps a range of scales: the difference of two low-passes.

    Does not commute with noise.
    """

    operation: Literal["bandpass"] = "bandpass"


class BandStop(_Filter[Band]):
    """Removes a range of scales: the map minus its band-pass.

    Does not commute with noise.
    """

    operation: Literal["bandstop"] = "bandstop"
    complement = True
