r"""n(z) of a survey, from tables, from a FITS file, or from a formula.

The formula is that of the LSST DESC Science Requirements Document (arXiv 1809.01669):
all galaxies follow

.. math:: n(z) \propto z^\alpha \exp\left[-(z / z_0)^\beta\right]

and a bin has those whose photometric redshift lies between two edges. It scatters
about :math:`z + b (1 + z)`, a Gaussian of the width :math:`\sigma_z (1 + z)`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

STEP = 0.01  # of the table, in z: the smallest scatter is as wide
EMPTY = 1e-4  # share of the galaxies below which a bin has none

# scipy.special takes half a second to import, in every job that Snakemake starts
_erf = np.vectorize(math.erf, otypes=[float])


def redshift_distribution(
    spec: dict[str, Any], files: Sequence[Path]
) -> RedshiftDistribution:
    """Make n(z) from any of its sources.

    Parameters
    ----------
    spec
        `survey.nz` of the config without its files.
    files
        Its files.

    Raises
    ------
    InfoscopeError
        If a file is missing, or what it holds is no n(z).
    """
    match spec["kind"]:
        case "table":
            return read_tables(files)
        case "fits":
            return read_fits(files[0], spec["extension"])
        case _:
            return smail(SmailNz.model_validate(spec))


def read_tables(paths: Sequence[Path]) -> RedshiftDistribution:
    """Read tables of the same redshifts, whose bins follow one another."""
    tables = [read_nz(path) for path in paths]
    z = tables[0].z
    for path, table in zip(paths, tables, strict=True):
        if not np.array_equal(table.z, z):
            raise InfoscopeError(
                f"survey.nz: {path}: has other redshifts than {paths[0]}; all files "
                "need the same column z"
            )
    return RedshiftDistribution(z, np.concatenate([table.density for table in tables]))


def read_fits(path: Path, extension: str) -> RedshiftDistribution:
    """Read an extension with the columns Z_MID, BIN1, BIN2 … ("2pt" format)."""
    # takes a second to import
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as file:
            known = [unit.name for unit in file[1:]]
            if extension.upper() not in known:
                raise InfoscopeError(
                    f"survey.nz: {path}: has no extension {extension}; choose from "
                    + ", ".join(known)
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
    """Evaluate the formula, and cut it into bins of photometric redshift.

    Without edges, bins have equal numbers of galaxies and no galaxy is left out.
    """
    z = np.linspace(0, Z_MAX, round(Z_MAX / STEP) + 1)
    whole = z**source.alpha * np.exp(-((z / source.z0) ** source.beta))
    whole /= np.trapezoid(whole, z)
    mean, sigma = z + source.bias * (1 + z), source.sigma_z * (1 + z)

    def below(edges: NDArray) -> NDArray:
        """Share of the galaxies at each z whose photometric redshift is below."""
        return (1 + _erf((edges[:, None] - mean) / (math.sqrt(2) * sigma))) / 2

    if source.edges is None:
        assert source.n_bins is not None
        wanted = np.arange(1, source.n_bins) / source.n_bins
        low, high = (np.full(len(wanted), value) for value in (-Z_MAX, 3 * Z_MAX))
        for _ in range(40):
            middle = (low + high) / 2
            less = np.trapezoid(whole * below(middle), z, axis=1) < wanted
            low, high = np.where(less, middle, low), np.where(less, high, middle)
        edges = np.array([-np.inf, *low, np.inf])
    else:
        edges = np.array(source.edges)
    density = whole * np.diff(below(edges), axis=0)
    shares = np.asarray(np.trapezoid(density, z, axis=1))
    if shares.min() < EMPTY:
        raise InfoscopeError(
            f"survey.nz: bin {shares.argmin() + 1} has a share of only "
            f"{shares.min():.0e} of all galaxies; choose other edges"
        )
    return checked_nz(z, density, "smail")


def write_nz(nz: RedshiftDistribution, path: Path) -> None:
    """Write a table that `read_nz` reads, with a checksum."""
    names = [f"n_{number}" for number in range(1, len(nz.density) + 1)]
    rows = io.StringIO()
    np.savetxt(rows, np.stack([nz.z, *nz.density]).T)
    content = rows.getvalue()
    first = f"# {' '.join(['z', *names])}{CHECKSUM}{checksum(content)}"
    path.write_text(f"{first}\n{content}")
