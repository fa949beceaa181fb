"""Files are complete or absent, and a data set changes when its tiles do."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from infoscope.cli import main
from infoscope.cosmology.nuisance import Nuisance
from infoscope.errors import InfoscopeError
from infoscope.files.hdf5 import (
    collect,
    create,
    open_for_reading,
    write,
    write_nuisance,
)
from infoscope.vocabulary import Split


def shard(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    with create(path, {"seed": seed}) as file:
        write(file, "tiles", rng.standard_normal((2, 3, 4, 4, 2)).astype(np.float32))
        write(file, "theta", rng.random((2, 2)))
        write(file, "cosmology", np.arange(2))
        write(file, "sky", np.arange(2) + 10 * seed)
        write_nuisance(file, Nuisance.none(2))
        file.attrs["digest"] = str(seed)
    return path


def data_set(folder: Path, seeds: dict[str, list[int]]) -> Path:
    shards = {
        split: [
            shard(folder / split / f"{i:04d}.h5", seed)
            for i, seed in enumerate(seeds[split])
        ]
        for split in Split
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
    with pytest.raises(InfoscopeError, match=str(path)), open_for_reading(path):
        pass
    output = tmp_path / "reference.h5"
    files = ["--shards", str(path), "--example", str(tmp_path / "e.h5")]
    files += ["--output", str(output)]
    assert main(["collect-dataset", "--spec", "{}", *files]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(path) in error
    assert not output.exists()


def contents(path: Path) -> dict[str, object]:
    """Return all data and attributes of a file."""
    found: dict[str, object] = {}

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        for key, value in item.attrs.items():
            found[f"{name}@{key}"] = np.asarray(value).tolist()
        if isinstance(item, h5py.Dataset):
            found[name] = (item.dtype, item.shape, item[()].tobytes())

    with open_for_reading(path) as file:
        add("/", file)
        file.visititems(add)
    return found


def flipped(path: Path, position: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def test_a_flipped_bit_is_named_or_harmless(tmp_path: Path) -> None:
    """In data, attributes and structures of the file, and of a shard of it."""
    path = data_set(tmp_path / "reference", SEEDS)
    rng = random.Random(1)
    for damaged in (path, tmp_path / "reference/train/0001.h5"):
        whole, content = contents(path), damaged.read_bytes()
        named = 0
        positions = range(rng.randrange(151), len(content), 151)
        for position in positions:
            flipped(damaged, position, rng.randrange(8))
            try:
                assert contents(path) == whole
            except InfoscopeError as error:
                assert str(error).startswith(f"{damaged}: cannot be read (")
                assert "delete it and run again" in str(error)
                assert "\n" not in str(error)
                named += 1
            damaged.write_bytes(content)
        # HDF5 keeps some space free
        assert named > len(positions) / 5


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    """HDF5 itself would read fill values."""
    path = data_set(tmp_path / "reference", SEEDS)
    missing = tmp_path / "reference/test/0000.h5"
    missing.unlink()
    with pytest.raises(InfoscopeError) as refused, open_for_reading(path):
        pass
    assert str(refused.value) == (
        f"{missing}: cannot be read (No such file or directory): {path} refers to it; "
        "restore it or, if it is a result, run again"
    )


def test_an_error_of_the_reader_is_its_own(tmp_path: Path) -> None:
    with (
        pytest.raises(ConnectionError),
        open_for_reading(shard(tmp_path / "x.h5", 1)),
    ):
        raise ConnectionError


FILLER = """
import sys
from pathlib import Path
import numpy as np
from infoscope.files.hdf5 import create, write
from infoscope.errors import InfoscopeError

disk, flush = Path(sys.argv[1]), sys.argv[2] == "flush"
for left in range(0, 160, 4):
    (disk / "other").write_bytes(bytes((256 - left) * 1024))
    written = 0
    try:
        with create(disk / "x.h5", {"long": "x" * 3000}) as file:
            data = file.create_dataset(
                "tiles", (20, 1000), "f4", chunks=(1, 1000), fletcher32=True
            )
            for written in range(20):
                data[written] = written
                if flush:
                    file.flush()
            write(file, "theta", np.arange(3000.0))
        print("written")
        (disk / "x.h5").unlink()
    except InfoscopeError as error:
        print(error, "after", written)
    left = sorted(path.name for path in disk.iterdir())
    assert left == ["other"], left
    (disk / "other").unlink()
"""


@pytest.mark.parametrize("flush", ["flush", "close"])
def test_a_full_disk_is_one_line(
    tmp_path: Path, mount: Callable[..., None], flush: str
) -> None:
    """This holds at any place in the file, where HDF5 itself would crash."""
    disk = tmp_path / "disk"
    mount(disk, "-t", "tmpfs", "-o", "size=256k", "tmpfs")
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(disk), flush],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 40
    fails = lines.index("written")
    assert fails > 10 and set(lines[fails:]) == {"written"}
    after = []
    for line in lines[:fails]:
        message, _, number = line.rpartition(" after ")
        assert message == (
            f"{disk}/x.h5: cannot be written (No space left on device): "
            "free disk space and run again"
        )
        after.append(int(number))
    # flush raises the error early
    assert min(after) < 3 if flush == "flush" else min(after) == 19
