"""Binned auto- and cross-spectra of square tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import NDArray

# Values transformed together: 8 MB of complex numbers. Larger buffers are returned to
# the system each time, and large tiles take more than twice as long.
CHUNK_VALUES = 2**20


def annulus_edges(side: int, n_ell: int) -> Float[NDArray, " n_ell+1"]:
    """Compute the edges of the annuli in ℓ, in units of the fundamental mode."""
    return np.linspace(0.5, side / 2, n_ell + 1)


def annuli(side: int, n_ell: int) -> Int[NDArray, "side side"]:
    """Assign each Fourier mode of a tile to an annulus.

    Annuli are equally wide in ℓ. They extend from half the fundamental mode to the
    Nyquist frequency; beyond it, the square of Fourier modes cuts annuli off.

    Parameters
    ----------
    side
        Pixels along an edge of the tile.
    n_ell
        Number of annuli, at most `side` // 2.

    Returns
    -------
        Index of the annulus of each mode, in the order of `numpy.fft.fft2`; −1 for
        modes in no annulus.

    Raises
    ------
    ValueError
        If `n_ell` is out of range.
    """
    if not 1 <= n_ell <= side // 2:
        raise ValueError(f"n_ell must be in 1 … {side // 2}, got {n_ell}")
    frequency = np.fft.fftfreq(side, 1 / side)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    edges = annulus_edges(side, n_ell)
    index = np.searchsorted(edges, radius, side="right") - 1
    index[radius == edges[-1]] = n_ell - 1  # the last annulus includes the Nyquist mode
    index[index >= n_ell] = -1
    return np.asarray(index, dtype=np.int64)


def binned_spectra(
    tiles: Float[NDArray, "n side side n_bins"], n_ell: int
) -> Float[NDArray, "n n_pairs*n_ell"]:
    """Compute auto- and cross-spectra, averaged in annuli of ℓ.

    The normalisation is such that white noise of variance σ² has the spectrum σ².

    Parameters
    ----------
    tiles
        Tiles of convergence.
    n_ell
        Number of annuli, at most `side` // 2.

    Returns
    -------
        Re X_i conj(X_j) of all pairs of bins i ≤ j: all annuli of the first pair, then
        those of the next pair.
    """
    n, side, _, n_bins = tiles.shape
    index = annuli(side, n_ell).ravel()
    used = index >= 0
    average = np.zeros((int(used.sum()), n_ell))
    average[np.arange(len(average)), index[used]] = 1
    average /= average.sum(axis=0) * side**2
    pairs = [(i, j) for i in range(n_bins) for j in range(i, n_bins)]
    spectra = np.empty((n, len(pairs), n_ell))
    chunk = max(1, CHUNK_VALUES // (side**2 * n_bins))
    for start in range(0, n, chunk):
        part = slice(start, start + chunk)
        field = np.fft.fft2(tiles[part], axes=(1, 2))
        modes = field.reshape(len(field), side * side, n_bins)[:, used]
        for pair, (i, j) in enumerate(pairs):
            power = modes[..., i].real * modes[..., j].real
            power += modes[..., i].imag * modes[..., j].imag
            spectra[part, pair] = power @ average
    return spectra.reshape(n, len(pairs) * n_ell)
