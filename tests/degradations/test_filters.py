"""Filters on flat patches: transfer functions, floors, and what is left to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from infoscope.degradations import Patches, Survey
from infoscope.degradations.degrade import check
from infoscope.errors import InfoscopeError
from infoscope.vocabulary import NoiseOrder
from tests.conftest import parsed

Apply = Callable[..., Patches]
SCALES = {
    "lowpass": {"ell": 80},
    "highpass": {"ell": 80},
    "bandpass": {"ell": [40, 110]},
    "bandstop": {"ell": [40, 110]},
}
PROFILES = ("tophat", "gaussian")


def expected(name: str, profile: str, ell: np.ndarray) -> np.ndarray:
    """Return the transfer function, from the definitions of the documentation."""

    def lowpass(ell_0: float) -> np.ndarray:
        if profile == "tophat":
            return (ell <= ell_0).astype(float)
        sigma = np.pi / ell_0 / np.sqrt(8 * np.log(2))
        return np.exp(-ell * (ell + 1) * sigma**2 / 2)

    scale = SCALES[name]["ell"]
    if isinstance(scale, list):
        kept = lowpass(scale[1]) - lowpass(scale[0])
    else:
        kept = lowpass(scale)
    return 1 - kept if name in ("highpass", "bandstop") else kept


def cosine_waves(survey: Survey, i: int, j: int) -> tuple[np.ndarray, float]:
    """Return a wave that mirrors at the edges continue, and its multipole."""
    place = np.pi * (np.arange(survey.pixels) + 0.5) / survey.pixels
    wave = np.cos(i * place)[:, None] * np.cos(j * place)
    return wave, np.pi / survey.side * np.hypot(i, j)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SCALES)
def test_wave_is_multiplied(
    survey: Survey, apply: Apply, name: str, profile: str
) -> None:
    for i, j in ((1, 0), (3, 4), (0, 13), (20, 9), (31, 31)):
        wave, ell = cosine_waves(survey, i, j)
        patches = Patches(np.broadcast_to(wave, (2, 1, *wave.shape)), survey)
        out = apply(patches, operation=name, profile=profile, floor=0, **SCALES[name])
        factor = expected(name, profile, np.array(ell))
        np.testing.assert_allclose(out.kappa[0, 0], factor * wave, atol=2e-6)


def spectrum(
    fields: np.ndarray, survey: Survey
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return multipoles, power, and the number of modes in annuli of the centre."""
    window = np.sin(np.pi * (np.arange(survey.pixels) + 0.5) / survey.pixels) ** 2
    modes = np.fft.fft2(fields * window[:, None] * window)
    number = survey.pixels * np.fft.fftfreq(survey.pixels)
    annulus = np.rint(np.hypot(number[:, None], number)).astype(int).ravel()
    power = (np.abs(modes) ** 2).mean(axis=(0, 1)).ravel()
    counts = np.bincount(annulus)
    total = np.bincount(annulus, power)
    return 2 * np.pi / survey.side * np.arange(len(counts)), total / counts, counts


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("slope", [0, 1.5])
def test_patch_has_the_spectrum_of_a_filtered_sky(
    survey: Survey, apply: Apply, name: str, profile: str, slope: float
) -> None:
    """Within 1 %: patches are cut out of a field, before or after it is filtered."""
    side, rng = survey.pixels, np.random.default_rng(8)
    number = 2 * side * np.fft.fftfreq(2 * side)
    ell = np.pi / survey.side * np.hypot(number[:, None], number)
    white = rng.standard_normal((2, 300, 2 * side, 2 * side))
    sky = np.fft.fft2(white) / (1 + ell / 30) ** slope
    fields = np.fft.ifft2(sky).real[..., :side, :side]
    ideal = np.fft.ifft2(sky * expected(name, profile, ell)).real[..., :side, :side]
    patches = Patches(fields, survey)
    out = apply(patches, operation=name, profile=profile, floor=0, **SCALES[name])
    _, before, _ = spectrum(fields, survey)
    _, wanted, _ = spectrum(ideal, survey)
    centres, after, _ = spectrum(out.kappa, survey)
    kept = (wanted > 0.1 * before) & (centres > 25) & (centres < 190)
    if profile == "tophat":
        # a patch does not resolve a cut better than its fundamental mode
        for cut in np.atleast_1d(SCALES[name]["ell"]):
            kept &= np.abs(centres - cut) > 4 * np.pi / survey.side
    assert kept.any()
    ratio = np.sqrt(after[kept] / wanted[kept])
    np.testing.assert_allclose(ratio, 1, atol=0.01)


@pytest.mark.parametrize("names", [("lowpass", "highpass"), ("bandpass", "bandstop")])
@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_kept_and_what_is_removed_add_up(
    patches: Patches, apply: Apply, names: tuple[str, str], profile: str
) -> None:
    parts = [
        apply(patches, operation=n, profile=profile, floor=0, **SCALES[n]).kappa
        for n in names
    ]
    np.testing.assert_allclose(sum(parts), patches.kappa, atol=1e-6)


def test_below_a_hard_cut_only_the_floor_is_left(
    survey: Survey, patches: Patches, apply: Apply
) -> None:
    from scipy.fft import dctn

    floor = 0.02
    out = apply(patches, operation="highpass", ell=80, profile="tophat", floor=floor)
    modes = dctn(out.kappa, axes=(2, 3), norm="ortho")
    number = np.arange(survey.pixels)
    removed = np.pi / survey.side * np.hypot(number[:, None], number) <= 80
    left = modes[..., removed]
    sigma = floor * survey.shape_noise
    np.testing.assert_allclose(left.std(axis=(1, 2)), sigma, rtol=0.1)
    # and it is noise: another draw has nothing in common with it
    again = apply(
        patches, operation="highpass", ell=80, profile="tophat", floor=floor, seed=2
    )
    other = dctn(again.kappa, axes=(2, 3), norm="ortho")[..., removed]
    common = (left * other).mean() / (left.std() * other.std())
    assert abs(common) < 4 / np.sqrt(left.size)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SCALES)
def test_response_is_that_of_the_maps(
    survey: Survey, apply: Apply, name: str, profile: str
) -> None:
    operation = parsed(operation=name, profile=profile, floor=0.3, **SCALES[name])
    ell = np.array([20.0, 75.0, 130.0])
    response = operation.response(survey, ell)
    diagonal = np.diagonal(response.weights, axis1=1, axis2=2)
    factor = expected(name, profile, ell)
    np.testing.assert_allclose(diagonal, np.stack([factor, factor], axis=1))
    assert response.weights[:, 0, 1] == pytest.approx(0)
    nothing = Patches(np.zeros((2, 50, survey.pixels, survey.pixels)), survey)
    noise = apply(
        nothing, operation=name, profile=profile, floor=0.3, **SCALES[name]
    ).kappa
    # spectrum of white noise: variance of a pixel × its area
    np.testing.assert_allclose(
        noise.var(axis=(1, 2, 3)) * survey.pixel**2, response.noise, rtol=0.03
    )


def pixel_covariance(
    power: Callable[[np.ndarray], np.ndarray], side: int
) -> np.ndarray:
    """Return the covariance of pixels of unit size cut out of a periodic field."""
    number = 2 * np.pi * np.fft.fftfreq(8 * side)
    k = np.hypot(number[:, None], number)
    correlation = np.fft.ifft2(np.where(k < np.pi, power(k), 0)).real
    i = np.arange(side)
    lag = (i[:, None] - i) % (8 * side)
    rows, columns = lag[:, None, :, None], lag[None, :, None, :]
    return correlation[rows, columns].reshape(side**2, side**2)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SCALES)
def test_what_is_removed_is_gone(
    survey: Survey, apply: Apply, name: str, profile: str
) -> None:
    """Exact information of the pixels is that of modes with noise N + floor / T².

    The parameter is the amplitude of a Gaussian field with as much noise as signal in
    the middle of the modes. The filter matrix is that of the operation itself.
    """
    side = 20
    small = replace(survey, pixels=side, side_deg=29.3 * side / 32)

    def power(k: np.ndarray) -> np.ndarray:
        return 1.0 / (1 + (k / 0.3) ** 2)

    noise, floor = 0.3, 0.05
    signal = pixel_covariance(power, side)
    identity = np.eye(side**2).reshape(1, side**2, side, side)
    both = Patches(np.broadcast_to(identity, (2, *identity.shape[1:])), small)
    filtered = apply(both, operation=name, profile=profile, floor=0, **SCALES[name])
    matrix = filtered.kappa[0].reshape(side**2, side**2).T

    def exact(matrix: np.ndarray, floor: float) -> float:
        total = matrix @ (signal + noise * np.eye(side**2)) @ matrix.T
        total += floor**2 * noise * np.eye(side**2)
        relative = np.linalg.solve(total, matrix @ signal @ matrix.T)
        return float(np.sum(relative * relative.T) / 2)

    number = np.arange(side)
    k = np.pi / side * np.hypot(number[:, None], number).ravel()[1:]
    inside = np.where(k < np.pi, power(k), 0)

    def of_modes(t2: np.ndarray, floor: float) -> float:
        share = t2 * inside / (t2 * (inside + noise) + floor**2 * noise)
        return float(np.sum(share**2) / 2)

    # edges matter without a filter too: what is left is compared
    t2 = expected(name, profile, k * side / small.side) ** 2
    left = exact(matrix, floor) / exact(np.eye(side**2), 0)
    predicted = of_modes(t2, floor) / of_modes(np.ones_like(k), 0)
    # 5 % of a width, which is the inverse root
    assert left == pytest.approx(predicted, rel=0.1)


def test_multipoles_are_angles(survey: Survey) -> None:
    operation = parsed(operation="lowpass", ell=90)
    assert operation.fwhm(survey)[0] == pytest.approx([np.deg2rad(2)] * 2)


@pytest.mark.parametrize(
    ("scale", "published"),
    [(8.0, [29.5, 20.1, 15.0, 12.6]), (12.0, [44.3, 30.2, 22.5, 18.9])],
)
def test_fwhm_is_that_of_the_parent_group(scale: float, published: list[float]) -> None:
    # at the mean redshifts of DES Y3
    survey = Survey(
        side_deg=5, pixels=64, omega_m=0.3, h=0.7,
        mean_z=np.array([0.336, 0.521, 0.741, 0.935]),
        n_gal_arcmin2=np.full(4, 2.5), sigma_e=np.full(4, 0.4),
    )  # fmt: skip
    operation = parsed(operation="lowpass", scale_mpc_h=scale)
    arcmin = np.rad2deg(operation.fwhm(survey)[0]) * 60
    assert arcmin == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"operation": "lowpass", "scale_mpc_h": 1}, "is not resolved by the pixels"),
        ({"operation": "lowpass", "ell": 500}, "ell: 500 is not resolved"),
        ({"operation": "highpass", "scale_mpc_h": 4000}, "does not fit into patches"),
        ({"operation": "highpass", "ell": 3}, "ell: 3 does not fit into patches of"),
        (
            {"operation": "bandpass", "ell": [9.5, 11], "profile": "tophat"},
            "have no mode in this band; widen it",
        ),
    ],
)
def test_impossible_scales(survey: Survey, parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parsed(**parameters).check(survey)


def test_filter_that_can_be_undone_is_refused(survey: Survey) -> None:
    gaussian = parsed(operation="lowpass", ell=80, floor=0)
    with pytest.raises(InfoscopeError, match=r"0\.floor: without a floor"):
        check(survey, [gaussian], NoiseOrder.BEFORE)
    check(survey, [gaussian], NoiseOrder.AFTER)
    hard = parsed(operation="lowpass", ell=80, floor=0, profile="tophat")
    check(survey, [hard], NoiseOrder.BEFORE)
