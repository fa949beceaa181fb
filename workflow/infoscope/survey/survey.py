"""The survey: its bins, shape noise, and tiles (square pieces of a HEALPix map)."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infoscope.cosmology.parameters import Z_MAX, comoving_distance_mpc
from infoscope.errors import InfoscopeError
from infoscope.maps.tiles import pixel_side

CHECKSUM = ", checksum "  # stands in the first line of a table, before it
ARCMIN2_SKY = 4 * np.pi * (180 * 60 / np.pi) ** 2


@dataclass(frozen=True)
class RedshiftDistribution:
    """n(z) of the tomographic bins.

    Attributes
    ----------
    z
        Redshifts, shape (n_z,).
    density
        Normalised n(z), shape (n_bins, n_z).
    """

    z: NDArray
    density: NDArray

    @property
    def mean(self) -> NDArray:
        """Mean redshift of each bin, shape (n_bins,)."""
        return np.trapezoid(self.z * self.density, self.z, axis=1)

    @property
    def last_z(self) -> float:
        """Redshift of the last galaxies of all bins."""
        return float(self.z[self.density.max(axis=0) > 0][-1])


def read_nz(path: Path) -> RedshiftDistribution:
    """Read a table with the columns z, n_1, n_2 ….

    Raises
    ------
    InfoscopeError
        If the file is missing or is no n(z), or not the one that was written.
    """
    try:
        first, _, rest = (content := path.read_text()).partition("\n")
        if CHECKSUM in first and first.rpartition(CHECKSUM)[2] != checksum(rest):
            raise InfoscopeError(
                f"survey.nz: {path}: does not have the checksum of its first line: "
                "delete it and run again, or the checksum if you have edited the table"
            )
        if not content.strip():
            raise ValueError("is empty")
        table = np.loadtxt(io.StringIO(content), ndmin=2)
    except (OSError, ValueError) as error:
        raise InfoscopeError(f"survey.nz: {path}: {error}") from None
    if table.shape[1] < 2 or len(table) < 3:
        raise InfoscopeError(f"survey.nz: {path}: needs columns z, n_1, n_2 …")
    return checked_nz(table[:, 0], table[:, 1:].T, str(path))


def checksum(content: str) -> str:
    """Sum by which a table is known again."""
    return f"{zlib.crc32(content.encode()):08x}"


def checked_nz(z: NDArray, density: NDArray, place: str) -> RedshiftDistribution:
    """Normalise n(z) of shape (n_bins, n_z).

    Raises
    ------
    InfoscopeError
        If it is no n(z); `place` says where it is from.
    """
    finite = np.isfinite(z).all() and np.isfinite(density).all()
    if not finite or (np.diff(z) <= 0).any() or (density < 0).any():
        raise InfoscopeError(
            f"survey.nz: {place}: z must increase and n(z) be finite and ≥ 0"
        )
    if z[density.max(axis=0) > 0][-1:].sum() > Z_MAX:
        raise InfoscopeError(
            f"survey.nz: {place}: has galaxies beyond z = {Z_MAX}; cut n(z) there"
        )
    norm = np.asarray(np.trapezoid(density, z, axis=1))
    if (norm <= 0).any():
        raise InfoscopeError(f"survey.nz: {place}: a bin is empty")
    return RedshiftDistribution(z, density / norm[:, None])


@dataclass(frozen=True)
class Survey:
    """What operations need to know of a survey.

    Attributes
    ----------
    nside, tile_nside
        HEALPix nside of the maps and of the superpixels that are the tiles.
    omega_m, h
        The fiducial, which turns comoving lengths into angles.
    mean_z, n_gal_arcmin2, sigma_e
        Mean redshift, galaxy density and shape noise of a galaxy (standard deviation
        of one component of the ellipticity) in each bin, shape (n_bins,).
    noise_factor
        What operations have multiplied the noise with.
    """

    nside: int
    tile_nside: int
    omega_m: float
    h: float
    mean_z: NDArray
    n_gal_arcmin2: NDArray
    sigma_e: NDArray
    noise_factor: float = 1.0

    @property
    def n_bins(self) -> int:
        """Number of tomographic bins."""
        return len(self.mean_z)

    @property
    def chi_mpc_h(self) -> NDArray:
        """Comoving distance in Mpc/h at the mean redshift of each bin."""
        return self.h * comoving_distance_mpc(self.mean_z, self.omega_m, self.h)

    @property
    def pixel(self) -> float:
        """Side of a pixel in radians: the square root of its area."""
        return pixel_side(self.nside)

    @property
    def noise_sigma(self) -> NDArray:
        """Standard deviation of the shape noise, σ_e / √(n_gal A_pix), of a pixel."""
        area = ARCMIN2_SKY / (12 * self.nside**2)
        return self.noise_factor * self.sigma_e / np.sqrt(self.n_gal_arcmin2 * area)

    def selected(self, indices: Sequence[int]) -> Survey:
        """Keep some bins, given by indices from 0."""
        chosen = list(indices)
        return replace(
            self,
            mean_z=self.mean_z[chosen],
            n_gal_arcmin2=self.n_gal_arcmin2[chosen],
            sigma_e=self.sigma_e[chosen],
        )

    def summed(self) -> Survey:
        """Put all galaxies in one bin, where σ_e² is their mean."""
        share = self.n_gal_arcmin2 / self.n_gal_arcmin2.sum()
        return replace(
            self,
            mean_z=np.array([share @ self.mean_z]),
            n_gal_arcmin2=self.n_gal_arcmin2.sum(keepdims=True),
            sigma_e=np.sqrt([share @ self.sigma_e**2]),
        )
