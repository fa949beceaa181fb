"""Cost of checksums, and of writing data through Python.

    PYTHONPATH=workflow python benchmarks/checksums.py [FOLDER]

Measures the CPU seconds of writing and reading a sky of nside 512 (201 MB) with plain
h5py, with checksums, and with `datasets.create`, which also protects HDF5 from a full
disk. A data set with 250 shards is measured as well. Best of three. Measured on one
core:

    h5py, without checksums  write 0.10 s  read 0.03 s
    h5py, with checksums     write 0.39 s  read 0.21 s
    files.hdf5.create        write 0.45 s  read 0.23 s
    250 shards               collect 1.03 s  open 0.11 s

Simulating a sky of nside 512 takes 6 s.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import h5py
import numpy as np

from infoscope.cosmology.nuisance import Nuisance
from infoscope.files.hdf5 import (
    collect,
    create,
    open_for_reading,
    write,
    write_nuisance,
)
from infoscope.vocabulary import Split

REPEATS = 3
MAPS = np.random.default_rng(1).standard_normal((16, 12 * 512**2), np.float32)


def best(run: Callable[[], object]) -> float:
    """Least processor time of some runs."""
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    return min(seconds)


def fill(opened: AbstractContextManager[h5py.File], fletcher32: bool) -> None:
    """Write a sky, map by map."""
    with opened as file:
        data = file.create_dataset(
            "kappa", MAPS.shape, "f4", chunks=(1, MAPS.shape[1]), fletcher32=fletcher32
        )
        for i, values in enumerate(MAPS):
            data[i] = values
            file.flush()


def read(opened: AbstractContextManager[h5py.File]) -> None:
    """Read a sky, map by map."""
    with opened as file:
        for i in range(len(MAPS)):
            file["kappa"][i]


def main(folder: Path) -> None:
    """Print the times."""
    path = folder / "x.h5"
    for name, fletcher32, new in (
        ("h5py, without checksums", False, lambda: h5py.File(path, "w")),
        ("h5py, with checksums", True, lambda: h5py.File(path, "w")),
        ("datasets.create", True, lambda: create(path, {})),
    ):
        written = best(lambda new=new, f=fletcher32: fill(new(), f))
        opened = open_for_reading if name == "datasets.create" else h5py.File
        seconds = best(lambda opened=opened: read(opened(path)))
        print(f"{name:24s} write {written:.2f} s  read {seconds:.2f} s")
    path.unlink()

    shards = {
        split: [
            folder / split / f"{i:04d}.h5"
            for i in range(250 if split == "train" else 1)
        ]
        for split in Split
    }
    for part in sum(shards.values(), []):
        with create(part, {}) as file:
            write(file, "tiles", np.zeros((8, 12, 16, 16, 4), np.float32))
            write(file, "theta", np.zeros((8, 2)))
            write(file, "cosmology", np.arange(8))
            write(file, "sky", np.arange(8))
            write_nuisance(file, Nuisance.none(8))
            file.attrs["digest"] = "0" * 64
    path = folder / "reference.h5"
    collected = best(lambda: collect(shards, path, {}))

    def open_and_close(opened: AbstractContextManager[h5py.File]) -> None:
        with opened as file:
            file["train/theta"][:]

    opened = best(lambda: open_and_close(open_for_reading(path)))
    print(f"{'250 shards':24s} collect {collected:.2f} s  open {opened:.2f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as name:
        main(Path(name))
