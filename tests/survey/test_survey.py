"""n(z) tables are checked, and the shape noise is that of the literature."""

from __future__ import annotations

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


def test_noise_of_a_pixel() -> None:
    # nside 64: 3021.5 arcmin² a pixel
    n_gal, sigma_e = np.array([2.5, 10.0]), np.array([0.4, 0.2])
    survey = Survey(64, 2, 0.3, 0.7, np.array([0.5, 1.0]), n_gal, sigma_e)
    sigma = [0.4 / (2.5 * 3021.5) ** 0.5, 0.2 / 30215**0.5]
    assert survey.noise_sigma == pytest.approx(sigma, 1e-4)
    assert np.rad2deg(survey.pixel) * 60 == pytest.approx(3021.5**0.5, 1e-4)
