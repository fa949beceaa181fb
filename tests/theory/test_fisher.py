"""The Fisher matrix in cases with exact solutions, and the widths from it."""

from __future__ import annotations

from math import pi
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from infoscope.cli import main
from infoscope.cosmology.boltzmann import matter_of
from infoscope.cosmology.config import Parameters, Prior
from infoscope.effects.effect import Sampled
from infoscope.effects.kinds.intrinsic_alignment import IntrinsicAlignment
from infoscope.skies import fields
from infoscope.skies.shells import shell_edges
from infoscope.skies.simulators.gaussian import Gaussian
from infoscope.study import specs
from infoscope.study.config import parse_study
from infoscope.survey.survey import Survey, read_nz
from infoscope.theory import fisher

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "resources/nz/des_like.txt"
CI = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
FIDUCIAL = Parameters(omega_m=0.3, sigma_8=0.8)
PRIOR = Prior(omega_m=(0.15, 0.45), sigma_8=(0.5, 1.2))


def correlated(n_ell: int, n_bins: int) -> np.ndarray:
    """Positive-definite matrices (n_ell, n_bins, n_bins)."""
    factor = np.random.default_rng(1).standard_normal((n_ell, n_bins, n_bins))
    return factor @ factor.transpose(0, 2, 1) + np.eye(n_bins)


@pytest.mark.parametrize("n_bins", [1, 3])
def test_amplitude_is_known_from_the_number_of_modes(n_bins: int) -> None:
    """C = A S: σ(A) / A = √(2 / n_modes), with as many modes in each of the bins."""
    amplitude, shape = 3.0, correlated(20, n_bins)
    modes = 0.1 * (2 * np.arange(5, 25) + 1)
    matrix = fisher.fisher_matrix(amplitude * shape, shape[None], modes)
    expected = amplitude * np.sqrt(2 / (n_bins * modes.sum()))
    assert matrix[0, 0] ** -0.5 == pytest.approx(expected, rel=1e-10)


def test_noise_dilutes_a_signal_of_one_bin() -> None:
    """C = A S + N: every mode counts (S / (S + N))² / 2."""
    signal, noise = 1 / np.arange(5, 25) ** 2, 0.01
    modes = 0.1 * (2 * np.arange(5, 25) + 1)
    matrix = fisher.fisher_matrix(
        (signal + noise)[:, None, None], signal[None, :, None, None], modes
    )
    expected = (modes / 2 * (signal / (signal + noise)) ** 2).sum()
    assert matrix[0, 0] == pytest.approx(expected, rel=1e-10)


def test_cross_spectra_are_used() -> None:
    """Only the correlation ρ of two bins varies: F = n (1 + ρ²) / (1 - ρ²)².

    The bins have different units, which must not matter.
    """
    rho, modes = 0.6, np.array([7.0])
    matrix = fisher.fisher_matrix(
        np.array([[[9, 3 * rho], [3 * rho, 1]]]),
        np.array([[[[0.0, 3], [3, 0]]]]),
        modes,
    )
    assert matrix[0, 0] == pytest.approx(7 * (1 + rho**2) / (1 - rho**2) ** 2)


def test_noise_is_that_of_the_pixels() -> None:
    n_gal, sigma_e = np.array([2.5, 1.0]), np.array([0.4, 0.3])
    survey = Survey(64, 2, 0.3, 0.7, np.array([0.5, 0.8]), n_gal, sigma_e)
    area = 4 * pi / (12 * 64**2)
    expected = survey.noise_sigma**2 * area
    assert fisher.noise_spectrum(sigma_e, n_gal) == pytest.approx(expected)


@pytest.mark.parametrize("tile_nside", [1, 2, 4, 8])
def test_tiles_lose_one_mode(tile_nside: int) -> None:
    ell, f_sky = fisher.modes_of_a_tile(64, tile_nside)
    assert f_sky == pytest.approx(1 / (12 * tile_nside**2))
    assert ell[-1] == 128
    # modes below ℓ_min: f_sky Σ (2ℓ + 1) = f_sky ℓ_min²
    assert f_sky * (ell[0] - 1) ** 2 < 1 <= f_sky * ell[0] ** 2


def test_spectra_are_those_that_the_simulator_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cosmology, nz = parse_study(CI).cosmology, read_nz(TABLE)
    fiducial = cosmology.fiducial
    theta = np.array([fiducial.omega_m, fiducial.sigma_8])
    drawn = []

    def sum_of_shells(spectra, weights, nside, generator, lognormal):
        drawn.append((np.array(spectra), weights))
        return weights

    monkeypatch.setattr(fields, "sum_of_shells", sum_of_shells)
    simulator = Gaussian(shell_width_mpc=600)
    rng = [np.random.default_rng(1)]
    matter = matter_of(theta, cosmology)
    list(simulator.skies(matter, nz, 16, rng))
    shells, weights = drawn[0]
    lensing, terms = weights[0], weights[1:]
    aligned = IntrinsicAlignment(a_ia=1.5, eta_ia=-2.0)
    weights = aligned.apply(lensing, terms, nz.mean)
    expected = np.einsum("is,js,sl->lij", weights, weights, shells)

    edges = shell_edges(matter.background, nz, 600)
    ours = fisher.convergence_spectra(matter, nz, edges, 32, [aligned])
    np.testing.assert_allclose(ours, expected, rtol=1e-8)
    intrinsic = IntrinsicAlignment(a_ia=1.5, eta_ia=Sampled(prior=(-5, 5), fiducial=-2))
    centred = fisher.spectra_and_derivatives(cosmology, nz, 600, 32, [intrinsic])[0]
    np.testing.assert_allclose(centred, expected, rtol=1e-8)


def test_marginalising_is_the_inverse_of_a_part_of_the_covariance() -> None:
    matrix = correlated(1, 4)[0]
    with_prior = matrix + np.diag([0, 0, 12 / 100, 3])
    expected = np.linalg.inv(np.linalg.inv(with_prior)[:2, :2])
    found = fisher.marginalised(matrix, [(-5, 5), (0, 2)])
    np.testing.assert_allclose(found, expected)


def test_a_narrow_likelihood_does_not_feel_the_prior() -> None:
    matrix = np.array([[4e4, 1e4], [1e4, 9e4]])
    free = fisher.widths_without_prior(matrix, FIDUCIAL)
    boxed = fisher.widths_in_prior(matrix, FIDUCIAL, PRIOR)
    np.testing.assert_allclose(boxed, free, rtol=0.01)


def test_the_prior_cuts_a_wide_likelihood() -> None:
    matrix = np.array([[200.0, 0], [0, 900]])
    free = fisher.widths_without_prior(matrix, FIDUCIAL)
    boxed = fisher.widths_in_prior(matrix, FIDUCIAL, PRIOR)
    assert free[0] == pytest.approx(boxed[0], rel=0.01)
    # Gaussians in Ω_m about scattered maxima, cut at the prior
    # dσ_8 = √(0.3 / Ω_m) dS_8
    omega_m = np.linspace(*PRIOR.omega_m, 500)
    maxima = np.random.default_rng(1).normal(0.3, 200**-0.5, (4000, 1))
    weights = np.exp(-100 * (omega_m - maxima) ** 2) / omega_m**0.5
    weights /= weights.sum(axis=1, keepdims=True)
    variance = weights @ omega_m**2 - (weights @ omega_m) ** 2
    assert boxed[1] == pytest.approx(np.median(variance) ** 0.5, rel=0.01)
    assert boxed[1] < 0.93 * free[1]


def test_widths_without_prior_are_those_of_the_matrix() -> None:
    """At Ω_m = 0.3 dS_8 = dσ_8 + σ_8 dΩ_m / (2 Ω_m)."""
    matrix = np.array([[400.0, 100.0], [100.0, 900.0]])
    to_s8 = np.array([[1, 0], [0.8 / 0.6, 1]])
    in_sigma_8 = np.linalg.inv(to_s8.T @ matrix @ to_s8)
    found = dict(
        zip(
            fisher.PREDICTED, fisher.widths_without_prior(matrix, FIDUCIAL), strict=True
        )
    )
    assert found["sigma_s8"] == pytest.approx(np.linalg.inv(matrix)[1, 1] ** 0.5)
    assert found["sigma_omega_m"] == pytest.approx(in_sigma_8[0, 0] ** 0.5)
    assert found["sigma_sigma8"] == pytest.approx(in_sigma_8[1, 1] ** 0.5)
    area = -2 * pi * np.log(0.317) * np.linalg.det(in_sigma_8) ** 0.5
    assert found["area68"] == pytest.approx(area) == 1 / found["fom"]


def test_noise_without_end_leaves_the_prior() -> None:
    shape = correlated(20, 2)
    derivatives = np.stack([shape, np.broadcast_to(np.eye(2), shape.shape)])
    modes = np.arange(20.0)
    matrix = fisher.fisher_matrix(shape + 1e6 * np.eye(2), derivatives, modes)
    found = fisher.widths_in_prior(matrix, FIDUCIAL, PRIOR)
    # σ_8 and √(Ω_m / 0.3) are independent and uniform in σ_8 and Ω_m
    low, high = np.array(PRIOR.omega_m) / 0.3
    root = 2 / 3 * (high**1.5 - low**1.5) / (high - low)
    mean_square = (0.85**2 + 0.7**2 / 12) * (low + high) / 2
    expected = [
        (mean_square - (0.85 * root) ** 2) ** 0.5,
        0.3 / 12**0.5,
        0.7 / 12**0.5,
        0.683 * 0.3 * 0.7,
        0.954 * 0.3 * 0.7,
        1 / (0.683 * 0.3 * 0.7),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_stage_writes_a_row_for_each_prior(tmp_path: Path) -> None:
    tables = {}
    for noise in ("before", "none"):
        study = parse_study(CI | {"survey": CI["survey"] | {"noise": noise}})
        output = tmp_path / f"{noise}.csv"
        spec = specs.canonical(specs.fisher(study))
        files = ["--nz-file", str(TABLE), "--output", str(output)]
        assert main(["forecast-fisher", "--spec", spec, *files]) == 0
        tables[noise] = pd.read_csv(output).set_index("prior")
    table = tables["before"]
    assert list(table.index) == ["none", "box"]
    assert list(table.columns[:6]) == list(fisher.PREDICTED)
    assert (table.ell_min == 4).all() and (table.ell_max == 32).all()
    element = table.loc["none", ["fisher_omega_m_omega_m", "fisher_omega_m_s8"]]
    matrix = np.array([element, [element.iloc[1], table.fisher_s8_s8.iloc[0]]], float)
    covariance = np.linalg.inv(matrix)
    assert table.sigma_s8["none"] == pytest.approx(covariance[1, 1] ** 0.5)
    assert table.sigma_omega_m["none"] == pytest.approx(covariance[0, 0] ** 0.5)
    assert table.sigma_omega_m["box"] < 0.3 / 12**0.5
    assert tables["none"].sigma_s8["box"] < 0.6 * table.sigma_s8["box"]


def test_spec_holds_only_what_the_matrix_depends_on() -> None:
    def spec(**changes: object) -> dict:
        return specs.fisher(parse_study(CI | changes))

    survey = CI["survey"]
    assert spec(simulator={"name": "lognormal", "shell_width_mpc": 600}) == spec()
    assert spec(survey=survey | {"noise": "after"}) == spec()
    assert spec(seed=2, training={"seeds": 3}) == spec()
    intrinsic = {"intrinsic_alignment": {"a_ia": 1}}
    for change in ({"noise": "none"}, intrinsic, {"nside": 32}, {"sigma_e": 0.3}):
        assert spec(survey=survey | change) != spec()
