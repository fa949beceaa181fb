"""A mistake in the config stops the workflow before any job, with one line."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from .conftest import Checkout


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
