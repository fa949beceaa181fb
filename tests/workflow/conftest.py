"""A complete study in a copy of the repository, and jobs that run after a change."""

from __future__ import annotations

import copy
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

PATH = os.environ["PATH"]
ROOT = Path(__file__).parents[2]
PARTS = ["Snakefile", "workflow", "config", "envs", "profiles", "resources"]


def contents(path: Path) -> dict[str, object]:
    """Return data sets of an HDF5 file by name, and attributes by `name@key`."""
    found: dict[str, object] = {}

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.dtype, item.shape, np.asarray(item).tobytes())
        for key, value in item.attrs.items():
            found[f"{name}@{key}"] = repr(np.asarray(value).tolist())

    with h5py.File(path) as file:
        file.visititems(add)
    return found


class Checkout:
    """A copy of the repository with one study file, which is made if there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.exists():
            self._make()
        self.config = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
        # the rules call `python`, which must be the interpreter that runs the tests
        self.environ = os.environ | {"PATH": f"{Path(sys.executable).parent}:{PATH}"}

    def _make(self) -> None:
        self.folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, self.folder / part, ignore=ignore)
            else:
                shutil.copy(source, self.folder / part)

    def copied(self, folder: Path) -> Checkout:
        """Copy the checkout with its results and their times."""
        shutil.copytree(self.folder, folder, symlinks=True)
        other = copy.deepcopy(self)
        other.folder = folder
        return other

    def search_first(self, folder: Path) -> None:
        """Put a folder at the front of PATH."""
        self.environ["PATH"] = f"{folder}:{self.environ['PATH']}"

    def start(
        self, *options: str, config: dict[str, Any] | None = None, **arguments: Any
    ) -> subprocess.Popen[str]:
        """Start snakemake on the study."""
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config or self.config))
        return subprocess.Popen(
            # -P: import nothing from the working directory, like `snakemake`
            [
                *(sys.executable, "-P", "-m", "snakemake"),
                *("--configfile", "study.yaml", *options),
            ],
            cwd=self.folder,
            env=self.environ,
            text=True,
            stderr=subprocess.STDOUT,
            **arguments,
        )

    def snakemake(self, *options: str, config: dict[str, Any] | None = None) -> str:
        """Run snakemake on the study and return its output."""
        with self.start(*options, config=config, stdout=subprocess.PIPE) as process:
            text, _ = process.communicate(timeout=1200)
        self.returncode = process.returncode
        return text

    def would_run(
        self, config: dict[str, Any] | None = None, *targets: str
    ) -> dict[str, int]:
        """Count the jobs of each rule that a dry run lists."""
        text = self.snakemake("--dry-run", "--cores", "1", *targets, config=config)
        assert self.returncode == 0, text
        table = re.search(r"Job stats:\njob +count\n[- ]+\n(.*?)\n\n", text, re.S)
        if table is None:
            assert "Nothing to be done" in text, text
            return {}
        rows = (line.split() for line in table[1].splitlines())
        return {job: int(n) for job, n in rows if job not in ("all", "total")}


@pytest.fixture(scope="session")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in a folder with a space, whose study is complete: only for copies.

    The first worker that needs it makes it for all workers.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    failed = folder / "failed.txt"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = (folder / "a checkout").exists()
        checkout = Checkout(folder / "a checkout/info scope")
        if not made:
            text = checkout.snakemake("--cores", "2")
            if checkout.returncode:
                failed.write_text(text)
    assert not failed.exists(), failed.read_text()
    return checkout


@pytest.fixture(scope="session")
def finished(complete: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The complete study, which tests must leave unchanged."""
    return complete.copied(tmp_path_factory.mktemp("finished") / "info scope")


@pytest.fixture
def study(complete: Checkout, tmp_path: Path) -> Checkout:
    """Return a copy of the finished study, which a test may change."""
    return complete.copied(tmp_path / "info scope")


@pytest.fixture
def edited(finished: Checkout) -> Callable[[str, Callable[[str], str]], None]:
    """Edit a file of the checkout for the duration of a test."""
    saved: dict[Path, str] = {}

    def edit(name: str, change: Callable[[str], str]) -> None:
        path = finished.folder / name
        saved.setdefault(path, path.read_text())
        path.write_text(change(path.read_text()))

    yield edit
    for path, text in saved.items():
        path.write_text(text)
