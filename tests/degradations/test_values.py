"""Operations on values keep the given ranges; the area of their control agrees."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from infoscope.degradations.operation import Sky
from infoscope.errors import InfoscopeError
from infoscope.maps import harmonics

from ..conftest import NSIDE

N_PIX = 12 * NSIDE**2
RANGES = [[None, -0.25], [0.75, None]]


@pytest.mark.parametrize("fill", [0.0, -0.3])
def test_keep_convergence_in_units_of_sigma(sky, apply, fill) -> None:
    kept = apply(sky, operation="keep_convergence", ranges=RANGES, fill=fill).maps
    value = sky.maps / sky.maps.std(axis=1, keepdims=True)
    inside = (value < -0.25) | (value >= 0.75)
    assert np.array_equal(kept, np.where(inside, sky.maps, fill))


def test_keep_convergence_by_quantile(sky, apply) -> None:
    kept = apply(
        sky, operation="keep_convergence", by="quantile",
        ranges=[[0, 0.25], [0.75, 1]],
    ).maps  # fmt: skip
    low, high = np.quantile(sky.maps, [0.25, 0.75], axis=1)[..., None]
    inside = (sky.maps < low) | (sky.maps >= high)
    assert np.array_equal(kept, np.where(inside, sky.maps, 0))
    assert (kept != 0).mean(axis=1) == pytest.approx([0.5, 0.5], abs=1e-3)


def test_keep_convergence_is_the_same_on_tiles(sky, apply) -> None:
    on_tiles = apply(sky.to("tile"), operation="keep_convergence", ranges=RANGES)
    on_sphere = apply(sky, operation="keep_convergence", ranges=RANGES)
    assert np.array_equal(on_tiles.maps, on_sphere.maps)


def test_ranges_that_keep_nothing_are_refused(sky, apply) -> None:
    for parameters in (
        {"operation": "keep_convergence", "ranges": [[50, None]]},
        {"operation": "random_mask", "area_of": {"ranges": [[50, None]]}},
    ):
        with pytest.raises(InfoscopeError, match="contain no pixel"):
            apply(sky, **parameters)


@pytest.mark.parametrize("across_bins", ["shared", "independent"])
def test_random_mask_has_the_area_of_a_selection(sky, apply, across_bins) -> None:
    selected = apply(sky, operation="keep_convergence", ranges=RANGES).maps != 0
    masked = apply(
        sky, operation="random_mask", area_of={"ranges": RANGES},
        across_bins=across_bins,
    ).maps  # fmt: skip
    kept = masked != 0
    assert np.array_equal(kept.sum(axis=1), selected.sum(axis=1))
    assert np.array_equal(masked[kept], sky.maps[kept])
    area = kept.mean(axis=1)
    both = (kept[0] & kept[1]).mean()
    expected = area.min() if across_bins == "shared" else area.prod()
    assert both == pytest.approx(expected, abs=0.02)
    # no selection: what is kept is distributed as what was there
    for b in range(2):
        assert stats.ks_2samp(masked[b][kept[b]], sky.maps[b]).pvalue > 0.01


def test_random_mask_of_a_fraction_lies_anywhere(sky, apply) -> None:
    one, other = (
        apply(sky, seed=seed, operation="random_mask", fraction=0.3, fill=9.0).maps != 9
        for seed in (1, 2)
    )
    assert one.sum(axis=1).tolist() == [round(0.3 * N_PIX)] * 2
    assert (one & other).mean() == pytest.approx(0.09, abs=0.01)
    # a binomial number in each tile
    counts = Sky(one.astype(float), sky.survey).to("tile").maps[0].sum(axis=(1, 2))
    assert counts.std() == pytest.approx((256 * 0.3 * 0.7) ** 0.5, rel=0.35)


def test_gaussianize_makes_the_distribution_gaussian_and_keeps_ranks(sky, apply):
    skewed = Sky(np.exp(sky.maps), sky.survey)
    out = apply(skewed, operation="gaussianize_pixels").maps
    for values, before in zip(out, skewed.maps, strict=True):
        assert np.array_equal(np.argsort(values), np.argsort(before))
        assert values.mean() == pytest.approx(before.mean())
        assert values.std() == pytest.approx(before.std(), rel=1e-3)
        assert stats.kstest(stats.zscore(values), "norm").statistic < 1e-3


def test_gaussianize_keeps_equal_values_equal(sky, apply) -> None:
    masked = apply(sky, operation="keep_convergence", ranges=RANGES)
    out = apply(masked, operation="gaussianize_pixels").maps
    for values, before in zip(out, masked.maps, strict=True):
        assert len(np.unique(values[before == 0])) == 1


@pytest.mark.parametrize("across_bins", ["shared", "independent"])
def test_shuffle_keeps_one_point_distributions(sky, apply, across_bins) -> None:
    tiles = sky.to("tile")
    out = apply(tiles, to="tile", operation="shuffle_pixels", across_bins=across_bins)
    flat, before = (x.maps.reshape(2, 48, -1) for x in (out, tiles))
    assert np.array_equal(np.sort(flat, axis=2), np.sort(before, axis=2))
    assert not np.array_equal(flat, before)
    joint = [np.sort(x[0] + 1j * x[1], axis=1) for x in (flat, before)]
    assert np.array_equal(*joint) == (across_bins == "shared")


def test_shuffle_makes_the_spectrum_white_at_the_level_of_the_variance(sky, apply):
    tiles = sky.to("tile")
    maps = tiles.maps - tiles.maps.mean(axis=(2, 3), keepdims=True)
    out = apply(Sky(maps, sky.survey), operation="shuffle_pixels")
    before = harmonics.spectra(sky.to("harmonic").alm, 3 * NSIDE - 1)
    after = harmonics.spectra(out.to("harmonic").alm, 3 * NSIDE - 1)
    level = np.mean(maps[0] * maps[1]) * 4 * np.pi / N_PIX
    # cross-spectra too: the bins are shuffled alike
    for i, j, expected in ((0, 0, maps[0].var() * 4 * np.pi / N_PIX), (0, 1, level)):
        bands = [after[i, j, a:b].mean() for a, b in ((8, 20), (20, 40), (40, 64))]
        modes = [b * b - a * a for a, b in ((8, 20), (20, 40), (40, 64))]
        error = np.sqrt(2 / np.array(modes))
        assert (np.abs(np.array(bands) / expected - 1) < 4 * error + 0.02).all()
    assert before[0, 0, 8:20].mean() > 3 * before[0, 0, 40:64].mean()
