"""Stages run from the command line, without Snakemake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from infoscope.cli import figure_names, files_of, function_of, main, stage_names
from infoscope.files.hdf5 import (
    create,
    describe_skies,
    open_for_reading,
    read_nuisance,
)
from infoscope.files.precision import Maps
from infoscope.study import specs
from infoscope.study.config import parse_study

ROOT = Path(__file__).parents[1]
CI = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
CI["survey"]["intrinsic_alignment"] = {"a_ia": 1.0}
STUDY = parse_study(CI)
CLEAN = {"noise": "none"}
UNALIGNED: dict = {"effects": {}}


@pytest.fixture(scope="module")
def skies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("skies")
    output, matter = folder / "0000.h5", str(folder / "matter.h5")
    spec = specs.canonical(specs.matter(STUDY))
    assert main(["tabulate-matter", "--spec", spec, "--output", matter]) == 0
    spec = specs.canonical(specs.simulate(STUDY, "fiducial", 0))
    table = str(ROOT / "resources/nz/des_like.txt")
    files = ["--nz-file", table, "--matter", matter, "--output", str(output)]
    assert main(["simulate-skies", "--spec", spec, *files]) == 0
    return output


def write_skies(path: Path, n_sky: int, n_patch: int, pixels: int) -> Path:
    """Write skies of white noise."""
    shape = (n_sky, 4, n_patch, pixels, pixels)
    with create(path, {}) as file:
        maps = np.random.default_rng(1).standard_normal(shape)
        file["kappa"] = maps.astype(np.float32)
        mean_z = np.array([0.3, 0.5, 0.75, 0.95])
        index = np.arange(n_sky)
        describe_skies(file, np.zeros((n_sky, 2)), index, index, mean_z)
    return path


def degraded(skies: Path, output: Path, read: bool = True, **changes) -> np.ndarray:
    spec = specs.degrade(STUDY, "reference", "fiducial") | changes
    files = ["--skies", str(skies), "--constants", "--operation-files"]
    files += ["--output", str(output)]
    assert main(["degrade-maps", "--spec", specs.canonical(spec), *files]) == 0
    with open_for_reading(output) as file:
        return Maps.of(file, "tiles")[:] if read else np.empty(0)


def test_every_stage_and_figure_has_a_rule() -> None:
    text = "".join(path.read_text() for path in ROOT.glob("workflow/rules/*.smk"))
    for stage in stage_names():
        assert f"python -m infoscope {stage}" in text
    for figure in figure_names():
        assert f'figure="{figure}"' in text


def test_arguments_are_those_of_the_function() -> None:
    def run(
        spec: dict, one: Path, many: Sequence[Path], output: Path, other: Path = Path()
    ) -> None:
        """Do nothing."""

    assert files_of(run) == {"one": None, "many": "+", "other": "?"}
    assert files_of(function_of("degrade-maps")) == {
        "skies": None,
        "constants": "*",
        "operation_files": "*",
    }
    assert files_of(function_of("summarise-study"))["claims"] == "?"
    figure = function_of("plot", "triangle")
    assert files_of(figure) == {"chains": "+"}


def test_only_the_stage_that_runs_is_imported() -> None:
    script = """
import sys
from infoscope import cli
for arguments in ([], ["--help"], ["tabulate-nz"]):
    cli.parser(arguments)
assert not {"jax", "matplotlib", "pandas"} & set(sys.modules), set(sys.modules)
cli.parser(["plot", "sky_map"])
assert "infoscope.figures.sky_map" in sys.modules
assert not {"jax", "getdist", "infoscope.figures.widths"} & set(sys.modules)
"""
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=os.environ | path, check=True)


@pytest.mark.parametrize("arguments", [["plot", "nothing"], ["plot"], ["plotting"]])
def test_unknown_commands_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*arguments, "--spec", "{}", "--output", "x.png"])
    assert "widths" in capsys.readouterr().err or arguments != ["plot", "nothing"]


def test_skies_hold_convergence_and_alignment(skies: Path) -> None:
    with open_for_reading(skies) as file:
        assert file["kappa"].shape == (2, 4, 12, 16, 16)
        assert file["kappa_ia"].shape == (2, 3, 4, 12, 16, 16)
        assert file["full_sky"].shape == (2, 4, 3072)
        kappa, alignment = file["kappa"][0], Maps.of(file, "kappa_ia")[0, 0]
        assert not np.array_equal(file["kappa"][0], file["kappa"][1])
        assert read_nuisance(file).names == ()
    # NLA: alignment anti-correlates with the lensing of sources behind it
    assert np.corrcoef(kappa[3].ravel(), alignment[1].ravel())[0, 1] < -0.2


def test_alignment_is_switched_on_without_simulating_again(
    skies: Path, tmp_path: Path
) -> None:
    tiles = [
        degraded(
            skies,
            tmp_path / f"{a}.h5",
            effects={"intrinsic_alignment": {"a_ia": a}},
            **CLEAN,
        )
        for a in (0.0, 1.0, 2.0)
    ]
    assert tiles[0].shape == (2, 12, 16, 16, 4)
    assert not np.allclose(tiles[1], tiles[0])
    assert np.allclose(tiles[2] - tiles[0], 2 * (tiles[1] - tiles[0]), atol=1e-7)


def test_noise_is_that_of_each_bin(skies: Path, tmp_path: Path) -> None:
    n_gal, sigma_e = [1.0, 2.0, 3.0, 4.0], [0.2, 0.3, 0.4, 0.5]
    tiles = [
        degraded(
            skies, tmp_path / "tiles.h5", noise=noise, n_gal_arcmin2=n_gal,
            sigma_e=sigma_e,
        )
        for noise in ("before", "none")
    ]  # fmt: skip
    area_arcmin2 = (60 * STUDY.survey.patch.side_deg / 16) ** 2
    expected = np.array(sigma_e) / np.sqrt(np.array(n_gal) * area_arcmin2)
    # 6144 pixels of both skies, and the mean of 256 is subtracted
    measured = (tiles[0] - tiles[1]).std(axis=(0, 1, 2, 3))
    assert measured == pytest.approx(expected, rel=0.04)


def test_selected_patches_are_those_of_the_sky(skies: Path, tmp_path: Path) -> None:
    whole = degraded(skies, tmp_path / "whole.h5", **CLEAN)
    some = degraded(skies, tmp_path / "some.h5", patches=[2, 3, 11], **CLEAN)
    assert np.array_equal(some, whole[:, [2, 3, 11]])


@pytest.mark.parametrize(("pixels", "n_tile"), [(8, 48), (64, 24)])
def test_a_chunk_has_tiles_of_one_sky_and_about_a_mebibyte(
    tmp_path: Path, pixels: int, n_tile: int
) -> None:
    skies = write_skies(tmp_path / "skies.h5", 2, 48, pixels)
    degraded(skies, tmp_path / "tiles.h5", read=False, **UNALIGNED)
    with open_for_reading(tmp_path / "tiles.h5") as file:
        assert file["tiles"].shape == (2, 48, pixels, pixels, 4)
        assert file["tiles"].chunks == (1, n_tile, pixels, pixels, 4)
        assert 2 * np.prod(file["tiles"].chunks) <= 2**20


def test_results_do_not_depend_on_when_they_are_computed(
    skies: Path, tmp_path: Path
) -> None:
    first, second = (degraded(skies, tmp_path / f"{i}.h5") for i in range(2))
    assert np.array_equal(first, second)


def test_memory_does_not_grow_with_the_number_of_skies(tmp_path: Path) -> None:
    spec = specs.degrade(STUDY, "reference", "fiducial")
    spec |= {"operations": [{"operation": "highpass", "ell": 60}], **UNALIGNED}
    peaks = []
    for n_sky in (2, 16):
        skies = write_skies(tmp_path / f"{n_sky}.h5", n_sky, 48, 32)
        degraded(skies, tmp_path / "warm.h5", **spec)
        tried = []
        # threads of other tests may allocate or free memory in the meantime
        for _ in range(3):
            tracemalloc.start()
            degraded(skies, tmp_path / "out.h5", read=False, **spec)
            tried.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        peaks.append(min(tried))
    # a sky of 48 patches and four bins is 1.6 MB in double precision
    assert peaks[0] > 2e6
    assert peaks[1] == pytest.approx(peaks[0], rel=0.05)


def test_values_that_are_not_finite_name_the_file(
    skies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.h5"
    broken.write_bytes(skies.read_bytes())
    with h5py.File(broken, "r+") as file:
        file["kappa"][1, 2, 7, 3, 4] = np.nan
    spec = specs.canonical(specs.degrade(STUDY, "reference", "fiducial"))
    files = ["--skies", str(broken), "--constants", "--operation-files"]
    files += ["--output", str(tmp_path / "o.h5")]
    assert main(["degrade-maps", "--spec", spec, *files]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{broken}: sky 1: has values that are not finite" in error
    assert not (tmp_path / "o.h5").exists()


def test_damaged_tables_of_matter_are_named(
    skies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    matter = tmp_path / "matter.h5"
    content = bytearray(skies.with_name("matter.h5").read_bytes())
    content[len(content) // 2] ^= 1
    matter.write_bytes(content)
    spec = specs.canonical(specs.simulate(STUDY, "fiducial", 0))
    files = ["--nz-file", str(ROOT / "resources/nz/des_like.txt")]
    files += ["--matter", str(matter), "--output", str(tmp_path / "o.h5")]
    assert main(["simulate-skies", "--spec", spec, *files]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"infoscope simulate-skies: {matter}: cannot be read (")


def test_ranges_that_keep_nothing_cannot_be_fitted(
    skies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = {"operation": "keep_convergence", "ranges": [[99, None]]}
    spec = specs.degrade(STUDY, "reference", "fiducial") | {"operations": [keep]}
    files = ["--skies", str(skies), "--operation-files"]
    files += ["--output", str(tmp_path / "o.json")]
    assert main(["fit-constants", "--spec", specs.canonical(spec), *files]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "fit-constants: keep_convergence: ranges: [(99.0, None)] (sigma)" in error
    assert not (tmp_path / "o.json").exists()


def test_constants_are_read_and_recorded(skies: Path, tmp_path: Path) -> None:
    keep = {"operation": "keep_convergence", "ranges": [[1, None]]}
    spec = specs.degrade(STUDY, "reference", "fiducial") | {"operations": [keep]}
    text, constants = specs.canonical(spec), tmp_path / "constants.json"
    files = ["--skies", str(skies), "--operation-files"]
    assert (
        main(["fit-constants", "--spec", text, *files, "--output", str(constants)]) == 0
    )
    fitted = json.loads(constants.read_text())
    assert list(fitted[0]) == ["low_0"] and len(fitted[0]["low_0"]) == 4
    files += ["--constants", str(constants), "--output", str(tmp_path / "tiles.h5")]
    assert main(["degrade-maps", "--spec", text, *files]) == 0
    with open_for_reading(tmp_path / "tiles.h5") as file:
        assert json.loads(file.attrs["constants"]) == fitted
        kept = Maps.of(file, "tiles")[:] != 0
    assert kept.mean() == pytest.approx(0.16, abs=0.04)


def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = specs.canonical(specs.degrade(STUDY, "reference", "fiducial"))
    files = ["--skies", str(tmp_path / "absent.h5"), "--constants"]
    files += ["--operation-files"]
    files += ["--output", str(tmp_path / "o")]
    assert main(["degrade-maps", "--spec", spec, *files]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "absent.h5" in error


def test_errors_name_the_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--skies", str(tmp_path / "no.h5"), "--output", str(tmp_path / "x.png")]
    assert main(["plot", "sky_map", "--spec", "{}", *files]) == 2
    assert capsys.readouterr().err.startswith(f"infoscope plot sky_map: {tmp_path}")


WAITING = """
import sys, time
from infoscope import cli
from infoscope.stages import tabulate_nz

def run(spec, output):
    print("runs", flush=True)
    time.sleep(600)

tabulate_nz.run = run
cli.main(["tabulate-nz", "--spec", "{}", "--output", "x"])
"""


def test_a_job_ends_with_its_snakemake() -> None:
    with subprocess.Popen(["sleep", "600"]) as snakemake:
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(
            [sys.executable, "-c", WAITING],
            env=os.environ | path | {"INFOSCOPE_SNAKEMAKE": str(snakemake.pid)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as job:
            assert job.stdout is not None and job.stdout.readline() == "runs\n"
            with pytest.raises(subprocess.TimeoutExpired):
                job.wait(2)
            snakemake.kill()
            snakemake.wait()
            _, error = job.communicate(timeout=30)
    assert job.returncode == 1
    assert error == f"infoscope: Snakemake (process {snakemake.pid}) is gone\n"
