"""Pieces: the tiles that a file stores, and a training reads, together."""

from __future__ import annotations

# A read of a mebibyte costs hardly more than its bytes.
PIECE_BYTES = 2**20


def tiles_in_piece(n_tile: int, tile_bytes: int) -> int:
    """Tiles of one sky that are stored and read together: a divisor of `n_tile`."""
    fitting = max(1, min(n_tile, PIECE_BYTES // tile_bytes))
    return next(k for k in range(fitting, 0, -1) if n_tile % k == 0)
