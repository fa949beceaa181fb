"""How much information the cosine modes of a patch miss, against exact pixels.

    OMP_NUM_THREADS=1 PYTHONPATH=workflow python benchmarks/modes.py [bins …]

Prints the width from the exact covariance of all pixels divided by that of the Fisher
forecast, with the default noise: for σ(S_8) at a fixed Ω_m, σ(S_8), σ(Ω_m) and area.
Beside it, the same for periodic plane waves with the spectra of the sky, which a patch
does not have. The patches are those of Lambert's projection. Four bins (1 2 3 4) take
about 15 seconds per line; a single bin, the last by default, less than a second.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.polynomial.legendre import legval
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.interpolate import CubicSpline

from infoscope.cosmology.config import CosmologyConfig
from infoscope.degradations import Operation, Survey
from infoscope.degradations.operations.filters import HighPass, LowPass
from infoscope.survey.survey import read_nz
from infoscope.theory.fisher import (
    after_operations,
    fisher_matrix,
    spectra_and_derivatives,
)
from infoscope.theory.modes import Modes

NZ = read_nz(Path(__file__).parents[1] / "resources/nz/des_like.txt")
COSMOLOGY = CosmologyConfig()
# side in degrees, pixels, band limit, and ℓ of hard cuts
CASES = (
    (29.3, 32, 128, (30, 50, 80)),
    (10, 32, 512, (80, 150)),
    (5, 32, 1024, (150, 300)),
)


def survey_of(side_deg: float, pixels: int, bins: list[int]) -> Survey:
    """Default survey with some of the bins."""
    four = Survey(
        side_deg, pixels, COSMOLOGY.fiducial.omega_m, COSMOLOGY.h, NZ.mean,
        np.full(4, 2.5), np.full(4, 0.4),
    )  # fmt: skip
    return four.selected(bins)


def exact_covariances(spectra: NDArray, side: float, pixels: int) -> NDArray:
    """Covariances between the pixels of a patch in Lambert's projection.

    Parameters
    ----------
    spectra
        Spectra (n, n_ell, n_bins, n_bins).

    Returns
    -------
        Covariances (n, n_bins, n_bins, pixels², pixels²).
    """
    x = side * ((np.arange(pixels) + 0.5) / pixels - 0.5)
    x, y = (each.ravel() for each in np.meshgrid(x, x))
    square = x**2 + y**2
    scale = np.sqrt(1 - square / 4)
    directions = np.stack([x * scale, y * scale, 1 - square / 2])
    angle = np.arccos(np.clip(directions.T @ directions, -1, 1))
    np.fill_diagonal(angle, 0)
    ell = np.arange(spectra.shape[1])
    points = np.linspace(0, angle.max(), 16 * len(ell))
    covariances = np.empty((*np.delete(spectra.shape, 1), *angle.shape))
    for place in np.ndindex(covariances.shape[:3]):
        cl = spectra[place[0], :, place[1], place[2]] * (2 * ell + 1) / (4 * np.pi)
        covariances[place] = CubicSpline(points, legval(np.cos(points), cl))(angle)
    return covariances


def joined(covariance: NDArray) -> NDArray:
    """Matrix of all bins and pixels."""
    n_bins, _, n_pixel, _ = covariance.shape
    return covariance.swapaxes(1, 2).reshape(n_bins * n_pixel, -1)


def information(covariance: NDArray, derivatives: list[NDArray]) -> NDArray:
    """Fisher matrix for a covariance of pixels."""
    relative = [np.linalg.solve(covariance, each) for each in derivatives]
    return np.array([[(a * b.T).sum() / 2 for b in relative] for a in relative])


def exact(covariances: NDArray, survey: Survey, operations: list[Operation]) -> NDArray:
    """Fisher matrix of all pixels, without their mean, after noise and filters."""
    pixels, n_bins = survey.pixels, survey.n_bins
    basis = np.eye(pixels**2).reshape(-1, pixels, pixels)
    modes = dctn(basis, axes=(1, 2), norm="ortho")
    modes[:, 0, 0] = 0
    # matrix (n_bins, pixels², pixels²) that removes the mean, and filters
    change = np.stack([modes] * n_bins)
    noise = survey.shape_noise**2
    floor = 1e-20 * noise
    number = np.arange(pixels)
    ell = np.pi / survey.side * np.hypot(number[:, None], number)
    for operation in operations:
        transfer = operation.transfer(survey, ell.ravel())
        change *= transfer.reshape(n_bins, 1, pixels, pixels)
        floor = floor + (operation.floor * survey.shape_noise) ** 2
    change = idctn(change, axes=(2, 3), norm="ortho").reshape(n_bins, pixels**2, -1)

    def changed(covariance: NDArray) -> NDArray:
        by_bin = np.einsum(
            "apk,abkl,bql->abpq", change, covariance, change, optimize=True
        )
        return joined(by_bin)

    def white(variance: NDArray) -> NDArray:
        return np.einsum("ab,pq->abpq", np.diag(variance), np.eye(pixels**2))

    # the mean, with an infinite variance
    mean = np.kron(np.diag(noise), np.ones((pixels**2, pixels**2)))
    total = changed(covariances[0] + white(noise)) + joined(white(floor)) + 1e3 * mean
    return information(total, [changed(each) for each in covariances[1:]])


def forecast(spectra: NDArray, survey: Survey, operations: list[Operation]) -> NDArray:
    """Fisher matrix of the forecast."""
    modes = Modes.of(survey.side, survey.pixels, spectra.shape[1] - 1)
    of_modes = modes.spectra(spectra)
    field = after_operations(
        of_modes[0], of_modes[1:], modes.ell, survey, operations, "before"
    )
    return fisher_matrix(field, modes.degeneracy)


def plane_waves(
    spectra: NDArray, survey: Survey, operations: list[Operation]
) -> NDArray:
    """Fisher matrix of periodic plane waves with the spectra of the sky."""
    number = np.fft.fftfreq(survey.pixels, 1 / survey.pixels)
    ell = 2 * np.pi / survey.side * np.hypot(number[:, None], number).ravel()
    ell = ell[(ell > 0) & (ell < spectra.shape[1] - 1)]
    of_waves = CubicSpline(np.arange(spectra.shape[1]) + 0.5, spectra, axis=1)(ell)
    field = after_operations(
        of_waves[0], of_waves[1:], ell, survey, operations, "before"
    )
    return fisher_matrix(field, np.ones(len(ell)))


def widths(matrix: NDArray) -> NDArray:
    """σ(S_8) at a fixed Ω_m, σ(S_8), σ(Ω_m), and the area up to a factor."""
    omega_m, s_8 = np.sqrt(np.diag(np.linalg.inv(matrix)))
    return np.array([matrix[1, 1] ** -0.5, s_8, omega_m, np.linalg.det(matrix) ** -0.5])


def main(bins: list[int]) -> None:
    """Print the ratios of all cases."""
    spectra, derivatives = spectra_and_derivatives(
        COSMOLOGY, NZ, 100.0, max(lmax for _, _, lmax, _ in CASES)
    )
    every = np.concatenate([spectra[None], derivatives])[:, :, bins][..., bins]
    print(f"{'exact / forecast':31s} cosine modes                plane waves")
    for side_deg, pixels, lmax, cuts in CASES:
        survey = survey_of(side_deg, pixels, bins)
        within = every[:, : lmax + 1]
        covariances = exact_covariances(within, survey.side, pixels)
        chosen: list[list[Operation]] = [[]]
        chosen += [[LowPass(ell=cut, profile="tophat")] for cut in cuts]
        chosen += [[HighPass(ell=cut, profile="tophat")] for cut in cuts]
        chosen += [[LowPass(ell=cuts[-1])], [HighPass(ell=cuts[-1])]]
        for operations in chosen:
            of_pixels = widths(exact(covariances, survey, operations))
            ratios = [
                of_pixels / widths(each(within, survey, operations))
                for each in (forecast, plane_waves)
            ]
            name = " ".join(
                f"{each.name_in_config} {each.ell:g} {each.profile}"
                for each in operations
            )
            numbers = "   ".join(
                " ".join(f"{value:6.3f}" for value in each) for each in ratios
            )
            print(f"{side_deg:4g}° {name or 'reference':25s} {numbers}", flush=True)


if __name__ == "__main__":
    main([int(number) - 1 for number in sys.argv[1:]] or [3])
