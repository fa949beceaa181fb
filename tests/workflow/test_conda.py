"""A study whose jobs run in the conda environments envs/*.yaml."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import h5py
import pytest
import yaml

from .conda.base import install
from .conftest import PATH, ROOT, Checkout

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.skipif(
        "deb_system" in sysconfig.get_scheme_names(),
        reason="Debian's Python finds no packages where conda installs them",
    ),
]

CHANNEL = Path(__file__).with_name("conda") / "channel.py"
ENVS = sorted((ROOT / "envs").glob("*.yaml"))


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return environment variables for a conda with its own channel.

    The channel has the packages of this environment in the format of conda. The conda
    of the user is neither read nor changed.
    """
    folder = tmp_path_factory.mktemp("conda")
    forge = folder / "channels/conda-forge"
    commands = install(folder / "base", forge)
    names = {
        entry.split()[0]
        for env in ENVS
        for entry in yaml.safe_load(env.read_text())["dependencies"]
    }
    subprocess.run(
        [
            folder / "base/bin/python",
            CHANNEL,
            forge,
            sysconfig.get_path("purelib"),
            *sorted(names - {"python"}),
        ],
        check=True,
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CONDA", "_CONDA", "XDG_"))
    }
    yield kept | {
        "PATH": f"{Path(sys.executable).parent}:{commands}:{PATH}",
        "HOME": str(folder),
        # environments are the same on a machine with a GPU driver
        "CONDA_OVERRIDE_CUDA": "",
    }
    # pytest would keep three copies, of gigabytes each
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def study(
    environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkout]:
    """Run the study in a folder with a space."""
    checkout = Checkout(tmp_path_factory.mktemp("with conda") / "info scope")
    checkout.environ = environ
    text = checkout.snakemake("--use-conda", "--cores", "2")
    assert checkout.returncode == 0, text
    yield checkout
    shutil.rmtree(checkout.folder / ".snakemake/conda")


def test_conda_makes_the_environments_of_the_repository(study) -> None:
    made = study.folder / ".snakemake/conda"
    copies = {path.stem: path.read_text() for path in made.glob("*.yaml")}
    assert sorted(copies.values()) == sorted(env.read_text() for env in ENVS)
    for name, text in copies.items():
        listed = subprocess.run(
            ["conda", "list", "--json", "--prefix", made / name],
            env=study.environ,
            capture_output=True,
            check=True,
        )
        packages = {package["name"]: package for package in json.loads(listed.stdout)}
        assert {package["channel"] for package in packages.values()} == {"conda-forge"}
        for entry in yaml.safe_load(text)["dependencies"][1:]:
            package = entry.split()[0]
            installed = package.removesuffix("-base")
            assert packages[package]["version"] == version(installed)
        assert (made / name / "bin/python").is_file()


@pytest.mark.parametrize(
    ("env", "modules"),
    [
        ("simulate", "astropy.io.fits, infoscope.skies.nbody"),
        ("train", "infoscope.estimators.checkpoints"),
    ],
)
def test_what_the_study_leaves_unused_is_there_too(study, env, modules) -> None:
    made = study.folder / ".snakemake/conda"
    text = (ROOT / f"envs/{env}.yaml").read_text()
    (copy,) = (path for path in made.glob("*.yaml") if path.read_text() == text)
    subprocess.run(
        [copy.with_suffix("") / "bin/python", "-c", f"import {modules}"],
        env=study.environ | {"PYTHONPATH": str(study.folder / "workflow")},
        check=True,
    )


@pytest.mark.parametrize(
    ("result", "has", "lacks"),
    [
        ("skies/train/0000.h5", "camb", "flax"),
        ("datasets/reference.h5", "ducc0", "camb"),
        ("training/reference/cnn/seed_0/summaries.h5", "flax", "healpy"),
        ("posteriors/reference/cnn.h5", "ducc0", "jax"),
    ],
)
def test_jobs_run_in_them(study, result, has, lacks) -> None:
    with h5py.File(study.folder / "results/ci" / result) as file:
        versions = json.loads(file.attrs["versions"])
    assert versions[has] == version(has)
    # the package is installed in this environment
    assert version(lacks) and versions[lacks] == "not installed"


def test_results_are_those_without_conda(study, finished) -> None:
    here, there = (checkout.folder / "results/ci" for checkout in (study, finished))
    results, others = (
        {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
        for root in (here, there)
    )
    assert results == others
    tables = [name for name in results if name.suffix in (".csv", ".txt")]
    assert Path("widths.csv") in tables
    for name in tables:
        # the page contains the time of training runs
        if name != Path("claims.csv"):
            assert (here / name).read_text() == (there / name).read_text(), name


def test_nothing_runs_again_with_or_without_conda(study) -> None:
    assert study.would_run() == {}
    text = study.snakemake("--use-conda", "--cores", "2")
    assert study.returncode == 0 and "Nothing to be done" in text


@pytest.mark.parametrize(
    ("driver", "pin", "build"),
    [
        ("", "", "cpu"),
        ("12.9", "", "cuda129"),
        ("12.9", "jaxlib=*=cpu*", "cpu"),
        ("", "jaxlib=*=cuda*", None),
    ],
)
def test_the_solver_selects_the_build_of_jaxlib(
    environ, tmp_path, driver, pin, build
) -> None:
    content = yaml.safe_load((ROOT / "envs/train.yaml").read_text())
    if pin:
        content["dependencies"].append(pin)
    (tmp_path / "env.yaml").write_text(yaml.safe_dump(content))
    done = subprocess.run(
        ["conda", "env", "create", "--dry-run", "--file", tmp_path / "env.yaml"]
        + ["--prefix", tmp_path / "env"],
        env=environ | {"CONDA_OVERRIDE_CUDA": driver},
        capture_output=True,
        text=True,
    )
    if build is None:
        assert "__cuda" in done.stdout + done.stderr and done.returncode == 1
    else:
        assert re.search(r"jaxlib=.*=(.*)_py", done.stdout)[1] == build
