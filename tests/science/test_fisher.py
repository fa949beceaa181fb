"""The Fisher matrix is the covariance of the score, with converged derivatives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.polynomial.legendre import legval
from scipy.fft import dctn, idctn
from scipy.interpolate import CubicSpline

from infoscope.cosmology.config import CosmologyConfig
from infoscope.degradations import Operation, Survey
from infoscope.degradations.operations.filters import HighPass, LowPass
from infoscope.survey.survey import read_nz
from infoscope.theory import fisher
from infoscope.theory.modes import Modes

NZ = read_nz(Path(__file__).parents[2] / "resources/nz/des_like.txt")
LMAX = 128
SURVEY = Survey(
    side_deg=29.3,
    pixels=24,
    omega_m=0.2915,
    h=0.7,
    mean_z=NZ.mean,
    n_gal_arcmin2=np.full(len(NZ.density), 2.5),
    sigma_e=np.full(len(NZ.density), 0.4),
)
MODES = Modes.of(SURVEY.side, SURVEY.pixels, LMAX)


@pytest.fixture(scope="module")
def spectra() -> tuple[np.ndarray, np.ndarray]:
    """Return spectra of the default survey, and their derivatives."""
    return fisher.spectra_and_derivatives(CosmologyConfig(), NZ, 100.0, LMAX)


def forecast(
    spectra: np.ndarray,
    derivatives: np.ndarray,
    survey: Survey = SURVEY,
    operations: tuple[Operation, ...] = (),
) -> np.ndarray:
    field = fisher.after_operations(
        MODES.spectra(spectra),
        MODES.spectra(derivatives),
        MODES.ell,
        survey,
        operations,
        "before",
    )
    return fisher.fisher_matrix(field, MODES.degeneracy)


# with shells of 600 Mpc, their number changes within the step in Ω_m
@pytest.mark.parametrize("shell_width_mpc", [100.0, 600.0])
def test_halved_steps_change_little(
    shell_width_mpc: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrices = []
    for step in (fisher.STEP, fisher.STEP / 2):
        monkeypatch.setattr(fisher, "STEP", step)
        found = fisher.spectra_and_derivatives(
            CosmologyConfig(), NZ, shell_width_mpc, LMAX
        )
        matrices.append(forecast(*found))
    one, two = matrices
    # Ω_m and S_8 hardly correlate: relative to the diagonal
    scale = np.sqrt(np.outer(np.diag(one), np.diag(one)))
    assert (np.abs(two - one) < 0.005 * scale).all()


def test_matrix_is_the_covariance_of_the_score(
    spectra: tuple[np.ndarray, np.ndarray],
) -> None:
    """Scores are differences of log-likelihoods of drawn modes, without derivatives.

    With n draws, their variances have relative errors of about √(2 / n), 1.6 %.
    """
    signal, derivatives = spectra
    shape_noise = (SURVEY.shape_noise * SURVEY.pixel) ** 2
    ell, step, n_draw = np.arange(10, 90, 20), 1e-3, 8000
    noise = np.broadcast_to(np.diag(shape_noise), (len(ell), 4, 4))
    field = fisher.Gaussian(signal[ell], derivatives[:, ell], noise, shape_noise)
    matrix = fisher.fisher_matrix(field, 2 * ell + 1)
    covariance = field.signal + field.noise
    factor = np.linalg.cholesky(covariance)
    scores = np.zeros((n_draw, 2))
    rng = np.random.default_rng(1)

    for k, multipole in enumerate(ell):
        white = rng.standard_normal((n_draw, 2 * multipole + 1, len(shape_noise)))
        drawn = white @ factor[k].T
        for i in range(2):
            ends = []
            for sign in (1, -1):
                c = covariance[k] + sign * step * derivatives[i, multipole]
                chi2 = np.einsum("dma,ab,dmb->d", drawn, np.linalg.inv(c), drawn)
                determinant = (2 * multipole + 1) * np.linalg.slogdet(c)[1]
                ends.append(-(chi2 + determinant) / 2)
            scores[:, i] += (ends[0] - ends[1]) / (2 * step)

    error = np.sqrt(np.diag(matrix))
    assert (np.abs(scores.mean(axis=0)) < 4 * error / n_draw**0.5).all()
    found = np.cov(scores.T) / np.outer(error, error)
    np.testing.assert_allclose(found, matrix / np.outer(error, error), atol=0.06)


def pixel_covariance(spectrum: np.ndarray) -> np.ndarray:
    """Covariance of all pixels of a patch in Lambert's projection."""
    side, pixels = SURVEY.side, SURVEY.pixels
    x = side * ((np.arange(pixels) + 0.5) / pixels - 0.5)
    x, y = (each.ravel() for each in np.meshgrid(x, x))
    square = x**2 + y**2
    scale = np.sqrt(1 - square / 4)
    directions = np.stack([x * scale, y * scale, 1 - square / 2])
    angle = np.arccos(np.clip(directions.T @ directions, -1, 1))
    points = np.linspace(0, angle.max(), 2000)
    factor = (2 * np.arange(LMAX + 1) + 1) / (4 * np.pi)
    return CubicSpline(points, legval(np.cos(points), factor * spectrum))(angle)


@pytest.mark.parametrize(
    ("operation", "errors"),
    [
        (None, (0.005, 0.01)),
        (LowPass(ell=80, profile="tophat"), (0.005, 0.01)),
        (LowPass(ell=80), (0.005, 0.01)),
        (HighPass(ell=50, profile="tophat"), (0.005, 0.03)),
    ],
)
def test_forecast_is_the_information_in_all_pixels(
    spectra: tuple[np.ndarray, np.ndarray],
    operation: HighPass | LowPass | None,
    errors: tuple[float, float],
) -> None:
    """σ(S_8) at a fixed Ω_m and σ(Ω_m) of the last bin, with exact covariances."""
    survey, pixels = SURVEY.selected([3]), SURVEY.pixels
    operations = () if operation is None else (operation,)
    signal, derivatives = (each[..., 3:, 3:] for each in spectra)
    found = forecast(signal, derivatives, survey, operations)

    of_pixels = [pixel_covariance(each[:, 0, 0]) for each in (signal, *derivatives)]
    transfer, floor = np.ones((pixels, pixels)), 0.0
    if operation is not None:
        number = np.arange(pixels)
        ell = np.pi / survey.side * np.hypot(number[:, None], number)
        transfer = operation.transfer(survey, ell.ravel()).reshape(pixels, pixels)
        floor = operation.floor
    transfer[0, 0] = 0
    modes = dctn(np.eye(pixels**2).reshape(-1, pixels, pixels), axes=(1, 2))
    change = idctn(modes * transfer, axes=(1, 2)).reshape(pixels**2, -1)
    variance = survey.shape_noise[0] ** 2
    white = np.eye(pixels**2) * variance
    total = change @ (of_pixels[0] + white) @ change.T + floor**2 * white
    # no information in the mean
    total += variance * np.ones_like(total)
    relative = [
        np.linalg.solve(total, change @ each @ change.T) for each in of_pixels[1:]
    ]
    exact = np.array([[(a * b.T).sum() / 2 for b in relative] for a in relative])
    assert found[1, 1] ** -0.5 == pytest.approx(exact[1, 1] ** -0.5, rel=errors[0])
    width = [np.linalg.inv(matrix)[0, 0] ** 0.5 for matrix in (found, exact)]
    assert width[0] == pytest.approx(width[1], rel=errors[1])
