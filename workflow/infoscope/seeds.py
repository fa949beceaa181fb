"""Seeds derived from what they seed, never from an order or a counter."""

from __future__ import annotations

import hashlib
import json


def seed_of(*keys: str | int) -> int:
    """Hash `keys` to a seed of 63 bits, the same on every machine."""
    digest = hashlib.sha256(json.dumps(keys).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
