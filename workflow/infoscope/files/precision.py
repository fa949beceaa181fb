r"""How maps are stored: precision, chunks and checksums.

The convergence of skies is stored in single precision, because every analysis starts
from it. Alignment terms and noisy tiles are stored in half precision. Each map is
divided by a power of two that scales its largest absolute value to
:math:`2^{14} \ldots 2^{15}`, so that the precision does not depend on the unit. The
relative rounding error is at most :math:`2^{-11}` for all values above :math:`2^{-29}`
of the largest. docs/storage.md lists the effect on accuracy and size, and
benchmarks/storage.py measures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import h5py
    from jaxtyping import Float, Float32
    from numpy.typing import NDArray

CONVERGENCE = np.dtype(np.float32)
ALIGNMENT = np.dtype(np.float16)
NOISY_TILES = np.dtype(np.float16)
# rounding errors are not hidden by noise, and a filter may damp modes by 10⁻⁶
NOISELESS_TILES = np.dtype(np.float32)

HALF = np.dtype(np.float16)
SCALE = "_scale"
# scaled maps are below 2^15; the limit of half precision is 2^16
LARGEST_EXPONENT = 15
# Reading a mebibyte at once costs little more than transferring it.
PIECE_BYTES = 2**20


def tiles_in_piece(n_tile: int, tile_bytes: int) -> int:
    """Return the number of tiles of a sky that are stored and read together.

    A piece holds about `PIECE_BYTES`, and the number divides `n_tile`.

    >>> tiles_in_piece(48, 65536)
    16
    """
    fitting = max(1, min(n_tile, PIECE_BYTES // tile_bytes))
    return next(k for k in range(fitting, 0, -1) if n_tile % k == 0)


@dataclass(frozen=True)
class Maps:
    """Maps in a file, which are scaled when written and read.

    Attributes
    ----------
    data
        Data set of the scaled maps; its first axis is the sky.
    scale
        Factors of the stored values for each sky, or for each sky and term.
    """

    data: h5py.Dataset
    scale: Float32[NDArray, "n_sky ..."] | h5py.Dataset

    @classmethod
    def create(
        cls,
        group: h5py.Group,
        name: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
        leading: int = 1,
    ) -> Maps:
        """Create a data set with checksums, and one scale for each leading index."""
        data = group.create_dataset(name, shape, dtype, chunks=chunk, fletcher32=True)
        if dtype != HALF:
            return cls.of(group, name)
        ones = np.ones(shape[:leading], np.float32)
        scale = group.create_dataset(
            f"{name}{SCALE}", data=ones, chunks=ones.shape, fletcher32=True
        )
        return cls(data, scale)

    @classmethod
    def of(cls, group: h5py.Group, name: str) -> Maps:
        """Open a data set, whose scale is 1 in single precision."""
        data = group[name]
        scale = group.get(f"{name}{SCALE}")
        if scale is None:
            return cls(data, np.ones(data.shape[:1], np.float32))
        return cls(data, scale[:])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data set."""
        return tuple(self.data.shape)

    def __setitem__(
        self, index: int | tuple[int, ...], values: Float[NDArray, "*shape"]
    ) -> None:
        """Write the map at `index`, which has one entry for each axis of `scale`."""
        if self.data.dtype == HALF:
            self.scale[index] = factor = power_of_two(values)
            values = (values / factor).astype(HALF)
        self.data[index] = values

    def __getitem__(self, index: Any) -> Float32[NDArray, "*shape"]:
        """Read the maps at `index`, which may contain slices."""
        stored = self.data[index]
        scale_index = index[: self.scale.ndim] if isinstance(index, tuple) else index
        scale = np.asarray(self.scale[scale_index])
        return np.multiply(
            stored,
            scale.reshape(scale.shape + (1,) * (stored.ndim - scale.ndim)),
            dtype=np.float32,
        )


def power_of_two(values: Float[NDArray, "*shape"]) -> float:
    """Return the factor by which a map is divided before it is stored.

    >>> power_of_two(np.array([-0.02, 0.03])) == 2.0**-20
    True
    """
    largest = max(-values.min(), values.max())
    if not 0 < largest < np.inf:
        return 1.0
    return 2.0 ** (int(np.frexp(largest)[1]) - LARGEST_EXPONENT)
