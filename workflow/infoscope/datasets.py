"""HDF5 files: how they are written, checked and described."""

from __future__ import annotations

import contextlib
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

from infoscope.errors import InfoscopeError
from infoscope.nuisance import Nuisance

VERSIONED = ("numpy", "healpy", "ducc0", "glass", "camb", "jax", "flax", "h5py")


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that is renamed to it on success."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def create(path: Path, spec: Mapping[str, Any]) -> Iterator[h5py.File]:
    """Write an HDF5 file that exists under its name only when it is complete.

    Its attributes say what made it: the spec of the stage, the digest of the code
    (handed over in the environment by the command line) and library versions.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["spec"] = json.dumps(spec, sort_keys=True)
        file.attrs["code"] = os.environ.get("INFOSCOPE_CODE", "")
        file.attrs["versions"] = json.dumps(
            {name: _version(name) for name in VERSIONED}
        )
        yield file


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "not installed"


def open_for_reading(path: Path) -> h5py.File:
    """Open an HDF5 file without locking it.

    Raises
    ------
    InfoscopeError
        If the file is missing or is not complete.
    """
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        raise InfoscopeError(
            f"{path}: cannot be read, delete it and run again ({error})"
        ) from None


def write_nuisance(group: h5py.Group, nuisance: Nuisance) -> None:
    """Write `nuisance` (n_sky, k); its attributes say what is in its columns."""
    written = group.create_dataset("nuisance", data=nuisance.values)
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
    file["theta"] = theta
    file["cosmology"] = np.asarray(cosmology, np.int64)
    file["realisation"] = np.asarray(realisation, np.int64)
    file["mean_z"] = mean_z
    write_nuisance(file, nuisance or Nuisance.none(len(theta)))


def check_sources(file: h5py.File) -> None:
    """Refuse virtual data sets whose source files cannot be read.

    HDF5 itself would read fill values instead.

    Raises
    ------
    InfoscopeError
        Names the first source that is missing or not complete.
    """
    folder = Path(file.filename).parent
    sources = {
        source.file_name
        for data in file.values()
        if isinstance(data, h5py.Dataset) and data.is_virtual
        for source in data.virtual_sources()
    }
    for name in sorted(sources):
        path = (folder / name).resolve()
        try:
            h5py.File(path, "r", locking=False).close()
        except OSError as error:
            raise InfoscopeError(
                f"{path}: cannot be read, but {file.filename} refers to it; "
                f"restore it ({error})"
            ) from None


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
                "theta": [],
                "sky": [],
                "cosmology": [],
            }
            for part in parts:
                with open_for_reading(part) as shard:
                    tiles = shard["tiles"]
                    relative = os.path.relpath(part, path.parent)
                    sources.append(
                        h5py.VirtualSource(
                            relative, "tiles", shape=tiles.shape, dtype=tiles.dtype
                        )
                    )
                    varied.append(read_nuisance(shard))
                    for name, values in columns.items():
                        values.append(shard[name][:])
                    group.attrs[part.stem] = shard.attrs["digest"]
            shape = sources[0].shape
            n_sky = sum(source.shape[0] for source in sources)
            layout = h5py.VirtualLayout((n_sky, *shape[1:]), dtype=np.float32)
            start = 0
            for source in sources:
                layout[start : start + source.shape[0]] = source
                start += source.shape[0]
            group.create_virtual_dataset("tiles", layout, fillvalue=np.nan)
            for name, values in columns.items():
                group[name] = np.concatenate(values)
            every = np.concatenate([nuisance.values for nuisance in varied])
            write_nuisance(group, replace(varied[0], values=every))
