"""Rule `degrade_maps`: the tiles of one shard under one degradation."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from infoscope.cosmology.config import IntrinsicAlignment, extremes, fiducial_of
from infoscope.cosmology.nuisance import Nuisance
from infoscope.degradations.config import AnyOperation
from infoscope.degradations.degrade import degrade
from infoscope.degradations.operation import load
from infoscope.degradations.sky import Sky
from infoscope.effects.intrinsic_alignment import alignment
from infoscope.errors import InfoscopeError
from infoscope.eta import log_progress
from infoscope.files.hdf5 import (
    create,
    open_for_reading,
    read_nuisance,
    write,
    write_nuisance,
)
from infoscope.files.precision import NOISELESS_TILES, NOISY_TILES, Maps, tiles_in_piece
from infoscope.maps.tiles import nside_of
from infoscope.seeds import seed_of
from infoscope.survey.survey import Survey

log = logging.getLogger(__name__)


def run(
    spec: dict[str, Any], skies: Path, operation_files: Sequence[Path], output: Path
) -> None:
    """Degrade every sky of a shard, one at a time.

    Parameters
    ----------
    spec
        operations, noise, sigma_e, n_gal_arcmin2, intrinsic_alignment, tile_nside,
        tiles that are written (null for all), omega_m and h of the fiducial (for
        distances), seed and split.
    skies
        Shard of skies.
    operation_files
        Files that define operations of the user.
    output
        HDF5 file with the `Maps` tiles (n_sky, n_tile, side, side, n_bins).
    """
    for path in operation_files:
        load(path)
    operations: list[AnyOperation] = TypeAdapter(list[AnyOperation]).validate_python(
        spec["operations"]
    )
    intrinsic = IntrinsicAlignment.model_validate(spec["intrinsic_alignment"])
    split, seed = spec["split"], spec["seed"]
    with open_for_reading(skies) as source, create(output, spec) as file:
        maps = Maps.of(source, "kappa")
        n_sky, n_bins, n_pix = maps.shape
        survey = Survey(
            nside=nside_of(n_pix),
            mean_z=source["mean_z"][:],
            # a number is that of all bins
            n_gal_arcmin2=np.broadcast_to(spec["n_gal_arcmin2"], n_bins),
            sigma_e=np.broadcast_to(spec["sigma_e"], n_bins),
            **{key: spec[key] for key in ("tile_nside", "omega_m", "h")},
        )
        members = [
            (int(cosmology), int(realisation))
            for cosmology, realisation in zip(
                source["cosmology"][:], source["realisation"][:], strict=True
            )
        ]
        aligned = _alignments(intrinsic, seed, split, members)
        chosen = slice(None) if spec["tiles"] is None else spec["tiles"]
        content = hashlib.sha256()
        for i, member in enumerate(log_progress(members, n_sky, "skies", log)):
            cosmology, realisation = member
            kappa = maps[i].astype(np.float64)
            a_ia, eta_ia = aligned[i]
            if a_ia:
                # terms beyond the first are only read if they count
                orders = slice(None if eta_ia else 1)
                terms = Maps.of(source, "kappa_ia")[i, orders]
                kappa += alignment(terms, a_ia, eta_ia, survey.mean_z)
            if not np.isfinite(kappa).all():
                raise InfoscopeError(
                    f"{skies}: sky {i} has values that are not finite; delete the file "
                    "to simulate it again"
                )
            # not observable, and light-cones of particles keep that of all matter
            kappa -= kappa.mean(axis=1, keepdims=True)
            sky = (split, cosmology, realisation)
            try:
                tiles = degrade(
                    Sky(kappa, survey),
                    operations,
                    spec["noise"],
                    noise_rng=np.random.default_rng(seed_of(seed, "noise", *sky)),
                    rng=np.random.default_rng(seed_of(seed, "degrade", *sky)),
                )[chosen]
            except InfoscopeError as error:
                raise InfoscopeError(f"{skies}: sky {i}: {error}") from None
            if i == 0:
                dtype = NOISELESS_TILES if spec["noise"] == "none" else NOISY_TILES
                piece = tiles_in_piece(len(tiles), dtype.itemsize * tiles[0].size)
                data = Maps.create(
                    file,
                    "tiles",
                    dtype,
                    (n_sky, *tiles.shape),
                    (1, piece, *tiles.shape[1:]),
                )
            data[i] = tiles
            content.update(tiles.tobytes())
            file.flush()
        write(file, "theta", source["theta"][:])
        write(file, "cosmology", source["cosmology"][:])
        write(file, "sky", [seed_of(split, *member) for member in members])
        write_nuisance(file, read_nuisance(source).joined(_sampled(intrinsic, aligned)))
        file.attrs["digest"] = content.hexdigest()


def _alignments(
    intrinsic: IntrinsicAlignment,
    seed: int,
    split: str,
    members: Sequence[tuple[int, int]],
) -> NDArray:
    """(A_IA, η_IA) of each sky, the same in all degradations, shape (n_sky, 2)."""
    both = (intrinsic.a_ia, intrinsic.eta_ia)
    if split == "fiducial":
        return np.tile([fiducial_of(value) for value in both], (len(members), 1))
    low, high = np.transpose([extremes(value) for value in both])
    return np.array(
        [
            np.random.default_rng(
                seed_of(seed, "intrinsic alignment", split, *member)
            ).uniform(low, high)
            for member in members
        ]
    )


def _sampled(intrinsic: IntrinsicAlignment, aligned: NDArray) -> Nuisance:
    """Those of the columns of `aligned` that are sampled."""
    sampled = intrinsic.sampled
    columns = [name in sampled for name in ("a_ia", "eta_ia")]
    fiducial = [value.fiducial for value in sampled.values()]
    return Nuisance(tuple(sampled), aligned[:, columns], np.array(fiducial))
