"""Spectra of skies against a theory: bands, errors, verdicts, moments and figures."""

from __future__ import annotations

from pathlib import Path

import healpy
import numpy as np
import pandas as pd
import pytest

from infoscope.figures import skies as figures_of_skies
from infoscope.figures import sky_map
from infoscope.maps.pixel_window import pixel_window
from infoscope.stages import plot
from infoscope.theory import compare_skies as validation
from infoscope.vocabulary import Agreement

NSIDE = 16
EDGES = validation.band_edges(NSIDE, pixel_averaged=False)
ELL = np.arange(EDGES[-1])
AUTO = 1 / (ELL + 5.0) ** 2
# two bins that correlate, the second louder
THEORY = np.array([[AUTO, 0.6 * AUTO], [0.6 * AUTO, 2 * AUTO]])


def gaussian_sky(seed: int) -> np.ndarray:
    """Draw Gaussian maps (2, n_pix) with the spectra of the theory."""
    rng = np.random.default_rng(seed)
    lmax = len(ELL) - 1
    size = healpy.Alm.getsize(lmax)
    l_of, m_of = healpy.Alm.getlm(lmax)
    white = rng.standard_normal((2, 2, size)) / np.sqrt(2)
    white = np.where(m_of, white[0] + 1j * white[1], np.sqrt(2) * white[0])
    factor = np.linalg.cholesky(np.moveaxis(THEORY, -1, 0))[l_of]
    alm = np.einsum("lij,jl->il", factor, white)
    return np.array([healpy.alm2map(a, NSIDE, lmax=lmax) for a in alm])


@pytest.fixture(scope="module")
def skies() -> list[validation.SkyStatistics]:
    fwhm = np.array([0.2, 0.3])
    return [validation.measure(gaussian_sky(i), EDGES, fwhm) for i in range(60)]


def spectra(skies: list[validation.SkyStatistics]) -> np.ndarray:
    return np.array([sky.spectra for sky in skies])


@pytest.mark.parametrize("nside", [16, 64, 512])
def test_bands_go_from_8_to_2_nside_in_equal_steps_of_log_ell(nside: int) -> None:
    edges = validation.band_edges(nside, pixel_averaged=False)
    assert edges[0] == 8 and edges[-1] == 2 * nside + 1
    assert validation.band_edges(nside, pixel_averaged=True)[-1] == nside + 1
    steps = np.diff(np.log2(edges))
    assert steps == pytest.approx(1 / validation.BANDS_PER_OCTAVE, abs=0.12)


def test_band_average_is_a_sum_over_modes() -> None:
    cl = np.random.default_rng(0).random(40)
    expected = [
        sum((2 * ell + 1) * cl[ell] for ell in range(a, b))
        / sum(2 * ell + 1 for ell in range(a, b))
        for a, b in ((8, 11), (11, 20), (20, 33))
    ]
    edges = np.array([8, 11, 20, 33])
    assert validation.band_average(cl, edges) == pytest.approx(expected, rel=1e-12)


def test_cosmic_variance_is_the_scatter_of_gaussian_skies(skies) -> None:
    scatter = spectra(skies).std(axis=0, ddof=1)
    expected = validation.cosmic_variance(THEORY, EDGES, n_sky=1)
    # 60 skies: a standard deviation is known to 9 %, their mean to 3 %
    assert scatter == pytest.approx(expected, rel=0.35)
    assert (scatter / expected).mean() == pytest.approx(1, abs=0.08)


def test_gaussian_skies_agree_with_the_spectra_that_they_were_drawn_from(skies) -> None:
    chi2 = []
    for start in range(0, len(skies), 4):
        measured = spectra(skies[start : start + 4])
        bands, pairs = validation.compare(measured, THEORY, EDGES)
        chi2.append(pairs["chi2"] / pairs["bands"])
        assert (pairs["verdict"] != Agreement.DIFFERS).all()
    # 15 groups of 4 bands, correlated between pairs: 1 within 0.18
    assert np.mean(chi2) == pytest.approx(1, abs=0.5)
    bands, pairs = validation.compare(spectra(skies), THEORY, EDGES)
    assert len(pairs) == 3 and len(bands) == 3 * (len(EDGES) - 1)
    assert (pairs["verdict"] == Agreement.AGREES).all()
    relative = bands["measured"] / bands["theory"] - 1
    assert bands["deviation"].to_numpy() == pytest.approx(relative.to_numpy())
    assert (bands["ell"].between(bands["ell_min"], bands["ell_max"])).all()


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_another_amplitude_differs(skies, factor: float) -> None:
    _, pairs = validation.compare(spectra(skies), THEORY / factor, EDGES)
    assert (pairs["verdict"] == Agreement.DIFFERS).all()
    error = 4 * pairs["deviation_error"]
    assert (np.abs(pairs["deviation"] - (factor - 1)) < error).all()


def test_one_wrong_band_makes_a_pair_differ(skies) -> None:
    measured = spectra(skies).copy()
    measured[:, 0, 1, -1] *= 1.3
    bands, pairs = validation.compare(measured, THEORY, EDGES)
    wrong = bands[bands["verdict"] == Agreement.DIFFERS]
    assert list(wrong.index) == [2 * (len(EDGES) - 1) - 1]
    # 1 × 1, 1 × 2 and 2 × 2
    assert list(pairs["verdict"]) == ["agrees", "differs", "agrees"]


def test_verdicts_need_evidence() -> None:
    """Within chance of the tolerance, nothing is shown."""
    assert validation.verdict(0.0, 0.01, 40) == Agreement.AGREES
    assert validation.verdict(-0.04, 0.02, 40) == Agreement.UNDECIDED
    assert validation.verdict(0.04, 0.001, 40) == Agreement.AGREES
    assert validation.verdict(-0.1, 0.01, 40) == Agreement.DIFFERS
    assert validation.verdict(0.08, 0.01, 40) == Agreement.UNDECIDED


def test_false_alarms_are_rare_for_all_bands_together() -> None:
    draws = np.abs(np.random.default_rng(0).standard_normal((20000, 80)))
    alarms = (draws.max(axis=1) > validation.threshold(80)).mean()
    assert alarms == pytest.approx(validation.FALSE_ALARM, abs=0.003)


def test_moments_of_known_values() -> None:
    """Exponential pixels have a skewness of 2; Gaussian ones, and smooth ones, less."""
    rng = np.random.default_rng(3)
    values = rng.exponential(0.1, 12 * 64**2), rng.normal(3, 0.1, 12 * 64**2)
    edges = validation.band_edges(64, pixel_averaged=False)
    sky = validation.measure(np.array(values), edges, np.radians([10.0, 10.0]))
    assert sky.variance[0] == pytest.approx([0.01, 0.01], rel=0.03)
    assert sky.skewness[0] == pytest.approx([2, 0], abs=0.1)
    assert sky.s_3[0, 0] == pytest.approx(20, rel=0.08)
    assert np.abs(sky.skewness[1]).max() < 0.4
    # white noise: σ² A_pix / (4π s²) is left by a beam of width s
    width = np.radians(10.0) / np.sqrt(8 * np.log(2))
    left = 0.01 * 4 * np.pi / len(values[0]) / (4 * np.pi * width**2)
    assert sky.variance[1] == pytest.approx([left, left], rel=0.25)
    total = sky.histogram @ np.diff(validation.HISTOGRAM_EDGES)
    assert total == pytest.approx(1, abs=2e-3)


def test_smoothing_scale_is_resolved_in_every_bin() -> None:
    chi = np.array([900.0, 2200.0])
    assert validation.smoothing_scale(chi, 0.002) == 8
    assert validation.smoothing_scale(chi, 0.018) == 64
    assert 64 / chi.max() >= 0.018 > 32 / chi.max()


@pytest.mark.parametrize("nside", [16, 64])
@pytest.mark.parametrize("smallest", ["band-limited", "all"])
def test_pixel_window_is_that_of_averages_over_pixels(nside: int, smallest) -> None:
    """Spectra of averaged maps over those of the maps, and small ℓ by hand.

    Maps with all scales, here of C_ℓ ∝ 1/ℓ, have aliases beyond ℓ = nside.
    """
    fine, limited = 8 * nside, smallest == "band-limited"
    lmax = 2 * nside if limited else 2 * fine
    window = pixel_window(nside, 2 * nside)
    ell = np.arange(2 * nside + 1)
    l_of, m_of = healpy.Alm.getlm(lmax)
    parts = np.random.default_rng(5).standard_normal((2, len(l_of)))
    alm = (parts[0] + 1j * np.where(m_of, parts[1], 0)) / np.sqrt(l_of + 1)
    maps = healpy.alm2map(alm, fine, lmax=lmax)
    averages = healpy.ud_grade(maps, nside)
    left = healpy.anafast(averages, lmax=2 * nside, iter=3)
    left /= healpy.alm2cl(alm)[: 2 * nside + 1]
    found, expected = [
        [power[a : b + 1].mean() for a, b in ((nside // 2, nside), (nside, 2 * nside))]
        for power in (left, window**2)
    ]
    assert found[0] == pytest.approx(expected[0], rel=0.01)
    assert (found[1] == pytest.approx(expected[1], rel=0.01)) == limited
    # the mean squared distance from the centre is a sixth of the area, about
    small = 1 - ell[: nside // 4] ** 2 * (4 * np.pi / (12 * nside**2)) / 12
    assert window[: nside // 4] ** 2 == pytest.approx(small, abs=2e-3)


def tables(skies, factor: float = 1.0):
    bands, pairs = validation.compare(spectra(skies), THEORY * factor, EDGES)
    scales = [0.0, 64.0]
    moments = validation.one_point(skies, scales, np.ones((2, 2)))
    return bands, pairs, moments, validation.histograms(skies, scales)


def test_tables_of_values(skies) -> None:
    *_, moments, histograms = tables(skies)
    assert list(moments["bin"]) == [1, 2, 1, 2]
    expected = np.sqrt(np.sum((2 * ELL + 1) * AUTO) / (4 * np.pi))
    assert moments["sigma"][0] == pytest.approx(expected, rel=0.05)
    assert (moments["skewness"].abs() < 5 * moments["skewness_error"]).all()
    first = histograms[(histograms["bin"] == 1) & (histograms["scale_mpc_h"] == 0)]
    assert (first["density"] * (first["high"] - first["low"])).sum() == pytest.approx(1)


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_figure_has_a_panel_for_each_pair_and_says_what_differs(skies, factor) -> None:
    figure = figures_of_skies.draw({}, *tables(skies, factor))
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == 3 + 3
    titles = [ax.get_title("left") for ax in shown[3:]]
    word = "agrees" if factor == 1 else "differs"
    assert titles == [f"{pair}: {word}" for pair in ("1 × 1", "1 × 2", "2 × 2")]
    texts = [t.get_text() for f in figure.subfigs for g in f.legends for t in g.texts]
    assert ("Differs" in texts) == (factor != 1)


def test_figures_of_one_bin_are_written(skies, tmp_path: Path) -> None:
    names = ("bands", "pairs", "moments", "histograms")
    files = {name: tmp_path / f"{name}.csv" for name in names}
    for name, table in zip(names, tables(skies), strict=True):
        alone = table
        for column in {"bin", "bin_i", "bin_j"} & set(table):
            alone = alone[alone[column] == 1]
        alone.to_csv(files[name], index=False)
    assert len(pd.read_csv(files["pairs"])) == 1
    plot.run({}, "skies", files, tmp_path / "skies.png")
    for kind in ("png", "pdf"):
        assert (tmp_path / f"skies.{kind}").stat().st_size > 10_000


def test_picture_of_the_sphere_shows_the_map_where_it_is() -> None:
    """A hot pole is at the top, and nothing is drawn outside of the ellipse."""
    theta, _ = healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2))
    figure = sky_map.plot_sky_map(np.where(theta < 0.3, 1.0, 0.0), "κ")
    picture = figure.axes[0].images[0].get_array()
    height, width = picture.shape
    assert picture[height - 5, width // 2] == 1 and picture[5, width // 2] == 0
    assert picture.mask[5, 5] and not picture.mask[height // 2, 5:-5].any()
