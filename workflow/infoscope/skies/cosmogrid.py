"""CosmoGridV1 on disk: its layout, and the places of its skies in a study.

Stage-III forecast maps of Kacprzak et al. 2023, arXiv 2209.04662. Local copies have
gaps in the numbering of cosmologies and of realisations ("perms").
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from infoscope.cosmology.config import CosmologyConfig
from infoscope.errors import InfoscopeError
from infoscope.files.atomic import atomic_path
from infoscope.seeds import seed_of

METAINFO = "CosmoGridV1_metainfo.h5"
N_BINS = 4
# our data set -> group in a file of maps; both have A_IA = 1 and the sign of NLA inside
GROUPS = {"kappa": "kg", "kappa_ia": "ia"}
# our name -> field of the metainfo, and its unit; (Ω_m, σ_8) come first
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
# validation takes every sixth cosmology, train the others from the front and test from
# the back: so each can grow without moving the others
LANE = 6
TOLERANCE = 1e-3


def name_of(data: str, index: int) -> str:
    """Name the data set of a bin, counted from 0, in a file of maps."""
    return f"{GROUPS[data]}/stage3_lensing{index + 1}"


def maps_file(name: str, perm: int, baryons: str) -> str:
    """Path of a file of maps below the root."""
    group = "fiducial" if name == FIDUCIAL else "grid"
    folder = f"stage3_forecast/{group}/{name}/perm_{perm:04d}"
    return f"{folder}/projected_probes_maps_{baryons}512.h5"


@dataclass(frozen=True)
class Member:
    """A sky of a study.

    Attributes
    ----------
    split
        Its split.
    cosmology, realisation
        Number of the cosmology in the split, and of the sky at that cosmology; for
        the fiducial the number of the sky, and 0.
    name, perm
        What CosmoGrid calls them.
    parameters
        Values of `FIELDS`.
    """

    split: str
    cosmology: int
    realisation: int
    name: str
    perm: int
    parameters: tuple[float, ...]


def read_metainfo(root: Path) -> dict[str, dict[str, NDArray]]:
    """Read the parameters of all cosmologies.

    Returns
    -------
        For `grid` and `fiducial`, the values of `FIELDS` by the name of the folder.

    Raises
    ------
    InfoscopeError
        If the file is missing or is not that of CosmoGridV1.
    """
    path = root / METAINFO
    found: dict[str, dict[str, NDArray]] = {}
    try:
        with h5py.File(path, "r", locking=False) as file:
            for group in ("grid", "fiducial"):
                table = file[f"parameters/{group}"][:]
                values = np.stack(
                    [table[field] * unit for field, unit in FIELDS.values()], axis=1
                )
                # CosmoGrid/raw/grid/cosmo_000001/, with or without the last slash
                names = [_text(path).strip("/") for path in table["path_par"]]
                found[group] = {
                    name.rpartition("/")[2]: row
                    for name, row in zip(names, values, strict=True)
                }
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise InfoscopeError(
            f"{path}: cannot be read as the metainfo of CosmoGridV1 ({error})"
        ) from None
    if FIDUCIAL not in found["fiducial"]:
        raise InfoscopeError(f"{path}: parameters/fiducial lacks {FIDUCIAL}")
    return found


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def check_fiducial(cosmology: CosmologyConfig, maps: NDArray) -> None:
    """Refuse a config whose fiducial is not that of the maps.

    Parameters
    ----------
    cosmology
        That of the config.
    maps
        Values of `FIELDS` of the fiducial maps.

    Raises
    ------
    InfoscopeError
        One line with the right values.
    """
    right = dict(zip(FIELDS, map(float, maps), strict=True))
    given = cosmology.fiducial.model_dump() | {
        key: getattr(cosmology, key) for key in ("h", "omega_b", "n_s")
    }
    if any(abs(given[key] - right[key]) > TOLERANCE for key in given):
        fiducial = ", ".join(f"{k}: {right[k]:.6g}" for k in ("omega_m", "sigma_8"))
        rest = ", ".join(f"{k}: {right[k]:.6g}" for k in ("h", "omega_b", "n_s"))
        raise InfoscopeError(
            "config: cosmology: is not that of the fiducial maps; set "
            f"cosmology: {{fiducial: {{{fiducial}}}, {rest}}}"
        )


def perms_on_disk(root: Path, name: str, baryons: str) -> list[int]:
    """Numbers of the realisations of a cosmology that have a file of maps."""
    file = Path(maps_file(name, 0, baryons))
    return sorted(
        int(found[1])
        for path in (root / file.parent.parent).glob(f"perm_*/{file.name}")
        if (found := re.fullmatch(r"perm_(\d{4})", path.parent.name))
    )


def inside(prior: Mapping[str, Sequence[float]], parameters: NDArray) -> bool:
    """Tell whether a cosmology lies in the prior of (Ω_m, σ_8)."""
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
    """Give every sky of a study a file, so that an extended split moves no other.

    Cosmologies are ordered by a hash. Those of validation are every sixth, those of
    training the others from the front, those of the test from the back. Skies of a
    cosmology are its realisations in order. What an earlier assignment has chosen
    stays, so that nothing moves either when a copy of CosmoGrid grows.

    Parameters
    ----------
    perms
        Realisations on disk, by cosmology.
    cosmologies, skies
        Number of cosmologies of each split, and of skies of each cosmology.
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
        If there are too few, with their number.
    """
    names = sorted(perms, key=lambda name: (seed_of(seed, "cosmogrid", name), name))
    others = [name for i, name in enumerate(names) if i % LANE != LANE - 1]
    order = {
        "train": others,
        "validation": names[LANE - 1 :: LANE],
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
        wanted = cosmologies[split] - len(members)
        free = [
            name
            for name in order[split]
            if name not in taken and len(perms[name]) >= skies[split]
        ]
        if len(free) < wanted:
            raise InfoscopeError(
                f"{len(names)} cosmologies inside cosmology.prior have maps, of which "
                f"{len(members) + len(free)} are left for grid.{split} (of "
                f"{skies[split]} skies each; every sixth is for validation), but "
                f"grid.{split}.cosmologies is {cosmologies[split]}; lower it"
            )
        members += free[:wanted]
        taken.update(members)
    rows = []
    for split, members in chosen.items():
        for i, name in enumerate(members):
            before = used.get(name, [])[: skies[split]]
            new = [perm for perm in perms.get(name, ()) if perm not in before]
            total = [*before, *new][: skies[split]]
            if len(total) < skies[split]:
                raise InfoscopeError(
                    f"{name}, a cosmology of grid.{split}, has {len(total)} skies on "
                    f"disk, but grid.{split}.skies is {skies[split]}; lower it"
                )
            rows += [(split, i, sky, name, perm) for sky, perm in enumerate(total)]
    return rows


def check_maps(path: Path) -> int:
    """Check that a file holds all maps.

    Parameters
    ----------
    path
        A file of maps.

    Returns
    -------
        Their nside.

    Raises
    ------
    InfoscopeError
        If it is missing, truncated or lacks a map.
    """
    if not path.is_file():
        raise InfoscopeError(f"{path}: missing, but a sky of the study; restore it")
    try:
        with h5py.File(path, "r", locking=False) as file:
            shapes = {
                file[name_of(data, index)].shape
                for data in GROUPS
                for index in range(N_BINS)
            }
    except (OSError, KeyError) as error:
        raise InfoscopeError(
            f"{path}: is truncated or no file of CosmoGridV1 maps; copy it again "
            f"({error})"
        ) from None
    shape = shapes.pop()
    nside = round((shape[0] / 12) ** 0.5) if len(shape) == 1 else 0
    if shapes or not nside or shape[0] != 12 * nside**2 or nside & (nside - 1):
        raise InfoscopeError(f"{path}: its maps are no HEALPix maps of one nside")
    return nside


def write_index(
    path: Path, settings: Mapping[str, Any], members: Sequence[Member]
) -> None:
    """Write which file is which sky, and the settings that led to it."""
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        file.write(f"# {json.dumps(settings, sort_keys=True)}\n")
        writer = csv.writer(file, lineterminator="\n")
        columns = ["split", "cosmology", "realisation", "name", "perm"]
        writer.writerow([*columns, *FIELDS])
        for m in members:
            place = (m.split, m.cosmology, m.realisation, m.name, m.perm)
            writer.writerow([*place, *map(float, m.parameters)])


def read_index(path: Path) -> tuple[dict[str, Any], list[Member]]:
    """Read what `write_index` has written.

    Raises
    ------
    InfoscopeError
        If the file is missing or not complete.
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
