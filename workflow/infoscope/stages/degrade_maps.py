"""Rule `degrade_maps`: the tiles of one shard under one degradation."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from infoscope.cosmology.nuisance import Nuisance
from infoscope.degradations.config import AnyOperation
from infoscope.degradations.degrade import degrade
from infoscope.degradations.operation import load
from infoscope.degradations.sky import Sky
from infoscope.effects.config import parse_effects
from infoscope.effects.effect import Effect
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
from infoscope.vocabulary import Split

log = logging.getLogger(__name__)


def run(
    spec: dict[str, Any],
    skies: Path,
    output: Path,
    operation_files: Sequence[Path] = (),
) -> None:
    """Degrade the skies of a shard one by one.

    Parameters
    ----------
    spec
        `operations` (those of the survey first), `noise`, `sigma_e`, `n_gal_arcmin2`,
        `effects`, `tile_nside`, `tiles` (indices of the tiles in the mask, or null for
        all), `omega_m` and `h` of the fiducial cosmology, `seed` and `split`.
    skies
        Output of `simulate_skies`.
    output
        HDF5 file with the `Maps` tiles (n_sky, n_tile, side, side, n_bins).
    operation_files
        Files with user-defined operations.

    Raises
    ------
    InfoscopeError
        If an operation is impossible, or values are not finite.
    """
    for path in operation_files:
        load(path)
    operations: list[AnyOperation] = TypeAdapter(list[AnyOperation]).validate_python(
        spec["operations"]
    )
    effects = parse_effects(spec["effects"])
    split, seed = spec["split"], spec["seed"]
    with open_for_reading(skies) as source, create(output, spec) as file:
        maps = Maps.of(source, "kappa")
        n_sky, n_bins, n_pix = maps.shape
        survey = Survey(
            nside=nside_of(n_pix),
            mean_z=source["mean_z"][:],
            # one number holds for all bins
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
        drawn_effects = [_drawn(effect, seed, split, members) for effect in effects]
        in_mask = slice(None) if spec["tiles"] is None else spec["tiles"]
        content = hashlib.sha256()
        for i, member in enumerate(log_progress(members, n_sky, "skies", log)):
            cosmology, realisation = member
            kappa = maps[i].astype(np.float64)
            for effect_of_sky in drawn_effects:
                effect = effect_of_sky[i]
                if effect.n_terms and not (n_used := effect.n_used()):
                    continue
                terms = np.empty((0, *kappa.shape))
                if effect.n_terms:
                    # only the required terms are read
                    terms = Maps.of(source, effect.data_set)[i, :n_used]
                kappa = effect.apply(kappa, terms, survey.mean_z)
            if not np.isfinite(kappa).all():
                raise InfoscopeError(
                    f"{skies}: sky {i} has values that are not finite; delete the file "
                    "and run again"
                )
            # the mean is not observable; N-body skies have that of all their matter
            kappa -= kappa.mean(axis=1, keepdims=True)
            sky = (split, cosmology, realisation)
            try:
                tiles = degrade(
                    Sky(kappa, survey),
                    operations,
                    spec["noise"],
                    noise_rng=np.random.default_rng(seed_of(seed, "noise", *sky)),
                    rng=np.random.default_rng(seed_of(seed, "degrade", *sky)),
                )[in_mask]
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
        nuisance = read_nuisance(source)
        for effect, effect_of_sky in zip(effects, drawn_effects, strict=True):
            nuisance = nuisance.joined(_sampled(effect, effect_of_sky))
        write_nuisance(file, nuisance)
        file.attrs["digest"] = content.hexdigest()


def _drawn(
    effect: Effect, seed: int, split: str, members: Sequence[tuple[int, int]]
) -> list[Effect]:
    """Fix the parameters of an effect in each sky, the same for all degradations."""
    if split == Split.FIDUCIAL:
        return [effect.fixed()] * len(members)
    name = effect.key.replace("_", " ")
    return [
        effect.drawn(np.random.default_rng(seed_of(seed, name, split, *member)))
        for member in members
    ]


def _sampled(effect: Effect, effect_of_sky: Sequence[Effect]) -> Nuisance:
    """Collect the values of the sampled parameters of an effect in each sky."""
    names = tuple(effect.sampled)
    values = [[drawn.values[name] for name in names] for drawn in effect_of_sky]
    fiducial = [value.fiducial for value in effect.sampled.values()]
    return Nuisance(
        names, np.reshape(values, (len(effect_of_sky), len(names))), np.array(fiducial)
    )
