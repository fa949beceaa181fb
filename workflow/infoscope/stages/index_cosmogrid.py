"""First command of `simulate_skies` for CosmoGridV1: assign files of maps to skies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.cosmology.config import CosmologyConfig
from infoscope.errors import InfoscopeError
from infoscope.skies.cosmogrid import (
    FIDUCIAL,
    GRID_SPLITS,
    Member,
    assign,
    check_fiducial,
    check_maps,
    inside,
    maps_file,
    perms_on_disk,
    read_index,
    read_metainfo,
    write_index,
)


def run(spec: dict[str, Any], root: Path, output: Path) -> None:
    """Choose the skies of all splits among the files on disk, and check these files.

    Parameters
    ----------
    spec
        `simulator`, `cosmology`, `grid`, `nside` and `seed`.
    root
        Folder with a copy of CosmoGridV1.
    output
        CSV file with a row for each sky. Rows of an existing file are kept, unless the
        seed, the prior or the baryons have changed.

    Raises
    ------
    InfoscopeError
        If there are too few skies on disk, or their files do not fit the study.
    """
    baryons = spec["simulator"]["baryons"]
    settings = {"spec": spec, "root": str(root.resolve())}
    old_settings: dict[str, Any] = {}
    old: list[Member] = []
    if output.exists():
        old_settings, old = read_index(output)
    if old_settings == settings:
        return
    if _selection(old_settings.get("spec")) != _selection(spec):
        old = []
    grid, prior = spec["grid"], spec["cosmology"]["prior"]
    metainfo = read_metainfo(root)
    fiducial = metainfo["fiducial"][FIDUCIAL]
    check_fiducial(CosmologyConfig.model_validate(spec["cosmology"]), fiducial)
    perms = {
        name: on_disk
        for name, values in metainfo["grid"].items()
        if inside(prior, values) and (on_disk := perms_on_disk(root, name, baryons))
    }
    try:
        rows = assign(
            perms,
            {split: grid[split]["cosmologies"] for split in GRID_SPLITS},
            {split: grid[split]["skies"] for split in GRID_SPLITS},
            spec["seed"],
            old,
        )
    except InfoscopeError as error:
        raise InfoscopeError(f"{root}: {error}") from None
    skies = grid["fiducial"]["skies"]
    kept = [m.perm for m in old if m.split == "fiducial"][:skies]
    on_disk = perms_on_disk(root, FIDUCIAL, baryons)
    chosen = [*kept, *(perm for perm in on_disk if perm not in kept)][:skies]
    if len(chosen) < skies:
        raise InfoscopeError(
            f"{root}: {FIDUCIAL} has {len(chosen)} skies on disk, but "
            f"grid.fiducial.skies is {skies}; lower it"
        )
    rows += [("fiducial", i, 0, FIDUCIAL, perm) for i, perm in enumerate(chosen)]
    parameters = {m.name: m.parameters for m in old}
    parameters |= {
        name: tuple(map(float, values)) for name, values in metainfo["grid"].items()
    }
    parameters[FIDUCIAL] = tuple(map(float, fiducial))
    members: list[Member] = []
    nside = 0
    for split, cosmology, realisation, name, perm in rows:
        path = root / maps_file(name, perm, baryons)
        nside_of_file = check_maps(path)
        nside = nside or nside_of_file
        if nside_of_file != nside:
            raise InfoscopeError(
                f"{path}: has nside {nside_of_file}, but earlier maps have {nside}; "
                "download the file again"
            )
        place = (split, cosmology, realisation, name, perm)
        members.append(Member(*place, parameters[name]))
    if nside != spec["nside"]:
        raise InfoscopeError(
            f"config: survey.nside: is {spec['nside']}, but the maps have {nside}; "
            f"set survey.nside: {nside}"
        )
    write_index(output, settings, members)


def _selection(spec: dict[str, Any] | None) -> tuple[Any, ...] | None:
    """Return the parts of a spec that decide the choice of skies, besides the grid."""
    if spec is None:
        return None
    return spec["simulator"], spec["cosmology"]["prior"], spec["seed"]
