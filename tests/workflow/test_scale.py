"""Studies of hundreds of degradations and thousands of cosmologies can be planned."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from benchmarks.scale import large_study

from infoscope.run.costs import Costs
from infoscope.run.jobs import MANY, jobs, warning
from infoscope.study.checks import checked_study
from infoscope.study.config import parse_study

from .conftest import Checkout

# Runs a command and prints its largest memory in kB. The memory of a process includes
# that of the program before exec, which for a child of the tests would be theirs.
MEASURED = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


@pytest.mark.slow
def test_dry_run_of_a_large_study(tmp_path: Path) -> None:
    checkout, config = Checkout(tmp_path / "checkout"), large_study(200, 2000)
    (checkout.folder / "study.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command, "--dry-run", "--cores", "1"],
        cwd=checkout.folder,
        capture_output=True,
        text=True,
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-2000:]
    costs = Costs.of(*checked_study(config))
    expected = list(jobs(costs.study))
    # in addition to the rule all, chains, and a few tables and figures
    total = int(re.search(r"^total +(\d+)$", text, re.M)[1])
    chains = len(costs.study.degradations) * len(costs.study.estimators)
    assert chains < total - len(expected) < chains + 25
    assert total < MANY
    assert sum(costs.job(job.rule, job.wildcards).files for job in expected) < 8000
    assert int(done.stdout.splitlines()[-1]) < 1e6
    assert "grid.shard_size" not in text


@pytest.mark.slow
def test_many_jobs_are_a_warning(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    config = large_study(60, 2000, shard_size=16)
    text = checkout.snakemake("--list-rules", config=config)
    lines = [line for line in text.splitlines() if "grid.shard_size" in line]
    assert lines == [warning(parse_study(config))]


def test_the_warning_names_a_shard_size_that_is_enough() -> None:
    study = parse_study(large_study(200, 2000, shard_size=16))
    text = warning(study)
    assert text and "jobs: with grid.shard_size 256 there would be" in text
    enough = parse_study(large_study(200, 2000, shard_size=256))
    assert f"{len(list(jobs(enough))):,} (" in text
    assert warning(enough) is None


def test_no_warning_where_shards_are_not_what_is_many() -> None:
    config = large_study(400, 40, shard_size=40)
    config["training"]["seeds"] = 10
    study = parse_study(config)
    assert len(list(jobs(study))) > MANY
    assert warning(study) is None


def test_default_studies_have_few_jobs() -> None:
    study = parse_study({"study": "x", "degradations": {"reference": {}}})
    assert warning(study) is None
