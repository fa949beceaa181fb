r"""How maps are stored: their precision, chunks and checksums.

The convergence of skies is in single precision: whatever is studied starts from it.
Alignment terms, and tiles with noise, are in half precision, at half the size. A map is
divided by a power of two that brings its largest value to :math:`2^{14} \ldots 2^{15}`,
so that no unit is too large or too small, and the rounding is a relative error of at
most :math:`2^{-11}` in all values above :math:`2^{-29}` of the largest. docs/storage.md
has what this costs and spares, and benchmarks/storage.py measures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import h5py

CONVERGENCE = np.dtype(np.float32)
ALIGNMENT = np.dtype(np.float16)
NOISY_TILES = np.dtype(np.float16)
# no noise hides a rounding, and of some modes a filter leaves a millionth
NOISELESS_TILES = np.dtype(np.float32)

HALF = np.dtype(np.float16)
SCALE = "_scale"
# of the largest value of a map in half precision, whose limit is 2^16
LARGEST_EXPONENT = 15


@dataclass(frozen=True)
class Maps:
    """Maps in a file, which are written and read in their own units.

    Attributes
    ----------
    data
        The data set; its first axis counts skies.
    scale
        What stored values are multiplied with, shape (n_sky,) or (n_sky, n_term).
    """

    data: h5py.Dataset
    scale: NDArray[np.float32] | h5py.Dataset

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
        """Create a data set with checksums, and its scale along the leading axes."""
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
        """Open a data set; in single precision it has no scale."""
        data = group[name]
        scale = group.get(f"{name}{SCALE}")
        if scale is None:
            return cls(data, np.ones(data.shape[:1], np.float32))
        return cls(data, scale[:])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data set."""
        return tuple(self.data.shape)

    def __setitem__(self, index: int | tuple[int, ...], values: NDArray) -> None:
        """Write the map at `index`, which has as many numbers as `scale` has axes."""
        if self.data.dtype == HALF:
            self.scale[index] = factor = power_of_two(values)
            values = (values / factor).astype(HALF)
        self.data[index] = values

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """Read what `index` selects."""
        stored = self.data[index]
        of_map = index[: self.scale.ndim] if isinstance(index, tuple) else index
        scale = np.asarray(self.scale[of_map])
        return np.multiply(
            stored,
            scale.reshape(scale.shape + (1,) * (stored.ndim - scale.ndim)),
            dtype=np.float32,
        )


def power_of_two(values: NDArray) -> float:
    """Find what the values of a map are divided by in half precision."""
    largest = max(-values.min(), values.max())
    if not 0 < largest < np.inf:
        return 1.0
    return 2.0 ** (int(np.frexp(largest)[1]) - LARGEST_EXPONENT)
