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
            {"mask": "16.fits"},
            "survey.mask: 16.fits: has nside 16, but survey.nside is 32",
        ),
        ({"mask": "32.fits"}, "survey.mask: 32.fits: no tile has 100% of its pixels"),
        (
            {"nz": {"kind": "fits", "file": "16.fits"}},
            "survey.nz: 16.fits: has no extension NZ_SOURCE; choose from XTENSION",
        ),
    ],
)
def test_mistake_in_a_fits_file_is_one_line(
    tmp_path: Path, survey: dict[str, object], named: str
) -> None:
    checkout = Checkout(tmp_path / "checkout")
    for nside in (16, 32):
        path = checkout.folder / f"{nside}.fits"
        healpy.write_map(path, np.arange(12 * nside**2) % 2, dtype=np.int16)
        fits.setval(path, "EXTNAME", value="XTENSION", ext=1)
    config = copy.deepcopy(checkout.config)
    config["survey"] |= {"nside": 32} | survey
    text = checkout.snakemake("--cores", "1", config=config)
    assert checkout.returncode != 0
    assert len([line for line in text.splitlines() if named in line]) == 1, text
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
