"""CosmoGridV1 from disk: assignment of files to skies, and errors."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from infoscope.cli import main
from infoscope.errors import InfoscopeError
from infoscope.files.hdf5 import open_for_reading, read_nuisance
from infoscope.files.precision import Maps
from infoscope.maps.patches import cut
from infoscope.skies.cosmogrid import NUISANCE, Member, assign, read_index
from infoscope.skies.simulators.cosmogrid import CosmoGrid
from infoscope.study import specs
from infoscope.study.checks import check_study
from infoscope.study.config import Study, parse_study
from infoscope.survey.survey import read_nz

from .. import cosmogrid
from ..cosmogrid import maps_path as path_of

ROOT = Path(__file__).parents[2]
NZ = ROOT / "resources/nz/des_like.txt"
CI = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
NAMES = cosmogrid.names(60)
PERMS = {name: [0, 2, 5] for name in NAMES}
PATCH = {"side_deg": 30, "pixels": 16, "per_sky": 20}
SIZES = {"train": 8, "validation": 4, "test": 16}
ONE = {"train": 1, "validation": 1, "test": 1}


def members(rows: list[tuple[str, int, int, str, int]]) -> list[Member]:
    return [Member(*row, parameters=()) for row in rows]


@pytest.mark.parametrize("split", list(SIZES))
@pytest.mark.parametrize("skies", [1, 3])
def test_extended_split_leaves_the_others_alone(split: str, skies: int) -> None:
    before = assign(PERMS, SIZES, ONE | {"train": 2}, seed=1)
    longer = SIZES | {split: SIZES[split] + 5}
    after = assign(PERMS, longer, ONE | {"train": 2, split: max(2, skies)}, seed=1)
    # new skies of a cosmology follow those that it had
    assert set(before) <= set(after)
    assert {row[0] for row in set(after) - set(before)} == {split}
    of = {name: {row[0] for row in after if row[3] == name} for name in NAMES}
    assert max(map(len, of.values())) == 1


def test_order_depends_on_the_seed() -> None:
    assert assign(PERMS, SIZES, ONE, seed=1) != assign(PERMS, SIZES, ONE, seed=2)


def test_a_growing_copy_moves_nothing() -> None:
    """A new cosmology or perm does not change them, even if it is the first on disk."""
    some = {name: [2, 5] for name in NAMES[::2]}
    before = assign(some, SIZES, ONE, seed=1)
    assert assign(PERMS, SIZES, ONE, seed=1) != before
    assert assign(PERMS, SIZES, ONE, 1, members(before)) == before
    longer = {split: number + 4 for split, number in SIZES.items()}
    after = assign(PERMS, longer, ONE, 1, members(before))
    assert set(before) < set(after)
    assert len({row[3] for row in after}) == sum(longer.values())


def test_an_extension_is_what_a_longer_grid_has_from_the_start() -> None:
    longer = SIZES | {"train": 20, "validation": 9}
    extended = assign(PERMS, longer, ONE, 1, members(assign(PERMS, SIZES, ONE, 1)))
    assert sorted(extended) == sorted(assign(PERMS, longer, ONE, 1))


def test_cosmologies_with_too_few_skies_are_passed_over() -> None:
    perms = {name: [0, 2, 5] if i % 2 else [0] for i, name in enumerate(NAMES)}
    rows = assign(perms, SIZES, ONE | {"train": 2}, seed=1)
    train = [(name, perm) for split, _, _, name, perm in rows if split == "train"]
    assert {name for name, _ in train} <= set(NAMES[1::2])
    assert [perm for _, perm in train] == 8 * [0, 2]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        # 60 cosmologies: 10 for validation, 50 for train and test
        (
            SIZES | {"validation": 11},
            "and 10 of them are available for grid.validation",
        ),
        (SIZES | {"test": 43}, "and 42 of them are available for grid.test"),
        (SIZES | {"train": 51}, "and 50 of them are available for grid.train"),
    ],
)
def test_too_few_cosmologies_are_counted(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(InfoscopeError, match=message):
        assign(PERMS, sizes, ONE, seed=1)


def test_all_cosmologies_can_be_used() -> None:
    rows = assign(PERMS, {"train": 30, "validation": 10, "test": 20}, ONE, seed=1)
    assert {row[3] for row in rows} == set(NAMES)


def config(root: Path, **changes: Any) -> dict[str, Any]:
    study = copy.deepcopy(CI) | {"cosmology": cosmogrid.COSMOLOGY}
    study["simulator"] = {"name": "cosmogrid", "root": str(root)}
    study["survey"] = {"nside": 32, "patch": PATCH}
    return study | changes


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("a copy") / "CosmoGridV1"
    cosmogrid.write_copy(root, 30, nside=32)
    return root


@pytest.fixture
def own_copy(copied: Path, tmp_path: Path) -> Path:
    """Return a copy of files that a test may damage."""
    return shutil.copytree(copied, tmp_path / "CosmoGridV1")


@pytest.fixture
def index(tmp_path: Path) -> Callable[[Study], tuple[int, Path]]:
    """Make the index of a study."""

    def run(study: Study) -> tuple[int, Path]:
        assert isinstance(study.simulator, CosmoGrid)
        output = tmp_path / "results/x/cosmogrid.csv"
        spec = specs.canonical(specs.index_cosmogrid(study))
        files = ["--root", study.simulator.root, "--output", str(output)]
        return main(["index-cosmogrid", "--spec", spec, *files]), output

    return run


def read(study: Study, index: Path, split: str) -> tuple[int, Path]:
    assert isinstance(study.simulator, CosmoGrid)
    output = index.parent / f"skies/{split}/0000.h5"
    spec = specs.canonical(specs.simulate(study, split, 0))
    files = ["--nz-file", str(NZ), "--index", str(index), "--output", str(output)]
    root = ["--root", study.simulator.root]
    return main(["read-cosmogrid", "--spec", spec, *files, *root]), output


def skies(study: Study, index: Path, split: str) -> Path:
    code, output = read(study, index, split)
    assert code == 0
    return output


def degrade(study: Study, skies: Path) -> tuple[int, Path]:
    output = skies.parents[2] / f"datasets/reference/{skies.parent.name}/{skies.name}"
    spec = specs.canonical(specs.degrade(study, "reference", skies.parent.name))
    files = ["--skies", str(skies), "--output", str(output)]
    return main(["degrade-maps", "--spec", spec, *files]), output


def at(nside: int, root: Path, **changes: Any) -> Study:
    survey = {"nside": nside, "patch": PATCH, "noise": "none"}
    survey |= changes.pop("survey", {})
    return parse_study(config(root, survey=survey, **changes))


def test_skies_are_cut_from_the_maps_on_disk(copied: Path, index) -> None:
    """All parameters are recorded; alignment is stored only where it is used."""
    study = at(32, copied)
    code, table = index(study)
    assert code == 0
    known = [m for m in read_index(table)[1] if m.split == "train"]
    assert {m.perm for m in known} == {0}
    with h5py.File(copied / "CosmoGridV1_metainfo.h5") as file:
        rows = {
            row["path_par"].decode().split("/")[-2]: row
            for row in file["parameters/grid"]
        }
    with open_for_reading(skies(study, table, "train")) as file:
        assert "kappa_ia" not in file and "full_sky" not in file
        assert file["kappa"].shape == (8, 4, 20, 16, 16)
        assert file["kappa"].dtype == np.float32 and file["kappa"].fletcher32
        nuisance = read_nuisance(file)
        assert nuisance.names == study.simulator.nuisance == NUISANCE
        assert nuisance.fiducial == pytest.approx([0.6736, 0.0493, 0.9649, -1])
        assert list(file["cosmology"]) == list(range(8))
        assert not file["realisation"][:].any()
        assert file["mean_z"][:] == pytest.approx(read_nz(NZ).mean)
        for i, member in enumerate(known):
            row = rows[member.name]
            assert file["theta"][i] == pytest.approx([row["Om"], row["s8"]])
            expected = [row["H0"] / 100, row["Ob"], row["ns"], row["w0"]]
            assert nuisance.values[i] == pytest.approx(expected)
            assert file["source"][i].decode() == f"{member.name}/perm_0000"
            with open_for_reading(path_of(copied, member.name, 0)) as maps:
                for b in range(4):
                    values = maps[f"kg/stage3_lensing{b + 1}"][:]
                    patches = cut(values[None], 30, 16, 20)[0]
                    assert np.array_equal(file["kappa"][i, b], patches)
                    assert patches.mean() == pytest.approx(values.mean(), rel=0.02)


def test_fiducial_skies_are_kept_whole_and_alignment_is_cut_where_it_is_used(
    copied: Path, index
) -> None:
    aligned = {"intrinsic_alignment": {"a_ia": 1.0, "eta_ia": 2.0}}
    study = at(32, copied, survey=aligned)
    _, table = index(study)
    with open_for_reading(skies(study, table, "fiducial")) as file:
        # perm_0000 of the fiducial is missing
        assert [name.decode()[-1] for name in file["source"]] == ["1", "2"]
        assert file["kappa_ia"].shape == (2, 1, 4, 20, 16, 16)
        terms = Maps.of(file, "kappa_ia")
        with open_for_reading(path_of(copied, "cosmo_fiducial", 2)) as maps:
            for b in range(4):
                name = f"stage3_lensing{b + 1}"
                assert np.array_equal(file["full_sky"][1, b], maps["kg"][name])
                patches = cut(maps["ia"][name][:][None], 30, 16, 20)[0]
                found = terms[1, 0, b]
                assert found == pytest.approx(patches, rel=2**-10, abs=1e-6)


def test_degraded_skies_have_no_mean_and_alignment_with_its_sign(
    copied: Path, index
) -> None:
    tiles = {}
    for name, a_ia in (("plain", 0), ("aligned", 2)):
        aligned = {"intrinsic_alignment": {"a_ia": a_ia}}
        degradation = {"reference": {"operations": []}}
        study = at(32, copied, survey=aligned, degradations=degradation)
        _, table = index(study)
        code, output = degrade(study, skies(study, table, "fiducial"))
        assert code == 0
        with open_for_reading(output) as file:
            tiles[name] = file["tiles"][:]
    assert tiles["plain"].mean(axis=(2, 3)) == pytest.approx(0, abs=1e-7)
    # the maps of alignment are -κ / 10
    assert tiles["aligned"] == pytest.approx(0.8 * tiles["plain"], abs=2e-5)


def test_root_is_in_no_spec(copied: Path) -> None:
    one, two = at(32, copied), at(32, Path("/elsewhere"))
    assert specs.index_cosmogrid(one) == specs.index_cosmogrid(two)
    assert specs.simulate(one, "train", 0) == specs.simulate(two, "train", 0)
    baryonified = one.simulator.model_dump() | {"baryons": "baryonified"}
    other = parse_study(config(copied, simulator=baryonified))
    one = parse_study(config(copied))
    assert specs.simulate(one, "train", 0) != specs.simulate(other, "train", 0)


def test_index_stays_until_the_study_asks_for_more(own_copy: Path, index) -> None:
    study = at(32, own_copy)
    code, table = index(study)
    assert code == 0
    first = table.read_text()
    # a new cosmology and a perm in a gap
    _, fiducial = cosmogrid.write_metainfo(own_copy, 32)
    for name, perm in ((cosmogrid.names(32)[31], 0), (cosmogrid.names(1)[0], 1)):
        cosmogrid.write_sky(own_copy, name, perm, fiducial, nside=32, seed=perm)
    assert index(study)[0] == 0
    assert table.read_text() == first
    grid = copy.deepcopy(CI["grid"])
    grid["train"]["cosmologies"] = 9
    assert index(at(32, own_copy, grid=grid))[0] == 0
    rows = set(first.splitlines()[1:])
    assert len(set(table.read_text().splitlines()[1:]) - rows) == 1
    # another seed chooses other skies
    assert index(at(32, own_copy, seed=7))[0] == 0
    assert len(rows - set(table.read_text().splitlines())) > 10


def test_skies_need_the_maps_only_once(own_copy: Path, index) -> None:
    """A moved root is given again, and finished skies can do without it."""
    study = at(32, own_copy)
    _, table = index(study)
    moved = own_copy.rename(own_copy.with_name("moved"))
    assert read(study, table, "fiducial")[0] == 2
    sky = skies(at(32, moved), table, "fiducial")
    shutil.rmtree(moved)
    assert degrade(study, sky)[0] == 0


def damaged(root: Path, how: str, name: str = "cosmo_fiducial", perm: int = 1) -> Path:
    path = path_of(root, name, perm)
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-5000])
    elif how == "incomplete":
        with h5py.File(path, "a") as file:
            del file["ia/stage3_lensing3"]
    else:
        with h5py.File(path, "a") as file:
            del file["kg/stage3_lensing1"]
            file["kg/stage3_lensing1"] = np.zeros(100, np.float32)
    return path


@pytest.mark.parametrize("how", ["truncated", "incomplete", "not HEALPix"])
def test_damaged_file_is_named(own_copy: Path, index, capsys, how: str) -> None:
    path = damaged(own_copy, how)
    code, table = index(at(32, own_copy))
    error = capsys.readouterr().err
    assert code == 2 and error.count("\n") == 1 and str(path) in error
    assert how in error or how == "incomplete"
    assert not table.exists()


@pytest.mark.parametrize("how", ["missing", "truncated", "not HEALPix"])
def test_file_that_is_lost_later_is_named(
    own_copy: Path, index, capsys, how: str
) -> None:
    study = at(32, own_copy)
    _, table = index(study)
    path = damaged(own_copy, how)
    code, output = read(study, table, "fiducial")
    error = capsys.readouterr().err
    assert code == 2 and error.count("\n") == 1 and str(path) in error
    assert not output.exists()
    # another file is not used instead
    grid = copy.deepcopy(CI["grid"])
    grid["train"]["cosmologies"] = 9
    assert index(at(32, own_copy, grid=grid))[0] == 2
    assert str(path) in capsys.readouterr().err


def test_maps_of_another_nside_are_named(own_copy: Path, index, capsys) -> None:
    study = at(32, own_copy)
    _, table = index(study)
    _, fiducial = cosmogrid.write_metainfo(own_copy, 30)
    cosmogrid.write_sky(own_copy, "cosmo_fiducial", 2, fiducial, nside=16, seed=1)
    assert read(study, table, "fiducial")[0] == 2
    error = capsys.readouterr().err
    assert "has nside 16, but survey.nside is 32; copy it again" in error


def test_cosmologies_outside_the_prior_are_left_out(copied: Path, index) -> None:
    cosmology = copy.deepcopy(cosmogrid.COSMOLOGY)
    cosmology["prior"] = {"omega_m": [0.18, 0.45], "sigma_8": [0.5, 1.2]}
    four = {split: {"cosmologies": 4} for split in ("validation", "test")}
    few = {"train": {"cosmologies": 4, "skies": 1}, "fiducial": {"skies": 2}} | four
    code, table = index(at(32, copied, cosmology=cosmology, grid=few))
    assert code == 0
    rows = read_index(table)[1]
    assert len(rows) == 14
    assert all(0.18 <= member.parameters[0] <= 0.45 for member in rows)
    few["train"]["cosmologies"] = 26
    assert index(at(32, copied, cosmology=cosmology, grid=few))[0] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"cosmology": {"h": 0.7}},
            "cosmology: {fiducial: {omega_m: 0.26, sigma_8: 0.84}, h: 0.6736, "
            "omega_b: 0.0493, n_s: 0.9649}",
        ),
        (
            {"grid": CI["grid"] | {"fiducial": {"skies": 4}}},
            "cosmo_fiducial has 3 skies on disk, but grid.fiducial.skies is 4; lower",
        ),
        (
            {"grid": CI["grid"] | {"train": {"cosmologies": 8, "skies": 3}}},
            "30 cosmologies inside cosmology.prior have maps, and 0 of them are "
            "available for grid.train (3 skies each",
        ),
        (
            {"survey": {"nside": 64}},
            "survey.nside: is 64, but the maps have 32; set survey.nside: 32",
        ),
        (
            {"survey": {"nside": 16, "patch": PATCH}},
            "survey.nside: is 16, but the maps have 32; set survey.nside: 32",
        ),
        ({"simulator": "baryonified"}, "0 cosmologies inside cosmology.prior have"),
    ],
)
def test_impossible_study_is_one_line(
    copied: Path, index, capsys, changes: dict[str, Any], message: str
) -> None:
    if "simulator" in changes:
        own = {"name": "cosmogrid", "root": str(copied), "baryons": "baryonified"}
        changes = {"simulator": own}
    code, _ = index(parse_study(config(copied, **changes)))
    error = capsys.readouterr().err
    assert code == 2 and error.count("\n") == 1 and message in error


@pytest.mark.parametrize("content", [None, b"text", "no fields"])
def test_metainfo_that_cannot_be_read_is_named(
    own_copy: Path, index, capsys, content: bytes | str | None
) -> None:
    path = own_copy / "CosmoGridV1_metainfo.h5"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        with h5py.File(path, "w") as file:
            file["parameters/grid"] = np.zeros(3, [("Om", "f8")])
    assert index(at(32, own_copy))[0] == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(path) in error


def test_errors_that_are_found_before_any_job(copied: Path, tmp_path: Path) -> None:
    with pytest.raises(InfoscopeError, match="survey.nside: the maps of CosmoGridV1"):
        check_study(at(1024, copied), read_nz(NZ))
    with pytest.raises(InfoscopeError, match="simulator.root: /nowhere: no such"):
        check_study(at(32, Path("/nowhere")), read_nz(NZ))
    three = tmp_path / "three.txt"
    np.savetxt(three, np.loadtxt(NZ)[:, :4])
    with pytest.raises(InfoscopeError, match="n.z. has 3 bins, but the maps of .* 4;"):
        check_study(at(32, copied), read_nz(three))
