"""n(z) from every source: what is read is what was written, formulas are integrated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from scipy.integrate import quad
from scipy.stats import norm

from infoscope.errors import InfoscopeError
from infoscope.study import specs
from infoscope.study.config import parse_study
from infoscope.survey.config import SmailNz
from infoscope.survey.presets import PRESETS
from infoscope.survey.redshifts import (
    read_fits,
    read_tables,
    redshift_distribution,
    smail,
    write_nz,
)
from infoscope.survey.survey import RedshiftDistribution, read_nz

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "resources/nz/des_like.txt"
LSST_Y1 = {"z0": 0.13, "alpha": 2, "beta": 0.78, "sigma_z": 0.05}


def preset(name: str) -> tuple[Any, RedshiftDistribution]:
    study = parse_study(
        {"study": "x", "survey": {"preset": name}, "degradations": {"reference": {}}}
    )
    files = [ROOT / path for path in specs.nz_files(study)]
    return study.survey, redshift_distribution(specs.nz(study), files)


def test_written_table_is_read_again(tmp_path: Path) -> None:
    nz = smail(SmailNz(**LSST_Y1, n_bins=3))
    write_nz(nz, tmp_path / "nz.txt")
    again = read_nz(tmp_path / "nz.txt")
    assert np.array_equal(again.z, nz.z)
    np.testing.assert_allclose(again.density, nz.density, rtol=1e-14)


def test_bins_of_several_files_follow_one_another(tmp_path: Path) -> None:
    whole = np.loadtxt(TABLE)
    for name, columns in (("a", [0, 1]), ("b", [0, 2, 3]), ("c", [0, 4])):
        np.savetxt(tmp_path / name, whole[:, columns])
    nz = read_tables([tmp_path / name for name in "abc"])
    np.testing.assert_allclose(nz.density, read_nz(TABLE).density, rtol=1e-12)
    np.savetxt(tmp_path / "c", whole[::2, [0, 4]])
    with pytest.raises(InfoscopeError, match=r"c: redshifts differ from .*a; all"):
        read_tables([tmp_path / name for name in "abc"])


def two_point_file(path: Path, **columns: np.ndarray) -> None:
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, "D", array=values) for name, values in columns.items()],
        name="NZ_SOURCE",
    )
    other = fits.ImageHDU(np.zeros((2, 2)), name="COVMAT")
    fits.HDUList([fits.PrimaryHDU(), other, table]).writeto(path)


def test_fits_round_trip(tmp_path: Path) -> None:
    z, path = np.arange(0.05, 2, 0.1), tmp_path / "2pt.fits"
    # eleven bins, out of order: BIN10 is no neighbour of BIN1
    bins = {f"BIN{i}": np.exp(-((z - 0.1 * i) ** 2) / 0.02) for i in range(11, 0, -1)}
    two_point_file(path, Z_LOW=z - 0.05, Z_MID=z, Z_HIGH=z + 0.05, **bins)
    nz = read_fits(path, "nz_source")
    assert np.array_equal(nz.z, z)
    for number, density in enumerate(nz.density, 1):
        expected = bins[f"BIN{number}"] / np.trapezoid(bins[f"BIN{number}"], z)
        np.testing.assert_allclose(density, expected, rtol=1e-12)


Z = np.array([0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("columns", "extension", "named"),
    [
        ({"Z_MID": Z, "BIN1": Z}, "NZ_LENS", "NZ_LENS; choose from COVMAT, NZ_SOURCE$"),
        ({"Z_MID": Z, "BIN1": Z}, "COVMAT", "2pt.fits: "),
        ({"Z_MID": Z, "DENSITY": Z}, "NZ_SOURCE", "needs columns Z_MID, BIN1"),
        ({"Z": Z, "BIN1": Z}, "NZ_SOURCE", "needs columns Z_MID, BIN1"),
        ({"Z_MID": Z, "BIN1": Z - 1}, "NZ_SOURCE", "finite and ≥ 0"),
        ({"Z_MID": Z[::-1], "BIN1": Z}, "NZ_SOURCE", "z must increase"),
        ({"Z_MID": Z, "BIN1": 0 * Z}, "NZ_SOURCE", "a bin is empty"),
        ({"Z_MID": 2 * Z, "BIN1": Z}, "NZ_SOURCE", r"beyond z = 2\.5"),
    ],
)
def test_bad_fits_file_is_one_line(
    tmp_path: Path, columns: dict[str, np.ndarray], extension: str, named: str
) -> None:
    two_point_file(tmp_path / "2pt.fits", **columns)
    with pytest.raises(InfoscopeError, match=named) as caught:
        read_fits(tmp_path / "2pt.fits", extension)
    assert str(caught.value).startswith("survey.nz: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [None, b"", b"no FITS file", b"SIMPLE  =" + 99 * b" "]
)
def test_what_is_no_fits_file_is_one_line(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "2pt.fits"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InfoscopeError, match="2pt.fits") as caught:
        read_fits(path, "NZ_SOURCE")
    assert "\n" not in str(caught.value)


def test_smail_bins_against_an_integral_over_photometric_redshifts() -> None:
    edges, bias = [0.2, 0.6, 0.7, 1.9], 0.02
    nz = smail(SmailNz(**LSST_Y1, bias=bias, edges=edges))

    def all_galaxies(z: float) -> float:
        return z**2 * np.exp(-((z / 0.13) ** 0.78))

    def of_bin(z: float, low: float, high: float) -> float:
        scatter = norm(z + bias * (1 + z), 0.05 * (1 + z))
        inside, _ = quad(scatter.pdf, low, high, points=np.clip([z], low, high))
        return all_galaxies(z) * inside

    at = [10, 35, 60, 66, 100, 200]
    for density, low, high in zip(nz.density, edges[:-1], edges[1:], strict=True):
        total, _ = quad(of_bin, 0, 2.5, (low, high), points=[low, high], epsrel=1e-5)
        expected = [of_bin(nz.z[i], low, high) / total for i in at]
        np.testing.assert_allclose(density[at], expected, rtol=2e-4, atol=1e-9)


def test_equal_bins_add_up_to_all_galaxies() -> None:
    five, one = (smail(SmailNz(**LSST_Y1, n_bins=n)) for n in (5, 1))
    np.testing.assert_allclose(five.density.mean(axis=0), one.density[0], atol=1e-9)
    # the formula itself, and where it has its mean: z0 Γ(4/β) / Γ(3/β)
    z = np.linspace(0, 2.5, 100_001)
    formula = z**2 * np.exp(-((z / 0.13) ** 0.78))
    formula /= np.trapezoid(formula, z)
    np.testing.assert_allclose(
        one.density[0], np.interp(one.z, z, formula), rtol=1e-4, atol=1e-6
    )
    assert five.mean.mean() == pytest.approx(one.mean[0], rel=1e-9)


def test_bins_of_little_scatter_are_cut_at_quantiles() -> None:
    nz = smail(SmailNz(**LSST_Y1 | {"sigma_z": 0.01}, n_bins=4))
    z = np.linspace(0, 2.5, 100_001)
    below = np.cumsum(z**2 * np.exp(-((z / 0.13) ** 0.78)))
    quartiles = np.interp([0.25, 0.5, 0.75], below / below[-1], z)
    for low, high, quartile in zip(nz.density, nz.density[1:], quartiles, strict=False):
        # neighbours are equal at the edge between them
        at = np.interp(quartile, nz.z, low), np.interp(quartile, nz.z, high)
        assert at[0] == pytest.approx(at[1], rel=0.05) and at[0] > 0.5


def test_bias_moves_bins_the_other_way() -> None:
    edges = [0.4, 0.8]
    plain, biased = (
        smail(SmailNz(**LSST_Y1 | {"sigma_z": 0.01}, bias=bias, edges=edges)).mean[0]
        for bias in (0, 0.1)
    )
    # z_photo = z + 0.1 (1 + z): the bin holds galaxies from 0.27 to 0.64
    assert plain == pytest.approx(0.6, abs=0.02)
    assert biased == pytest.approx((0.3 / 1.1 + 0.7 / 1.1) / 2, abs=0.02)


@pytest.mark.parametrize(
    ("edges", "number"), [([0.1, 0.5, 4, 5], 3), ([-0.5, -0.3, 1], 1)]
)
def test_empty_bin_is_refused(edges: list[float], number: int) -> None:
    named = rf"survey\.nz: bin {number} contains a fraction of only .* of all galaxies"
    with pytest.raises(InfoscopeError, match=named):
        smail(SmailNz(**LSST_Y1, edges=edges))


# mean redshifts: DeepLSS (arXiv 2203.09616) after DES Y3 (0.34, 0.52, 0.74, 0.96), and
# KiDS-1000 (Hildebrandt et al. 2021)
PUBLISHED = {
    "des_y3_like": ([0.34, 0.52, 0.74, 0.96], 0.045),
    "kids_1000_like": ([0.26, 0.40, 0.56, 0.79, 0.98], 0.03),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_have_about_the_published_mean_redshifts(name: str) -> None:
    survey, nz = preset(name)
    published, distance = PUBLISHED[name]
    assert nz.mean == pytest.approx(published, abs=distance)
    assert len(survey.sigma_e) == len(survey.n_gal_arcmin2) == len(nz.mean)


def test_lsst_y1_has_the_numbers_of_the_requirements_document() -> None:
    survey, nz = preset("lsst_y1_like")
    assert len(nz.mean) == 5 and len(nz.mean) * survey.n_gal_arcmin2 == 10
    # drawn: galaxies of the formula below z = 2.5, scattered, then cut into five
    rng = np.random.default_rng(1)
    # (z / z0)^β is a gamma variate of shape 3/β
    z = 0.13 * rng.gamma(3 / 0.78, size=1_000_000) ** (1 / 0.78)
    assert np.mean(z > 2.5) == pytest.approx(0.008, abs=0.001)
    z = z[z < 2.5]
    photometric = z + 0.05 * (1 + z) * rng.standard_normal(len(z))
    fifths = np.array_split(z[np.argsort(photometric)], 5)
    assert nz.mean == pytest.approx([part.mean() for part in fifths], abs=0.002)


def test_what_the_user_writes_wins_over_a_preset() -> None:
    own = {"preset": "lsst_y1_like", "sigma_e": 0.3}
    config = {"study": "x", "survey": own, "degradations": {"reference": {}}}
    survey = parse_study(config).survey
    assert survey.sigma_e == 0.3 and survey.n_gal_arcmin2 == 2
    assert survey.nz == SmailNz(**LSST_Y1, n_bins=5)
    assert own == {"preset": "lsst_y1_like", "sigma_e": 0.3}


def test_every_preset_can_be_named() -> None:
    for name in PRESETS:
        assert preset(name)[0].preset == name
