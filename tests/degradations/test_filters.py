"""Filters multiply harmonics by their documented transfer functions."""

from __future__ import annotations

import numpy as np
import pytest

from infoscope.degradations.operation import Sky, Survey
from infoscope.degradations.operations.filters import fwhm
from infoscope.maps import harmonics

from ..conftest import NSIDE

LMAX = 3 * NSIDE - 1
ELL = np.arange(LMAX + 1)
PROFILES = ("gaussian", "tophat")


def low(scale_mpc_h: float, survey: Survey, profile: str) -> np.ndarray:
    """Return the transfer function of the low-pass, computed independently."""
    width = scale_mpc_h / survey.chi_mpc_h[:, None]
    if profile == "tophat":
        return (ELL <= np.pi / width).astype(float)
    return np.exp(-ELL * (ELL + 1) * (width / 2.3548200450309493) ** 2 / 2)


EXPECTED = {
    "lowpass": lambda s, p: low(150, s, p),
    "highpass": lambda s, p: 1 - low(150, s, p),
    "bandpass": lambda s, p: low(150, s, p) - low(400, s, p),
    "bandstop": lambda s, p: 1 - (low(150, s, p) - low(400, s, p)),
}


def scales(name: str) -> float | list[float]:
    return [150, 400] if "band" in name else 150


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", EXPECTED)
def test_single_harmonic_is_multiplied(survey, apply, name, profile) -> None:
    for ell, m in ((6, 0), (20, 7)):
        alm = np.zeros((1, len(harmonics.ell_of_alm(LMAX))), complex)
        alm[0, m * (2 * LMAX + 1 - m) // 2 + ell] = 1 if m == 0 else 1 + 1j
        one = harmonics.synthesis(alm, NSIDE)[0]
        out = apply(
            Sky(np.array([one, one]), survey),
            operation=name, scale_mpc_h=scales(name), profile=profile,
        ).maps  # fmt: skip
        expected = EXPECTED[name](survey, profile)[:, ell]
        assert out @ one / (one @ one) == pytest.approx(expected, rel=1e-3, abs=1e-3)
        rest = out - expected[:, None] * one
        assert rest.std() < 5e-3 * one.std()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", EXPECTED)
def test_transfer_function_of_white_noise(white, apply, name, profile) -> None:
    out = apply(white, operation=name, scale_mpc_h=scales(name), profile=profile)
    alm = [harmonics.analysis(sky.maps) for sky in (out, white)]
    for b in range(2):
        cross, auto = (
            harmonics.spectra(np.array([a[b], alm[1][b]]), LMAX)[0, 1] for a in alm
        )
        # bands of eight multipoles, up to where pixels resolve modes well
        band = np.s_[: 2 * NSIDE]
        measured = cross[band].reshape(-1, 8).sum(1) / auto[band].reshape(-1, 8).sum(1)
        transfer = EXPECTED[name](white.survey, profile)[b, band]
        expected = (transfer * auto[band]).reshape(-1, 8).sum(1)
        expected /= auto[band].reshape(-1, 8).sum(1)
        assert measured == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("names", [("lowpass", "highpass"), ("bandpass", "bandstop")])
def test_what_is_kept_and_what_is_removed_add_up(white, apply, names, profile) -> None:
    parts = [
        apply(white, operation=name, scale_mpc_h=scales(name), profile=profile).maps
        for name in names
    ]
    assert np.allclose(sum(parts), white.maps, rtol=0, atol=1e-13)
    assert all(part.std() > 0.05 for part in parts)


def test_filters_in_a_row_multiply(white, apply) -> None:
    one = apply(white, to="harmonic", operation="lowpass", ell=20)
    both = apply(one, operation="highpass", ell=5).maps
    alm = (
        one.alm
        * (1 - np.exp(-ELL * (ELL + 1) * (np.pi / 5 / 2.35482) ** 2 / 2))[
            harmonics.ell_of_alm(LMAX)
        ]
    )
    assert np.allclose(both, harmonics.synthesis(alm, NSIDE), atol=1e-6)


def test_multipoles_are_angles(survey: Survey) -> None:
    assert fwhm(None, 90.0, survey) == pytest.approx([np.deg2rad(2)] * 2)


@pytest.mark.parametrize(
    ("scale", "published"),
    [(8.0, [29.5, 20.1, 15.0, 12.6]), (12.0, [44.3, 30.2, 22.5, 18.9])],
)
def test_fwhm_is_that_of_the_parent_group(scale: float, published: list[float]) -> None:
    # at the mean redshifts of DES Y3
    mean_z = np.array([0.336, 0.521, 0.741, 0.935])
    survey = Survey(512, 2, 0.3, 0.7, mean_z, np.full(4, 2.5), np.full(4, 0.4))
    arcmin = np.rad2deg(fwhm(scale, None, survey)) * 60
    assert arcmin == pytest.approx(published, rel=0.02)
