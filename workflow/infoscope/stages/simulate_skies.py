"""Rule `simulate_skies`: simulate the skies of one shard of the grid."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from infoscope.cosmology.config import CosmologyConfig
from infoscope.cosmology.matter import MatterTable
from infoscope.effects.config import stored_effects
from infoscope.eta import log_progress
from infoscope.files.hdf5 import create, describe_skies, open_for_reading
from infoscope.run.devices import check_gpus
from infoscope.seeds import seed_of
from infoscope.skies.config import parse_simulator
from infoscope.skies.cut_skies import CutSkies
from infoscope.skies.grid import grid
from infoscope.survey.survey import read_nz

log = logging.getLogger(__name__)


def run(spec: dict[str, Any], nz_file: Path, matter: Path, output: Path) -> None:
    """Simulate skies of the cosmologies `start` … `stop`, and cut them into patches.

    Parameters
    ----------
    spec
        `simulator`, `cosmology`, `nside`, `side_deg`, `pixels` and `n_patch` of the
        patches, `effects` (keys of those whose terms are stored), `seed`, `split`,
        `start`, `stop`, and `skies`, the number per cosmology. In the split `fiducial`,
        `start` and `stop` count skies.
    nz_file
        Table of n(z).
    matter
        Output of `tabulate_matter`.
    output
        HDF5 file with the `Maps` of `CutSkies`.

    Raises
    ------
    InfoscopeError
        If a GPU is requested but not available.
    """
    check_gpus()
    cosmology = CosmologyConfig.model_validate(spec["cosmology"])
    simulator = parse_simulator(spec["simulator"])
    nz = read_nz(nz_file)
    with open_for_reading(matter) as file:
        matter_table = MatterTable(
            h=file.attrs["h"], **{name: data[:] for name, data in file.items()}
        )
    split, start, stop, skies = (spec[k] for k in ("split", "start", "stop", "skies"))
    theta = grid(cosmology, split, start, stop, spec["seed"])
    # all fiducial skies have the same cosmology, whose spectra are computed once
    if split == "fiducial":
        jobs = [(theta[0], [(index, 0) for index in range(start, stop)])]
    else:
        jobs = [
            (theta[index - start], [(index, sky) for sky in range(skies)])
            for index in range(start, stop)
        ]
    n_sky = sum(len(members) for _, members in jobs)
    effects = stored_effects()
    n_terms = {e.data_set: e.n_terms for e in effects if e.key in spec["effects"]}
    # maps of a simulator: the convergence, then the terms of all effects
    ends = np.cumsum([1, *(effect.n_terms for effect in effects)])[:-1]
    names = [effect.data_set for effect in effects]
    with create(output, spec) as file:
        written = CutSkies.create(file, spec, n_sky, len(nz.density), n_terms)
        rows: list[tuple[float, ...]] = []
        for values, members in log_progress(jobs, len(jobs), "cosmologies", log):
            generators = [
                np.random.default_rng(seed_of(spec["seed"], "sky", split, *member))
                for member in members
            ]
            matter_of_cosmology = matter_table.at(values)
            drawn = simulator.skies(matter_of_cosmology, nz, spec["nside"], generators)
            for (index, sky), sky_maps in zip(members, drawn, strict=True):
                kappa, *terms = np.split(sky_maps, ends)
                written.write(len(rows), kappa[0], dict(zip(names, terms, strict=True)))
                rows.append((*values, index, sky))
        table = np.array(rows)
        describe_skies(file, table[:, :2], table[:, 2], table[:, 3], nz.mean)
