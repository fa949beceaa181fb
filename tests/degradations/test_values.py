"""Operations on values keep the given ranges; the area of their control agrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from infoscope.degradations import Patches
from infoscope.errors import InfoscopeError

from ..conftest import N_PATCH, PIXELS, parsed

RANGES = [[None, -0.25], [0.75, None]]
KEEP = {"operation": "keep_convergence", "ranges": RANGES}
QUANTILES = {"operation": "keep_convergence", "by": "quantile", "ranges": [[0, 0.25],
             [0.75, 1]]}  # fmt: skip


def inside(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (values < low) | (values >= high)


@pytest.mark.parametrize("of", ["fiducial", "tile"])
@pytest.mark.parametrize("fill", [0.0, -0.3])
def test_ranges_in_units_of_sigma(patches, apply, fill, of) -> None:
    kept = apply(patches, **KEEP, of=of, fill=fill).kappa
    axes = (1, 2, 3) if of == "fiducial" else (2, 3)
    sigma = patches.kappa.std(axis=axes, keepdims=True)
    expected = inside(patches.kappa, -0.25 * sigma, 0.75 * sigma)
    assert np.array_equal(kept, np.where(expected, patches.kappa, fill))


@pytest.mark.parametrize("of", ["fiducial", "tile"])
def test_ranges_by_quantile(patches, apply, of) -> None:
    kept = apply(patches, **QUANTILES, of=of).kappa
    axes = (1, 2, 3) if of == "fiducial" else (2, 3)
    low, high = np.quantile(patches.kappa, [0.25, 0.75], axis=axes, keepdims=True)
    expected = inside(patches.kappa, low, high)
    assert np.array_equal(kept, np.where(expected, patches.kappa, 0))
    area = (kept != 0).mean(axis=axes)
    assert area == pytest.approx(np.full(area.shape, 0.5), abs=2 / PIXELS**2)


def test_ranges_of_kappa_itself(patches, apply) -> None:
    kept = apply(
        patches, operation="keep_convergence", by="kappa",
        ranges=[[-0.01, 0.0], [0.005, None]],
    ).kappa  # fmt: skip
    low = (patches.kappa >= -0.01) & (patches.kappa < 0)
    assert np.array_equal(
        kept, np.where(low | (patches.kappa >= 0.005), patches.kappa, 0)
    )


def test_ranges_include_their_lower_edge(patches, apply) -> None:
    integers = replace(patches, kappa=np.rint(patches.kappa / 0.005))
    kept = apply(
        integers, operation="keep_convergence", by="kappa", ranges=[[-1, 1]], fill=9.0
    ).kappa
    assert set(np.unique(kept)) == {-1, 0, 9}


def test_edges_are_fitted_and_recorded(patches) -> None:
    sigma = patches.kappa.std(axis=(1, 2, 3))
    assert parsed(**KEEP).fit(patches) == {
        "high_0": pytest.approx(-0.25 * sigma),
        "low_1": pytest.approx(0.75 * sigma),
    }
    low, high = np.quantile(patches.kappa, [0.25, 0.75], axis=(1, 2, 3))
    assert parsed(**QUANTILES).fit(patches) == {
        "high_0": pytest.approx(low), "low_1": pytest.approx(high)
    }  # fmt: skip
    by_kappa = parsed(operation="keep_convergence", by="kappa", ranges=[[0.005, None]])
    assert by_kappa.fit(patches) == {"low_0": [0.005, 0.005]}
    everything = parsed(operation="keep_convergence", ranges=[[None, None]])
    assert everything.fit(patches) == {}
    assert not parsed(**KEEP, of="tile").needs_fit


@pytest.mark.parametrize("example", [KEEP, QUANTILES])
def test_the_mask_knows_the_amplitude_unless_it_is_the_unit(
    patches, apply, example
) -> None:
    """The mask of a louder patch is another one, unless σ is its own."""
    louder = replace(patches, kappa=1.1 * patches.kappa)
    one, other = (
        apply(each, fiducial=patches, **example).kappa for each in (patches, louder)
    )
    assert ((other != 0).sum(axis=(2, 3)) > (one != 0).sum(axis=(2, 3))).all()
    one, other = (apply(each, **example, of="tile").kappa for each in (patches, louder))
    assert np.allclose(other, 1.1 * one, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "parameters",
    [
        KEEP,
        {"operation": "random_mask", "fraction": 0.3},
        {"operation": "select_peaks", "above": 0.5},
    ],
)
def test_removed_pixels_are_resampled_from_the_kept(patches, apply, parameters) -> None:
    marked = apply(patches, **parameters, fill=9.0).kappa
    kept = marked != 9
    out = apply(patches, **parameters, fill="resample").kappa
    assert np.array_equal(out[kept], patches.kappa[kept])
    for b, p in np.ndindex(2, N_PATCH):
        values, drawn = patches.kappa[b, p][kept[b, p]], out[b, p][~kept[b, p]]
        assert np.isin(drawn, values).all()
        # each kept pixel is as likely as any other
        assert stats.ks_2samp(drawn, values).pvalue > 1e-3
        assert len(np.unique(drawn)) > 0.5 * min(len(drawn), len(values))


def test_nothing_to_resample_is_zero(patches, apply) -> None:
    """A quiet patch may have no pixel in a range that the fiducial patches have."""
    quiet = patches.kappa.copy()
    quiet[:, 0] *= 1e-3
    out = apply(
        replace(patches, kappa=quiet), fiducial=patches,
        operation="keep_convergence", ranges=[[1, None]], fill="resample",
    ).kappa  # fmt: skip
    assert not out[:, 0].any() and out[:, 1:].all()


@pytest.mark.parametrize(
    ("parameters", "start"),
    [
        ({"operation": "keep_convergence", "ranges": [[50, None]]}, "ranges: [(50.0"),
        (
            {"operation": "keep_convergence", "by": "kappa", "ranges": [[1, 2]]},
            "ranges: [(1.0, 2.0)] (kappa) contain no pixel of bin 1",
        ),
        (
            {"operation": "random_mask", "area_of": {"ranges": [[50, None]]}},
            "ranges: [(50.0, None)] (sigma) contain no pixel of bin 1",
        ),
    ],
)
def test_ranges_without_fiducial_pixels_are_one_line(
    patches, apply, parameters, start
) -> None:
    with pytest.raises(InfoscopeError) as caught:
        apply(patches, **parameters)
    message = str(caught.value)
    assert message.startswith(start) and "\n" not in message
    assert message.endswith("at the fiducial cosmology; widen them")


def test_an_empty_bin_is_named(patches, apply) -> None:
    small = replace(patches, kappa=patches.kappa * [[[[1]]], [[[0.01]]]])
    with pytest.raises(InfoscopeError, match="no pixel of bin 2 at the fiducial"):
        apply(small, operation="keep_convergence", by="kappa", ranges=[[0.005, None]])


@pytest.mark.parametrize("of", ["fiducial", "tile"])
@pytest.mark.parametrize("across_bins", ["shared", "independent"])
def test_random_mask_has_the_expected_area_in_every_patch(
    patches, apply, across_bins, of
) -> None:
    selected = apply(patches, **KEEP, of=of).kappa != 0
    # another amplitude: the number of pixels must not tell
    other = replace(patches, kappa=2 * patches.kappa[:, ::-1])
    masked = apply(
        other, fiducial=patches, operation="random_mask",
        area_of={"ranges": RANGES, "of": of}, across_bins=across_bins,
    ).kappa  # fmt: skip
    kept = masked != 0
    counts = kept.sum(axis=(2, 3))
    expected = selected.sum(axis=(2, 3)).mean(axis=1)
    assert np.array_equal(counts, np.repeat(np.rint(expected)[:, None], N_PATCH, 1))
    assert np.array_equal(masked[kept], other.kappa[kept])
    area = kept.mean(axis=(1, 2, 3))
    both = (kept[0] & kept[1]).mean()
    joint = area.min() if across_bins == "shared" else area.prod()
    assert both == pytest.approx(joint, abs=0.02)
    # no selection: what is kept is distributed as what was there
    for b in range(2):
        assert stats.ks_2samp(masked[b][kept[b]], other.kappa[b].ravel()).pvalue > 0.01


def test_random_mask_of_a_fraction_lies_anywhere(patches, apply) -> None:
    one, other = (
        apply(patches, seed=seed, operation="random_mask", fraction=0.3, fill=9.0).kappa
        != 9
        for seed in (1, 2)
    )
    assert (one.sum(axis=(2, 3)) == round(0.3 * PIXELS**2)).all()
    assert (one & other).mean() == pytest.approx(0.09, abs=0.01)
    # hypergeometric numbers in a quarter of each patch
    counts = one[..., :16, :16].sum(axis=(2, 3))
    variance = 256 * 0.3 * 0.7 * 0.75
    assert counts.mean() == pytest.approx(256 * 0.3, abs=4 * (variance / 12) ** 0.5)
    assert counts.std() == pytest.approx(variance**0.5, rel=0.6)


def test_gaussianize_makes_each_patch_gaussian_and_keeps_ranks(patches, apply) -> None:
    sigma = patches.kappa.std(axis=(1, 2, 3), keepdims=True)
    skewed = replace(patches, kappa=np.exp(patches.kappa / sigma))
    out = apply(skewed, operation="gaussianize_pixels").kappa
    for b, p in np.ndindex(2, N_PATCH):
        values, before = out[b, p].ravel(), skewed.kappa[b, p].ravel()
        assert np.array_equal(np.argsort(values), np.argsort(before))
        assert values.mean() == pytest.approx(before.mean())
        assert values.std() == pytest.approx(before.std(), rel=0.01)
        assert stats.kstest(stats.zscore(values), "norm").statistic < 0.01


def test_gaussianize_gives_equal_values_their_mean_rank(patches, apply) -> None:
    masked = apply(patches, **KEEP)
    out = apply(masked, operation="gaussianize_pixels").kappa
    for b, p in np.ndindex(2, N_PATCH):
        before = masked.kappa[b, p]
        ranks = stats.rankdata(before).reshape(before.shape)
        expected = stats.norm.ppf((ranks - 0.5) / PIXELS**2)
        expected = before.mean() + before.std() * expected
        assert np.allclose(out[b, p], expected, rtol=0, atol=1e-12)
        assert len(np.unique(out[b, p][before == 0])) == 1


@pytest.mark.parametrize("across_bins", ["shared", "independent"])
def test_shuffle_keeps_one_point_distributions(patches, apply, across_bins) -> None:
    out = apply(patches, operation="shuffle_pixels", across_bins=across_bins).kappa
    flat, before = (x.reshape(2, N_PATCH, -1) for x in (out, patches.kappa))
    assert np.array_equal(np.sort(flat, axis=2), np.sort(before, axis=2))
    assert not (flat == before).all(axis=2).any()
    same = replace(patches, kappa=np.repeat(patches.kappa[:, :1], N_PATCH, axis=1))
    other = apply(same, operation="shuffle_pixels", across_bins=across_bins).kappa
    assert len(np.unique(other.reshape(2, N_PATCH, -1), axis=1)[0]) == N_PATCH
    joint = [np.sort(x[0] + 1j * x[1], axis=1) for x in (flat, before)]
    assert np.array_equal(*joint) == (across_bins == "shared")


def test_shuffle_makes_the_spectrum_white_at_the_level_of_the_variance(
    survey, apply
) -> None:
    from ..conftest import gaussian_fields

    fields = gaussian_fields((2, 50), PIXELS, np.random.default_rng(4))
    fields[1] = 0.6 * fields[0] + 0.8 * fields[1]
    patches = Patches(fields, survey).without_mean()
    out = apply(patches, operation="shuffle_pixels")
    number = np.fft.fftfreq(PIXELS, 1 / PIXELS)
    radius = np.hypot(number[:, None], number)
    spectra = []
    for each in (patches, out):
        modes = np.fft.fft2(each.kappa) / PIXELS
        spectra.append([(modes[0] * modes[j].conj()).real.mean(axis=0) for j in (0, 1)])
    for j in (0, 1):
        # without the mean there is one mode less
        level = (patches.kappa[0] * patches.kappa[j]).mean() / (1 - PIXELS**-2)
        for low, high in ((0.5, 4), (4, 8), (8, 16), (16, 23)):
            band = (radius >= low) & (radius < high)
            # each complex mode counts once, its conjugate not
            error = (2 / (50 * band.sum())) ** 0.5 * patches.kappa[0].var()
            assert spectra[1][j][band].mean() == pytest.approx(level, abs=4.5 * error)
    red = spectra[0][0]
    assert red[(radius > 0) & (radius < 4)].mean() > 20 * red[radius > 12].mean()
