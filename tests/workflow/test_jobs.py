"""The jobs and files that are counted are those of Snakemake."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from infoscope.run.jobs import jobs
from infoscope.study.config import parse_study

from .conftest import ROOT, Checkout

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["studies/ci", "studies/claims", "config"])
def test_jobs_are_those_of_a_dry_run(tmp_path: Path, name: str) -> None:
    checkout = Checkout(tmp_path / "checkout")
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    config["learning_curves"] = {"degradations": ["reference"]}
    counted = Counter(job.rule for job in jobs(parse_study(config)))
    assert counted == checkout.would_run(config)


def test_files_are_those_of_a_summary(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    text = checkout.snakemake("--summary")
    assert checkout.returncode == 0, text
    rows = (line.split("\t") for line in text.splitlines() if line.count("\t") == 5)
    written = Counter(row[2] for row in rows if row[0].startswith("results/"))
    counted: Counter[str] = Counter()
    for job in jobs(parse_study(checkout.config)):
        counted[job.rule] += job.outputs
    assert counted == written
