"""A killed training run resumes, with the same result as one without interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infoscope.study import specs
from infoscope.study.config import parse_study

from .conftest import Checkout, contents

pytestmark = [pytest.mark.slow, pytest.mark.system]

# the command line, with a checkpoint at every evaluation
LAUNCHER = """
import sys
from infoscope.estimators import checkpoints
from infoscope import cli
checkpoints.INTERVAL_SECONDS = 0
sys.exit(cli.main())
"""
STEPS = 400


def command(finished: Checkout, output: Path) -> list[str]:
    spec = specs.train(parse_study(finished.config), "reference", "cnn", 0)
    spec["estimator"]["steps"] = STEPS
    spec["training"] = {"evaluate_every": 5, "patience": STEPS}
    dataset = finished.folder / "results/ci/datasets/reference.h5"
    return [
        sys.executable, "-c", LAUNCHER, "train-estimator", "--spec", json.dumps(spec),
        "--dataset", str(dataset), "--output", str(output),
    ]  # fmt: skip


def test_a_killed_training_run_has_the_same_result_as_one_without_interruption(
    finished: Checkout, tmp_path: Path
) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(finished.folder / "workflow"),
        "NPROC": "1",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    folder = tmp_path / "seed_0"
    killed = command(finished, folder / "summaries.h5")
    with subprocess.Popen(
        killed, env=environment, stderr=subprocess.DEVNULL
    ) as training:
        # the name of a complete checkpoint is the number of its step
        while not list(folder.glob(".checkpoint-*/[0-9]*[0-9]")):
            assert training.poll() is None, "training ended before it could be killed"
            time.sleep(0.01)
        training.send_signal(signal.SIGKILL)
    assert training.returncode == -signal.SIGKILL
    assert not (folder / "summaries.h5").exists()
    assert not (folder / "history.csv").exists()

    def run(arguments: list[str]) -> list[str]:
        done = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()

    log = run(killed)
    (resumed,) = (line for line in log if "resuming from the checkpoint" in line)
    step = int(resumed.rpartition(" ")[2])
    assert 0 < step < STEPS
    assert sum(f"/{STEPS}  train" in line for line in log) == (STEPS - step) // 5

    whole = tmp_path / "uninterrupted"
    assert not any(
        "resuming" in line for line in run(command(finished, whole / "summaries.h5"))
    )
    for name in ("history.csv", "weights.msgpack"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    one, other = (contents(path / "summaries.h5") for path in (folder, whole))
    assert one.keys() >= {"fiducial/summary", "test/summary", "validation/summary"}
    assert one == other
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.csv", "summaries.h5", "weights.msgpack",
    ]  # fmt: skip
