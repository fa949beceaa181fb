"""A disk that is small enough to be full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mount something on a folder for the length of a test."""
    mounted: list[Path] = []

    def run(folder: Path, *options: str) -> None:
        if os.geteuid():
            pytest.skip("only root may mount file systems")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *options, str(folder)], check=True)
        if folder not in mounted:
            mounted.append(folder)

    yield run
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
