"""Rule `collect_dataset`: the data set of a degradation, virtual over its shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.config import SPLITS
from infoscope.datasets import collect


def run(spec: dict[str, Any], shards: list[Path], output: Path) -> None:
    """Join the shards …/{split}/{shard}.h5 in the order given."""
    parts = {
        split: [shard for shard in shards if shard.parent.name == split]
        for split in SPLITS
    }
    collect(parts, output, spec)
