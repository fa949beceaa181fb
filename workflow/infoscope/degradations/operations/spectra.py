"""Operations that remove non-Gaussian or Gaussian information."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from infoscope.degradations.operation import Operation, Response
from infoscope.degradations.patches import Constants, Patches
from infoscope.survey.survey import Survey
from infoscope.vocabulary import Family

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import NDArray


class RandomizePhases(Operation):
    """Gives each Fourier mode of a patch a random phase, which preserves only spectra.

    Each mode has its own phase, the same in all bins.
    """

    operation: Literal["randomize_phases"] = "randomize_phases"
    family = Family.STATISTICS
    nanoseconds_per_pixel = 15
    preserves_spectra = True

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        """Multiply the Fourier modes by the phases of white noise.

        The auto- and cross-spectra of each patch are preserved mode by mode. Modes that
        are their own complex conjugate are real: only their sign is random.
        """
        kappa = patches.kappa
        noise = rng.standard_normal(kappa.shape[1:])
        phase = np.fft.rfft2(noise)
        phase /= np.abs(phase)
        modes = phase * np.fft.rfft2(kappa)
        return replace(patches, kappa=np.fft.irfft2(modes, kappa.shape[2:]))

    def response(self, survey: Survey, ell: Float[NDArray, " n_ell"]) -> Response:
        """Return the response of Gaussian fields, which do not change."""
        return Response.mixing(np.eye(survey.n_bins), ell)


class FlattenSpectrum(Operation):
    """Whitens the bins of a patch: auto-spectra become 1, and cross-spectra vanish.

    The spectra are those of the patch itself, noise included, in annuli that are one
    fundamental mode wide. A filter that is the same for all patches could be undone.
    Does not commute with noise.
    """

    operation: Literal["flatten_spectrum"] = "flatten_spectrum"
    family = Family.STATISTICS
    nanoseconds_per_pixel = 35
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

    def spectrum(self, ell: Float[NDArray, " n_ell"]) -> Float[NDArray, " n_ell"]:
        """Compute the target spectrum of all bins."""
        if self.template is None:
            return np.ones(len(ell))
        points, cl = np.log(np.transpose(self.template))
        return np.exp(np.interp(np.log(np.maximum(ell, 1e-3)), points, cl))

    def apply(
        self, patches: Patches, constants: Constants, rng: np.random.Generator
    ) -> Patches:
        r"""Multiply the bins in each annulus by the inverse root of their spectra.

        .. math:: b'_k = \sqrt{T_\ell}\, C_\ell^{-1/2} b_k,

        with the matrix :math:`C_\ell` of the auto- and cross-spectra of an annulus, and
        the template :math:`T_\ell`. Of all matrix roots, the symmetric one changes the
        bins least. Annuli with fewer modes than bins, whose spectra cannot be made the
        same, are set to 0: those in the corners of the Fourier plane, and the mean. The
        operation undoes a filter that is applied before it.
        """
        kappa, survey = patches.kappa, patches.survey
        n_bins, n_patch, side, _ = kappa.shape
        annulus, weight = _annuli(side)
        n_annuli = int(annulus.max()) + 1
        ell = 2 * np.pi * np.arange(n_annuli) / survey.side
        modes = np.fft.rfft2(kappa).reshape(n_bins, n_patch, -1)
        counts = np.bincount(annulus, weight)
        # sum of the modes in each annulus, as a matrix product
        member = np.zeros((len(annulus), n_annuli))
        member[np.arange(len(annulus)), annulus] = weight / counts[annulus]
        spectra = np.empty((n_bins, n_bins, n_patch, n_annuli))
        for i in range(n_bins):
            for j in range(i + 1):
                power = (modes[i] * modes[j].conj()).real
                spectra[i, j] = spectra[j, i] = power @ member
        # |mode|² in units of the spectrum, per steradian
        unit = survey.pixel**2 / side**2
        roots = _inverse_root(np.moveaxis(spectra, (0, 1), (-2, -1)) * unit)
        roots = np.sqrt(self.spectrum(ell))[:, None, None] * roots
        # a complex mode has two real numbers, and counts twice
        roots[:, counts < n_bins] = 0
        roots[:, 0] = 0  # the mean
        whitened = np.einsum("pmij,jpm->ipm", roots[:, annulus], modes, optimize=True)
        whitened = whitened.reshape(n_bins, n_patch, side, side // 2 + 1)
        return replace(patches, kappa=np.fft.irfft2(whitened, (side, side)))


def _annuli(side: int) -> tuple[Int[NDArray, " n_mode"], Float[NDArray, " n_mode"]]:
    """Return the annulus of each mode of `numpy.fft.rfft2`, and how often it counts."""
    rows = np.fft.fftfreq(side, 1 / side)
    columns = np.arange(side // 2 + 1)
    annulus = np.rint(np.hypot(rows[:, None], columns)).astype(np.intp)
    # modes whose complex conjugate is left out count twice
    twice = (columns > 0) & (2 * columns < side)
    weight = np.broadcast_to(np.where(twice, 2.0, 1.0), annulus.shape)
    return annulus.ravel(), weight.ravel()


def _inverse_root(matrix: Float[NDArray, "*shape n n"]) -> Float[NDArray, "*shape n n"]:
    """Compute the symmetric root of the pseudo-inverse of covariance matrices.

    Directions with at most 1e-10 of the largest variance are set to 0.
    """
    values, vectors = np.linalg.eigh(matrix)
    significant = values > np.maximum(1e-10 * values[..., -1:], np.finfo(float).tiny)
    roots = np.where(significant, 1 / np.sqrt(np.where(significant, values, 1)), 0)
    return (vectors * roots[..., None, :]) @ np.swapaxes(vectors, -1, -2)
