"""Each operation removes what it says, and nothing else."""

from __future__ import annotations

import healpy
import numpy as np
import pytest

from infoscope import config
from infoscope.degradations import (
    REGISTRY,
    Sky,
    degrade,
    fwhm_of_scale,
    mean_distance_mpc_h,
)
from infoscope.errors import InfoscopeError
from infoscope.survey import from_tiles, noise_sigma, to_tiles

NSIDE, N_BINS = 32, 2


@pytest.fixture
def sky() -> Sky:
    rng = np.random.default_rng(3)
    cl = 1.0 / (np.arange(2 * NSIDE + 1) + 10.0) ** 2
    maps = []
    for _ in range(N_BINS):
        maps.append(healpy.alm2map(_alm(cl, rng), NSIDE, lmax=2 * NSIDE))
    maps[1] = maps[1] + 0.5 * maps[0]
    return Sky(np.array(maps), np.array([2.0, 6.0]), np.array([900.0, 1900.0]))


def _alm(cl: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lmax = len(cl) - 1
    ell, m = healpy.Alm.getlm(lmax)
    draws = rng.standard_normal((2, len(ell)))
    alm = np.where(m == 0, draws[0] * (1 + 0j), (draws[0] + 1j * draws[1]) / 2**0.5)
    return alm * np.sqrt(cl[ell])


def apply(sky: Sky, **parameters: object) -> Sky:
    study = config.parse_study(
        {"study": "x", "degradations": {"reference": {"operations": [parameters]}}}
    )
    operation = study.degradations["reference"].operations[0]
    return REGISTRY[type(operation)][1](sky, operation, np.random.default_rng(1))


def spectra(maps: np.ndarray) -> np.ndarray:
    alms = [healpy.map2alm(m, lmax=3 * NSIDE - 1, iter=3) for m in maps]
    # the maps of the tests hold signal up to ℓ = 2 nside
    return np.array([healpy.alm2cl(a, b)[: 2 * NSIDE] for a in alms for b in alms])


def test_every_operation_of_the_config_is_registered() -> None:
    schema = config.Study.model_json_schema()["$defs"]
    named = {k for k, v in schema.items() if "operation" in v.get("properties", {})}
    assert {model.__name__ for model in REGISTRY} == named


def test_tiles_are_a_permutation_and_neighbours_stay_neighbours() -> None:
    maps = np.arange(12.0 * NSIDE**2)[None]
    tiles = to_tiles(maps, 2)
    assert tiles.shape == (48, 1, NSIDE // 2, NSIDE // 2)
    assert np.array_equal(from_tiles(tiles, 2), maps)
    order = tiles[:, 0].astype(int)
    vectors = np.array(healpy.pix2vec(NSIDE, order))
    size = healpy.nside2resol(NSIDE)
    for axis in (2, 3):
        step = np.linalg.norm(np.diff(vectors, axis=axis), axis=0)
        assert step.max() < 2 * size


def test_lowpass_multiplies_a_harmonic_by_the_beam(sky: Sky) -> None:
    ell, m = 20, 7
    alm = np.zeros(healpy.Alm.getsize(2 * NSIDE), complex)
    alm[healpy.Alm.getidx(2 * NSIDE, ell, m)] = 1 + 1j
    one = healpy.alm2map(alm, NSIDE, lmax=2 * NSIDE)
    single = Sky(np.array([one, one]), sky.n_gal_arcmin2, sky.chi_mpc_h)
    filtered = apply(single, operation="lowpass", scale_mpc_h=150)
    for b in range(N_BINS):
        sigma = 150 / sky.chi_mpc_h[b] / np.sqrt(8 * np.log(2))
        expected = np.exp(-ell * (ell + 1) * sigma**2 / 2)
        ratio = (filtered.maps[b] @ one) / (one @ one)
        assert ratio == pytest.approx(expected, rel=1e-3)


def test_lowpass_and_highpass_add_up(sky: Sky) -> None:
    low = apply(sky, operation="lowpass", scale_mpc_h=80).maps
    high = apply(sky, operation="highpass", scale_mpc_h=80).maps
    assert np.allclose(low + high, sky.maps, atol=1e-12)


def test_bandpass_is_a_difference_of_lowpasses(sky: Sky) -> None:
    band = apply(sky, operation="bandpass", ell=[10, 30]).maps
    low = [apply(sky, operation="lowpass", ell=ell).maps for ell in (10, 30)]
    assert np.allclose(band, low[1] - low[0], atol=1e-12)


def test_fwhm_convention() -> None:
    # 8 Mpc/h at the DES Y3 mean redshifts: the values of the parent group within 2 %
    chi = mean_distance_mpc_h(np.array([0.336, 0.521, 0.741, 0.935]), 0.3, 0.7)
    fwhm = np.rad2deg(fwhm_of_scale(8.0, None, chi)) * 60
    assert fwhm == pytest.approx([29.5, 20.1, 15.0, 12.6], rel=0.02)


@pytest.mark.parametrize("by", ["sigma", "quantile"])
def test_keep_convergence_keeps_ranges(sky: Sky, by: str) -> None:
    ranges = [[None, 0.25], [0.75, None]]
    kept = apply(sky, operation="keep_convergence", ranges=ranges, by=by).maps
    changed = kept != sky.maps
    assert (kept[changed] == 0).all()
    if by == "sigma":
        value = sky.maps / sky.maps.std(axis=1, keepdims=True)
        assert np.array_equal(changed, (value >= 0.25) & (value < 0.75))
    else:
        assert changed.mean(axis=1) == pytest.approx([0.5, 0.5], abs=1e-3)


def test_keep_convergence_refuses_to_keep_nothing(sky: Sky) -> None:
    with pytest.raises(InfoscopeError, match="keep no pixel"):
        apply(sky, operation="keep_convergence", ranges=[[50, None]])


@pytest.mark.parametrize("across_bins", ["shared", "independent"])
def test_shuffle_keeps_one_point_distributions(sky: Sky, across_bins: str) -> None:
    tiles = Sky(to_tiles(sky.maps, 2), sky.n_gal_arcmin2, sky.chi_mpc_h)
    out = apply(tiles, operation="shuffle_pixels", across_bins=across_bins).maps
    flat, before = (x.reshape(48, N_BINS, -1) for x in (out, tiles.maps))
    assert np.array_equal(np.sort(flat, axis=2), np.sort(before, axis=2))
    assert not np.array_equal(flat, before)
    correlation = [np.corrcoef(x[5])[0, 1] for x in (flat, before)]
    same = correlation[0] == pytest.approx(correlation[1], abs=1e-9)
    assert same == (across_bins == "shared")


def test_sum_bins_averages_by_galaxies_and_so_does_noise(sky: Sky) -> None:
    summed = apply(sky, operation="sum_bins")
    assert np.allclose(summed.maps[0], 0.25 * sky.maps[0] + 0.75 * sky.maps[1])
    assert summed.n_gal_arcmin2 == pytest.approx([8.0])
    each = noise_sigma(0.4, sky.n_gal_arcmin2, NSIDE)
    averaged = np.hypot(0.25 * each[0], 0.75 * each[1])
    assert averaged == pytest.approx(noise_sigma(0.4, [8.0], NSIDE)[0])


def test_randomize_phases_keeps_all_spectra(sky: Sky) -> None:
    out = apply(sky, operation="randomize_phases")
    # HEALPix quadrature up to ℓ = 2 nside, not the rotation, limits the agreement
    assert np.allclose(spectra(out.maps), spectra(sky.maps), rtol=0.01, atol=1e-5)
    assert abs(np.corrcoef(out.maps[0], sky.maps[0])[0, 1]) < 0.2


def test_randomize_phases_removes_skewness(sky: Sky) -> None:
    skewed = Sky(np.exp(8 * sky.maps), sky.n_gal_arcmin2, sky.chi_mpc_h)
    band = Sky(
        np.array([healpy.alm2map(healpy.map2alm(m), NSIDE) for m in skewed.maps]),
        sky.n_gal_arcmin2,
        sky.chi_mpc_h,
    )

    def skewness(maps: np.ndarray) -> np.ndarray:
        x = maps - maps.mean(axis=1, keepdims=True)
        return (x**3).mean(axis=1) / x.std(axis=1) ** 3

    assert (skewness(band.maps) > 1).all()
    out = apply(band, operation="randomize_phases").maps
    assert (np.abs(skewness(out)) < 0.25).all()


def test_randomize_phases_keeps_the_noise_of_a_survey(sky: Sky) -> None:
    noise = np.random.default_rng(5).standard_normal(sky.maps.shape)
    white = Sky(noise, sky.n_gal_arcmin2, sky.chi_mpc_h)
    out = apply(white, operation="randomize_phases").maps
    assert out.std(axis=1) == pytest.approx(noise.std(axis=1), rel=0.01)
    assert abs(np.corrcoef(out)[0, 1]) < 0.03
    for maps in (out, noise):
        power = spectra(maps).reshape(N_BINS, N_BINS, -1)[0, 0, 10:]
        assert power.mean() == pytest.approx(4 * np.pi / noise.shape[1], rel=0.05)


@pytest.mark.parametrize("noise", ["before", "after", "none"])
def test_noise_order(sky: Sky, noise: config.NoiseOrder) -> None:
    operations = [config.LowPass(ell=10)]
    tiles = degrade(
        sky, operations, noise, 0.4, 2,
        np.random.default_rng(1), np.random.default_rng(2),
    )  # fmt: skip
    clean = degrade(
        sky, operations, "none", 0.4, 2,
        np.random.default_rng(1), np.random.default_rng(2),
    )  # fmt: skip
    measured = (tiles - clean).std(axis=(0, 1, 2))
    expected = noise_sigma(0.4, sky.n_gal_arcmin2, NSIDE)
    if noise == "after":
        assert measured == pytest.approx(expected, rel=0.02)
    elif noise == "before":
        assert (measured < 0.5 * expected).all() and (measured > 0).all()
    else:
        assert (measured == 0).all()
    assert np.abs(tiles.mean(axis=(1, 2))).max() < 1e-6
