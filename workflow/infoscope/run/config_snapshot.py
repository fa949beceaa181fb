"""The config that a run started with, for its jobs on other machines.

These jobs read the Snakefile again. If the config was edited in the meantime, they
would otherwise run with another config than the one that Snakemake has planned with.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from infoscope.files.atomic import atomic_path

FOLDER = Path(".snakemake/infoscope")


def save(config: dict[str, Any]) -> Path:
    """Write a config to a file that is named after its content."""
    content = json.dumps(config, sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    path = FOLDER / f"{digest}.json"
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(content)
    return path


def load(path: Path) -> dict[str, Any]:
    """Read a config that `save` has written."""
    config: dict[str, Any] = json.loads(path.read_text())
    return config
