"""Files are complete or absent, also after kills and errors of the disk."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infoscope.errors import InfoscopeError
from infoscope.files.atomic import atomic_path, check_writable
from infoscope.run.config_snapshot import load, save

WRITER = """
import sys, time
from pathlib import Path
from infoscope.files.atomic import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path: Path) -> subprocess.Popen[str]:
    """Return a process that is writing x.csv without finishing."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "x.csv")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def write(path: Path, content: str = "whole") -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "x.csv") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_by_the_next(
    writer: subprocess.Popen[str], tmp_path: Path
) -> None:
    write(tmp_path / "y.csv")
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert not (tmp_path / "x.csv").exists()
    assert len(names(tmp_path)) == 2
    # only that of the same file
    write(tmp_path / "y.csv")
    assert len(names(tmp_path)) == 2
    write(tmp_path / "x.csv")
    assert names(tmp_path) == ["x.csv", "y.csv"]


def test_what_is_being_written_is_left_alone(
    writer: subprocess.Popen[str], tmp_path: Path
) -> None:
    write(tmp_path / "x.csv")
    assert len(names(tmp_path)) == 2
    assert (tmp_path / "x.csv").read_text() == "whole"


def test_two_machines_with_a_process_of_one_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    with atomic_path(path) as here:
        here.write_text("here")
        with monkeypatch.context() as there:
            there.setattr(socket, "gethostname", lambda: "node-2")
            write(path, "there")
            assert path.read_text() == "there"
        assert here.read_text() == "here"
    assert path.read_text() == "here" and names(tmp_path) == ["x.csv"]


def test_what_another_machine_left_is_removed_after_a_day(tmp_path: Path) -> None:
    left = tmp_path / ".x.csv.node-2-1-0123abcd.part"
    left.touch()
    write(tmp_path / "x.csv")
    assert left.exists()
    os.utime(left, times=(time.time() - 90_000,) * 2)
    write(tmp_path / "x.csv")
    assert names(tmp_path) == ["x.csv"]


def test_a_full_disk_is_one_line(tmp_path: Path, mount: Callable[..., None]) -> None:
    disk = tmp_path / "disk"
    mount(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    path = disk / "x.csv"
    with pytest.raises(InfoscopeError) as refused:
        write(path, "x" * 100_000)
    assert str(refused.value) == (
        f"{path}: cannot be written (No space left on device): free disk space and run "
        "again"
    )
    assert names(disk) == []


def test_a_disk_that_is_read_only_is_one_line(
    tmp_path: Path, mount: Callable[..., None]
) -> None:
    results = tmp_path / "results"
    check_writable(results / "study")
    mount(results, "-t", "tmpfs", "-o", "ro", "tmpfs")
    with pytest.raises(InfoscopeError, match=f"^{results}: cannot be written, but"):
        check_writable(results / "study")
    with pytest.raises(InfoscopeError, match="Read-only file system.: make it writ"):
        write(results / "x.csv")


def test_a_config_is_kept_under_a_name_that_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = {"study": "x", "seed": 1}
    path = save(config)
    assert save(dict(reversed(config.items()))) == path
    assert save(config | {"seed": 2}) != path
    assert load(path) == config
