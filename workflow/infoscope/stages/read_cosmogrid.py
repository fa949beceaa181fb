"""Rule `simulate_skies` for CosmoGridV1: read the skies of one shard from disk."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.cosmology.nuisance import Nuisance
from infoscope.errors import InfoscopeError
from infoscope.eta import log_progress
from infoscope.files.hdf5 import create, describe_skies, write
from infoscope.skies.cosmogrid import (
    FIELDS,
    N_BINS,
    NUISANCE,
    Member,
    maps_file,
    read_index,
    read_maps,
)
from infoscope.skies.cut_skies import CutSkies
from infoscope.survey.survey import read_nz

log = logging.getLogger(__name__)

# effect -> data set of its terms
TERMS = {"intrinsic_alignment": "kappa_ia"}


def run(
    spec: dict[str, Any], nz_file: Path, index: Path, root: Path, output: Path
) -> None:
    """Read skies of the cosmologies `start` … `stop`, and cut them into patches.

    Parameters
    ----------
    spec
        `simulator`, `nside`, `side_deg`, `pixels`, `n_patch`, `effects`, `split`,
        `start`, `stop` and `skies`, as for `simulate_skies`.
    nz_file
        Table of n(z).
    index
        Output of `index_cosmogrid`.
    root
        Folder with the copy of CosmoGridV1.
    output
        HDF5 file with the same data sets as that of `simulate_skies`, and `source`, the
        names of the maps. The terms of alignment are only the first one: the amplitude
        of each bin is that of its mean redshift.

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
    terms = [name for key, name in TERMS.items() if key in spec["effects"]]
    values = np.array([member.parameters for member in members])
    (fiducial, *_) = (m.parameters for m in indexed if m.split == "fiducial")
    first = list(FIELDS).index(NUISANCE[0])
    with create(output, spec) as file:
        written = CutSkies.create(
            file, spec, len(members), N_BINS, dict.fromkeys(terms, 1)
        )
        baryons = spec["simulator"]["baryons"]
        for sky, member in enumerate(log_progress(members, len(members), "skies", log)):
            path = root / maps_file(member.name, member.perm, baryons)
            kappa = read_maps(path, "kappa", spec["nside"])
            stored = {
                name: read_maps(path, name, spec["nside"])[None] for name in terms
            }
            written.write(sky, kappa, stored)
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
