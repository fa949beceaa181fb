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
from infoscope.files.precision import ALIGNMENT, CONVERGENCE, Maps
from infoscope.run.devices import check_gpus
from infoscope.seeds import seed_of
from infoscope.skies.config import parse_simulator
from infoscope.skies.grid import grid
from infoscope.survey.survey import read_nz

log = logging.getLogger(__name__)


def run(spec: dict[str, Any], nz_file: Path, matter: Path, output: Path) -> None:
    """Simulate the skies of the cosmologies `start` … `stop` of a split.

    Parameters
    ----------
    spec
        `simulator`, `cosmology`, `nside`, `seed`, `split`, `start`, `stop`, and
        `skies`, the number per cosmology. In the split `fiducial`, `start` and `stop`
        count skies.
    nz_file
        Table of n(z).
    matter
        Output of `tabulate_matter`.
    output
        HDF5 file with the `Maps` kappa (n_sky, n_bins, n_pix) and, for each effect with
        stored terms, its data set (n_sky, n_term, n_bins, n_pix).

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
    sky_shape = (len(nz.density), 12 * spec["nside"] ** 2)
    with create(output, spec) as file:
        kappa = Maps.create(
            file, "kappa", CONVERGENCE, (n_sky, *sky_shape), (1, *sky_shape)
        )
        effects = stored_effects()
        terms = [
            Maps.create(
                file,
                effect.data_set,
                ALIGNMENT,
                (n_sky, effect.n_terms, *sky_shape),
                (1, 1, *sky_shape),
                leading=2,
            )
            for effect in effects
        ]
        rows: list[tuple[float, ...]] = []
        for values, members in log_progress(jobs, len(jobs), "cosmologies", log):
            generators = [
                np.random.default_rng(seed_of(spec["seed"], "sky", split, *member))
                for member in members
            ]
            matter_of_cosmology = matter_table.at(values)
            drawn = simulator.skies(matter_of_cosmology, nz, spec["nside"], generators)
            for (index, sky), sky_maps in zip(members, drawn, strict=True):
                kappa[len(rows)] = sky_maps[0]
                term_maps = iter(sky_maps[1:])
                for effect, stored in zip(effects, terms, strict=True):
                    for number in range(effect.n_terms):
                        stored[len(rows), number] = next(term_maps)
                file.flush()
                rows.append((*values, index, sky))
        table = np.array(rows)
        describe_skies(file, table[:, :2], table[:, 2], table[:, 3], nz.mean)
