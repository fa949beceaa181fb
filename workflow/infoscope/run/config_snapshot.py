"""The config that a run began with, for its jobs on other machines.

They read the Snakefile again, and would take a config that was edited meanwhile for the
one that Snakemake has planned with, and records.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from infoscope.files.atomic import atomic_path

FOLDER = Path(".snakemake/infoscope")


def save(config: dict[str, Any]) -> Path:
    """Write a config to a file that has the name of its content."""
    content = json.dumps(config, sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    path = FOLDER / f"{digest}.json"
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(content)
    return path


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote."""
    config: dict[str, Any] = json.loads(path.read_text())
    return config
