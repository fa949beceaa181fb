"""HDF5 files: atomic writing, checksums and data sets of skies."""

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
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from infoscope.cosmology.nuisance import Nuisance
from infoscope.errors import InfoscopeError
from infoscope.files.atomic import atomic_path
from infoscope.files.precision import SCALE, Maps

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import ArrayLike, NDArray

VERSIONED = ("numpy", "healpy", "ducc0", "glass", "camb", "jax", "flax", "h5py")
# From version 1.10 on, HDF5 has checksums of its internal structures too.
FORMAT = ("v110", "v110")
CHECKSUM = "checksum"


class _Sink(io.FileIO):
    """A file object for HDF5 that records the first error instead of raising it.

    HDF5 crashes the process if it cannot flush its caches, so errors are hidden from
    it and raised by `check`.
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
        """Raise the recorded error, if any."""
        if self.failure is not None:
            raise self.failure


class NewFile(h5py.File):
    """A file that is being written; `flush` raises any error of a write before it."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__(sink, "w", libver=FORMAT)
        self._sink = sink

    def flush(self) -> None:
        """Flush the buffers to disk.

        Raises
        ------
        OSError
            If this or an earlier write failed.
        """
        super().flush()
        self._sink.check()


@contextlib.contextmanager
def create(path: Path, spec: Mapping[str, Any]) -> Iterator[NewFile]:
    """Create an HDF5 file that appears under its name only once it is complete.

    The attributes record the provenance: the spec of the stage, the digest of the code
    (which the command line passes in the environment) and library versions. Another
    attribute is the checksum of all attributes; data sets have their own (`write`).

    Raises
    ------
    InfoscopeError
        If the disk is full or not writable.
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
            # takes precedence over errors that follow from it
            sink.check()


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "not installed"


def write(group: h5py.Group, name: str, values: ArrayLike) -> h5py.Dataset:
    """Write an array of at least one dimension as a data set with a checksum."""
    array = np.asarray(values)
    # HDF5 has checksums only for chunked data sets
    options = {"chunks": array.shape, "fletcher32": True} if array.size else {}
    return group.create_dataset(name, data=array, **options)


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file without locking it.

    Raises
    ------
    InfoscopeError
        If the file, or a source of its virtual data sets, is missing or damaged.
        Damage to data may be detected only when they are read.
    """
    with _opened(path) as file:
        try:
            yield file
        except OSError as error:
            for candidate in (path, *_sources(file)):
                if _is_damaged(candidate):
                    raise _unreadable(candidate, error, path) from None
            raise


def _opened(path: Path) -> h5py.File:
    """Open a file after checking its attributes and the sources of virtual data."""
    try:
        file = h5py.File(path, "r", locking=False)
        # files not written by `create` have no checksum
        if CHECKSUM in file.attrs:
            if file.attrs[CHECKSUM] != _checksum_of_attributes(file):
                raise ValueError("its attributes do not match their checksum")
        sources = _sources(file)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise _unreadable(path, error, path) from None
    # HDF5 would silently replace missing sources by fill values
    for source, names in sources.items():
        try:
            with h5py.File(source, "r", locking=False) as source_file:
                for name in names:
                    source_file[name].id.get_space()
        except (OSError, RuntimeError, KeyError) as error:
            file.close()
            raise _unreadable(source, error, path) from None
    return file


def _unreadable(path: Path, error: Exception, opened: Path) -> InfoscopeError:
    """Make the error for a file that is missing or damaged."""
    number = getattr(error, "errno", None)
    # HDF5 messages have several lines
    reason = os.strerror(number) if number else " ".join(str(error).split())
    remedy = "run again" if number == errno.ENOENT else "delete it and run again"
    if path != opened:
        remedy = f"{opened} refers to it; restore it or, if it is a result, {remedy}"
    return InfoscopeError(f"{path}: cannot be read ({reason}): {remedy}")


def _items(file: h5py.File) -> dict[str, h5py.Group | h5py.Dataset]:
    """Return all groups and data sets of a file by name, without following links."""
    items: dict[str, h5py.Group | h5py.Dataset] = {"/": file}
    file.visititems(items.__setitem__)
    return items


def _checksum_of_attributes(file: h5py.File) -> str:
    """Return a digest of all attributes, for which HDF5 has no checksums."""
    attributes = {
        name: {
            key: np.asarray(value).tolist()
            for key, value in item.attrs.items()
            if key != CHECKSUM
        }
        for name, item in _items(file).items()
    }
    # other types in files written by other programs are converted to text
    content = json.dumps(attributes, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _sources(file: h5py.File) -> dict[Path, set[str]]:
    """Return the files, and the data sets in them, that virtual data sets refer to."""
    folder = Path(file.filename).parent
    sources: dict[Path, set[str]] = {}
    for item in _items(file).values():
        if isinstance(item, h5py.Dataset) and item.is_virtual:
            for source in item.virtual_sources():
                path = (folder / source.file_name).resolve()
                sources.setdefault(path, set()).add(source.dset_name)
    return sources


def _is_damaged(path: Path) -> bool:
    """Return whether any chunk of a file cannot be read."""
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
    """Write the nuisance parameters; names and fiducial values are attributes."""
    dataset = write(group, "nuisance", nuisance.values)
    dataset.attrs["names"] = json.dumps(nuisance.names)
    dataset.attrs["fiducial"] = nuisance.fiducial


def read_nuisance(group: h5py.Group) -> Nuisance:
    """Read the nuisance parameters that `write_nuisance` wrote."""
    dataset = group["nuisance"]
    names = tuple(json.loads(dataset.attrs["names"]))
    return Nuisance(names, dataset[:], dataset.attrs["fiducial"])


def describe_skies(
    file: h5py.File,
    theta: Float[NDArray, "n_sky 2"],
    cosmology: ArrayLike,
    realisation: ArrayLike,
    mean_z: Float[NDArray, " n_bins"],
    nuisance: Nuisance | None = None,
) -> None:
    """Write the parameters and indices of skies.

    Parameters
    ----------
    file
        File of the maps.
    theta
        (Ω_m, σ_8) of each sky.
    cosmology, realisation
        Index of the cosmology in the split, and of the sky at that cosmology.
    mean_z
        Mean redshift of each bin.
    nuisance
        Nuisance parameters, if any.
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

    The file refers to the tiles in the shards. It also stores the digest of every
    shard, so that its content changes whenever the tiles do.
    """
    with create(path, spec) as file:
        for split, parts in shards.items():
            group = file.create_group(split)
            sources, nuisances = [], []
            columns: dict[str, list[NDArray]] = {
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
                    nuisances.append(read_nuisance(shard))
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
            joined = np.concatenate([nuisance.values for nuisance in nuisances])
            write_nuisance(group, replace(nuisances[0], values=joined))
