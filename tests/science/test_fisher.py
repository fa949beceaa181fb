"""The Fisher matrix is the covariance of the score, with converged derivatives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infoscope.cosmology.config import CosmologyConfig
from infoscope.survey.survey import read_nz
from infoscope.theory import fisher

NZ = read_nz(Path(__file__).parents[2] / "resources/nz/des_like.txt")
LMAX = 128
NOISE = fisher.noise_spectrum(0.4, 2.5) * np.eye(len(NZ.density))


@pytest.fixture(scope="module")
def survey() -> tuple[np.ndarray, np.ndarray]:
    """Return spectra with noise of the default survey, and their derivatives."""
    spectra, derivatives = fisher.spectra_and_derivatives(
        CosmologyConfig(), NZ, 100.0, LMAX
    )
    return spectra + NOISE, derivatives


def matrix_of(covariance: np.ndarray, derivatives: np.ndarray) -> np.ndarray:
    ell, f_sky = fisher.modes_of_a_tile(LMAX // 2, 2)
    modes = f_sky * (2 * ell + 1)
    return fisher.fisher_matrix(covariance[ell], derivatives[:, ell], modes)


# with shells of 600 Mpc, their number changes within the step in Ω_m
@pytest.mark.parametrize("shell_width_mpc", [100.0, 600.0])
def test_halved_steps_change_little(
    shell_width_mpc: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrices = []
    for step in (fisher.STEP, fisher.STEP / 2):
        monkeypatch.setattr(fisher, "STEP", step)
        spectra, derivatives = fisher.spectra_and_derivatives(
            CosmologyConfig(), NZ, shell_width_mpc, LMAX
        )
        matrices.append(matrix_of(spectra + NOISE, derivatives))
    one, two = matrices
    # Ω_m and S_8 hardly correlate: relative to the diagonal
    scale = np.sqrt(np.outer(np.diag(one), np.diag(one)))
    assert (np.abs(two - one) < 0.005 * scale).all()


def test_matrix_is_the_covariance_of_the_score(survey) -> None:
    """Scores are differences of log-likelihoods of drawn modes, without derivatives.

    With n draws, their variances have relative errors of about √(2 / n), 1.6 %.
    """
    covariance, derivatives = survey
    ell, step, n_draw = np.arange(10, 90, 20), 1e-3, 8000
    matrix = fisher.fisher_matrix(covariance[ell], derivatives[:, ell], 2 * ell + 1)
    factor = np.linalg.cholesky(covariance[ell])
    scores = np.zeros((n_draw, 2))
    rng = np.random.default_rng(1)

    for k, multipole in enumerate(ell):
        white = rng.standard_normal((n_draw, 2 * multipole + 1, len(NOISE)))
        drawn = white @ factor[k].T
        for i in range(2):
            ends = []
            for sign in (1, -1):
                c = covariance[multipole] + sign * step * derivatives[i, multipole]
                chi2 = np.einsum("dma,ab,dmb->d", drawn, np.linalg.inv(c), drawn)
                determinant = (2 * multipole + 1) * np.linalg.slogdet(c)[1]
                ends.append(-(chi2 + determinant) / 2)
            scores[:, i] += (ends[0] - ends[1]) / (2 * step)

    error = np.sqrt(np.diag(matrix))
    assert (np.abs(scores.mean(axis=0)) < 4 * error / n_draw**0.5).all()
    found = np.cov(scores.T) / np.outer(error, error)
    np.testing.assert_allclose(found, matrix / np.outer(error, error), atol=0.06)
