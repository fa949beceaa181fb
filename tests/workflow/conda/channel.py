"""Make a channel of conda packages from the Python packages in this environment.

    python channel.py CHANNEL SITE_PACKAGES NAME...

Packs the interpreter, the distributions with these conda names, and all their
dependencies. Run it with the interpreter of conda, because it needs the same packages.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import sysconfig
import tarfile
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from conda.base.context import context
from conda_package_streaming.create import conda_builder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

VERSION = "{}.{}".format(*sys.version_info)
LIB = f"lib/python{VERSION}"
# distributions with another name in conda-forge
CONDA_NAMES = {
    "astropy": "astropy-base",
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
}
LEFT_OUT = {"site-packages", "test", "idlelib", "tkinter", "turtledemo", "ensurepip"}

# metadata of a package in a channel
Record = dict[str, Any]


def main(channel: Path, packages: Path, names: list[str]) -> None:
    """Make a channel."""
    subdir = channel / context.subdir
    subdir.mkdir(parents=True)
    records = [pack(subdir, record("python", sys.version.split()[0], []), stdlib())]
    installed = {
        conda_name(found.name): found for found in distributions(path=[str(packages)])
    }
    for name in sorted(needed(installed, names)):
        depends = [f"python {VERSION}.*", *requirements(installed, name)]
        build = record(name, installed[name].version, depends)
        files = {
            f"{LIB}/site-packages/{file}": Path(file.locate())
            for file in installed[name].files or ()
            # scripts and manuals, which no job needs, are outside this folder
            if ".." not in file.parts and Path(file.locate()).exists()
        }
        if name == "jaxlib":
            build["build"] = f"cpu_{build['build']}"
            records.append(on_gpus(build))
        records.append(pack(subdir, build, files))
    for folder, found in ((subdir, records), (channel / "noarch", [])):
        folder.mkdir(exist_ok=True)
        index = {
            "info": {"subdir": folder.name},
            "packages": {},
            "packages.conda": {f"{stem(build)}.conda": build for build in found},
        }
        (folder / "repodata.json").write_text(json.dumps(index))


def record(name: str, version: str, depends: list[str]) -> Record:
    """Describe a package."""
    return {
        "name": name,
        "version": version,
        "build": f"py{VERSION.replace('.', '')}_0",
        "build_number": 0,
        "depends": depends,
        "subdir": context.subdir,
    }


def on_gpus(jaxlib: Record) -> Record:
    """Describe the CUDA build of jaxlib as conda-forge does.

    The solver finds it, but it cannot be installed, because there is no file.
    """
    build = jaxlib["build"].replace("cpu_", "cuda129_").removesuffix("_0") + "_200"
    depends = [*jaxlib["depends"], "__cuda"]
    return jaxlib | {"build": build, "build_number": 200, "depends": depends}


def stem(build: Record) -> str:
    """Return the name of the file of a package."""
    return "{name}-{version}-{build}".format(**build)


def pack(subdir: Path, build: Record, files: dict[str, Path]) -> Record:
    """Write a package; return its record with the size and the hash of the file."""
    with conda_builder(stem(build), subdir, compression_level=1) as tar:
        info = {"index.json": json.dumps(build), "files": "\n".join(files)}
        for name, text in info.items():
            member = tarfile.TarInfo(f"info/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, path in files.items():
            tar.add(path, name)
    path = subdir / f"{stem(build)}.conda"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return build | {"sha256": digest, "size": path.stat().st_size}


def stdlib() -> dict[str, Path]:
    """Return the files of the interpreter by their paths in an environment."""
    base = Path(sys.base_prefix)
    executable = Path(os.path.realpath(base / f"bin/python{VERSION}"))
    files = {"bin/python": executable}
    library = base / "lib" / str(sysconfig.get_config_var("INSTSONAME"))
    if library.suffix != ".a" and library.exists():
        files[f"lib/{library.name}"] = library
    for folder, folders, names in os.walk(base / LIB):
        folders[:] = [
            name for name in folders if name not in LEFT_OUT and "config-" not in name
        ]
        for name in names:
            path = Path(folder, name)
            # compiled only once, not for each level of optimisation
            if ".opt-" not in name:
                files[str(path.relative_to(base))] = path
    return files


def needed(installed: dict[str, Distribution], names: list[str]) -> set[str]:
    """Add the conda names of all dependencies to conda names."""
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [need.split()[0] for need in requirements(installed, name)]
    return seen


def requirements(
    installed: dict[str, Distribution], name: str, extra: str = ""
) -> list[str]:
    """Return the requirements of a distribution in the notation of conda.

    Conda has no extras: requirements of extras are those of the packages that use them.
    """
    found: list[str] = []
    for need in map(Requirement, installed[name].requires or ()):
        if need.marker is None or need.marker.evaluate({"extra": extra}):
            other = conda_name(need.name)
            found.append(f"{other} {need.specifier}".strip())
            for wanted in need.extras:
                found += requirements(installed, other, wanted)
    return list(dict.fromkeys(found))


def conda_name(distribution: str) -> str:
    """Return the name of a distribution in conda-forge."""
    name = canonicalize_name(distribution)
    return CONDA_NAMES.get(name, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
