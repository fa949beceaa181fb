import numpy as np
import pytest

from infoscope.estimators.binned_spectra import annuli, binned_spectra


def test_white_noise_is_flat():
    tiles = np.random.default_rng(1).normal(size=(600, 16, 16, 2)) * [1, 2]
    spectra = binned_spectra(tiles, 4).reshape(600, 3, 4).mean(axis=0)
    np.testing.assert_allclose(spectra[0], 1, atol=0.05)
    np.testing.assert_allclose(spectra[1], 0, atol=0.1)
    np.testing.assert_allclose(spectra[2], 4, atol=0.2)


@pytest.mark.parametrize(("kx", "ky"), [(1, 0), (0, 3), (2, 3), (8, 0)])
def test_plane_wave_is_in_its_annulus(kx, ky):
    side, n_ell = 16, 5
    y, x = np.mgrid[:side, :side]
    wave = np.cos(2 * np.pi * (kx * x + ky * y) / side)[None, :, :, None]
    spectrum = binned_spectra(wave, n_ell)[0]
    edges = np.linspace(0.5, side / 2, n_ell + 1)
    expected = min(np.searchsorted(edges, np.hypot(kx, ky)) - 1, n_ell - 1)
    assert spectrum.argmax() == expected
    np.testing.assert_allclose(np.delete(spectrum, expected), 0, atol=1e-12)


@pytest.mark.parametrize("side", [8, 16, 64])
def test_annuli_contain_modes_but_not_the_corners_or_the_mean(side):
    index = annuli(side, side // 2)
    assert set(range(side // 2)) == set(index[index >= 0])
    assert index[0, 0] == -1
    assert index[side // 2, side // 2] == -1


def test_too_many_annuli():
    with pytest.raises(ValueError, match="n_ell"):
        annuli(8, 5)
