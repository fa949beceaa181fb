"""Peaks are local maxima, voids are local minima, and rings around them are kept."""

from __future__ import annotations

import healpy
import numpy as np
import pytest

from infoscope.degradations.operation import Sky
from infoscope.degradations.operations.peaks import around_peaks
from infoscope.errors import InfoscopeError

from ..conftest import NSIDE

N_PIX = 12 * NSIDE**2


def brute_force(values: np.ndarray) -> np.ndarray:
    """Find local maxima with healpy's neighbours, pixel by pixel."""
    peaks = np.zeros(N_PIX, bool)
    for pixel in range(N_PIX):
        around = healpy.get_all_neighbours(NSIDE, pixel)
        peaks[pixel] = (values[pixel] > values[around[around >= 0]]).all()
    return peaks


def test_peaks_are_local_maxima(sky: Sky) -> None:
    values = sky.maps[0]
    peaks = brute_force(values)
    assert np.array_equal(around_peaks(values, -np.inf, 0), peaks)
    threshold = values.std()
    high = around_peaks(values, threshold, 0)
    assert np.array_equal(high, peaks & (values >= threshold))
    assert 0 < high.sum() < peaks.sum()


@pytest.mark.parametrize("pixel", [0, 5000, 3 * NSIDE**2])
def test_rings_grow_around_a_peak(pixel: int) -> None:
    values = np.zeros(N_PIX)
    values[pixel] = 1
    near = {pixel}
    for rings in range(3):
        found = around_peaks(values, 0.5, rings)
        assert set(np.flatnonzero(found)) == near
        around = healpy.get_all_neighbours(NSIDE, sorted(near))
        near |= set(around[around >= 0].tolist())


def test_voids_are_peaks_upside_down(sky, apply) -> None:
    peaks = apply(sky, operation="select_peaks", above=0.5, rings=2).maps
    upside_down = Sky(-sky.maps, sky.survey)
    voids = apply(upside_down, operation="select_voids", below=-0.5, rings=2).maps
    assert np.array_equal(voids, -peaks)
    kept = peaks != 0
    assert np.array_equal(peaks[kept], sky.maps[kept])
    assert 0.01 < kept.mean() < 0.9


def test_no_peak_is_refused(sky, apply) -> None:
    with pytest.raises(InfoscopeError, match="lower the threshold"):
        apply(sky, operation="select_peaks", above=50)
