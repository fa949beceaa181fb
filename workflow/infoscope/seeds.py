"""Random seeds derived from names and indices, independent of the order of jobs."""

from __future__ import annotations

import hashlib
import json


def seed_of(*keys: str | int) -> int:
    """Hash `keys` to a 63-bit seed that is the same on every machine."""
    digest = hashlib.sha256(json.dumps(keys).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
