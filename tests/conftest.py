"""A sky of two correlated bins, application of operations, and a small disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoscope.degradations import Operation, Sky, Survey
from infoscope.maps import harmonics
from infoscope.study.config import parse_study

NSIDE = 32
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
        nside=NSIDE, tile_nside=2, omega_m=0.3, h=0.7, mean_z=np.array([0.3, 0.8]),
        n_gal_arcmin2=np.array([2.0, 6.0]), sigma_e=np.array([0.3, 0.4]),
    )  # fmt: skip


def gaussian_alm(cl: np.ndarray, n_maps: int, rng: np.random.Generator) -> np.ndarray:
    lmax = len(cl) - 1
    ell = harmonics.ell_of_alm(lmax)
    draws = rng.standard_normal((2, n_maps, len(ell)))
    alm = (draws[0] + 1j * draws[1]) / 2**0.5
    alm[:, : lmax + 1] = draws[0][:, : lmax + 1]
    return alm * np.sqrt(cl[ell])


@pytest.fixture
def sky(survey: Survey) -> Sky:
    ell = np.arange(3 * NSIDE)
    cl = np.where(ell <= 2 * NSIDE, 1.0 / (ell + 10.0) ** 2, 0.0)
    alm = gaussian_alm(cl, 2, np.random.default_rng(3))
    alm[1] += 0.5 * alm[0]
    return Sky(harmonics.synthesis(alm, NSIDE), survey)


@pytest.fixture
def white(survey: Survey) -> Sky:
    """Return white noise of unit variance, which contains all modes of the pixels."""
    rng = np.random.default_rng(5)
    return Sky(rng.standard_normal((2, 12 * NSIDE**2)), survey)


def parsed(**parameters: object) -> Operation:
    degradations = {"reference": {"operations": [parameters]}}
    study = parse_study({"study": "x", "degradations": degradations})
    return study.degradations["reference"].operations[0]


@pytest.fixture
def apply() -> Callable[..., Sky]:
    """Apply an operation given as in the config, and convert the sky to a domain."""

    def run(sky: Sky, *, to: str = "sphere", seed: int = 1, **parameters) -> Sky:
        parameters = parsed(**parameters)
        rng = np.random.default_rng(seed)
        return parameters.apply(sky.to(*parameters.domains), rng).to(to)

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
