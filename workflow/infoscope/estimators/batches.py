"""Inputs of a network and batches of them, read from memory or in pieces from disk."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infoscope.files.precision import Maps, tiles_in_piece

if TYPE_CHECKING:
    from jaxtyping import Float32, Int
    from numpy.typing import NDArray

# Size of the inputs held in memory. The next pool is read meanwhile, which doubles it.
POOL_BYTES = 2**29


@dataclass(frozen=True)
class Inputs:
    """Inputs and targets of a network.

    Attributes
    ----------
    values
        Tiles or features of all skies, in memory or on disk.
    skies
        Rows of `values` that are used.
    target
        Scaled parameters of each sky in `skies`.
    """

    values: Float32[NDArray, "n_row n_tile ..."] | Maps
    skies: Int[NDArray, " n_sky"]
    target: Float32[NDArray, "n_sky 2"]

    @classmethod
    def of_array(
        cls,
        values: Float32[NDArray, "n_sky n_tile ..."],
        target: Float32[NDArray, "n_sky 2"],
    ) -> Inputs:
        """Use all rows of an array."""
        return cls(values, np.arange(len(values)), target)

    @classmethod
    def of_maps(
        cls,
        values: Maps,
        skies: Int[NDArray, " n_sky"],
        target: Float32[NDArray, "n_sky 2"],
    ) -> Inputs:
        """Use some rows of a data set; they are read at once if they fit into a pool.

        Parameters
        ----------
        values
            Tiles (n_row, n_tile, side, side, n_bins) in a file.
        skies
            Rows that are used.
        target
            Scaled parameters of these rows.
        """
        inputs = cls(values, skies, target)
        if inputs.n_bytes > POOL_BYTES:
            return inputs
        read = np.empty((len(skies), *values.shape[1:]), np.float32)
        for row, sky in enumerate(skies):
            read[row] = values[int(sky)]
        return cls.of_array(read, target)

    @property
    def in_memory(self) -> bool:
        """Whether `values` is an array; otherwise it is a data set in a file."""
        return isinstance(self.values, np.ndarray)

    @property
    def n_tile(self) -> int:
        """Number of tiles per sky."""
        return int(self.values.shape[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.values.shape[2:])

    @property
    def n_bytes(self) -> int:
        """Size of all inputs in bytes."""
        return 4 * len(self.skies) * self.n_tile * math.prod(self.shape)

    def parts(self, size: int) -> Iterator[Float32[NDArray, "n ..."]]:
        """Yield all inputs in order, in whole skies of about `size` inputs in total."""
        step = max(1, size // self.n_tile)
        for start in range(0, len(self.skies), step):
            rows = [self.values[int(sky)] for sky in self.skies[start : start + step]]
            yield np.concatenate(rows)

    def first_pool(
        self, seed: int
    ) -> tuple[Float32[NDArray, "n ..."], Int[NDArray, " n_used"]]:
        """Read the first pool, which holds all inputs if they fit.

        Returns
        -------
        values
            Inputs of the pool.
        order
            Indices of the inputs in the order in which batches use them.
        """
        plan = next(_plans(self, 1, seed, 0))
        return _load(self, plan.pieces)[0], plan.batches.ravel()


@dataclass(frozen=True)
class _Plan:
    """The pieces in a pool, and the inputs of the pool in each batch."""

    pieces: Int[NDArray, " n_piece"]
    batches: Int[NDArray, "n_batch size"]


def batches(
    inputs: Inputs, size: int, seed: int, first: int = 0
) -> Iterator[tuple[Float32[NDArray, "size ..."], Float32[NDArray, "size 2"]]]:
    """Yield the inputs and targets of training steps, endlessly.

    A batch depends only on the seed and the number of its step. No input occurs twice
    in an epoch. Inputs that do not fit into memory are read into a pool, in random
    pieces of skies. The pool is shuffled and split into batches, while the next pool is
    read.

    Parameters
    ----------
    inputs
        Inputs of the network.
    size
        Inputs per batch; all inputs if there are fewer.
    seed
        Seed of the order.
    first
        Number of the step at which to start.
    """
    plans = _plans(inputs, min(size, len(inputs.skies) * inputs.n_tile), seed, first)
    if inputs.in_memory:
        values, target = _load(inputs, np.arange(len(inputs.skies)))
        for plan in plans:
            for chosen in plan.batches:
                yield values[chosen], target[chosen]
        return
    with ThreadPoolExecutor(1) as reader:
        plan = next(plans)
        ahead = reader.submit(_load, inputs, plan.pieces)
        while True:
            values, target = ahead.result()
            current, plan = plan, next(plans)
            ahead = reader.submit(_load, inputs, plan.pieces)
            for chosen in current.batches:
                yield values[chosen], target[chosen]
            # freed before the next pool is requested, or three would be in memory
            del values, target


def _piece(inputs: Inputs) -> int:
    """Return the number of inputs that are read together."""
    if isinstance(inputs.values, np.ndarray):
        return inputs.n_tile
    stored = inputs.values.data.dtype.itemsize * math.prod(inputs.shape)
    return tiles_in_piece(inputs.n_tile, stored)


def _plans(inputs: Inputs, size: int, seed: int, first: int) -> Iterator[_Plan]:
    """Plan the pools one after another, without the batches before step `first`."""
    piece = _piece(inputs)
    n_pieces = len(inputs.skies) * inputs.n_tile // piece
    n_pools = 1
    if not inputs.in_memory:
        # a pool has at least one batch, however large its inputs are
        max_pools = n_pieces // math.ceil(size / piece)
        n_pools = min(math.ceil(inputs.n_bytes / POOL_BYTES), max_pools)
    n_planned = 0
    for epoch in itertools.count():
        rng = np.random.default_rng([seed, epoch])
        order = np.arange(n_pieces) if n_pools == 1 else rng.permutation(n_pieces)
        for pieces in np.array_split(order, n_pools):
            pool = rng.permutation(len(pieces) * piece)
            pool = pool[: len(pool) // size * size].reshape(-1, size)
            remaining = pool[max(0, first - n_planned) :]
            n_planned += len(pool)
            if len(remaining):
                yield _Plan(pieces, remaining)


def _load(
    inputs: Inputs, pieces: Int[NDArray, " n_piece"]
) -> tuple[Float32[NDArray, "n ..."], Float32[NDArray, "n 2"]]:
    """Read the inputs and targets of some pieces."""
    piece = _piece(inputs)
    sky, part = np.divmod(pieces, inputs.n_tile // piece)
    target = inputs.target[sky].repeat(piece, axis=0)
    if isinstance(inputs.values, np.ndarray):
        return inputs.values.reshape(-1, *inputs.shape), target
    values = np.empty((len(pieces), piece, *inputs.shape), np.float32)
    for row, (number, start) in enumerate(zip(sky, part * piece, strict=True)):
        values[row] = inputs.values[inputs.skies[number], start : start + piece]
    return values.reshape(-1, *inputs.shape), target
