"""Rule `degrade_maps`: the tiles of one shard under one degradation."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from infoscope import config
from infoscope.datasets import create, open_for_reading
from infoscope.degradations import Sky, degrade, mean_distance_mpc_h
from infoscope.errors import InfoscopeError
from infoscope.seeds import seed_of


def run(spec: dict[str, Any], skies: Path, output: Path) -> None:
    """Degrade every sky of a shard, one at a time.

    Parameters
    ----------
    spec
        operations, noise, sigma_e, n_gal_arcmin2, a_ia, tile_nside, omega_m and h of
        the fiducial (for distances), seed, split and degradation.
    skies
        Shard of skies.
    output
        HDF5 file with tiles (n_sky, n_tile, side, side, n_bins).
    """
    operations: list[config.AnyOperation] = TypeAdapter(
        list[config.AnyOperation]
    ).validate_python(spec["operations"])
    split, seed = spec["split"], spec["seed"]
    with open_for_reading(skies) as source, create(output, spec) as file:
        n_sky, n_bins, _ = source["kappa"].shape
        chi = mean_distance_mpc_h(source["mean_z"][:], spec["omega_m"], spec["h"])
        n_gal = np.full(n_bins, spec["n_gal_arcmin2"])
        members = list(
            zip(source["cosmology"][:], source["realisation"][:], strict=True)
        )
        content = hashlib.sha256()
        for i, (cosmology, realisation) in enumerate(members):
            kappa = source["kappa"][i].astype(np.float64)
            if spec["a_ia"]:
                kappa += spec["a_ia"] * source["kappa_ia"][i]
            if not np.isfinite(kappa).all():
                raise InfoscopeError(f"{skies}: sky {i} has values that are not finite")
            sky = (split, int(cosmology), int(realisation))
            tiles = degrade(
                Sky(kappa, n_gal, chi),
                operations,
                spec["noise"],
                spec["sigma_e"],
                spec["tile_nside"],
                noise_rng=np.random.default_rng(seed_of(seed, "noise", *sky)),
                rng=np.random.default_rng(seed_of(seed, "degrade", *sky)),
            )
            if i == 0:
                data = file.create_dataset(
                    "tiles",
                    (n_sky, *tiles.shape),
                    np.float32,
                    chunks=(1, *tiles.shape),
                    fletcher32=True,
                )
            data[i] = tiles
            content.update(tiles.tobytes())
        file["theta"] = source["theta"][:]
        file["cosmology"] = source["cosmology"][:]
        file["sky"] = np.array([seed_of(split, int(c), int(r)) for c, r in members])
        file.attrs["digest"] = content.hexdigest()
