"""Rule `simulate_skies` for CosmoGridV1: read the skies of one shard from disk."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from infoscope.cosmology.nuisance import Nuisance
from infoscope.errors import InfoscopeError
from infoscope.eta import log_progress
from infoscope.files.hdf5 import NewFile, create, describe_skies, write
from infoscope.files.precision import ALIGNMENT, CONVERGENCE, Maps
from infoscope.maps.tiles import averaged
from infoscope.skies.cosmogrid import (
    FIELDS,
    N_BINS,
    NUISANCE,
    Member,
    check_maps,
    maps_file,
    name_of,
    read_index,
)
from infoscope.survey.survey import read_nz

log = logging.getLogger(__name__)

# alignment has one term: the amplitude of each bin is that of its mean redshift
TERMS = {"kappa": (), "kappa_ia": (1,)}
TYPES: dict[str, np.dtype[Any]] = {"kappa": CONVERGENCE, "kappa_ia": ALIGNMENT}


def run(spec: dict[str, Any], nz_file: Path, index: Path, output: Path) -> None:
    """Collect the skies of the cosmologies `start` … `stop` of a split.

    Parameters
    ----------
    spec
        `simulator`, `nside`, `split`, `start`, `stop` and `skies`.
    nz_file
        Table of n(z).
    index
        Output of `index_cosmogrid`.
    output
        HDF5 file with the same data sets as that of `simulate_skies`. At the nside of
        the files they refer to the maps without a copy; at a lower nside they contain
        averages over pixels.

    Raises
    ------
    InfoscopeError
        If the index belongs to another grid, or a file of maps is damaged.
    """
    _, indexed = read_index(index)
    members = [
        member
        for member in indexed
        if member.split == spec["split"]
        and spec["start"] <= member.cosmology < spec["stop"]
    ]
    if len(members) != (spec["stop"] - spec["start"]) * spec["skies"]:
        raise InfoscopeError(
            f"{index}: belongs to another grid; delete it and run again"
        )
    root = index.with_suffix("")
    paths = [
        root / maps_file(member.name, member.perm, spec["simulator"]["baryons"])
        for member in members
    ]
    nside = check_maps(paths[0])
    values = np.array([member.parameters for member in members])
    (fiducial, *_) = (m.parameters for m in indexed if m.split == "fiducial")
    first = list(FIELDS).index(NUISANCE[0])
    with create(output, spec) as file:
        if nside == spec["nside"]:
            _write_references(file, paths, nside, output.parent)
        else:
            _write_averages(file, paths, spec["nside"])
        describe_skies(
            file,
            values[:, :2],
            [member.cosmology for member in members],
            [member.realisation for member in members],
            read_nz(nz_file).mean,
            Nuisance(NUISANCE, values[:, first:], np.array(fiducial[first:])),
        )
        write(file, "source", np.array([_source(m) for m in members], "S"))


def _source(member: Member) -> str:
    return f"{member.name}/perm_{member.perm:04d}"


def _write_references(
    file: h5py.File, paths: Sequence[Path], nside: int, folder: Path
) -> None:
    """Write virtual data sets that refer to the files of maps."""
    n_pix = 12 * nside**2
    for data, terms in TERMS.items():
        layout = h5py.VirtualLayout((len(paths), *terms, N_BINS, n_pix), np.float32)
        for sky, path in enumerate(paths):
            relative = os.path.relpath(path, folder)
            for b in range(N_BINS):
                layout[(sky, *(0 for _ in terms), b)] = h5py.VirtualSource(
                    relative, name_of(data, b), (n_pix,), np.float32
                )
        file.create_virtual_dataset(data, layout, fillvalue=np.nan)


def _write_averages(file: NewFile, paths: Sequence[Path], nside: int) -> None:
    """Write maps at a lower nside, averaged over pixels."""
    shape = (N_BINS, 12 * nside**2)
    maps = {
        data: Maps.create(
            file,
            data,
            TYPES[data],
            (len(paths), *terms, *shape),
            (1, *terms, *shape),
            leading=1 + len(terms),
        )
        for data, terms in TERMS.items()
    }
    for sky, path in enumerate(log_progress(paths, len(paths), "skies", log)):
        check_maps(path)
        with h5py.File(path, "r", locking=False) as source:
            for data, stored in maps.items():
                fine = [source[name_of(data, b)][:] for b in range(N_BINS)]
                place = (sky, *(0 for _ in TERMS[data]))
                stored[place] = averaged(np.stack(fine), nside)
        file.flush()
