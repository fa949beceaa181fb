"""n(z) tables are checked, and the shape noise is that of the literature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infoscope.errors import InfoscopeError
from infoscope.survey.survey import Survey, read_nz

ROOT = Path(__file__).parents[2]


def test_shipped_table_has_the_stated_mean_redshifts() -> None:
    nz = read_nz(ROOT / "resources/nz/des_like.txt")
    assert nz.mean == pytest.approx([0.31, 0.48, 0.75, 0.94], abs=0.005)
    assert np.trapezoid(nz.density, nz.z, axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0 1\n1 x\n", "could not convert"),
        ("0\n1\n2\n", "columns"),
        ("0 1\n1 1\n0.5 1\n", "increase"),
        ("0 1\n1 -1\n2 1\n", "increase"),
        ("0 0\n1 0\n2 0\n", "empty"),
        ("0 1\n1 1\n3 1\n", "beyond z"),
    ],
)
def test_bad_table_is_one_line(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "nz.txt"
    path.write_text(text)
    with pytest.raises(InfoscopeError, match=named) as caught:
        read_nz(path)
    assert str(path) in str(caught.value) and "survey.nz: " in str(caught.value)


def survey_of(pixels: int) -> Survey:
    return Survey(
        side_deg=5, pixels=pixels, omega_m=0.3, h=0.7, mean_z=np.array([0.5, 1.0]),
        n_gal_arcmin2=np.array([2.5, 10.0]), sigma_e=np.array([0.4, 0.2]),
    )  # fmt: skip


def test_noise_of_a_pixel() -> None:
    # pixels of 5 arcmin
    survey = survey_of(60)
    sigma = np.array([0.4 / (2.5 * 25) ** 0.5, 0.2 / (10 * 25) ** 0.5])
    assert survey.shape_noise == pytest.approx(sigma)
    assert survey.noise_sigma == pytest.approx(sigma)
    assert np.rad2deg(survey.pixel) * 60 == pytest.approx(5)
    assert np.rad2deg(survey.side) == pytest.approx(5)
    louder = replace(survey, noise_factor=1.5)
    assert louder.noise_sigma == pytest.approx(1.5 * sigma)
    # the unit of floors
    assert louder.shape_noise == pytest.approx(sigma)


def test_noise_spectrum_does_not_depend_on_the_pixels() -> None:
    """White noise has σ_e² / n_gal per steradian, whatever the pixels."""
    expected = np.array([0.4, 0.2]) ** 2 / [2.5, 10] * np.deg2rad(1 / 60) ** 2
    for pixels in (16, 64):
        survey = survey_of(pixels)
        assert (survey.noise_sigma * survey.pixel) ** 2 == pytest.approx(expected)
