"""Rule `collect_dataset`: the data set of a degradation, which refers to its shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.files.hdf5 import collect, create, open_for_reading, write
from infoscope.files.precision import Maps
from infoscope.vocabulary import Split


def run(spec: dict[str, Any], shards: list[Path], example: Path, output: Path) -> None:
    """Join shards of tiles in the order given.

    Parameters
    ----------
    spec
        Empty.
    shards
        Outputs …/{split}/{shard}.h5 of `degrade_maps`.
    example
        HDF5 file with the last redshift bin of the first fiducial sky: tiles
        (n_tile, side, side). Figures show it, and it is kept when shards are deleted.
    output
        HDF5 file with virtual data sets, which refer to the shards.
    """
    parts: dict[str, list[Path]] = {
        split: [shard for shard in shards if shard.parent.name == split]
        for split in Split
    }
    collect(parts, output, spec)
    with open_for_reading(parts["fiducial"][0]) as shard, create(example, spec) as file:
        write(file, "tiles", Maps.of(shard, "tiles")[0, ..., -1])
