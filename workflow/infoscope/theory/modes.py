r"""Modes of a flat square patch, and the spectra of Gaussian fields in them.

The patch is a part of the sky, and not periodic: plane waves that fit into it are
correlated with each other, and their spectra contain power of scales larger than the
patch. Cosine modes with m and n half-waves along the sides,

.. math:: \cos\frac{\pi m x}{L} \cos\frac{\pi n y}{L},
          \quad \ell = \frac{\pi}{L} \sqrt{m^2 + n^2},

are nearly independent. They are also the modes on which filters act. Their spectra
follow from the correlation function without further approximation: the power that
modes exchange at the edges is included, their correlation is neglected.
`benchmarks/modes.py` compares the information in them with that in all pixels, with
exact covariances.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.legendre import legval
from scipy.fft import dct

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Modes:
    """Cosine modes of a patch up to a band limit, without the mean.

    Attributes
    ----------
    side
        Side of the patch in radians.
    pixels
        Number of pixels along a side.
    numbers
        Half-waves m ≥ n along the sides.
    degeneracy
        Number of modes: 2 if they differ, because of m < n.
    """

    side: float
    pixels: int
    numbers: Int[NDArray, "n_mode 2"]
    degeneracy: Int[NDArray, " n_mode"]

    @classmethod
    def of(cls, side: float, pixels: int, lmax: int) -> Modes:
        """Return the modes that contain a signal with a band limit.

        At the edges, modes exchange power with others that have one more wave: those
        up to lmax + 2π / side are included.

        Parameters
        ----------
        side
            Side of the patch in radians.
        pixels
            Number of pixels along a side.
        lmax
            Largest multipole of the signal.

        Examples
        --------
        >>> modes = Modes.of(side=0.5, pixels=8, lmax=100)
        >>> int(modes.degeneracy.sum())
        63
        """
        first, second = np.tril_indices(pixels)
        within = pi / side * np.hypot(first, second) <= lmax + 2 * pi / side
        within[0] = False
        numbers = np.stack([first[within], second[within]], axis=1)
        return cls(side, pixels, numbers, 1 + (numbers[:, 0] != numbers[:, 1]))

    @property
    def ell(self) -> Float[NDArray, " n_mode"]:
        """Multipole of each mode."""
        # rounded as by filters, so that hard cuts are the same
        return np.hypot(*(pi / self.side * self.numbers.T))

    def spectra(
        self, spectra: Float[NDArray, "*shape n_ell n_bins n_bins"]
    ) -> Float[NDArray, "*shape n_mode n_bins n_bins"]:
        """Compute the spectra of the modes, in the units in which white noise is flat.

        Parameters
        ----------
        spectra
            Spectra of the sky, or their derivatives, for ℓ = 0 … lmax. Between pixels
            at a distance r, the angle θ has 2 sin(θ / 2) = r, as from the centre of the
            projection.
        """
        columns = np.moveaxis(spectra, -3, 0)
        shape = columns.shape[1:]
        columns = columns.reshape(len(columns), -1)
        ell, pixel = np.arange(len(columns)), self.side / self.pixels
        lag = np.arange(self.pixels)
        squares, place = np.unique(lag[:, None] ** 2 + lag**2, return_inverse=True)
        correlation = legval(
            1 - squares * pixel**2 / 2, columns * (2 * ell[:, None] + 1) / (4 * pi)
        )
        overlap = self._overlaps()
        first, second = self.numbers.T
        variances = [
            (overlap @ each[place].reshape(lag.size, -1) @ overlap.T)[first, second]
            for each in correlation
        ]
        power = pixel**2 * np.stack(variances, axis=1)
        return np.moveaxis(power.reshape(-1, *shape), 0, -3)

    def _overlaps(self) -> Float[NDArray, "n_number pixels"]:
        """Sum the products of each cosine with itself, shifted by ± a lag."""
        waves = dct(np.eye(self.pixels), axis=0, norm="ortho")
        waves = waves[: self.numbers.max() + 1]
        overlap = np.empty_like(waves)
        for lag in range(self.pixels):
            shifted = waves[:, lag:] * waves[:, : self.pixels - lag]
            overlap[:, lag] = (1 + (lag > 0)) * shifted.sum(axis=1)
        return overlap
