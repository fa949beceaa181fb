"""Statistics of patches with random phases, and of patches with flat spectra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from infoscope.degradations import Patches

from ..conftest import PIXELS, gaussian_fields


def products(patches: Patches) -> np.ndarray:
    """Return b_i b_j* of the modes of bins i and j, (n, n, n_patch, side, side)."""
    modes = np.fft.fft2(patches.kappa)
    return modes[:, None] * modes[None].conj()


def binned(patches: Patches) -> np.ndarray:
    """Return spectra (n, n, n_patch, n_annulus) in annuli one fundamental wide.

    In units per steradian, as the average of |b|² dΩ / N over all modes of an annulus.
    """
    side = patches.kappa.shape[-1]
    number = np.fft.fftfreq(side, 1 / side)
    annulus = np.rint(np.hypot(number[:, None], number)).astype(int)
    power = products(patches).real * patches.survey.pixel**2 / side**2
    return np.stack(
        [power[..., annulus == i].mean(axis=-1) for i in range(annulus.max() + 1)], -1
    )


def skewness(patches: Patches) -> np.ndarray:
    return stats.skew(patches.kappa.reshape(len(patches.kappa), -1), axis=1)


def bispectrum(patches: Patches) -> float:
    """Return ⟨κ³⟩ / σ³ of the modes of the first bin in an annulus."""
    number = np.fft.fftfreq(PIXELS, 1 / PIXELS)
    radius = np.hypot(number[:, None], number)
    modes = np.fft.fft2(patches.kappa[0]) * ((radius >= 3) & (radius < 6))
    band = np.fft.ifft2(modes).real
    return float((band**3).mean() / band.std() ** 3)


@pytest.fixture
def lognormal(patches: Patches) -> Patches:
    sigma = patches.kappa.std(axis=(1, 2, 3), keepdims=True)
    return replace(patches, kappa=np.exp(patches.kappa / sigma)).without_mean()


def test_random_phases_keep_all_spectra_mode_by_mode(lognormal, apply) -> None:
    out = apply(lognormal, operation="randomize_phases")
    before, after = products(lognormal), products(out)
    scale = np.abs(before).max()
    assert np.allclose(after, before, rtol=1e-10, atol=1e-13 * scale)
    # but the patch is another one
    assert abs(np.corrcoef(lognormal.kappa.ravel(), out.kappa.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("side", [PIXELS, PIXELS - 1])
def test_random_phases_are_shared_by_bins_and_fair(white, apply, side) -> None:
    n = 400
    rng = np.random.default_rng(8)
    field = rng.standard_normal((2, 1, side, side))
    survey = replace(white.survey, pixels=side)
    repeated = Patches(np.repeat(field, n, axis=1), survey)
    out = apply(repeated, operation="randomize_phases")
    turned = np.fft.fft2(out.kappa) / np.fft.fft2(repeated.kappa)
    assert np.allclose(turned[0], turned[1], atol=1e-9)
    assert np.allclose(np.abs(turned), 1, atol=1e-9)
    phase = turned[0]
    # one half of the modes are the complex conjugates of the other
    opposite = np.roll(phase[:, ::-1, ::-1], (1, 1), axis=(1, 2))
    assert np.allclose(phase, opposite.conj(), atol=1e-9)
    real = np.abs(phase.imag).max(axis=0) < 1e-9
    half = side // 2
    own = [(0, 0), (0, half), (half, 0), (half, half)] if side % 2 == 0 else [(0, 0)]
    assert sorted(map(tuple, np.argwhere(real))) == sorted(own)
    # uniform, independent of the patch and of other modes
    error = 1 / np.sqrt(2 * n)
    mean = phase.mean(axis=0)
    assert np.abs(mean.real).max() < 5.5 * error * 2**0.5
    uniform = np.angle(phase[:, 1, 2]) / (2 * np.pi) + 0.5
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    pair = (phase[:, 1, 2] * phase[:, 2, 1].conj()).mean()
    assert abs(pair) < 5 * error


def test_random_phases_leave_gaussian_fields_gaussian(survey, apply) -> None:
    fields = gaussian_fields((2, 200), PIXELS, np.random.default_rng(6))
    before = Patches(fields, survey).without_mean()
    out = apply(before, operation="randomize_phases")
    for patches in (before, out):
        # a patch has few large modes: errors are those of the scatter of patches
        third = (patches.kappa**3).mean(axis=(2, 3))
        error = third.std(axis=1) / 200**0.5
        assert (np.abs(third.mean(axis=1)) < 4 * error).all()
    moments = [(p.kappa**4).mean(axis=(2, 3)) for p in (before, out)]
    # the spectra of the same patches: their scatter cancels
    difference = moments[1] - moments[0]
    error = difference.std(axis=1) / 200**0.5
    assert (np.abs(difference.mean(axis=1)) < 4 * error).all()


def test_random_phases_remove_skewness_and_bispectrum(lognormal, apply) -> None:
    # the scatter of Gaussian patches with these spectra: other phases
    out = [
        apply(lognormal, seed=seed, operation="randomize_phases") for seed in range(48)
    ]
    for statistic in (lambda p: skewness(p)[0], bispectrum):
        drawn = np.array([statistic(each) for each in out])
        assert abs(drawn.mean()) < 4 * drawn.std() / len(drawn) ** 0.5
        assert statistic(lognormal) > 5 * drawn.std()


def test_flat_spectra_are_the_same_for_every_patch(lognormal, white, apply) -> None:
    noisy = replace(lognormal, kappa=lognormal.kappa + 0.3 * white.kappa)
    spectra = binned(apply(noisy, operation="flatten_spectrum"))
    # the mean, and the one mode in the corner, which cannot be white in two bins
    assert np.allclose(spectra[..., [0, -1]], 0, atol=1e-25)
    inner = spectra[..., 1:-1]
    expected = np.broadcast_to(np.eye(2)[..., None, None], inner.shape)
    assert np.allclose(inner, expected, rtol=0, atol=1e-10)


def test_flat_spectra_of_one_bin_include_the_corner(lognormal, apply) -> None:
    one = apply(lognormal, operation="sum_bins")
    spectra = binned(apply(one, operation="flatten_spectrum"))
    assert np.allclose(spectra[..., 1:], 1, rtol=0, atol=1e-10)


def test_flat_spectra_remove_the_amplitude(lognormal, apply) -> None:
    """Also that of each bin, and their correlation."""
    flat = apply(lognormal, operation="flatten_spectrum")
    louder = replace(lognormal, kappa=1.1 * lognormal.kappa)
    assert np.allclose(
        apply(louder, operation="flatten_spectrum").kappa, flat.kappa, atol=1e-9
    )
    mixed = np.tensordot([[1.0, 0.3], [0.0, 2.0]], lognormal.kappa, 1)
    other = apply(replace(lognormal, kappa=mixed), operation="flatten_spectrum")
    assert np.allclose(binned(other)[..., 1:-1], binned(flat)[..., 1:-1], atol=1e-9)


def test_flat_spectra_keep_phases(lognormal, apply) -> None:
    one = apply(lognormal, operation="select_bins", bins=[1])
    flat = apply(one, operation="flatten_spectrum")
    before, after = (np.fft.fft2(each.kappa) for each in (one, flat))
    turned = (after * before.conj())[..., 1:, :]
    size = np.abs(turned)
    assert np.allclose(turned.real, size, rtol=1e-9, atol=1e-9 * size.max())
    # what is not in the spectra remains
    assert skewness(flat)[0] > 0.1


def test_flat_spectra_follow_a_template(white, apply) -> None:
    points = [[30, 1e-8], [120, 1e-9]]
    flat = apply(white, operation="flatten_spectrum", template=points)
    spectra = binned(flat)
    ell = 2 * np.pi / white.survey.side * np.arange(spectra.shape[-1])
    expected = np.full(len(ell), 1e-8)
    expected[ell >= 120] = 1e-9
    between = (ell >= 30) & (ell <= 120)
    expected[between] = 10 ** (-8 - np.log(ell[between] / 30) / np.log(4))
    for b in range(2):
        assert spectra[b, b, :, 1:-1] == pytest.approx(
            np.broadcast_to(expected[1:-1], spectra[b, b, :, 1:-1].shape), rel=1e-9
        )


def test_flat_spectra_of_filtered_patches_are_finite(patches, apply) -> None:
    smooth = apply(
        patches, operation="lowpass", ell=60, profile="tophat", floor=0
    ).without_mean()
    out = apply(smooth, operation="flatten_spectrum").kappa
    assert np.isfinite(out).all() and out.std() > 0
    assert not apply(
        replace(patches, kappa=0 * patches.kappa), operation="flatten_spectrum"
    ).kappa.any()
