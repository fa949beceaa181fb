"""An error in the config stops the workflow before any job, with one line."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import healpy
import numpy as np
import pytest
from astropy.io import fits

from ..degradations.test_own_operations import OWN
from .conftest import ROOT, Checkout


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("sead", 3, "sead"),
        ("degradations", {"only": {"operations": []}}, "reference"),
        (
            "survey",
            {"nz": {"kind": "table", "files": ["missing.txt"]}},
            "survey.nz: missing.txt",
        ),
        ("survey", {"mask": "missing.fits"}, "survey.mask: missing.fits"),
        ("operation_files", ["missing.py"], "operation_files: missing.py: no such"),
        (
            "simulator",
            {"name": "cosmogrid", "root": "no/copy"},
            "simulator.root: no/copy: no such folder",
        ),
        (
            "degradations",
            {
                "reference": {},
                "near": {"operations": [{"operation": "select_bins", "bins": [7]}]},
            },
            "degradations.near.operations.0.bins: there is no bin 7",
        ),
        (
            "degradations",
            {
                "reference": {},
                "large": {"operations": [{"operation": "lowpass", "scale_mpc_h": 3e3}]},
            },
            "degradations.large.operations.0.scale_mpc_h: 3000 Mpc/h does not fit into "
            "patches of 40° in any bin; choose at most ",
        ),
        (
            "degradations",
            {
                "reference": {},
                "divided": {
                    "operations": [{"operation": "highpass", "ell": 30, "floor": 0}]
                },
            },
            "degradations.divided.operations.0.floor: without a floor, noisy maps can "
            "be divided by a Gaussian filter, which removes nothing; choose floor > 0 ",
        ),
        (
            "survey",
            {"patch": {"side_deg": 60}},
            "survey.patch.side_deg: ",
        ),
    ],
)
def test_mistake_is_one_line(tmp_path: Path, key: str, value, named: str) -> None:
    checkout = Checkout(tmp_path / "checkout")
    config = copy.deepcopy(checkout.config) | {key: value}
    text = checkout.snakemake("--cores", "1", config=config)
    assert checkout.returncode != 0
    lines = [line for line in text.splitlines() if named in line]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    assert not (checkout.folder / "results").exists()


@pytest.mark.parametrize(
    ("survey", "named"),
    [
        (
            {"mask": "every other.fits"},
            "survey.mask: every other.fits: no patch has 100% of its pixels inside",
        ),
        (
            {"nz": {"kind": "fits", "file": "every other.fits"}},
            "survey.nz: every other.fits: has no extension NZ_SOURCE; choose from "
            "XTENSION",
        ),
    ],
)
def test_mistake_in_a_fits_file_is_one_line(
    tmp_path: Path, survey: dict[str, object], named: str
) -> None:
    checkout = Checkout(tmp_path / "checkout")
    path = checkout.folder / "every other.fits"
    healpy.write_map(path, np.arange(12 * 32**2) % 2, dtype=np.int16)
    fits.setval(path, "EXTNAME", value="XTENSION", ext=1)
    config = copy.deepcopy(checkout.config)
    config["survey"] |= survey
    text = checkout.snakemake("--cores", "1", config=config)
    assert checkout.returncode != 0
    assert len([line for line in text.splitlines() if named in line]) == 1, text
    assert "Traceback" not in text
    assert not (checkout.folder / "results").exists()


LOCAL = "np.minimum(patches.kappa, self.at)"


@pytest.mark.parametrize(
    "new",
    [
        # in units of the standard deviation of all patches of the sky
        "patches.kappa / patches.kappa.std(axis=(1, 2, 3), keepdims=True)",
        # as many random numbers as there are high pixels in all patches
        "patches.kappa + rng.random((patches.kappa > self.at).sum()).sum()",
    ],
    ids=["values", "dice"],
)
def test_operation_that_is_not_local_is_one_line(tmp_path: Path, new: str) -> None:
    checkout = Checkout(tmp_path / "checkout")
    assert LOCAL in OWN
    (checkout.folder / "own.py").write_text(OWN.replace(LOCAL, new))
    config = copy.deepcopy(checkout.config) | {"operation_files": ["own.py"]}
    config["degradations"]["own"] = {"operations": [{"operation": "clip", "at": 0.01}]}
    text = checkout.snakemake("--cores", "1", config=config)
    assert checkout.returncode != 0
    place = "config: degradations.own.operations.0: "
    lines = [line for line in text.splitlines() if place in line]
    assert len(lines) == 1 and "clip: is not local: a patch changes if" in lines[0]
    assert "Traceback" not in text
    assert not (checkout.folder / "results").exists()


def test_parsing_imports_nothing_slow() -> None:
    """On a cluster, every job reads the Snakefile."""
    rules = (ROOT / "workflow/rules/common.smk").read_text()
    lines = [line for line in rules.splitlines() if line.startswith("from infoscope")]
    assert len(lines) > 4
    survey = {"preset": "lsst_y1_like"}
    program = "\n".join([
        "import sys",
        *lines,
        f"study = dict(study='x', degradations=dict(reference={{}}), survey={survey})",
        "checked_study(study)",
        "slow = {'astropy', 'healpy', 'jax', 'h5py', 'pandas', 'camb', 'scipy'}",
        "sys.exit(', '.join(slow & set(sys.modules)) or None)",
    ])  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
