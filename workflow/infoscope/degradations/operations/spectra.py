"""Operations that remove non-Gaussian or Gaussian information."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky
from infoscope.maps import harmonics
from infoscope.maps.harmonics import lmax_of
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray


class RandomizePhases(Operation):
    """Multiplies the a_ℓm of all bins by a random phase, which preserves only spectra.

    Each (ℓ, m) has its own phase, the same in all bins.
    """

    operation: Literal["randomize_phases"] = "randomize_phases"
    family = Family.STATISTICS
    domains = ("harmonic",)
    nanoseconds_per_pixel = 80

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Multiply the a_ℓm by random phases.

        The auto- and cross-spectra of the a_ℓm are preserved exactly. Spectra measured
        on the new map agree as far as its pixels distinguish modes: to 0.1 % up to
        ℓ = 2 nside, and 12 % too high at the band limit. A quarter of the degrees of
        freedom of the pixels lies beyond the band limit, at ℓ > 3 nside - 1, and
        contains only noise. This part is replaced by Gaussian noise with the same
        covariance, because the total noise of the survey would otherwise be lower.
        """
        assert sky.alm is not None
        lmax = lmax_of(sky.survey.nside)
        phase = np.exp(2j * np.pi * rng.random(sky.alm.shape[1]))
        # coefficients with m = 0 come first and are real: only their sign is random
        phase[: lmax + 1] = rng.choice([-1.0, 1.0], lmax + 1)
        noise = rng.standard_normal(sky.maps.shape, np.float32)
        fraction_beyond = 1 - (lmax + 1) ** 2 / noise.shape[1]
        noise = _root(sky.covariance_beyond() / fraction_beyond) @ noise
        return replace(
            sky,
            maps=noise,
            alm=phase * sky.alm,
            analysed=harmonics.analysis(noise),
            beyond=np.ones(len(noise)),
        )


class FlattenSpectrum(Operation):
    """Whitens the bins at each ℓ: auto-spectra become 1, and only phases are preserved.

    Does not commute with noise, which is part of the spectra.
    """

    operation: Literal["flatten_spectrum"] = "flatten_spectrum"
    family = Family.STATISTICS
    domains = ("harmonic",)
    nanoseconds_per_pixel = 40
    template: list[tuple[float, float]] | None = Field(
        None,
        min_length=1,
        description="Points [ℓ, C_ℓ] of the spectrum that replaces 1 in every bin, "
        "interpolated linearly in log ℓ and log C_ℓ, and constant outside.",
    )

    @field_validator("template")
    @classmethod
    def _template(
        cls, value: list[tuple[float, float]] | None
    ) -> list[tuple[float, float]] | None:
        if value is None:
            return None
        ell = [point[0] for point in value]
        if min(min(point) for point in value) <= 0 or ell != sorted(set(ell)):
            raise ValueError("must have increasing ℓ > 0 and C_ℓ > 0")
        return value

    def spectrum(self, lmax: int) -> Float[NDArray, " n_ell"]:
        """Compute the target spectrum of all bins for ℓ = 0 … lmax."""
        if self.template is None:
            return np.ones(lmax + 1)
        ell, cl = np.log(np.transpose(self.template))
        return np.exp(np.interp(np.log(np.maximum(np.arange(lmax + 1), 1)), ell, cl))

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        r"""Multiply the bins at each ℓ by the inverse root of their measured spectra.

        .. math:: a'_{\ell m} = \sqrt{T_\ell}\, C_\ell^{-1/2} a_{\ell m},

        with the matrix :math:`C_\ell` of the auto- and cross-spectra of this sky, and
        the template :math:`T_\ell`. Auto-spectra become the template, and cross-spectra
        vanish. Of all matrix roots, the symmetric one changes the bins least; the
        phases of a single bin are preserved exactly. Where the bins are linearly
        dependent (at ℓ = 0 and 1 there are fewer modes than four bins), only the
        independent combinations are normalised. The operation undoes a Gaussian filter
        that is applied before it.
        """
        assert sky.alm is not None and sky.analysed is not None
        lmax = lmax_of(sky.survey.nside)
        template = self.spectrum(lmax)
        measured = np.moveaxis(harmonics.spectra(sky.alm, lmax), -1, 0)
        weights = np.sqrt(template)[:, None, None] * _inverse_root(measured)
        # with real and imaginary parts side by side, this takes half the time
        weights = np.repeat(np.moveaxis(weights, 0, -1), 2, axis=-1)
        parts = sky.alm.view(float)
        alm = np.empty_like(parts)
        start = 0
        for m in range(lmax + 1):
            same_m = np.s_[:, start : start + 2 * (lmax + 1 - m)]
            np.einsum(
                "ijl,jl->il", weights[..., 2 * m :], parts[same_m], out=alm[same_m]
            )
            start = same_m[1].stop
        # variance beyond the band limit of white noise at the level of the template
        n_pix = sky.maps.shape[1]
        variance = template[-1] * (n_pix - (lmax + 1) ** 2) / (4 * np.pi)
        # less than 1e-3 of the variance within the band is an error of the transforms
        in_band = np.tensordot(2 * np.arange(lmax + 1) + 1, measured, 1) / (4 * np.pi)
        floor = 1e-3 * np.linalg.eigvalsh(in_band).max()
        mixing = np.sqrt(variance) * _inverse_root(sky.covariance_beyond(), floor)
        mixing = mixing * sky.beyond
        return replace(
            sky,
            maps=mixing @ sky.maps,
            alm=alm.view(complex),
            analysed=mixing @ sky.analysed,
            beyond=mixing.any(axis=1).astype(float),
        )


def _root(matrix: Float[NDArray, "... n n"]) -> Float[NDArray, "... n n"]:
    """Compute the symmetric square root of covariance matrices."""
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.maximum(values, 0))
    return (vectors * roots[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def _inverse_root(
    matrix: Float[NDArray, "... n n"], floor: float = 0.0
) -> Float[NDArray, "... n n"]:
    """Compute the symmetric root of the pseudo-inverse of covariance matrices.

    Directions whose variance is at most `floor`, or 1e-10 of the largest, are set to 0.
    """
    values, vectors = np.linalg.eigh(matrix)
    significant = values > np.maximum(floor, 1e-10 * values[..., -1:])
    roots = np.where(significant, 1 / np.sqrt(np.where(significant, values, 1)), 0)
    return (vectors * roots[..., None, :]) @ np.swapaxes(vectors, -1, -2)
