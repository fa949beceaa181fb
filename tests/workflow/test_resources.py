"""Resources that jobs request: as the study needs, and more in each attempt."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infoscope.run.costs import SNAKEMAKE_MB, Costs
from infoscope.run.jobs import jobs
from infoscope.study.checks import checked_study

from .conftest import ROOT, Checkout


def asked(text: str, rule: str) -> list[dict[str, int]]:
    """Return the resources of the jobs of a rule, in the order of printing."""
    found = re.findall(
        rf"^(?:local)?rule {rule}:\n(?: .*\n)*?    resources: (.*)$", text, re.M
    )
    return [
        {name: int(n) for name, n in re.findall(r"(mem_mb|runtime|gpu)=(\d+)", line)}
        for line in found
    ]


def study_costs(config: dict[str, Any]) -> Costs:
    return Costs.of(*checked_study(config))


@pytest.mark.slow
def test_resources_grow_with_attempts(finished: Checkout, tmp_path: Path) -> None:
    """A job fails because there is no GPU, and is repeated with more resources."""
    checkout = finished.copied(tmp_path / "copy")
    text = checkout.snakemake(
        *("--cores", "1", "--retries", "2", "--forcerun", "train_estimator"),
        *("--set-resources", "train_estimator:gpu=1", "--"),
        "results/ci/training/reference/cnn/seed_0/summaries.h5",
    )
    assert checkout.returncode != 0
    attempts = asked(text, "train_estimator")
    assert [job["gpu"] for job in attempts] == [1, 1, 1]
    for name in ("mem_mb", "runtime"):
        first, *more = (job[name] for job in attempts)
        assert more == [2 * first, 3 * first]


@pytest.mark.slow
def test_resources_are_those_of_the_study(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    simulated = {}
    for name in ("ci", "nbody", "scales"):
        config = yaml.safe_load((ROOT / f"config/studies/{name}.yaml").read_text())
        text = checkout.snakemake("--dry-run", "--cores", "1", config=config)
        assert checkout.returncode == 0, text
        simulated[name] = asked(text, "simulate_skies")
        trained = asked(text, "train_estimator")
        assert {job["gpu"] for job in simulated[name] + trained} == {0}
        # all tasks of an array get the resources that one of them requests
        assert len({job["runtime"] for job in asked(text, "degrade_maps")}) == 1
    small, particles, fine = (
        {key: max(job[key] for job in simulated[name]) for key in ("mem_mb", "runtime")}
        for name in ("ci", "nbody", "scales")
    )
    # eight boxes of a minute; 256 lognormal skies of six seconds
    assert 15 <= particles["runtime"] <= 60 and 45 <= fine["runtime"] <= 180
    assert small["runtime"] < particles["runtime"]
    # 1.3 GB were measured for a box
    assert 1300 < particles["mem_mb"] < 4000
    assert small["mem_mb"] < fine["mem_mb"] < 2000


@pytest.mark.slow
def test_memory_that_is_asked_for_is_enough(finished: Checkout) -> None:
    costs, compared = study_costs(finished.config), 0
    folder = finished.folder / "results/ci/benchmarks"
    wildcards = {folder / job.benchmark: job.wildcards for job in jobs(costs.study)}
    assert all(path.exists() for path in wildcards)
    for path in folder.rglob("*.tsv"):
        with path.open() as file:
            (row,) = csv.DictReader(file, delimiter="\t")
        # jobs that end immediately are not measured
        if row["max_rss"] != "NA":
            rule = path.relative_to(folder).with_suffix("").parts[0]
            # the costs of local rules do not depend on wildcards
            cost = costs.job(rule, wildcards.get(path, {}))
            # the rest is for Snakemake on a cluster
            enough = cost.requested_mb - SNAKEMAKE_MB
            assert float(row["max_rss"]) < enough, path
            compared += 1
    assert compared > 20


@pytest.mark.slow
def test_files_have_the_sizes_that_are_expected(finished: Checkout) -> None:
    costs = study_costs(finished.config)
    results = finished.folder / "results/ci"
    for split, shard in (("train", "0000"), ("test", "0001")):
        of_shard = {"split": split, "shard": shard}
        of_reference = {"degradation": "reference"} | of_shard
        for rule, wildcards, path in (
            ("simulate_skies", of_shard, f"skies/{split}/{shard}.h5"),
            ("degrade_maps", of_reference, f"datasets/reference/{split}/{shard}.h5"),
        ):
            size = (results / path).stat().st_size
            # small files are a fifth larger than their content
            assert size == pytest.approx(costs.job(rule, wildcards).size, rel=0.3)
