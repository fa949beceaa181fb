"""Files are complete or absent, and a data set changes when its tiles do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infoscope.cli import main
from infoscope.config import SPLITS
from infoscope.datasets import (
    atomic_path,
    collect,
    create,
    open_for_reading,
    write_nuisance,
)
from infoscope.errors import InfoscopeError
from infoscope.nuisance import Nuisance


def shard(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    with create(path, {"seed": seed}) as file:
        file["tiles"] = rng.standard_normal((2, 3, 4, 4, 2)).astype(np.float32)
        file["theta"] = rng.random((2, 2))
        file["cosmology"] = np.arange(2)
        file["sky"] = np.arange(2) + 10 * seed
        write_nuisance(file, Nuisance.none(2))
        file.attrs["digest"] = str(seed)
    return path


def data_set(folder: Path, seeds: dict[str, list[int]]) -> Path:
    shards = {
        split: [
            shard(folder / split / f"{i:04d}.h5", seed)
            for i, seed in enumerate(seeds[split])
        ]
        for split in SPLITS
    }
    path = folder.with_suffix(".h5")
    collect(shards, path, {})
    return path


SEEDS = {"train": [1, 2], "validation": [3], "test": [4], "fiducial": [5]}


def test_data_set_reads_through_its_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = data_set(tmp_path / "reference", SEEDS)
    monkeypatch.chdir("/")
    with open_for_reading(path) as file:
        train = file["train"]
        assert train["tiles"].is_virtual and train["tiles"].shape == (4, 3, 4, 4, 2)
        assert list(train["sky"]) == [10, 11, 20, 21]
        with open_for_reading(tmp_path / "reference/train/0001.h5") as second:
            assert np.array_equal(train["tiles"][2:], second["tiles"][:])
            assert np.array_equal(train["theta"][2:], second["theta"][:])


def test_data_set_moves_with_its_shards(tmp_path: Path) -> None:
    data_set(tmp_path / "a" / "reference", SEEDS)
    (tmp_path / "a").rename(tmp_path / "b")
    with open_for_reading(tmp_path / "b/reference.h5") as file:
        assert np.isfinite(file["test/tiles"][:]).all()


def test_data_set_changes_with_the_content_of_a_shard(tmp_path: Path) -> None:
    contents = [
        data_set(tmp_path / "reference", SEEDS | {"test": [seed]}).read_bytes()
        for seed in (4, 6)
    ]
    assert contents[0] != contents[1]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), create(tmp_path / "x.h5", {}) as file:
        file["a"] = 1
        raise RuntimeError
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "x.csv") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_outputs_say_what_made_them(tmp_path: Path) -> None:
    with open_for_reading(shard(tmp_path / "x.h5", 7)) as file:
        assert file.attrs["spec"] == '{"seed": 7}'
        assert "numpy" in file.attrs["versions"]


def test_truncated_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shard(tmp_path / "train" / "0000.h5", 1)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InfoscopeError, match=str(path)):
        open_for_reading(path)
    output = tmp_path / "reference.h5"
    files = ["--shards", str(path), "--output", str(output)]
    assert main(["collect", "--spec", "{}", *files]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(path) in error
    assert not output.exists()
