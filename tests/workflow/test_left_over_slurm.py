"""The SLURM of the tests removes what a killed test run left, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.workflow import slurm


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.setattr(slurm, "SYSTEM", folder)
    # another worker may run the cluster of tests
    monkeypatch.setattr(slurm, "runs", lambda: False)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_links_of_a_killed_test_are_removed(system: Path, tmp_path: Path) -> None:
    made = tmp_path / "slurm"
    made.mkdir()
    (made / "slurm.conf").touch()
    os.mknod(made / "gpu0", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    (system / "slurm.conf").symlink_to(made / "slurm.conf")
    (system / "gres.conf").symlink_to(made / "deleted")
    slurm.remove_left_over()
    assert not list(system.iterdir())


def test_files_of_a_cluster_stay(system: Path, tmp_path: Path) -> None:
    (tmp_path / "gres.conf").touch()
    (system / "slurm.conf").touch()
    (system / "gres.conf").symlink_to(tmp_path / "gres.conf")
    slurm.remove_left_over()
    assert {path.name for path in system.iterdir()} == {"slurm.conf", "gres.conf"}


def test_links_of_a_running_test_stay(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "runs", lambda: True)
    (system / "gres.conf").symlink_to(system / "deleted")
    slurm.remove_left_over()
    assert (system / "gres.conf").is_symlink()
