r"""n(z) of a survey from tables, a FITS file or a formula.

The formula is that of the LSST DESC Science Requirements Document (arXiv 1809.01669).
All galaxies follow

.. math:: n(z) \propto z^\alpha \exp\left[-(z / z_0)^\beta\right]

and a bin contains the galaxies with photometric redshifts between two edges.
Photometric redshifts have a Gaussian distribution with mean :math:`z + b (1 + z)` and
standard deviation :math:`\sigma_z (1 + z)`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infoscope.cosmology.parameters import Z_MAX
from infoscope.errors import InfoscopeError
from infoscope.survey.config import SmailNz
from infoscope.survey.survey import (
    CHECKSUM,
    RedshiftDistribution,
    checked_nz,
    checksum,
    read_nz,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

STEP = 0.01  # redshift step of the table, equal to the smallest allowed scatter
MIN_FRACTION = 1e-4  # a bin with a smaller fraction of all galaxies is an error

# importing scipy.special would add half a second to the start of every job
_erf = np.vectorize(math.erf, otypes=[float])


def redshift_distribution(
    spec: dict[str, Any], files: Sequence[Path]
) -> RedshiftDistribution:
    """Read or compute n(z) from its source in the config.

    Parameters
    ----------
    spec
        `survey.nz` of the config without its files.
    files
        Files of `survey.nz`.

    Raises
    ------
    InfoscopeError
        If a file cannot be read or does not contain a valid n(z).
    """
    match spec["kind"]:
        case "table":
            return read_tables(files)
        case "fits":
            return read_fits(files[0], spec["extension"])
        case _:
            return smail(SmailNz.model_validate(spec))


def read_tables(paths: Sequence[Path]) -> RedshiftDistribution:
    """Read tables with the same redshifts and concatenate their bins."""
    tables = [read_nz(path) for path in paths]
    z = tables[0].z
    for path, table in zip(paths, tables, strict=True):
        if not np.array_equal(table.z, z):
            raise InfoscopeError(
                f"survey.nz: {path}: redshifts differ from those of {paths[0]}; all "
                "files need the same column z"
            )
    return RedshiftDistribution(z, np.concatenate([table.density for table in tables]))


def read_fits(path: Path, extension: str) -> RedshiftDistribution:
    """Read an extension with the columns Z_MID, BIN1, BIN2 … ("2pt" format)."""
    # importing astropy takes a second
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as file:
            extensions = [unit.name for unit in file[1:]]
            if extension.upper() not in extensions:
                raise InfoscopeError(
                    f"survey.nz: {path}: has no extension {extension}; choose from "
                    + ", ".join(extensions)
                )
            columns = {
                name.upper(): np.array(file[extension].data[name], float)
                for name in file[extension].columns.names
            }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InfoscopeError(f"survey.nz: {path}: {error}") from None
    bins = sorted(
        (name for name in columns if re.fullmatch(r"BIN\d+", name)),
        key=lambda name: int(name.removeprefix("BIN")),
    )
    if "Z_MID" not in columns or not bins:
        raise InfoscopeError(
            f"survey.nz: {path}: {extension} needs columns Z_MID, BIN1, BIN2 …"
        )
    density = np.array([columns[name] for name in bins])
    return checked_nz(columns["Z_MID"], density, str(path))


def smail(source: SmailNz) -> RedshiftDistribution:
    """Evaluate the formula and divide it into bins of photometric redshift.

    Without edges, all galaxies are divided into equally populated bins.
    """
    z = np.linspace(0, Z_MAX, round(Z_MAX / STEP) + 1)
    total = z**source.alpha * np.exp(-((z / source.z0) ** source.beta))
    total /= np.trapezoid(total, z)
    mean, sigma = z + source.bias * (1 + z), source.sigma_z * (1 + z)

    def below(edges: Float[NDArray, " n_edges"]) -> Float[NDArray, "n_edges n_z"]:
        """Return the fraction of galaxies at z with photometric redshifts below."""
        return (1 + _erf((edges[:, None] - mean) / (math.sqrt(2) * sigma))) / 2

    if source.edges is None:
        assert source.n_bins is not None
        # bisection for the quantiles of the photometric redshifts
        quantiles = np.arange(1, source.n_bins) / source.n_bins
        low, high = (np.full(len(quantiles), value) for value in (-Z_MAX, 3 * Z_MAX))
        for _ in range(40):
            middle = (low + high) / 2
            too_low = np.trapezoid(total * below(middle), z, axis=1) < quantiles
            low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
        edges = np.array([-np.inf, *low, np.inf])
    else:
        edges = np.array(source.edges)
    density = total * np.diff(below(edges), axis=0)
    fractions = np.asarray(np.trapezoid(density, z, axis=1))
    if fractions.min() < MIN_FRACTION:
        raise InfoscopeError(
            f"survey.nz: bin {fractions.argmin() + 1} contains a fraction of only "
            f"{fractions.min():.0e} of all galaxies; choose other edges"
        )
    return checked_nz(z, density, "smail")


def write_nz(nz: RedshiftDistribution, path: Path) -> None:
    """Write a table for `read_nz`, with a checksum in its first line."""
    names = [f"n_{number}" for number in range(1, len(nz.density) + 1)]
    rows = io.StringIO()
    np.savetxt(rows, np.stack([nz.z, *nz.density]).T)
    content = rows.getvalue()
    first = f"# {' '.join(['z', *names])}{CHECKSUM}{checksum(content)}"
    path.write_text(f"{first}\n{content}")
