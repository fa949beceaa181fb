"""Rule `degrade_maps`: the tiles of one shard under one degradation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from infoscope import config
from infoscope.datasets import create, open_for_reading
from infoscope.degradations import degrade
from infoscope.errors import InfoscopeError
from infoscope.operations import load
from infoscope.pieces import tiles_in_piece
from infoscope.seeds import seed_of
from infoscope.sky import Sky
from infoscope.survey import Survey, nside_of


def run(
    spec: dict[str, Any], skies: Path, operation_files: Sequence[Path], output: Path
) -> None:
    """Degrade every sky of a shard, one at a time.

    Parameters
    ----------
    spec
        operations, noise, sigma_e, n_gal_arcmin2, a_ia, tile_nside, omega_m and h of
        the fiducial (for distances), seed, split and degradation.
    skies
        Shard of skies.
    operation_files
        Files that define operations of the user.
    output
        HDF5 file with tiles (n_sky, n_tile, side, side, n_bins).
    """
    for path in operation_files:
        load(path)
    operations: list[config.AnyOperation] = TypeAdapter(
        list[config.AnyOperation]
    ).validate_python(spec["operations"])
    split, seed = spec["split"], spec["seed"]
    with open_for_reading(skies) as source, create(output, spec) as file:
        n_sky, n_bins, n_pix = source["kappa"].shape
        survey = Survey(
            nside=nside_of(n_pix),
            mean_z=source["mean_z"][:],
            n_gal_arcmin2=np.full(n_bins, spec["n_gal_arcmin2"]),
            **{key: spec[key] for key in ("tile_nside", "sigma_e", "omega_m", "h")},
        )
        members = list(
            zip(source["cosmology"][:], source["realisation"][:], strict=True)
        )
        content = hashlib.sha256()
        for i, (cosmology, realisation) in enumerate(members):
            kappa = source["kappa"][i].astype(np.float64)
            if spec["a_ia"]:
                kappa += spec["a_ia"] * source["kappa_ia"][i]
            if not np.isfinite(kappa).all():
                raise InfoscopeError(
                    f"{skies}: sky {i} has values that are not finite; delete the file "
                    "to simulate it again"
                )
            sky = (split, int(cosmology), int(realisation))
            try:
                tiles = degrade(
                    Sky(kappa, survey),
                    operations,
                    spec["noise"],
                    noise_rng=np.random.default_rng(seed_of(seed, "noise", *sky)),
                    rng=np.random.default_rng(seed_of(seed, "degrade", *sky)),
                )
            except InfoscopeError as error:
                raise InfoscopeError(f"{skies}: sky {i}: {error}") from None
            if i == 0:
                piece = tiles_in_piece(len(tiles), tiles[0].nbytes)
                data = file.create_dataset(
                    "tiles",
                    (n_sky, *tiles.shape),
                    np.float32,
                    chunks=(1, piece, *tiles.shape[1:]),
                    fletcher32=True,
                )
            data[i] = tiles
            content.update(tiles.tobytes())
        file["theta"] = source["theta"][:]
        file["cosmology"] = source["cosmology"][:]
        file["sky"] = np.array([seed_of(split, int(c), int(r)) for c, r in members])
        file.attrs["digest"] = content.hexdigest()
