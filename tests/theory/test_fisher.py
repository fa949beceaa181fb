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
from infoscope.degradations.operations.filters import LowPass
from infoscope.degradations.sky_files import parse_operations
from infoscope.effects.effect import Sampled
from infoscope.effects.kinds.intrinsic_alignment import IntrinsicAlignment
from infoscope.skies import fields
from infoscope.skies.shells import shell_edges
from infoscope.skies.simulators.gaussian import Gaussian
from infoscope.stages import forecast_fisher
from infoscope.study import specs
from infoscope.study.config import parse_study
from infoscope.survey.survey import Survey, read_nz
from infoscope.theory import fisher
from infoscope.vocabulary import NoiseOrder

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "resources/nz/des_like.txt"
CI = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text()) | {
    "survey": {"nside": 16, "patch": {"side_deg": 29.3, "pixels": 12}}
}
FIDUCIAL = Parameters(omega_m=0.3, sigma_8=0.8)
PRIOR = Prior(omega_m=(0.15, 0.45), sigma_8=(0.5, 1.2))


SURVEY = Survey(
    side_deg=10,
    pixels=16,
    omega_m=0.3,
    h=0.7,
    mean_z=np.array([0.4, 0.6, 0.9]),
    n_gal_arcmin2=np.array([2.5, 1.0, 2.0]),
    sigma_e=np.array([0.4, 0.3, 0.35]),
)
ELL = np.array([30.0, 100.0, 200.0])
NOISE = np.diag((SURVEY.shape_noise * SURVEY.pixel) ** 2)


def correlated(n_ell: int, n_bins: int) -> np.ndarray:
    """Positive-definite matrices (n_ell, n_bins, n_bins)."""
    factor = np.random.default_rng(1).standard_normal((n_ell, n_bins, n_bins))
    return factor @ factor.transpose(0, 2, 1) + np.eye(n_bins)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make posteriors in the prior less accurate, but fast."""
    monkeypatch.setattr(fisher, "GRID_SIZE", 64)
    monkeypatch.setattr(fisher, "MOCKS", 32)


def matrix_of(
    covariance: np.ndarray, derivatives: np.ndarray, modes: np.ndarray
) -> np.ndarray:
    """Fisher matrix for a covariance that includes the noise."""
    unit = np.ones(covariance.shape[-1])
    field = fisher.Gaussian(covariance, derivatives, np.zeros_like(covariance), unit)
    return fisher.fisher_matrix(field, modes)


def after(
    *operations: dict[str, object], noise: str = "before"
) -> fisher.Gaussian | None:
    """Spectra after operations on three bins, whose derivatives are the signal."""
    signal = 1e-10 * correlated(len(ELL), 3)
    parsed = parse_operations({"operations": operations})
    return fisher.after_operations(
        signal, signal[None], ELL, SURVEY, parsed, NoiseOrder(noise)
    )


@pytest.mark.parametrize("n_bins", [1, 3])
def test_amplitude_is_known_from_the_number_of_modes(n_bins: int) -> None:
    """C = A S: σ(A) / A = √(2 / n_modes), with as many modes in each of the bins."""
    amplitude, shape = 3.0, correlated(20, n_bins)
    modes = 0.1 * (2 * np.arange(5, 25) + 1)
    matrix = matrix_of(amplitude * shape, shape[None], modes)
    expected = amplitude * np.sqrt(2 / (n_bins * modes.sum()))
    assert matrix[0, 0] ** -0.5 == pytest.approx(expected, rel=1e-10)


def test_noise_dilutes_a_signal_of_one_bin() -> None:
    """C = A S + N: every mode counts (S / (S + N))² / 2."""
    signal, noise = 1 / np.arange(5, 25) ** 2, 0.01
    modes = 0.1 * (2 * np.arange(5, 25) + 1)
    matrix = matrix_of(
        (signal + noise)[:, None, None], signal[None, :, None, None], modes
    )
    expected = (modes / 2 * (signal / (signal + noise)) ** 2).sum()
    assert matrix[0, 0] == pytest.approx(expected, rel=1e-10)


def test_cross_spectra_are_used() -> None:
    """Only the correlation ρ of two bins varies: F = n (1 + ρ²) / (1 - ρ²)².

    The bins have different units, which must not matter.
    """
    rho, modes = 0.6, np.array([7.0])
    matrix = matrix_of(
        np.array([[[9, 3 * rho], [3 * rho, 1]]]),
        np.array([[[[0.0, 3], [3, 0]]]]),
        modes,
    )
    assert matrix[0, 0] == pytest.approx(7 * (1 + rho**2) / (1 - rho**2) ** 2)


def test_noise_is_that_of_the_pixels() -> None:
    field = after()
    expected = np.diag(SURVEY.noise_sigma**2 * SURVEY.pixel**2)
    np.testing.assert_allclose(field.noise, np.broadcast_to(expected, (3, 3, 3)))
    # σ_e² / n_gal, with n_gal per steradian
    per_steradian = SURVEY.n_gal_arcmin2 * (180 * 60 / pi) ** 2
    expected = SURVEY.sigma_e**2 / per_steradian
    np.testing.assert_allclose(np.diag(field.noise[0]), expected)
    assert not after(noise="none").noise.any()


def test_filters_act_on_noise_that_is_there_before_them() -> None:
    """A filter with the transfer T leaves the noise N + floor / T², or only floor."""
    smoothing = {"operation": "lowpass", "ell": 150, "floor": 0.1}
    transfer = LowPass(ell=150).transfer(SURVEY, ELL)[0, :, None, None]
    before, none = after(smoothing), after(smoothing, noise="none")
    np.testing.assert_allclose(before.signal, transfer**2 * after().signal)
    np.testing.assert_allclose(before.noise, transfer**2 * NOISE + 0.01 * NOISE)
    np.testing.assert_allclose(none.noise, np.broadcast_to(0.01 * NOISE, (3, 3, 3)))
    later = after(smoothing, noise="after")
    np.testing.assert_allclose(later.noise, np.broadcast_to(1.01 * NOISE, (3, 3, 3)))
    np.testing.assert_allclose(later.derivatives[0], later.signal)


def test_operations_follow_each_other() -> None:
    """The floor of the first filter is filtered by the second."""
    first = {"operation": "lowpass", "ell": 150, "floor": 0.1}
    second = {"operation": "highpass", "ell": 150, "floor": 0.2}
    field = after(first, {"operation": "select_bins", "bins": [3, 1]}, second)
    low = LowPass(ell=150).transfer(SURVEY, ELL)[0, :, None, None]
    high = 1 - low
    chosen = np.ix_([2, 0], [2, 0])
    expected = (low**2 + 0.01) * high**2 + 0.04
    np.testing.assert_allclose(field.noise, expected * NOISE[chosen])
    assert field.shape_noise == pytest.approx(np.diag(NOISE)[[2, 0]])


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_noise_of_a_sum_is_that_of_all_galaxies(order: str) -> None:
    field = after({"operation": "sum_bins"}, noise=order)
    share = SURVEY.n_gal_arcmin2 / SURVEY.n_gal_arcmin2.sum()
    np.testing.assert_allclose(field.noise[:, 0, 0], share @ NOISE @ share)
    expected = np.einsum("a,kab,b->k", share, after().signal, share)
    np.testing.assert_allclose(field.signal[:, 0, 0], expected)


@pytest.mark.parametrize("order", ["before", "after"])
def test_noise_is_scaled_whatever_the_place_in_the_list(order: str) -> None:
    scale = {"operation": "scale_noise", "factor": 3}
    bins = {"operation": "select_bins", "bins": [2]}
    for operations in ([scale, bins], [bins, scale]):
        field = after(*operations, noise=order)
        np.testing.assert_allclose(field.noise[:, 0, 0], 9 * NOISE[1, 1])


def test_random_phases_leave_gaussian_fields_as_they_are() -> None:
    for name in ("signal", "noise", "derivatives"):
        changed = getattr(after({"operation": "randomize_phases"}), name)
        np.testing.assert_array_equal(changed, getattr(after(), name))


def test_there_is_no_forecast_if_an_operation_is_not_linear() -> None:
    phases = {"operation": "randomize_phases"}
    assert after(phases, {"operation": "shuffle_pixels"}, phases) is None


def test_modes_that_are_removed_contain_nothing() -> None:
    """A hard cut without a floor, at a different ℓ in each bin."""
    cut = {"operation": "lowpass", "scale_mpc_h": 40, "profile": "tophat", "floor": 0}
    field = after(cut)
    kept = LowPass(scale_mpc_h=40, profile="tophat").transfer(SURVEY, ELL).T > 0
    # of these modes, all, two, one, or none of the bins are left
    numbers = kept.sum(axis=1)
    assert len(set(numbers)) > 1 and numbers.min() < 3
    with np.errstate(all="raise"):
        found = fisher.fisher_matrix(field, np.ones(len(ELL)))
    expected = 0.0
    for signal, noise, bins in zip(after().signal, after().noise, kept, strict=True):
        part = np.ix_(bins, bins)
        relative = np.linalg.solve((signal + noise)[part], signal[part])
        expected += np.trace(relative @ relative) / 2
    assert found[0, 0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.usefixtures("coarse")
def test_nothing_left_leaves_the_prior() -> None:
    boxed = fisher.widths_in_prior(np.zeros((2, 2)), FIDUCIAL, PRIOR)
    assert boxed[1] == pytest.approx(0.3 / 12**0.5, rel=0.02)
    assert boxed[2] == pytest.approx(0.7 / 12**0.5, rel=0.02)
    assert (fisher.widths_without_prior(np.zeros((2, 2)), FIDUCIAL)[:3] > 100).all()


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
    matrix = matrix_of(shape + 1e6 * np.eye(2), derivatives, modes)
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


def forecast(tmp_path: Path, **changes: object) -> pd.DataFrame:
    """Run the stage on the ci study, changed."""
    output = tmp_path / "fisher.csv"
    spec = specs.canonical(specs.fisher(parse_study(CI | changes)))
    files = ["--nz-file", str(TABLE), "--output", str(output)]
    assert main(["forecast-fisher", "--spec", spec, *files]) == 0
    return pd.read_csv(output)


@pytest.mark.usefixtures("coarse")
def test_stage_writes_a_row_for_each_degradation_and_prior(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    original = forecast_fisher.spectra_and_derivatives

    def counted(*arguments: object) -> object:
        calls.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(forecast_fisher, "spectra_and_derivatives", counted)
    degradations = {
        "reference": {"operations": []},
        "shuffled": {"operations": [{"operation": "shuffle_pixels"}]},
        "one_bin": {"operations": [{"operation": "select_bins", "bins": [4]}]},
        "noiseless": {"operations": [], "noise": "none"},
        "aligned": {"intrinsic_alignment": {"a_ia": {"prior": [-5, 5], "fiducial": 0}}},
    }
    rows = forecast(tmp_path, degradations=degradations)
    # spectra with the same effects are computed once
    assert len(calls) == 2
    names = ["reference", "one_bin", "noiseless", "aligned"]
    assert list(rows.degradation) == [name for name in names for _ in range(2)]
    assert list(rows.prior) == ["none", "box"] * 4
    assert list(rows.columns[2:8]) == list(fisher.PREDICTED)
    # half a wave in 29.3°, and 2 nside
    assert rows.ell_min.to_numpy() == pytest.approx(180 / 29.3)
    assert (rows.ell_max == 32).all()
    # a quarter of a disk in units of π / side, without the axes' half
    assert rows.modes.iloc[0] == pytest.approx(pi / 4 * (44 / 6.14) ** 2 + 7, abs=3)
    table = rows.set_index(["degradation", "prior"])
    row = table.loc["reference", "none"]
    matrix = np.array(
        [
            [row.fisher_omega_m_omega_m, row.fisher_omega_m_s8],
            [row.fisher_omega_m_s8, row.fisher_s8_s8],
        ]
    )
    covariance = np.linalg.inv(matrix)
    assert row.sigma_s8 == pytest.approx(covariance[1, 1] ** 0.5, rel=1e-4)
    assert row.sigma_omega_m == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-4)
    width = table.sigma_s8.xs("box", level="prior")
    assert width.noiseless < 0.6 * width.reference
    assert width.reference < min(width.one_bin, width.aligned)
    assert table.sigma_omega_m["reference", "box"] < 0.3 / 12**0.5


def test_study_without_a_forecast(tmp_path: Path) -> None:
    survey = CI["survey"] | {"base_operations": [{"operation": "gaussianize_pixels"}]}
    rows = forecast(tmp_path, survey=survey, degradations={"reference": {}})
    assert rows.empty and "degradation" in rows


def test_spec_holds_only_what_the_matrix_depends_on() -> None:
    def spec(**changes: object) -> dict:
        return specs.fisher(parse_study(CI | changes))

    survey = CI["survey"]
    assert spec(simulator={"name": "lognormal", "shell_width_mpc": 600}) == spec()
    assert spec(seed=2, training={"seeds": 3}) == spec()
    added = {"operation": "keep_convergence", "ranges": [[0, None]], "by": "kappa"}
    degradations = CI["degradations"] | {"cut": {"operations": [added]}}
    assert spec(degradations=degradations) == spec()
    intrinsic = {"intrinsic_alignment": {"a_ia": 1}}
    for change in (
        {"noise": "none"}, intrinsic, {"nside": 32}, {"sigma_e": 0.3},
        {"patch": {"side_deg": 29.3, "pixels": 8}},
        {"base_operations": [{"operation": "sum_bins"}]},
    ):  # fmt: skip
        assert spec(survey=survey | change) != spec()


def test_band_limit_is_that_of_skies_or_of_patches() -> None:
    def lmax(nside: int, side_deg: float, pixels: int) -> int:
        patch = {"side_deg": side_deg, "pixels": pixels}
        survey = {"nside": nside, "patch": patch}
        found: int = specs.fisher(parse_study(CI | {"survey": survey}))["lmax"]
        return found

    assert lmax(64, 29.3, 32) == 128
    # pixels of 1° end at ℓ = 180
    assert lmax(256, 20, 20) == 180


def test_code_is_that_of_the_operations_in_the_forecast() -> None:
    def code(*operations: str) -> str:
        own = {"operations": [{"operation": name} for name in operations]}
        degradations = CI["degradations"] | {"own": own}
        return specs.fisher_code(parse_study(CI | {"degradations": degradations}))

    assert code("sum_bins") != code("randomize_phases")
    # it has no forecast
    assert code("shuffle_pixels") == code()
