"""Patches of two correlated bins, application of operations, and a small disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoscope.degradations import Operation, Patches, Survey
from infoscope.study.config import parse_study

N_PATCH, PIXELS = 6, 32
# Files that several workers (`pytest -n 2`) begin with: one at the end would keep a
# worker busy while the others have nothing to do.
LONGEST = [
    f"tests/{name}.py"
    for name in (
        "workflow/test_slurm",
        "workflow/test_storage_and_names",
        "workflow/test_conda",
        "workflow/test_extending",
        "workflow/test_cosmogrid",
        "science/test_linear_gaussian",
        "science/test_errors_of_ratios",
        "science/test_skies",
    )
]
# Their tests share nothing but the finished study, and run on any worker at the end.
INDEPENDENT = [
    f"tests/workflow/test_{name}.py"
    for name in ("failures", "jobs", "resources", "bad_config", "what_reruns")
]


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all tests of a file to one worker, because they share what they make."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = file_of(nodeid)
            return nodeid if file in INDEPENDENT else file

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Mark the tests that need a browser or mount disks; sort for several workers."""
    for item in items:
        if {"browser", "mount"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.system)
    if not hasattr(config, "workerinput"):
        return
    order = {name: i - len(LONGEST) for i, name in enumerate(LONGEST)}
    order |= {name: 1 + i for i, name in enumerate(INDEPENDENT)}
    items.sort(key=lambda item: order.get(file_of(item.nodeid), 0))


@pytest.fixture
def survey() -> Survey:
    return Survey(
        side_deg=29.3, pixels=PIXELS, omega_m=0.3, h=0.7, mean_z=np.array([0.3, 0.8]),
        n_gal_arcmin2=np.array([2.0, 6.0]), sigma_e=np.array([0.3, 0.4]),
    )  # fmt: skip


def gaussian_fields(
    shape: tuple[int, ...], pixels: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw Gaussian fields of unit variance, quarters of periodic ones.

    Their spectrum falls by a factor of 100 between the fundamental and the pixels.
    """
    number = np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(2 * pixels)])) * pixels
    amplitude = 1 / (1 + number)
    amplitude[0, 0] = 0
    amplitude *= 2 * pixels / np.sqrt((amplitude**2).sum())
    white = rng.standard_normal((*shape, 2 * pixels, 2 * pixels))
    fields = np.fft.ifft2(np.fft.fft2(white) * amplitude).real
    return fields[..., :pixels, :pixels]


@pytest.fixture
def patches(survey: Survey) -> Patches:
    """Return Gaussian patches of two correlated bins, of three times the noise."""
    fields = gaussian_fields((2, N_PATCH), PIXELS, np.random.default_rng(3))
    fields[1] = 0.6 * fields[0] + 0.8 * fields[1]
    return Patches(0.01 * fields, survey).without_mean()


@pytest.fixture
def white(survey: Survey) -> Patches:
    """Return white noise of unit variance, whose bins are independent."""
    rng = np.random.default_rng(5)
    return Patches(rng.standard_normal((2, N_PATCH, PIXELS, PIXELS)), survey)


def parsed(**parameters: object) -> Operation:
    degradations = {"reference": {"operations": [parameters]}}
    study = parse_study({"study": "x", "degradations": degradations})
    return study.degradations["reference"].operations[0]


@pytest.fixture
def apply() -> Callable[..., Patches]:
    """Apply an operation given as in the config, fitted to `fiducial`.

    By default, constants are fitted to the patches themselves.
    """

    def run(
        patches: Patches,
        *,
        seed: int = 1,
        fiducial: Patches | None = None,
        **parameters: object,
    ) -> Patches:
        operation = parsed(**parameters)
        constants = operation.fit(fiducial or patches) if operation.needs_fit else {}
        return operation.apply(patches, constants, np.random.default_rng(seed))

    return run


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mount a file system on a folder for the duration of a test."""
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
