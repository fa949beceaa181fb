"""HDF5 files: how they are written, checked and described."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from infoscope.cosmology.nuisance import Nuisance
from infoscope.errors import InfoscopeError
from infoscope.files.atomic import atomic_path
from infoscope.files.precision import SCALE, Maps

VERSIONED = ("numpy", "healpy", "ducc0", "glass", "camb", "jax", "flax", "h5py")
# From this version of the format on, HDF5 has checksums of its own structures too.
FORMAT = ("v110", "v110")
CHECKSUM = "checksum"


class _Sink(io.FileIO):
    """A file for HDF5 to write to, which remembers the first failure.

    HDF5 itself crashes the process when it cannot write what it has in its caches, so
    that it must not be told.
    """

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self.failure = self.failure or error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return self.tell() if size is None else size

    def check(self) -> None:
        """Raise what HDF5 was not told."""
        if self.failure is not None:
            raise self.failure


class NewFile(h5py.File):
    """A file that is being written; `flush` tells whether all went well so far."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__(sink, "w", libver=FORMAT)
        self._sink = sink

    def flush(self) -> None:
        """Write what is in memory.

        Raises
        ------
        OSError
            If that, or anything written before, did not reach the disk.
        """
        super().flush()
        self._sink.check()


@contextlib.contextmanager
def create(path: Path, spec: Mapping[str, Any]) -> Iterator[NewFile]:
    """Write an HDF5 file that exists under its name only when it is complete.

    Its attributes say what made it: the spec of the stage, the digest of the code
    (handed over in the environment by the command line) and library versions. One is
    the checksum of all attributes; data sets have their own (`write`).

    Raises
    ------
    InfoscopeError
        If the disk is full or does not let itself be written.
    """
    with atomic_path(path) as temporary, _Sink(temporary, "w+") as sink:
        try:
            with NewFile(sink) as file:
                file.attrs["spec"] = json.dumps(spec, sort_keys=True)
                file.attrs["code"] = os.environ.get("INFOSCOPE_CODE", "")
                file.attrs["versions"] = json.dumps(
                    {name: _version(name) for name in VERSIONED}
                )
                yield file
                file.attrs[CHECKSUM] = _checksum_of_attributes(file)
        finally:
            # before any error that came of it
            sink.check()


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "not installed"


def write(group: h5py.Group, name: str, values: ArrayLike) -> h5py.Dataset:
    """Write an array of at least one dimension as a data set with a checksum."""
    array = np.asarray(values)
    # HDF5 has checksums of chunks only
    checked = {"chunks": array.shape, "fletcher32": True} if array.size else {}
    return group.create_dataset(name, data=array, **checked)


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file without locking it.

    Raises
    ------
    InfoscopeError
        Names the file, or one that its virtual data sets refer to, if it is missing or
        damaged: when it is opened, or when what is damaged is read.
    """
    with _opened(path) as file:
        try:
            yield file
        except OSError as error:
            for each in (path, *_sources(file)):
                if _is_damaged(each):
                    raise _unreadable(each, error, path) from None
            raise


def _opened(path: Path) -> h5py.File:
    """Open a file whose attributes and sources are whole."""
    try:
        file = h5py.File(path, "r", locking=False)
        # one that was not written by `create` has none
        if CHECKSUM in file.attrs:
            if file.attrs[CHECKSUM] != _checksum_of_attributes(file):
                raise ValueError("its attributes have changed")
        sources = _sources(file)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise _unreadable(path, error, path) from None
    # HDF5 itself would read fill values instead of what is missing
    for source, names in sources.items():
        try:
            with h5py.File(source, "r", locking=False) as there:
                for name in names:
                    there[name].id.get_space()
        except (OSError, RuntimeError, KeyError) as error:
            file.close()
            raise _unreadable(source, error, path) from None
    return file


def _unreadable(path: Path, error: Exception, opened: Path) -> InfoscopeError:
    """Say what to do with a file that is missing or damaged."""
    number = getattr(error, "errno", None)
    # messages of HDF5 have several lines
    reason = os.strerror(number) if number else " ".join(str(error).split())
    remedy = "run again" if number == errno.ENOENT else "delete it and run again"
    if path != opened:
        remedy = f"{opened} refers to it; restore it or, if it is a result, {remedy}"
    return InfoscopeError(f"{path}: cannot be read ({reason}): {remedy}")


def _items(file: h5py.File) -> dict[str, h5py.Group | h5py.Dataset]:
    """Everything in a file by its name, without what links point to."""
    found: dict[str, h5py.Group | h5py.Dataset] = {"/": file}
    file.visititems(found.__setitem__)
    return found


def _checksum_of_attributes(file: h5py.File) -> str:
    """Digest of all attributes: HDF5 has no checksum of strings."""
    attributes = {
        name: {
            key: np.asarray(value).tolist()
            for key, value in item.attrs.items()
            if key != CHECKSUM
        }
        for name, item in _items(file).items()
    }
    # types that are not ours are text as well
    content = json.dumps(attributes, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _sources(file: h5py.File) -> dict[Path, set[str]]:
    """Files, and data sets in them, that virtual data sets refer to."""
    folder = Path(file.filename).parent
    found: dict[Path, set[str]] = {}
    for item in _items(file).values():
        if isinstance(item, h5py.Dataset) and item.is_virtual:
            for source in item.virtual_sources():
                path = (folder / source.file_name).resolve()
                found.setdefault(path, set()).add(source.dset_name)
    return found


def _is_damaged(path: Path) -> bool:
    """Whether a file has data that cannot be read, a chunk at a time."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            for item in _items(file).values():
                if isinstance(item, h5py.Dataset) and not item.is_virtual:
                    for chunk in item.iter_chunks() if item.chunks else [...]:
                        item[chunk]
    except (OSError, RuntimeError, KeyError):
        return True
    return False


def write_nuisance(group: h5py.Group, nuisance: Nuisance) -> None:
    """Write `nuisance` (n_sky, k); its attributes say what is in its columns."""
    written = write(group, "nuisance", nuisance.values)
    written.attrs["names"] = json.dumps(nuisance.names)
    written.attrs["fiducial"] = nuisance.fiducial


def read_nuisance(group: h5py.Group) -> Nuisance:
    """Read what `write_nuisance` wrote."""
    written = group["nuisance"]
    names = tuple(json.loads(written.attrs["names"]))
    return Nuisance(names, written[:], written.attrs["fiducial"])


def describe_skies(
    file: h5py.File,
    theta: NDArray,
    cosmology: ArrayLike,
    realisation: ArrayLike,
    mean_z: NDArray,
    nuisance: Nuisance | None = None,
) -> None:
    """Write the columns that stand beside the maps of skies.

    Parameters
    ----------
    file
        Where they are written.
    theta
        (Ω_m, σ_8) of each sky, shape (n_sky, 2).
    cosmology, realisation
        Number of the cosmology in the split, and of the sky at that cosmology.
    mean_z
        Mean redshift of each bin.
    nuisance
        Other parameters that vary, if there are any.
    """
    write(file, "theta", theta)
    write(file, "cosmology", np.asarray(cosmology, np.int64))
    write(file, "realisation", np.asarray(realisation, np.int64))
    write(file, "mean_z", mean_z)
    write_nuisance(file, nuisance or Nuisance.none(len(theta)))


def collect(
    shards: Mapping[str, list[Path]], path: Path, spec: Mapping[str, Any]
) -> None:
    """Join the shards of a degradation into one file without copying the tiles.

    The content digest of every shard is stored: the file changes when its tiles do,
    although it holds only references to them.
    """
    with create(path, spec) as file:
        for split, parts in shards.items():
            group = file.create_group(split)
            sources, varied = [], []
            columns: dict[str, list[np.ndarray]] = {
                f"tiles{SCALE}": [],
                "theta": [],
                "sky": [],
                "cosmology": [],
            }
            for part in parts:
                with open_for_reading(part) as shard:
                    tiles = Maps.of(shard, "tiles")
                    relative = os.path.relpath(part, path.parent)
                    sources.append(
                        h5py.VirtualSource(
                            relative, "tiles", tiles.shape, tiles.data.dtype
                        )
                    )
                    varied.append(read_nuisance(shard))
                    columns[f"tiles{SCALE}"].append(tiles.scale)
                    for name in ("theta", "sky", "cosmology"):
                        columns[name].append(shard[name][:])
                    group.attrs[part.stem] = shard.attrs["digest"]
            shape = sources[0].shape
            n_sky = sum(source.shape[0] for source in sources)
            layout = h5py.VirtualLayout((n_sky, *shape[1:]), dtype=sources[0].dtype)
            start = 0
            for source in sources:
                layout[start : start + source.shape[0]] = source
                start += source.shape[0]
            group.create_virtual_dataset("tiles", layout, fillvalue=np.nan)
            for name, values in columns.items():
                write(group, name, np.concatenate(values))
            every = np.concatenate([nuisance.values for nuisance in varied])
            write_nuisance(group, replace(varied[0], values=every))
