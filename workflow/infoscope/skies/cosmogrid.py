"""CosmoGridV1 on disk: its layout, and the assignment of its skies to a study.

These are the Stage-III forecast maps of Kacprzak et al. 2023, arXiv 2209.04662. Local
copies have gaps in the numbering of cosmologies and of realisations ("perms").
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from infoscope.cosmology.config import CosmologyConfig
from infoscope.errors import InfoscopeError
from infoscope.files.atomic import atomic_path
from infoscope.seeds import seed_of

if TYPE_CHECKING:
    from jaxtyping import Float, Float32
    from numpy.typing import NDArray

METAINFO = "CosmoGridV1_metainfo.h5"
N_BINS = 4
# Data set of this package -> group in a file of maps. The alignment maps have A_IA = 1
# and include the sign of the NLA model.
GROUPS = {"kappa": "kg", "kappa_ia": "ia"}
# Name in this package -> field of the metainfo, and its unit. (Ω_m, σ_8) come first.
FIELDS = {
    "omega_m": ("Om", 1.0),
    "sigma_8": ("s8", 1.0),
    "h": ("H0", 0.01),
    "omega_b": ("Ob", 1.0),
    "n_s": ("ns", 1.0),
    "w_0": ("w0", 1.0),
}
NUISANCE = tuple(FIELDS)[2:]
FIDUCIAL = "cosmo_fiducial"
GRID_SPLITS = ("train", "validation", "test")
# Every sixth cosmology is for validation. Training takes the others from the front, and
# test takes them from the back: each split can grow without changing the others.
VALIDATION_STRIDE = 6
TOLERANCE = 1e-3


def name_of(data: str, index: int) -> str:
    """Name of the data set of a bin in a file of maps.

    Examples
    --------
    >>> name_of("kappa", 0)
    'kg/stage3_lensing1'
    """
    return f"{GROUPS[data]}/stage3_lensing{index + 1}"


def maps_file(name: str, perm: int, baryons: str) -> str:
    """Path of a file of maps relative to the root.

    Examples
    --------
    >>> maps_file("cosmo_000001", 2, "nobaryons").rpartition("/")[0]
    'stage3_forecast/grid/cosmo_000001/perm_0002'
    """
    group = "fiducial" if name == FIDUCIAL else "grid"
    folder = f"stage3_forecast/{group}/{name}/perm_{perm:04d}"
    return f"{folder}/projected_probes_maps_{baryons}512.h5"


@dataclass(frozen=True)
class Member:
    """A sky of a study.

    Attributes
    ----------
    split
        Split of the study.
    cosmology, realisation
        Number of the cosmology in the split, and of the sky of this cosmology. For
        the fiducial split, the number of the sky, and 0.
    name, perm
        Cosmology and realisation in CosmoGrid.
    parameters
        Values of `FIELDS`.
    """

    split: str
    cosmology: int
    realisation: int
    name: str
    perm: int
    parameters: tuple[float, ...]


def read_metainfo(root: Path) -> dict[str, dict[str, Float[NDArray, " n_field"]]]:
    """Read the parameters of all cosmologies.

    Returns
    -------
        For `grid` and `fiducial`, the values of `FIELDS` by the name of the cosmology.

    Raises
    ------
    InfoscopeError
        If the file is missing or is not the metainfo of CosmoGridV1.
    """
    path = root / METAINFO
    parameters: dict[str, dict[str, Float[NDArray, " n_field"]]] = {}
    try:
        with h5py.File(path, "r", locking=False) as file:
            for group in ("grid", "fiducial"):
                table = file[f"parameters/{group}"][:]
                values = np.stack(
                    [table[field] * unit for field, unit in FIELDS.values()], axis=1
                )
                # CosmoGrid/raw/grid/cosmo_000001/, with or without the last slash
                folders = [_text(path).strip("/") for path in table["path_par"]]
                parameters[group] = {
                    folder.rpartition("/")[2]: row
                    for folder, row in zip(folders, values, strict=True)
                }
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise InfoscopeError(
            f"{path}: cannot be read as the metainfo of CosmoGridV1 ({error}); "
            "copy it again"
        ) from None
    if FIDUCIAL not in parameters["fiducial"]:
        raise InfoscopeError(
            f"{path}: {FIDUCIAL} is missing in parameters/fiducial; copy it again"
        )
    return parameters


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def check_fiducial(
    cosmology: CosmologyConfig, maps: Float[NDArray, " n_field"]
) -> None:
    """Check that the config has the fiducial cosmology of the maps.

    Parameters
    ----------
    cosmology
        Cosmology of the config.
    maps
        Values of `FIELDS` of the fiducial maps.

    Raises
    ------
    InfoscopeError
        If it has another one.
    """
    expected = dict(zip(FIELDS, map(float, maps), strict=True))
    config = cosmology.fiducial.model_dump() | {
        key: getattr(cosmology, key) for key in ("h", "omega_b", "n_s")
    }
    if any(abs(config[key] - expected[key]) > TOLERANCE for key in config):
        fiducial = ", ".join(f"{k}: {expected[k]:.6g}" for k in ("omega_m", "sigma_8"))
        rest = ", ".join(f"{k}: {expected[k]:.6g}" for k in ("h", "omega_b", "n_s"))
        raise InfoscopeError(
            "config: cosmology: differs from that of the fiducial maps; set "
            f"cosmology: {{fiducial: {{{fiducial}}}, {rest}}}"
        )


def perms_on_disk(root: Path, name: str, baryons: str) -> list[int]:
    """Realisations of a cosmology that have a file of maps."""
    file = Path(maps_file(name, 0, baryons))
    return sorted(
        int(match[1])
        for path in (root / file.parent.parent).glob(f"perm_*/{file.name}")
        if (match := re.fullmatch(r"perm_(\d{4})", path.parent.name))
    )


def inside(
    prior: Mapping[str, Sequence[float]], parameters: Float[NDArray, " n_field"]
) -> bool:
    """Whether a cosmology lies inside the prior of (Ω_m, σ_8).

    Examples
    --------
    >>> prior = {"omega_m": [0.2, 0.4], "sigma_8": [0.6, 1.0]}
    >>> inside(prior, np.array([0.3, 0.8])), inside(prior, np.array([0.1, 0.8]))
    (True, False)
    """
    bounds = (prior["omega_m"], prior["sigma_8"])
    return all(
        low <= value <= high
        for value, (low, high) in zip(parameters, bounds, strict=False)
    )


def assign(
    perms: Mapping[str, Sequence[int]],
    cosmologies: Mapping[str, int],
    skies: Mapping[str, int],
    seed: int,
    kept: Iterable[Member] = (),
) -> list[tuple[str, int, int, str, int]]:
    """Assign a file to every sky of a study.

    Cosmologies are ordered by a hash. Every sixth is for validation. Training takes the
    others from the front, and test takes them from the back, so that extending a split
    does not change the others. The skies of a cosmology are its realisations in order.
    Earlier assignments are kept, so that they do not change when a copy of CosmoGrid
    grows.

    Parameters
    ----------
    perms
        Realisations on disk, by cosmology.
    cosmologies, skies
        Number of cosmologies of each split, and of skies per cosmology.
    seed
        Seed of the study.
    kept
        Earlier assignment.

    Returns
    -------
        (split, cosmology, realisation, name, perm) of every sky.

    Raises
    ------
    InfoscopeError
        If there are too few cosmologies or skies.
    """
    names = sorted(perms, key=lambda name: (seed_of(seed, "cosmogrid", name), name))
    last = VALIDATION_STRIDE - 1
    others = [name for i, name in enumerate(names) if i % VALIDATION_STRIDE != last]
    order = {
        "train": others,
        "validation": names[last::VALIDATION_STRIDE],
        "test": others[::-1],
    }
    chosen: dict[str, list[str]] = {split: [] for split in GRID_SPLITS}
    used: dict[str, list[int]] = {}
    for member in sorted(kept, key=lambda m: (m.cosmology, m.realisation)):
        split = member.split
        if split in chosen and member.cosmology < cosmologies[split]:
            if member.name not in chosen[split]:
                chosen[split].append(member.name)
            used.setdefault(member.name, []).append(member.perm)
    taken = {name for members in chosen.values() for name in members}
    for split, members in chosen.items():
        missing = cosmologies[split] - len(members)
        available = [
            name
            for name in order[split]
            if name not in taken and len(perms[name]) >= skies[split]
        ]
        if len(available) < missing:
            raise InfoscopeError(
                f"{len(names)} cosmologies inside cosmology.prior have maps, and "
                f"{len(members) + len(available)} of them are available for "
                f"grid.{split} ({skies[split]} skies each; every sixth cosmology is "
                f"for validation), but grid.{split}.cosmologies is "
                f"{cosmologies[split]}; lower it"
            )
        members += available[:missing]
        taken.update(members)
    rows = []
    for split, members in chosen.items():
        for i, name in enumerate(members):
            earlier = used.get(name, [])[: skies[split]]
            new = [perm for perm in perms.get(name, ()) if perm not in earlier]
            assigned = [*earlier, *new][: skies[split]]
            if len(assigned) < skies[split]:
                raise InfoscopeError(
                    f"{name}, a cosmology of grid.{split}, has {len(assigned)} skies "
                    f"on disk, but grid.{split}.skies is {skies[split]}; lower it"
                )
            rows += [(split, i, sky, name, perm) for sky, perm in enumerate(assigned)]
    return rows


def check_maps(path: Path) -> int:
    """Check that a file has all maps.

    Parameters
    ----------
    path
        A file of maps.

    Returns
    -------
        HEALPix nside of the maps.

    Raises
    ------
    InfoscopeError
        If the file is missing or truncated, or lacks a map.
    """
    if not path.is_file():
        raise InfoscopeError(f"{path}: is missing, but the study uses it; restore it")
    try:
        with h5py.File(path, "r", locking=False) as file:
            shapes = {
                file[name_of(data, index)].shape
                for data in GROUPS
                for index in range(N_BINS)
            }
    except (OSError, KeyError) as error:
        raise InfoscopeError(
            f"{path}: is truncated or not a file of CosmoGridV1 maps ({error}); "
            "copy it again"
        ) from None
    shape = shapes.pop()
    nside = round((shape[0] / 12) ** 0.5) if len(shape) == 1 else 0
    if shapes or not nside or shape[0] != 12 * nside**2 or nside & (nside - 1):
        raise InfoscopeError(
            f"{path}: the maps are not HEALPix maps of the same nside; copy it again"
        )
    return nside


def read_maps(path: Path, data: str, nside: int) -> Float32[NDArray, "n_bins n_pix"]:
    """Read the maps of all bins.

    Parameters
    ----------
    path
        A file of maps.
    data
        A key of `GROUPS`.
    nside
        HEALPix nside that the maps must have.

    Raises
    ------
    InfoscopeError
        If the file is missing or damaged, or has maps of another nside.
    """
    if (found := check_maps(path)) != nside:
        raise InfoscopeError(
            f"{path}: has nside {found}, but survey.nside is {nside}; copy it again"
        )
    try:
        with h5py.File(path, "r", locking=False) as file:
            maps = [file[name_of(data, index)][:] for index in range(N_BINS)]
    except OSError as error:
        raise InfoscopeError(
            f"{path}: cannot be read ({' '.join(str(error).split())}); copy it again"
        ) from None
    return np.stack(maps).astype(np.float32, copy=False)


def write_index(
    path: Path, settings: Mapping[str, Any], members: Sequence[Member]
) -> None:
    """Write the file of each sky, and the settings of this assignment."""
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        file.write(f"# {json.dumps(settings, sort_keys=True)}\n")
        writer = csv.writer(file, lineterminator="\n")
        columns = ["split", "cosmology", "realisation", "name", "perm"]
        writer.writerow([*columns, *FIELDS])
        for m in members:
            place = (m.split, m.cosmology, m.realisation, m.name, m.perm)
            writer.writerow([*place, *map(float, m.parameters)])


def read_index(path: Path) -> tuple[dict[str, Any], list[Member]]:
    """Read the settings and skies of an index file.

    Raises
    ------
    InfoscopeError
        If the file is missing or incomplete.
    """
    try:
        with path.open(newline="") as file:
            settings = json.loads(file.readline().removeprefix("#"))
            members = [
                Member(
                    row["split"],
                    int(row["cosmology"]),
                    int(row["realisation"]),
                    row["name"],
                    int(row["perm"]),
                    tuple(float(row[name]) for name in FIELDS),
                )
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InfoscopeError(
            f"{path}: cannot be read, delete it and run again ({error})"
        ) from None
    return settings, members
