"""Rule `collect_dataset`: the data set of a degradation, virtual over its shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.files.hdf5 import collect, create, open_for_reading, write
from infoscope.files.precision import Maps
from infoscope.vocabulary import Split


def run(spec: dict[str, Any], shards: list[Path], example: Path, output: Path) -> None:
    """Join the shards …/{split}/{shard}.h5 in the order given.

    Parameters
    ----------
    spec
        Empty.
    shards
        Outputs of `degrade_maps`.
    example
        HDF5 file with what figures show, and what stays when shards are deleted: the
        last redshift bin of the first fiducial sky, tiles (n_tile, side, side).
    output
        The data set.
    """
    parts: dict[str, list[Path]] = {
        split: [shard for shard in shards if shard.parent.name == split]
        for split in Split
    }
    collect(parts, output, spec)
    with open_for_reading(parts["fiducial"][0]) as shard, create(example, spec) as file:
        write(file, "tiles", Maps.of(shard, "tiles")[0, ..., -1])
