"""The numbers of jobs and files agree with Snakemake, except for local rules."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from infoscope.run.costs import Costs
from infoscope.run.jobs import jobs
from infoscope.study.checks import checked_study
from infoscope.study.config import parse_study

from .conftest import ROOT, Checkout

pytestmark = pytest.mark.slow


def local() -> set[str]:
    """Return the local rules."""
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    rules = re.split(r"^(?=(?:use )?rule )", text, flags=re.M)[1:]
    found = {
        re.match(r"(?:use rule \w+ as|rule) (\w+)", rule)[1]
        for rule in rules
        if re.search(r"^    localrule: True$", rule, re.M)
    }
    assert {"tabulate_nz", "export_chain", "plot_widths", "plot_triangle"} <= found
    return found


@pytest.mark.parametrize("name", ["studies/ci", "studies/claims", "config"])
def test_jobs_are_those_of_a_dry_run(tmp_path: Path, name: str) -> None:
    checkout = Checkout(tmp_path / "checkout")
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    config["learning_curves"] = {"degradations": ["reference"]}
    counted = Counter(job.rule for job in jobs(parse_study(config)))
    would_run = checkout.would_run(config)
    assert counted == {rule: n for rule, n in would_run.items() if rule not in local()}


def test_files_are_those_of_a_summary(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    text = checkout.snakemake("--summary")
    assert checkout.returncode == 0, text
    rows = (line.split("\t") for line in text.splitlines() if line.count("\t") == 5)
    written = Counter(row[2] for row in rows if row[0].startswith("results/"))
    costs = Costs.of(*checked_study(checkout.config))
    counted: Counter[str] = Counter()
    for job in jobs(costs.study):
        counted[job.rule] += costs.job(job.rule, job.wildcards).files
    assert counted == {rule: n for rule, n in written.items() if rule not in local()}
