"""What jobs ask a scheduler for: enough, more in each attempt, and as the study needs."""

from __future__ import annotations

import copy
import csv
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest
import yaml

from infoscope import specs
from infoscope.config import parse_study
from infoscope.costs import Costs
from infoscope.redshifts import redshift_distribution

from .conftest import ROOT, Checkout


def asked(text: str, rule: str) -> list[dict[str, int]]:
    """Resources of the jobs of a rule, in the order in which they are printed."""
    found = re.findall(
        rf"^(?:local)?rule {rule}:\n(?: .*\n)*?    resources: (.*)$", text, re.M
    )
    return [
        {name: int(n) for name, n in re.findall(r"(mem_mb|runtime|gpu)=(\d+)", line)}
        for line in found
    ]


def study_costs(config: dict[str, Any]) -> Costs:
    study = parse_study(config)
    nz = redshift_distribution(specs.nz(study), study.survey.nz.paths)
    return Costs.of(study, nz)


@pytest.mark.slow
def test_resources_grow_with_attempts(finished: Checkout, tmp_path: Path) -> None:
    """A job fails because there is no GPU, and is tried again with more."""
    checkout = copy.copy(finished)
    checkout.folder = tmp_path / "copy"
    shutil.copytree(finished.folder, checkout.folder)
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
    costs, tables = study_costs(finished.config), 0
    for path in (finished.folder / "results/ci/benchmarks").rglob("*.tsv"):
        (row,) = csv.DictReader(path.open(), delimiter="\t")
        # jobs that end at once are not measured
        if row["max_rss"] == "NA":
            continue
        rule, *job = path.relative_to(finished.folder / "results/ci/benchmarks").parts
        assert float(row["max_rss"]) < costs_of(costs, rule, job).requested_mb, path
        tables += 1
    assert tables > 20


def costs_of(costs: Costs, rule: str, job: list[str]):
    """Cost of the job that a benchmark file is named after."""
    if not job:
        return costs.job(rule.removesuffix(".tsv"), {})
    names = job[0].removesuffix(".tsv")
    patterns = {
        "simulate_skies": r"(?P<split>\w+)_(?P<shard>\d+)",
        "degrade_maps": r"(?P<degradation>\w+)_(?P<split>[a-z]+)_(?P<shard>\d+)",
        "collect_dataset": r"(?P<degradation>\w+)",
        "plot_triangle": r"(?P<estimator>\w+)",
        "train_estimator": r"(?P<degradation>\w+?)_(?P<estimator>cnn|power_spectrum)_(?P<seed>\d+)",
        "infer_posterior": r"(?P<degradation>\w+?)_(?P<estimator>cnn|power_spectrum)",
        "export_chain": r"(?P<degradation>\w+?)_(?P<estimator>cnn|power_spectrum)",
    }
    found = re.fullmatch(patterns[rule], names)
    assert found, names
    return costs.job(rule, found.groupdict())


@pytest.mark.slow
def test_files_have_the_sizes_that_are_expected(finished: Checkout) -> None:
    costs = study_costs(finished.config)
    results = finished.folder / "results/ci"
    for split, shard in (("train", "0000"), ("test", "0001")):
        wildcards = {"split": split, "shard": shard}
        for rule, path, more in (
            ("simulate_skies", f"skies/{split}/{shard}.h5", {}),
            (
                "degrade_maps",
                f"datasets/reference/{split}/{shard}.h5",
                {"degradation": "reference"},
            ),
        ):
            expected = costs.job(rule, wildcards | more).size
            # small files have an overhead
            assert (results / path).stat().st_size == pytest.approx(expected, rel=0.2)
            with h5py.File(results / path, locking=False) as file:
                stored = sum(
                    file[name].nbytes
                    for name in ("kappa", "kappa_ia", "tiles")
                    if name in file
                )
            assert stored == expected
