"""Operations that remove non-Gaussian information, or all that is Gaussian."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from infoscope.degradations.operation import Operation
from infoscope.degradations.sky import Sky
from infoscope.maps import harmonics
from infoscope.maps.harmonics import lmax_of
from infoscope.vocabulary import Family


class RandomizePhases(Operation):
    """Rotates a_ℓm of all bins by one random phase: only spectra are left."""

    operation: Literal["randomize_phases"] = "randomize_phases"
    family = Family.STATISTICS
    domains = ("harmonic",)
    nanoseconds_per_pixel = 80

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        """Multiply a_ℓm of all bins by one random phase.

        Auto- and cross-spectra of the a_ℓm survive exactly. Those measured on the new
        map survive as far as its pixels separate modes: to 0.1 % up to ℓ = 2 nside, and
        12 % too high at the band limit. A quarter of the degrees of freedom of the
        pixels lies beyond it, at ℓ > 3 nside - 1, where there is only noise. It is
        replaced by Gaussian noise of the same covariance: without it, the survey would
        have lower noise.
        """
        assert sky.alm is not None
        lmax = lmax_of(sky.survey.nside)
        phase = np.exp(2j * np.pi * rng.random(sky.alm.shape[1]))
        # m = 0 coefficients come first and are real: only their sign is free
        phase[: lmax + 1] = rng.choice([-1.0, 1.0], lmax + 1)
        noise = rng.standard_normal(sky.maps.shape, np.float32)
        share = 1 - (lmax + 1) ** 2 / noise.shape[1]
        noise = _root(sky.covariance_beyond() / share) @ noise
        return replace(
            sky,
            maps=noise,
            alm=phase * sky.alm,
            analysed=harmonics.analysis(noise),
            beyond=np.ones(len(noise)),
        )


class FlattenSpectrum(Operation):
    """Whitens the bins at each ℓ: all spectra become 1, only phases are left.

    Does not commute with noise, which is part of the spectra.
    """

    operation: Literal["flatten_spectrum"] = "flatten_spectrum"
    family = Family.STATISTICS
    domains = ("harmonic",)
    nanoseconds_per_pixel = 40
    template: list[tuple[float, float]] | None = Field(
        None,
        min_length=1,
        description="Points [ℓ, C_ℓ] of the spectrum that every bin gets instead of 1, "
        "interpolated in log ℓ and log C_ℓ, constant outside.",
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

    def spectrum(self, lmax: int) -> NDArray:
        """Spectrum that all bins get, shape (lmax + 1,)."""
        if self.template is None:
            return np.ones(lmax + 1)
        ell, cl = np.log(np.transpose(self.template))
        return np.exp(np.interp(np.log(np.maximum(np.arange(lmax + 1), 1)), ell, cl))

    def apply(self, sky: Sky, rng: np.random.Generator) -> Sky:
        r"""Multiply the bins at each ℓ by the inverse root of their measured spectra.

        .. math:: a'_{\ell m} = \sqrt{T_\ell}\, C_\ell^{-1/2} a_{\ell m},

        with the matrix of auto- and cross-spectra :math:`C_\ell` of this sky and the
        template :math:`T_\ell`: auto-spectra become the template, cross-spectra vanish.
        The symmetric root changes the bins least; a single bin keeps its phases
        exactly. Where bins are not independent (ℓ = 0 and 1 have fewer modes than four
        bins) only the combinations that exist are normalised. It undoes a Gaussian
        filter before it.
        """
        assert sky.alm is not None and sky.analysed is not None
        lmax = lmax_of(sky.survey.nside)
        template = self.spectrum(lmax)
        measured = np.moveaxis(harmonics.spectra(sky.alm, lmax), -1, 0)
        weights = np.sqrt(template)[:, None, None] * _inverse_root(measured)
        # real and imaginary parts in a row: half the time of complex numbers
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
        # white noise of this spectrum has this variance beyond the band limit
        n_pix = sky.maps.shape[1]
        variance = template[-1] * (n_pix - (lmax + 1) ** 2) / (4 * np.pi)
        # below a thousandth of what is inside, it is the error of the transforms
        inside = np.tensordot(2 * np.arange(lmax + 1) + 1, measured, 1) / (4 * np.pi)
        floor = 1e-3 * np.linalg.eigvalsh(inside).max()
        mixing = np.sqrt(variance) * _inverse_root(sky.covariance_beyond(), floor)
        mixing = mixing * sky.beyond
        return replace(
            sky,
            maps=mixing @ sky.maps,
            alm=alm.view(complex),
            analysed=mixing @ sky.analysed,
            beyond=mixing.any(axis=1).astype(float),
        )


def _root(matrix: NDArray) -> NDArray:
    """Symmetric root of covariance matrices (…, n, n)."""
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.maximum(values, 0))
    return (vectors * roots[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def _inverse_root(matrix: NDArray, floor: float = 0.0) -> NDArray:
    """Symmetric pseudo-inverse root of covariance matrices (…, n, n).

    Directions without variance, at most `floor` or 1e-10 of the largest, vanish.
    """
    values, vectors = np.linalg.eigh(matrix)
    real = values > np.maximum(floor, 1e-10 * values[..., -1:])
    roots = np.where(real, 1 / np.sqrt(np.where(real, values, 1)), 0)
    return (vectors * roots[..., None, :]) @ np.swapaxes(vectors, -1, -2)
