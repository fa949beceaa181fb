"""First command of `simulate_skies` for CosmoGridV1: which file is which sky."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infoscope.cosmology.config import CosmologyConfig
from infoscope.errors import InfoscopeError
from infoscope.files.atomic import atomic_symlink
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
    """Read the disk, choose the skies of every split and check their files.

    Parameters
    ----------
    spec
        simulator, cosmology, grid, nside and seed.
    root
        Folder of the copy of CosmoGridV1.
    output
        CSV file with a row for each sky. What it said before of skies stays, unless
        seed, prior or baryons have changed; if nothing has changed, so does all of
        it. A link to the root is put beside it, under its name without the suffix.
    """
    atomic_symlink(output.with_suffix(""), root)
    baryons = spec["simulator"]["baryons"]
    settings = {"spec": spec, "root": str(root.resolve())}
    held_for: dict[str, Any] = {}
    before: list[Member] = []
    if output.exists():
        held_for, before = read_index(output)
    if held_for == settings:
        return
    if _choice(held_for.get("spec")) != _choice(spec):
        before = []
    grid, prior = spec["grid"], spec["cosmology"]["prior"]
    known = read_metainfo(root)
    fiducial = known["fiducial"][FIDUCIAL]
    check_fiducial(CosmologyConfig.model_validate(spec["cosmology"]), fiducial)
    perms = {
        name: found
        for name, parameters in known["grid"].items()
        if inside(prior, parameters) and (found := perms_on_disk(root, name, baryons))
    }
    try:
        rows = assign(
            perms,
            {split: grid[split]["cosmologies"] for split in GRID_SPLITS},
            {split: grid[split]["skies"] for split in GRID_SPLITS},
            spec["seed"],
            before,
        )
    except InfoscopeError as error:
        raise InfoscopeError(f"{root}: {error}") from None
    skies = grid["fiducial"]["skies"]
    first = [m.perm for m in before if m.split == "fiducial"][:skies]
    found = perms_on_disk(root, FIDUCIAL, baryons)
    total = [*first, *(perm for perm in found if perm not in first)][:skies]
    if len(total) < skies:
        raise InfoscopeError(
            f"{root}: {FIDUCIAL} has {len(total)} skies on disk, but "
            f"grid.fiducial.skies is {skies}; lower it"
        )
    rows += [("fiducial", i, 0, FIDUCIAL, perm) for i, perm in enumerate(total)]
    parameters = {m.name: m.parameters for m in before}
    parameters |= {name: tuple(map(float, row)) for name, row in known["grid"].items()}
    parameters[FIDUCIAL] = tuple(map(float, fiducial))
    result: list[Member] = []
    nside = 0
    for split, cosmology, realisation, name, perm in rows:
        path = root / maps_file(name, perm, baryons)
        own = check_maps(path)
        nside = nside or own
        if own != nside:
            raise InfoscopeError(f"{path}: has nside {own}, those before {nside}")
        place = (split, cosmology, realisation, name, perm)
        result.append(Member(*place, parameters[name]))
    if nside < spec["nside"]:
        raise InfoscopeError(
            f"config: survey.nside: is {spec['nside']}, but the maps have {nside}; "
            "lower it"
        )
    write_index(output, settings, result)


def _choice(spec: dict[str, Any] | None) -> tuple[Any, ...] | None:
    """Parts of a spec that decide which skies are chosen, besides their numbers."""
    if spec is None:
        return None
    return spec["simulator"], spec["cosmology"]["prior"], spec["seed"]
