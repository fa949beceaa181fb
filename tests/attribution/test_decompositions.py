"""Parts of tiles: scales, values, peaks and voids."""

from __future__ import annotations

import numpy as np
import pytest

from infoscope.attribution import decompositions
from infoscope.attribution.decompositions import VALUE_EDGES, Annuli
from infoscope.survey.survey import Survey


def test_annuli_have_the_multipoles_of_their_modes() -> None:
    annuli = Annuli.of(8, 0.1)
    assert annuli.ell[0] == 0
    # the two fundamental modes, and the diagonal one, round to the first annulus
    assert annuli.ell[1] == pytest.approx(np.pi / 0.8 * (2 + np.sqrt(2)) / 3)
    assert np.bincount(annuli.index.ravel())[1] == 3


def test_smoothing_is_that_of_the_operation(survey: Survey) -> None:
    """A wave that mirrors at the edges continue has the factor of its multipole."""
    side = survey.pixels
    wave = np.cos(2 * np.pi * 4 * (np.arange(side) + 0.5) / side)
    tiles = np.zeros((1, side, side, 2), np.float32)
    tiles[0] = wave[:, None, None]
    smooth = decompositions.smoothed(tiles, 60, survey)
    fwhm = 60 / survey.chi_mpc_h
    ell = 2 * np.pi * 4 / survey.side
    factor = np.exp(-ell * (ell + 1) * fwhm**2 / (16 * np.log(2)))
    np.testing.assert_allclose(smooth[0, 0, 0], factor * wave[0], rtol=1e-4)
    assert decompositions.smoothed(tiles, 0, survey) is tiles


def test_values_are_sorted_by_their_sigma() -> None:
    rng = np.random.default_rng(3)
    tiles = rng.standard_normal((2, 32, 32, 2)).astype(np.float32)
    tiles[1] *= 7
    sums, area = decompositions.by_value(tiles, np.ones_like(tiles))
    np.testing.assert_allclose(area.sum(axis=1), 1)
    above = VALUE_EDGES[:-1] >= 1
    for tile, of_tile, share in zip(tiles, sums, area, strict=True):
        high = tile >= tile.std(axis=(0, 1))
        assert of_tile[above].sum() == pytest.approx(tile[high].sum(), rel=1e-3)
        assert share[above].sum() == pytest.approx(high.mean(), abs=1e-6)


def test_peaks_and_voids_are_found_and_stacked() -> None:
    rings = 3
    values = np.zeros((1, 16, 16, 1), np.float32)
    values[0, 8, 8] = 5
    values[0, 5, 9] = -4
    values[0, 1, 1] = 9  # too near to the edge
    peak, void = decompositions.extrema(values, rings)
    assert peak.shape == (1, 10, 10, 1)
    assert np.argwhere(peak[0, ..., 0]).tolist() == [[8 - rings, 8 - rings]]
    assert np.argwhere(void[0, ..., 0]).tolist() == [[5 - rings, 9 - rings]]
    y, x = np.indices((16, 16))
    distance = np.rint(np.hypot(y - 8, x - 8))
    found = (10.0**distance)[None, :, :, None].astype(np.float32)
    sums, pixels = decompositions.around(found, (peak, void), rings)
    ring = np.arange(rings + 1)
    counted = [(distance == r).sum() for r in ring]
    assert pixels[0, 0].tolist() == counted and counted[:2] == [1, 8]
    np.testing.assert_allclose(sums[0, 0], 10.0**ring * counted)


def test_plateaus_are_no_peaks() -> None:
    values = np.full((1, 8, 8, 1), 4, np.float32)
    assert not any(kind.any() for kind in decompositions.extrema(values, 1))
