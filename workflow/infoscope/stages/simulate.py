"""Rule `simulate_skies`: the skies of one shard of the grid."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from infoscope import config
from infoscope.cosmology import grid
from infoscope.datasets import create
from infoscope.seeds import seed_of
from infoscope.simulators import simulate
from infoscope.survey import read_nz

log = logging.getLogger(__name__)


def run(spec: dict[str, Any], nz_file: Path, output: Path) -> None:
    """Simulate the cosmologies `start` … `stop` of a split.

    Parameters
    ----------
    spec
        simulator, cosmology, nside, seed, split, start, stop and skies.
    nz_file
        Table of n(z).
    output
        HDF5 file with kappa and kappa_ia (n_sky, n_bins, n_pix).
    """
    cosmology = config.CosmologyConfig.model_validate(spec["cosmology"])
    simulator: config.Simulator = TypeAdapter(config.Simulator).validate_python(
        spec["simulator"]
    )
    nz = read_nz(nz_file)
    split, start, stop, skies = (spec[k] for k in ("split", "start", "stop", "skies"))
    theta = grid(cosmology, split, start, stop, spec["seed"])
    # fiducial skies share one cosmology, whose spectra are computed once
    if split == "fiducial":
        jobs = [(theta[0], [(index, 0) for index in range(start, stop)])]
    else:
        jobs = [
            (theta[index - start], [(index, sky) for sky in range(skies)])
            for index in range(start, stop)
        ]
    n_sky = sum(len(members) for _, members in jobs)
    shape = (n_sky, len(nz.density), 12 * spec["nside"] ** 2)
    with create(output, spec) as file:
        maps = {
            name: file.create_dataset(
                name, shape, np.float32, chunks=(1, *shape[1:]), fletcher32=True
            )
            for name in ("kappa", "kappa_ia")
        }
        rows: list[tuple[float, ...]] = []
        for values, members in jobs:
            generators = [
                np.random.default_rng(seed_of(spec["seed"], "sky", split, *member))
                for member in members
            ]
            drawn = simulate(
                simulator, values, cosmology, nz, spec["nside"], generators
            )
            for (index, sky), (kappa, kappa_ia) in zip(members, drawn, strict=True):
                maps["kappa"][len(rows)] = kappa
                maps["kappa_ia"][len(rows)] = kappa_ia
                rows.append((*values, index, sky))
            log.info("%d of %d skies", len(rows), n_sky)
        table = np.array(rows)
        file["theta"] = table[:, :2]
        file["cosmology"] = table[:, 2].astype(int)
        file["realisation"] = table[:, 3].astype(int)
        file["mean_z"] = nz.mean
