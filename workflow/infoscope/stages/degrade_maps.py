"""Rule `degrade_maps`: the tiles of one shard under one degradation."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infoscope.degradations.degrade import degrade
from infoscope.degradations.operation import load
from infoscope.degradations.patches import Constants
from infoscope.degradations.sky_files import SkyFile, parse_operations
from infoscope.errors import InfoscopeError
from infoscope.eta import log_progress
from infoscope.files.hdf5 import create, open_for_reading, write, write_nuisance
from infoscope.files.precision import NOISELESS_TILES, NOISY_TILES, Maps, tiles_in_piece
from infoscope.seeds import seed_of

log = logging.getLogger(__name__)


def run(
    spec: dict[str, Any],
    skies: Path,
    output: Path,
    constants: Sequence[Path] = (),
    operation_files: Sequence[Path] = (),
) -> None:
    """Degrade the skies of a shard one by one.

    Parameters
    ----------
    spec
        `operations` (those of the survey first), `noise`, and those of `SkyFile`.
    skies
        Output of `simulate_skies`.
    output
        HDF5 file with the `Maps` tiles (n_sky, n_tile, side, side, n_bins).
    constants
        Output of `fit_constants`, if an operation has constants.
    operation_files
        Files with user-defined operations.

    Raises
    ------
    InfoscopeError
        If an operation is impossible, or values are not finite.
    """
    for path in operation_files:
        load(path)
    operations = parse_operations(spec)
    fitted: list[Constants] = [{} for _ in operations]
    for path in constants:
        fitted = json.loads(path.read_text())
    with open_for_reading(skies) as source, create(output, spec) as file:
        sky_file = SkyFile(source, spec)
        n_sky = len(sky_file.members)
        content = hashlib.sha256()
        for i in log_progress(range(n_sky), n_sky, "skies", log):
            try:
                tiles = degrade(
                    sky_file.patches(i),
                    operations,
                    spec["noise"],
                    fitted,
                    noise_rng=sky_file.generator("noise", i),
                    rng=sky_file.generator("degrade", i),
                )
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
        write(file, "sky", [seed_of(spec["split"], *m) for m in sky_file.members])
        write_nuisance(file, sky_file.nuisance())
        file.attrs["constants"] = json.dumps(fitted)
        file.attrs["digest"] = content.hexdigest()
