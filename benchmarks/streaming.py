"""Speed of a training run on a data set that does not fit into memory.

    PYTHONPATH=workflow python benchmarks/streaming.py SIZE_GB FOLDER

Writes SIZE_GB of tiles into FOLDER, in the format of a study, unless they exist. Then
three things are measured, each in its own process: reading the tiles in the batches of
a training run, training the CNN on them, and training it on 0.4 GB of them, which stay
in memory. Times are measured from the end of the first quarter of an epoch to its end,
without compilation. The next pool (`batches.POOL_BYTES`) is already being read when the
measurement starts, so choose a size of many pools (4 GB or more).

In lines with `disk`, the files were dropped from the system's cache first, and `read`
is the amount that the process read from the disk during the measurement; a hypervisor
may have its own cache. In lines with `cache`, the files were read once first, which
helps if they fit into memory. Peak memory does not include the system's cache.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from infoscope.cosmology.nuisance import Nuisance
from infoscope.estimators import batches, training
from infoscope.estimators.config import TrainingConfig
from infoscope.estimators.kinds.cnn import CNN
from infoscope.files import hdf5 as datasets
from infoscope.files.precision import NOISY_TILES, Maps, tiles_in_piece

SHAPE = (48, 128, 128, 4)
SKY_BYTES = 4 * math.prod(SHAPE)
PIECE = tiles_in_piece(SHAPE[0], NOISY_TILES.itemsize * math.prod(SHAPE[1:]))
SKIES_IN_MEMORY = 32
SHARD_SKIES = 64
SEED = 1
LOOKS = 4


def write_shard(path: Path, n_sky: int, seed: int) -> None:
    """Write noise as `degrade_maps` writes tiles."""
    rng = np.random.default_rng(seed)
    with datasets.create(path, {}) as file:
        tiles = Maps.create(
            file, "tiles", NOISY_TILES, (n_sky, *SHAPE), (1, PIECE, *SHAPE[1:])
        )
        for sky in range(n_sky):
            tiles[sky] = rng.standard_normal(SHAPE, np.float32)
        file["theta"] = rng.uniform(-1, 1, (n_sky, 2))
        file["cosmology"] = file["sky"] = np.arange(n_sky)
        datasets.write_nuisance(file, Nuisance.none(n_sky))
        file.attrs["digest"] = str(seed)


def write(path: Path, n_sky: int) -> None:
    """Write a data set with one sky to validate."""
    shards: dict[str, list[Path]] = {"train": [], "validation": []}
    for split, total in (("train", n_sky), ("validation", 1)):
        for start in range(0, total, SHARD_SKIES):
            shard = path.parent / split / f"{start}.h5"
            write_shard(shard, min(SHARD_SKIES, total - start), start)
            shards[split].append(shard)
    datasets.collect(shards, path, {})


def inputs_of(path: Path, split: str, n_sky: int) -> batches.Inputs:
    """Use the first skies of a split; its file stays open."""
    group = h5py.File(path)[split]
    target = group["theta"][:n_sky].astype(np.float32)
    maps = Maps.of(group, "tiles")
    return batches.Inputs.of_maps(maps, np.arange(len(target)), target)


def prepare_cache(path: Path, source: str) -> None:
    """Bring the shards into the system's cache, or drop them from it."""
    for shard in path.parent.glob("*/*.h5"):
        with shard.open("rb") as file:
            os.fsync(file.fileno())
            if source == "disk":
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while source == "cache" and file.read(2**24):
                pass


@dataclass(frozen=True)
class Moment:
    """Resources that a process has used so far."""

    seconds: float
    cpu_seconds: float
    disk_bytes: int

    @classmethod
    def now(cls) -> Moment:
        """Take the time."""
        blocks = resource.getrusage(resource.RUSAGE_SELF).ru_inblock
        return cls(time.perf_counter(), time.process_time(), 512 * blocks)


def steps_of_epoch(n_sky: int, batch_size: int) -> int:
    """Count the steps of an epoch: a pool leaves out what fills no batch."""
    n_pools = math.ceil(n_sky * SKY_BYTES / batches.POOL_BYTES)
    pools = np.array_split(np.arange(n_sky * SHAPE[0] // PIECE), n_pools)
    return sum(len(pool) * PIECE // batch_size for pool in pools)


def measure(what: str, source: str, path: Path, n_sky: int) -> dict[str, float]:
    """Read or train for an epoch of the data set, or as many steps from memory."""
    every = steps_of_epoch(n_sky, CNN().batch_size) // LOOKS
    config = CNN(steps=LOOKS * every)
    used = SKIES_IN_MEMORY if source == "memory" else n_sky
    tiles = inputs_of(path, "train", used)
    moments = []
    if what == "read":
        batch = batches.batches(tiles, config.batch_size, SEED)
        for step in range(1, config.steps + 1):
            next(batch)
            if step % every == 0:
                moments.append(Moment.now())
    else:
        training.train(
            config,
            TrainingConfig(evaluate_every=every, patience=LOOKS),
            tiles,
            inputs_of(path, "validation", 1),
            SEED,
            lambda _: moments.append(Moment.now()),
        )
    first, last = moments[0], moments[-1]
    seconds = last.seconds - first.seconds
    n_tiles = (LOOKS - 1) * every * config.batch_size
    return {
        "tiles_per_second": n_tiles / seconds,
        "bytes_per_second": n_tiles * SKY_BYTES / SHAPE[0] / seconds,
        "epochs": n_tiles / len(tiles.skies) / SHAPE[0],
        "disk_bytes": last.disk_bytes - first.disk_bytes,
        "cores": (last.cpu_seconds - first.cpu_seconds) / seconds,
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def run(what: str, source: str, threads: int, path: Path, n_sky: int) -> float:
    """Measure in a process of its own, print a line and return the tiles/s."""
    prepare_cache(path, source)
    threads_of = {"NPROC": str(threads), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, __file__, str(n_sky), str(path), "--worker", what, source],
        env={**os.environ, **threads_of},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    print(
        f"{what:5s} {source:6s} {threads:7d} "
        f"{found['tiles_per_second']:8.0f} {found['bytes_per_second'] / 1e6:7.0f} "
        f"{found['epochs']:7.2f} {found['disk_bytes'] / 1e9:8.2f} "
        f"{found['cores']:6.2f} {found['peak_bytes'] / 1e9:8.2f}",
        flush=True,
    )
    return found["tiles_per_second"]


def main(size_gb: float, folder: Path) -> None:
    """Write the data set and print a line for each measurement."""
    n_sky = math.ceil(size_gb * 1e9 / SKY_BYTES)
    if n_sky * SKY_BYTES <= 3 * batches.POOL_BYTES:
        sys.exit(f"SIZE_GB: more than {3 * batches.POOL_BYTES / 1e9:.1f}, please")
    path = folder / f"{n_sky}_skies" / "dataset.h5"
    if not path.exists():
        began = time.perf_counter()
        write(path, n_sky)
        print(f"written in {time.perf_counter() - began:.0f} s", flush=True)
    print(f"{n_sky} skies of {SHAPE[0]} tiles, {n_sky * SKY_BYTES / 1e9:.1f} GB")
    print("what  from   threads  tiles/s    MB/s  epochs  read/GB  cores  peak/GB")
    for source in ("disk", "cache"):
        run("read", source, 1, path, n_sky)
    for threads in (1, 2):
        speed = {
            source: run("train", source, threads, path, n_sky)
            for source in ("disk", "cache", "memory")
        }
        print(
            f"from the disk {speed['disk'] / speed['memory']:.2f}, from the cache "
            f"{speed['cache'] / speed['memory']:.2f} of the speed from memory",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("size", type=float, metavar="SIZE_GB")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        n_sky = int(options.size)
        what, source = options.worker
        print(json.dumps(measure(what, source, options.folder, n_sky)))
    else:
        main(options.size, options.folder)
