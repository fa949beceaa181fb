"""The ci study on a SLURM of one node, with the profile that users adapt."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest

from . import slurm
from .conftest import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.system]

# the only change of the profile: SLURM is queried more often, as jobs take seconds
OPTIONS = [
    "--workflow-profile=profiles/slurm",
    "--slurm-init-seconds-before-status-checks=5",
]
# `python` of the jobs, which records where it runs. GPUs are files here, so it reports
# those that SLURM granted as devices of JAX.
PYTHON = """#!{python}
import json, os, sys, uuid
from pathlib import Path

names = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "CUDA_VISIBLE_DEVICES")
note = {{name: os.environ.get(name) for name in names}} | {{"argv": sys.argv[3:]}}
path = Path({notes!r}, str(uuid.uuid4()))
path.write_text(json.dumps(note))
path.rename(path.with_suffix(".json"))

sys.argv[1:] = sys.argv[3:]
from infoscope import cli
from infoscope.run import devices

granted = os.environ.get("CUDA_VISIBLE_DEVICES", "")
devices.visible_gpus = lambda: len(granted.split(",")) if granted else 0
sys.exit(cli.main())
"""


@dataclass(frozen=True)
class Job:
    """A stage that ran: its own record, and that of SLURM."""

    stage: str
    output: str
    array: str | None
    device: str | None
    slurm: dict[str, str] | None

    def meets(self, other: Job) -> bool:
        """Return whether both jobs ran at the same time."""
        start = max(job.slurm["StartTime"] for job in (self, other))
        end = min(job.slurm["EndTime"] for job in (self, other))
        return start < end


def recorded(notes: Path, cluster: Path) -> list[Job]:
    lines = (cluster / "jobs.txt").read_text().splitlines()
    records = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]
    by_id = {record["JobId"]: record for record in records}
    jobs = []
    for path in notes.glob("*.json"):
        note = json.loads(path.read_text())
        argv = note["argv"]
        jobs.append(
            Job(
                argv[0],
                argv[argv.index("--output") + 1],
                note["SLURM_ARRAY_JOB_ID"],
                note["CUDA_VISIBLE_DEVICES"],
                by_id[note["SLURM_JOB_ID"]] if note["SLURM_JOB_ID"] else None,
            )
        )
    return jobs


def cancel_a_training_run(notes: Path, cancelled: list[str]) -> None:
    """Wait for the first training run and cancel its job."""
    for _ in range(3000):
        for path in notes.glob("*.json"):
            note = json.loads(path.read_text())
            if note["argv"][0] == "train-estimator":
                subprocess.run(["scancel", note["SLURM_JOB_ID"]], check=True)
                cancelled.append(note["SLURM_JOB_ID"])
                return
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    reason = slurm.why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as folder:
        yield folder


@dataclass(frozen=True)
class Finished:
    """The complete study, in which a training run was cancelled."""

    checkout: Checkout
    text: str
    jobs: list[Job]
    cancelled: str


@pytest.fixture(scope="module")
def study(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("on slurm")
    notes = folder / "notes"
    notes.mkdir()
    python = folder / "bin/python"
    python.parent.mkdir()
    python.write_text(PYTHON.format(python=sys.executable, notes=str(notes)))
    python.chmod(0o755)
    checkout = Checkout(folder / "info scope")
    environ = dict(checkout.environ)
    checkout.search_first(python.parent)
    cancelled: list[str] = []
    watcher = threading.Thread(target=cancel_a_training_run, args=(notes, cancelled))
    watcher.start()
    text = checkout.snakemake(*OPTIONS)
    watcher.join()
    assert checkout.returncode == 0, text
    checkout.environ = environ
    return Finished(checkout, text, recorded(notes, cluster), *cancelled)


def test_tables_are_those_of_a_local_run(study: Finished, finished: Checkout) -> None:
    here, there = (c.folder / "results/ci" for c in (finished, study.checkout))
    tables = sorted(path.name for path in here.glob("*.csv"))
    assert {"widths.csv", "claims.csv", "fisher.csv"} <= set(tables)
    for name in tables:
        one, other = (pd.read_csv(folder / name) for folder in (here, there))
        if name == "claims.csv":
            # costs of rules are measured
            one, other = (t[~t.metric.str.startswith("cost")] for t in (one, other))
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_every_job_is_where_the_profile_wants_it(study: Finished) -> None:
    for job in study.jobs:
        if job.stage == "train-estimator":
            assert job.slurm["Partition"] == "gpu" and job.device in ("0", "1")
        elif job.slurm is not None:
            assert job.slurm["Partition"] == "cpu" and not job.device
    remote = {job.stage for job in study.jobs if job.slurm is not None}
    assert remote >= {
        "simulate-skies", "degrade-maps", "collect-dataset", "train-estimator",
        "infer-posterior", "forecast-fisher",
    }  # fmt: skip
    here = {job.stage for job in study.jobs if job.slurm is None}
    assert {"tabulate-nz", "export-chain", "measure-widths", "plot"} <= here
    assert not here & remote


def test_training_runs_never_share_a_gpu(study: Finished) -> None:
    training_runs = [job for job in study.jobs if job.stage == "train-estimator"]
    pairs = [(a, b) for a, b in combinations(training_runs, 2) if a.meets(b)]
    assert pairs, "no two training runs ran at the same time"
    assert all(a.device != b.device for a, b in pairs)


def test_short_jobs_are_submitted_as_arrays(study: Finished) -> None:
    tasks = Counter((job.stage, job.array) for job in study.jobs if job.array)
    assert {stage for stage, _ in tasks} <= {
        "degrade-maps",
        "collect-dataset",
        "infer-posterior",
    }
    assert max(n for (stage, _), n in tasks.items() if stage == "degrade-maps") > 1


def test_cancelled_job_is_submitted_again(study: Finished) -> None:
    (first,) = (
        job
        for job in study.jobs
        if job.slurm is not None and job.slurm["JobId"] == study.cancelled
    )
    assert first.slurm["JobState"] == "CANCELLED"
    again = [job for job in study.jobs if job.output == first.output and job != first]
    assert [job.slurm["JobState"] for job in again] == ["COMPLETED"]
    assert f"SLURM-job '{study.cancelled}' failed" in study.text
    assert study.text.count("Trying to restart job") == 1


def test_missing_gpu_is_reported_with_the_log_of_the_job(study: Finished) -> None:
    """The GPU is requested with `gres`, and the real JAX finds none."""
    checkout = study.checkout
    config = copy.deepcopy(checkout.config)
    config["training"]["seeds"] = 2
    target = "results/ci/training/reference/power_spectrum/seed_1/summaries.h5"
    resources = ("slurm_partition=gpu", "gres=gpu:1")
    text = checkout.snakemake(
        *OPTIONS,
        "--restart-times=0",
        "--set-resources",
        *(f"train_estimator:{resource}" for resource in resources),
        "--",
        target,
        config=config,
    )
    assert checkout.returncode != 0
    assert "Error in rule train_estimator" in text
    assert "SLURM allocated 1 GPU but JAX sees 0: install JAX's CUDA build" in text
    (log,) = re.findall(r"(/\S.*/rule_train_estimator/.*?/\d+\.log)", text)[:1]
    assert "train_estimator" in Path(log).read_text()
    assert not (checkout.folder / target).exists()
