"""Inputs of a network, and their batches: from memory or, piece by piece, from disk."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infoscope.files.precision import Maps, tiles_in_piece

Array = NDArray[np.float32]

# Inputs that are held at a time; with those that are read ahead, twice as many.
POOL_BYTES = 2**29


@dataclass(frozen=True)
class Inputs:
    """What a network sees of some skies, and what it should say.

    Attributes
    ----------
    values : (n, n_tile, …)
        Tiles or features, in memory or on disk.
    skies : (n_sky,)
        Rows of `values` that are used.
    target : (n_sky, 2)
        Scaled parameters of each sky.
    """

    values: Array | Maps
    skies: NDArray[np.intp]
    target: Array

    @classmethod
    def of_array(cls, values: Array, target: Array) -> Inputs:
        """Use all rows of an array."""
        return cls(values, np.arange(len(values)), target)

    @classmethod
    def of_maps(cls, values: Maps, skies: NDArray[np.intp], target: Array) -> Inputs:
        """Use rows of a data set, which are read at once if they fit into a pool."""
        inputs = cls(values, skies, target)
        if inputs.n_bytes > POOL_BYTES:
            return inputs
        read = np.empty((len(skies), *values.shape[1:]), np.float32)
        for row, sky in enumerate(skies):
            read[row] = values[int(sky)]
        return cls.of_array(read, target)

    @property
    def in_memory(self) -> bool:
        """Whether `values` are an array, or else a data set in a file."""
        return isinstance(self.values, np.ndarray)

    @property
    def n_tile(self) -> int:
        """Tiles of a sky."""
        return int(self.values.shape[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.values.shape[2:])

    @property
    def n_bytes(self) -> int:
        """Bytes of all inputs."""
        return 4 * len(self.skies) * self.n_tile * math.prod(self.shape)

    def parts(self, size: int) -> Iterator[Array]:
        """Yield all inputs in order: whole skies, about `size` inputs at a time."""
        step = max(1, size // self.n_tile)
        for start in range(0, len(self.skies), step):
            rows = [self.values[int(sky)] for sky in self.skies[start : start + step]]
            yield np.concatenate(rows)

    def first_pool(self, seed: int) -> tuple[Array, NDArray[np.intp]]:
        """Read what training begins with, all inputs if they fit, and their order."""
        plan = next(_plans(self, 1, seed, 0))
        return _load(self, plan.pieces)[0], plan.batches.ravel()


@dataclass(frozen=True)
class _Plan:
    """Which pieces make a pool, and the order (n_batch, size) of its inputs."""

    pieces: NDArray[np.intp]
    batches: NDArray[np.intp]


def batches(
    inputs: Inputs, size: int, seed: int, first: int = 0
) -> Iterator[tuple[Array, Array]]:
    """Yield inputs (size, …) and targets (size, 2) of step `first` and those after it.

    What a step gets depends on the seed and its number alone. In an epoch no input is
    seen twice. What does not fit into memory is read in random pieces of a sky into a
    pool, in whose random order batches come; the next pool is read meanwhile.
    """
    plans = _plans(inputs, min(size, len(inputs.skies) * inputs.n_tile), seed, first)
    if inputs.in_memory:
        every = np.arange(len(inputs.skies))
        values, target = _load(inputs, every)
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
            # before the next one is asked for: no third pool in memory
            del values, target


def _piece(inputs: Inputs) -> int:
    """Count the inputs that are read together."""
    if isinstance(inputs.values, np.ndarray):
        return inputs.n_tile
    stored = inputs.values.data.dtype.itemsize * math.prod(inputs.shape)
    return tiles_in_piece(inputs.n_tile, stored)


def _plans(inputs: Inputs, size: int, seed: int, first: int) -> Iterator[_Plan]:
    """Plan pool after pool without those batches that come before step `first`."""
    piece = _piece(inputs)
    n_pieces = len(inputs.skies) * inputs.n_tile // piece
    n_pools = 1
    if not inputs.in_memory:
        # a pool has at least one batch, however large its inputs are
        most = n_pieces // math.ceil(size / piece)
        n_pools = min(math.ceil(inputs.n_bytes / POOL_BYTES), most)
    passed = 0
    for epoch in itertools.count():
        rng = np.random.default_rng([seed, epoch])
        in_order = np.arange(n_pieces) if n_pools == 1 else rng.permutation(n_pieces)
        for pieces in np.array_split(in_order, n_pools):
            order = rng.permutation(len(pieces) * piece)
            order = order[: len(order) // size * size].reshape(-1, size)
            todo = order[max(0, first - passed) :]
            passed += len(order)
            if len(todo):
                yield _Plan(pieces, todo)


def _load(inputs: Inputs, pieces: NDArray[np.intp]) -> tuple[Array, Array]:
    """Read pieces: inputs (n, …) and their targets (n, 2)."""
    piece = _piece(inputs)
    sky, part = np.divmod(pieces, inputs.n_tile // piece)
    target = inputs.target[sky].repeat(piece, axis=0)
    if isinstance(inputs.values, np.ndarray):
        return inputs.values.reshape(-1, *inputs.shape), target
    values = np.empty((len(pieces), piece, *inputs.shape), np.float32)
    for row, (number, start) in enumerate(zip(sky, part * piece, strict=True)):
        values[row] = inputs.values[inputs.skies[number], start : start + piece]
    return values.reshape(-1, *inputs.shape), target
