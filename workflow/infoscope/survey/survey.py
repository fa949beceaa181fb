"""The survey: redshift distributions, tomographic bins and shape noise."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infoscope.cosmology.parameters import Z_MAX, comoving_distance_mpc
from infoscope.errors import InfoscopeError

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

CHECKSUM = ", checksum "  # precedes the checksum in the first line of a table
ARCMIN2_SKY = 4 * np.pi * (180 * 60 / np.pi) ** 2


@dataclass(frozen=True)
class RedshiftDistribution:
    """n(z) of the tomographic bins.

    Attributes
    ----------
    z
        Redshifts.
    density
        n(z) of each bin, normalised to 1.
    """

    z: Float[NDArray, " n_z"]
    density: Float[NDArray, "n_bins n_z"]

    @property
    def mean(self) -> Float[NDArray, " n_bins"]:
        """Mean redshift of each bin."""
        return np.trapezoid(self.z * self.density, self.z, axis=1)

    @property
    def last_z(self) -> float:
        """Largest redshift at which any bin contains galaxies."""
        return float(self.z[self.density.max(axis=0) > 0][-1])


def read_nz(path: Path) -> RedshiftDistribution:
    """Read a table with the columns z, n_1, n_2 ….

    Raises
    ------
    InfoscopeError
        If the file cannot be read, is not a valid n(z) or does not match its checksum.
    """
    try:
        first, _, rest = (content := path.read_text()).partition("\n")
        if CHECKSUM in first and first.rpartition(CHECKSUM)[2] != checksum(rest):
            raise InfoscopeError(
                f"survey.nz: {path}: does not match the checksum in its first line: "
                "delete it and run again, or only the checksum if you edited it"
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
    """Return the checksum of the rows of a table."""
    return f"{zlib.crc32(content.encode()):08x}"


def checked_nz(
    z: Float[NDArray, " n_z"], density: Float[NDArray, "n_bins n_z"], place: str
) -> RedshiftDistribution:
    """Validate and normalise n(z).

    Raises
    ------
    InfoscopeError
        If n(z) is not valid; `place` names its source.
    """
    finite = np.isfinite(z).all() and np.isfinite(density).all()
    if not finite or (np.diff(z) <= 0).any() or (density < 0).any():
        raise InfoscopeError(
            f"survey.nz: {place}: z must increase, and n(z) must be finite and ≥ 0"
        )
    if z[density.max(axis=0) > 0][-1:].sum() > Z_MAX:
        raise InfoscopeError(
            f"survey.nz: {place}: n(z) extends beyond z = {Z_MAX}; truncate it there"
        )
    norm = np.asarray(np.trapezoid(density, z, axis=1))
    if (norm <= 0).any():
        raise InfoscopeError(f"survey.nz: {place}: a bin is empty")
    return RedshiftDistribution(z, density / norm[:, None])


@dataclass(frozen=True)
class Survey:
    """Properties of a survey that operations use.

    Attributes
    ----------
    side_deg, pixels
        Side of a patch in degrees, and its number of pixels along a side.
    omega_m, h
        Fiducial values, used to convert comoving lengths to angles.
    mean_z, n_gal_arcmin2, sigma_e
        Mean redshift, galaxy density (arcmin⁻²) and shape noise per galaxy (standard
        deviation of one component of the ellipticity) in each bin.
    noise_factor
        Factor that operations have applied to the noise.
    """

    side_deg: float
    pixels: int
    omega_m: float
    h: float
    mean_z: Float[NDArray, " n_bins"]
    n_gal_arcmin2: Float[NDArray, " n_bins"]
    sigma_e: Float[NDArray, " n_bins"]
    noise_factor: float = 1.0

    @property
    def n_bins(self) -> int:
        """Number of tomographic bins."""
        return len(self.mean_z)

    @property
    def chi_mpc_h(self) -> Float[NDArray, " n_bins"]:
        """Comoving distance in Mpc/h at the mean redshift of each bin."""
        return self.h * comoving_distance_mpc(self.mean_z, self.omega_m, self.h)

    @property
    def side(self) -> float:
        """Side of a patch in radians."""
        return float(np.radians(self.side_deg))

    @property
    def pixel(self) -> float:
        """Side of a pixel in radians."""
        return self.side / self.pixels

    @property
    def shape_noise(self) -> Float[NDArray, " n_bins"]:
        """Standard deviation of the shape noise per pixel, σ_e / √(n_gal A_pix)."""
        area_arcmin2 = np.degrees(self.pixel) ** 2 * 3600
        return self.sigma_e / np.sqrt(self.n_gal_arcmin2 * area_arcmin2)

    @property
    def noise_sigma(self) -> Float[NDArray, " n_bins"]:
        """Shape noise per pixel, scaled by the operations on it."""
        return self.noise_factor * self.shape_noise

    def selected(self, indices: Sequence[int]) -> Survey:
        """Return the survey with only the bins of the given indices, from 0."""
        chosen = list(indices)
        return replace(
            self,
            mean_z=self.mean_z[chosen],
            n_gal_arcmin2=self.n_gal_arcmin2[chosen],
            sigma_e=self.sigma_e[chosen],
        )

    def summed(self) -> Survey:
        """Return the survey with all galaxies in one bin, where σ_e² is their mean."""
        share = self.n_gal_arcmin2 / self.n_gal_arcmin2.sum()
        return replace(
            self,
            mean_z=np.array([share @ self.mean_z]),
            n_gal_arcmin2=self.n_gal_arcmin2.sum(keepdims=True),
            sigma_e=np.sqrt([share @ self.sigma_e**2]),
        )
