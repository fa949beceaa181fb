"""Peaks are local maxima, voids are local minima, and rings around them are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infoscope.errors import InfoscopeError

from ..conftest import parsed


def around(row: int, column: int, side: int, rings: int) -> list[tuple[int, int]]:
    """Return the pixels within some rings of a pixel, that are on the patch."""
    steps = range(-rings, rings + 1)
    near = [(row + dy, column + dx) for dy in steps for dx in steps]
    return [pixel for pixel in near if 0 <= min(pixel) and max(pixel) < side]


def brute_force(values: np.ndarray, threshold: float, rings: int) -> np.ndarray:
    """Find the pixels near local maxima, pixel by pixel."""
    side = len(values)
    near = np.zeros(values.shape, bool)
    for row, column in np.ndindex(values.shape):
        others = [p for p in around(row, column, side, 1) if p != (row, column)]
        value = values[row, column]
        # at the edge, some neighbours are unknown
        if len(others) < 8 or value < threshold:
            continue
        if all(value > values[pixel] for pixel in others):
            near[tuple(zip(*around(row, column, side, rings), strict=True))] = True
    return near


@pytest.mark.parametrize("rings", [0, 1, 3])
@pytest.mark.parametrize("above", [None, 0.7])
def test_peaks_are_those_of_brute_force(patches, apply, above, rings) -> None:
    kept = apply(
        patches, operation="select_peaks", above=above, rings=rings, fill=7.0
    ).kappa
    sigma = patches.kappa.std(axis=(1, 2, 3))
    for b, p in np.ndindex(kept.shape[:2]):
        threshold = -np.inf if above is None else above * sigma[b]
        near = brute_force(patches.kappa[b, p], threshold, rings)
        assert np.array_equal(kept[b, p], np.where(near, patches.kappa[b, p], 7))
        assert near.any()


def test_voids_are_peaks_upside_down(patches, apply) -> None:
    upside_down = replace(patches, kappa=-patches.kappa)
    for height in (None, 0.5):
        depth = None if height is None else -height
        peaks = apply(patches, operation="select_peaks", above=height, rings=2)
        voids = apply(upside_down, operation="select_voids", below=depth, rings=2)
        assert np.array_equal(voids.kappa, -peaks.kappa)
        assert 0.01 < (peaks.kappa != 0).mean() < 0.95


def test_threshold_is_that_of_the_fiducial(patches, apply) -> None:
    """More peaks of patches with a larger amplitude are above it."""
    louder = replace(patches, kappa=1.5 * patches.kappa)
    found = [
        apply(
            each, fiducial=patches, operation="select_peaks", above=1.5, rings=0
        ).kappa.astype(bool)
        for each in (patches, louder)
    ]
    assert found[1].sum() > 1.2 * found[0].sum()
    assert not (found[0] & ~found[1]).any()


def test_threshold_is_in_units_of_the_scatter_of_all_fiducial_pixels(patches) -> None:
    """Also of the means of patches, which operations before may have changed."""
    shifted = replace(
        patches, kappa=patches.kappa + 0.02 * (np.arange(6) - 2.5)[:, None, None]
    )
    sigma = shifted.kappa.std(axis=(1, 2, 3))
    for name, key, value in (
        ("select_peaks", "above", 0.5),
        ("select_voids", "below", -0.5),
    ):
        operation = parsed(operation=name, **{key: value})
        constants = operation.fit(shifted)
        assert constants == {"threshold": pytest.approx(value * sigma)}


def test_no_extremum_is_one_line_that_names_the_bin(patches, apply) -> None:
    flat = patches.kappa.copy()
    flat[1] = 0.001 * flat[1]
    flat[1, 0, 0, 0] = 1
    for sign, name, key, height in (
        (1, "select_peaks", "above", 2.0),
        (-1, "select_voids", "below", -2.0),
    ):
        with pytest.raises(InfoscopeError) as caught:
            apply(replace(patches, kappa=sign * flat), operation=name, **{key: height})
        assert str(caught.value) == (
            f"{key}: no extremum of bin 2 at the fiducial cosmology is beyond "
            f"{height:g} σ; choose a threshold nearer to 0"
        )
