"""Training of one estimator, from a data set to its output files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import jax
import numpy as np
import pandas as pd
import pytest

from infoscope.cli import main
from infoscope.cosmology.nuisance import Nuisance
from infoscope.estimators import checkpoints
from infoscope.files.hdf5 import write_nuisance
from infoscope.stages import train_estimator
from infoscope.study import specs
from infoscope.study.config import parse_study
from infoscope.vocabulary import Split

ESTIMATOR = {
    "kind": "power_spectrum",
    "n_ell": 4,
    "hidden": 8,
    "steps": 40,
    "batch_size": 16,
}
STUDY = parse_study(
    {
        "study": "x",
        "degradations": {"reference": {}},
        "estimators": {"spectra": ESTIMATOR},
        "grid": {"train": {"cosmologies": 6, "skies": 2}},
        "training": {"evaluate_every": 10},
    }
)
SPEC = specs.train(STUDY, "reference", "spectra", 0)


def write(path: Path, shard: str = "digest") -> Path:
    """Write white noise in two bins for two skies of each of six cosmologies."""
    generator = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for split in Split:
            group = file.create_group(split)
            group["tiles"] = generator.standard_normal((12, 3, 8, 8, 2), np.float32)
            group["theta"] = generator.uniform([0.15, 0.5], [0.45, 1.2], (12, 2))
            group["sky"] = np.arange(12)
            group["cosmology"] = np.repeat(np.arange(6), 2)
            write_nuisance(group, Nuisance.none(12))
            group.attrs["0000"] = shard
    return path


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the output of a training run that was interrupted after 30 of 40 steps."""
    monkeypatch.setattr(checkpoints, "INTERVAL_SECONDS", 0)
    output = tmp_path / "seed_0" / "summaries.h5"

    def stop(line: str, *values: object) -> None:
        if line.startswith("step 30/"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(train_estimator.logger, "info", stop)
        with pytest.raises(KeyboardInterrupt):
            train_estimator.run(SPEC, write(tmp_path / "data.h5"), output)
    assert kept(output) and not output.exists()
    return output


def kept(output: Path) -> list[Path]:
    return list(output.parent.glob(".checkpoint-*"))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_only_the_first_skies_of_the_first_cosmologies_are_used(
    tmp_path: Path,
) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as group:
        # in the order of shards; skies of a cosmology may be separated
        group["cosmology"] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 3]

        def used(cosmologies: int, skies: int) -> list[int]:
            limits = {"cosmologies": cosmologies, "skies": skies}
            return list(train_estimator.used_skies(group, limits))

        assert used(9, 9) == list(range(11))
        assert used(9, 1) == [0, 3, 6, 10]
        assert used(2, 2) == [0, 1, 3, 4]
        assert used(1, 4) == [0, 1, 2, 9]


def test_a_reduced_training_run_uses_fewer_skies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "infoscope")
    spec = SPEC | {"skies": {"cosmologies": 4, "skies": 1}}
    train_estimator.run(spec, write(tmp_path / "data.h5"), tmp_path / "summaries.h5")
    assert "4 training skies, 12 validation skies of 3 tiles" in lines(caplog)[0]


def test_losses_are_recorded(tmp_path: Path) -> None:
    output = tmp_path / "summaries.h5"
    train_estimator.run(SPEC, write(tmp_path / "data.h5"), output)
    history = pd.read_csv(tmp_path / "history.csv")
    best = history.loc[history.validation_nll.idxmin()]
    with h5py.File(output) as file:
        for name in ("train_nll", "validation_nll", "validation_error"):
            assert file.attrs[name] == pytest.approx(best[name])
        # steps 10, 20 and 30 come before the last tenth
        early = history.validation_nll[:3].min()
        expected = early - history.validation_nll.min()
        assert file.attrs["final_drop"] == pytest.approx(expected)
        assert file.attrs["best_step"] == best.step


def test_an_interrupted_training_run_resumes(
    interrupted: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # left by an earlier training run with another config
    shutil.copytree(kept(interrupted)[0], interrupted.with_name(".checkpoint-old"))
    caplog.set_level("INFO", "infoscope")
    train_estimator.run(SPEC, interrupted.parents[1] / "data.h5", interrupted)
    assert "resuming from the checkpoint at step 30" in lines(caplog)
    assert interrupted.exists() and not kept(interrupted)


@pytest.mark.parametrize("change", ["spec", "skies", "code", "data"])
def test_a_checkpoint_of_another_training_run_is_not_used(
    interrupted: Path,
    change: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec, dataset = dict(SPEC), interrupted.parents[1] / "data.h5"
    if change == "spec":
        spec["estimator"] = spec["estimator"] | {"learning_rate": 1e-3}
    elif change == "skies":
        spec["skies"] = {"cosmologies": 6, "skies": 1}
    elif change == "code":
        monkeypatch.setenv("INFOSCOPE_CODE", "another")
    else:
        write(dataset, "another")
    caplog.set_level("INFO", "infoscope")
    train_estimator.run(spec, dataset, interrupted)
    assert not any("resuming" in line for line in lines(caplog))
    assert "step 10/40" in " ".join(lines(caplog))
    assert not kept(interrupted)


def test_a_failed_training_run_leaves_no_checkpoint(
    interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = interrupted.parents[1] / "data.h5"
    with h5py.File(dataset, "r+") as file:
        file["train/tiles"][:] = np.nan
    files = ["--dataset", str(dataset), "--output", str(interrupted)]
    assert main(["train-estimator", "--spec", json.dumps(SPEC), *files]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "spectra on reference, seed 0: the training loss is not finite" in last
    assert not kept(interrupted) and not interrupted.exists()


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        ("INFOSCOPE_GPUS", "the rule requests"),
        # requested with `gres`, which the rule does not see
        ("SLURM_GPUS_ON_NODE", "SLURM allocated"),
    ],
)
def test_a_missing_gpu_is_one_line_with_a_remedy(
    variable: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    present = sum(device.platform == "gpu" for device in jax.devices())
    monkeypatch.setenv(variable, str(present + 1))
    files = ["--dataset", str(write(tmp_path / "data.h5"))]
    files += ["--output", str(tmp_path / "summaries.h5")]
    assert main(["train-estimator", "--spec", json.dumps(SPEC), *files]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and reason in error
    assert 'pip install "jax[cuda12]"' in error and "resource `gpu`" in error
    assert not (tmp_path / "summaries.h5").exists()


@pytest.mark.parametrize("how", ["truncated", "garbled", "of another network"])
def test_a_checkpoint_that_cannot_be_read_is_deleted(
    interrupted: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = interrupted.parents[1] / "data.h5"
    whole = interrupted.parents[1] / "whole" / "summaries.h5"
    train_estimator.run(SPEC, dataset, whole)
    (folder,) = kept(interrupted)
    if how == "of another network":
        (step,) = folder.glob("[0-9]*")
        shutil.rmtree(step)
        like = {"params": {"other": np.zeros(3)}}
        checkpoints.Checkpoints(folder, 0).save(30, like, {"history": []})
    else:
        for path in (path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            path.write_bytes(
                content[: len(content) // 2] if how == "truncated" else b"x" * 99
            )
    caplog.set_level("INFO", "infoscope")
    caplog.clear()
    train_estimator.run(SPEC, dataset, interrupted)
    warnings = [line for line in lines(caplog) if "cannot be read and is del" in line]
    assert len(warnings) == 1 and "\n" not in warnings[0]
    assert not any("resuming" in line for line in lines(caplog))
    assert "step 10/40" in " ".join(lines(caplog))
    for name in ("history.csv", "weights.msgpack"):
        path = interrupted.with_name(name)
        assert path.read_bytes() == whole.with_name(name).read_bytes()
    assert not kept(interrupted)


def test_a_checkpoint_that_cannot_be_written_does_not_stop_training(
    tmp_path: Path,
    mount: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(checkpoints, "INTERVAL_SECONDS", 0)
    dataset = write(tmp_path / "data.h5")
    caplog.set_level("INFO", "infoscope")
    disk = tmp_path / "disk"
    # enough space for the results, but not for a checkpoint beside them
    mount(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    train_estimator.run(SPEC, dataset, disk / "summaries.h5")
    warnings = [line for line in lines(caplog) if "warning: no checkpoint" in line]
    assert len(warnings) == 4
    assert sorted(path.name for path in disk.iterdir()) == [
        "history.csv", "summaries.h5", "weights.msgpack",
    ]  # fmt: skip
