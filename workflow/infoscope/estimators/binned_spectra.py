"""Binned auto- and cross-spectra of square tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Values transformed together: 8 MB of complex numbers. Memory of more goes back to the
# system each time, and large tiles take more than twice as long.
CHUNK_VALUES = 2**20


def annulus_edges(side: int, n_ell: int) -> NDArray[np.float64]:
    """Bounds (n_ell + 1,) of the annuli in ℓ, in units of the fundamental mode."""
    return np.linspace(0.5, side / 2, n_ell + 1)


def annuli(side: int, n_ell: int) -> NDArray[np.int64]:
    """Find the annulus that each Fourier mode of a tile falls in.

    Annuli are equally wide in ℓ, from half the fundamental mode to the Nyquist
    frequency, beyond which the square has only corners of annuli.

    Parameters
    ----------
    side
        Pixels along an edge of the tile.
    n_ell
        Number of annuli, at most `side` // 2.

    Returns
    -------
        Array (side, side), ordered as `numpy.fft.fft2`; modes outside have −1.
    """
    if not 1 <= n_ell <= side // 2:
        raise ValueError(f"n_ell must be in 1 … {side // 2}, got {n_ell}")
    frequency = np.fft.fftfreq(side, 1 / side)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    edges = annulus_edges(side, n_ell)
    index = np.searchsorted(edges, radius, side="right") - 1
    index[radius == edges[-1]] = n_ell - 1  # the Nyquist frequency belongs to the last
    index[index >= n_ell] = -1
    return np.asarray(index, dtype=np.int64)


def binned_spectra(tiles: NDArray[np.floating], n_ell: int) -> NDArray[np.float64]:
    """Auto- and cross-spectra, averaged in annuli of ℓ.

    Normalised so that white noise of variance σ² has a spectrum of σ².

    Parameters
    ----------
    tiles : (n, side, side, n_bins)
        Tiles of convergence.
    n_ell
        Number of annuli, at most `side` // 2.

    Returns
    -------
        Array (n, n_pairs · n_ell): Re X_i conj(X_j) of all pairs i ≤ j, pair by pair.
    """
    n, side, _, n_bins = tiles.shape
    index = annuli(side, n_ell).ravel()
    inside = index >= 0
    average = np.zeros((int(inside.sum()), n_ell))
    average[np.arange(len(average)), index[inside]] = 1
    average /= average.sum(axis=0) * side**2
    pairs = [(i, j) for i in range(n_bins) for j in range(i, n_bins)]
    spectra = np.empty((n, len(pairs), n_ell))
    chunk = max(1, CHUNK_VALUES // (side**2 * n_bins))
    for start in range(0, n, chunk):
        part = slice(start, start + chunk)
        field = np.fft.fft2(tiles[part], axes=(1, 2))
        modes = field.reshape(len(field), side * side, n_bins)[:, inside]
        for pair, (i, j) in enumerate(pairs):
            power = modes[..., i].real * modes[..., j].real
            power += modes[..., i].imag * modes[..., j].imag
            spectra[part, pair] = power @ average
    return spectra.reshape(n, len(pairs) * n_ell)
