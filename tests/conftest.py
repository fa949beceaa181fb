"""A sky of two correlated bins, a short way to apply an operation, and a small disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from infoscope.degradations import Operation, Sky, Survey
from infoscope.maps import harmonics
from infoscope.study.config import parse_study

NSIDE = 32


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
    """Return white noise of unit variance, which fills all that pixels can hold."""
    rng = np.random.default_rng(5)
    return Sky(rng.standard_normal((2, 12 * NSIDE**2)), survey)


def parsed(**parameters: object) -> Operation:
    degradations = {"reference": {"operations": [parameters]}}
    study = parse_study({"study": "x", "degradations": degradations})
    return study.degradations["reference"].operations[0]


@pytest.fixture
def apply() -> Callable[..., Sky]:
    """Apply one operation as the config writes it; `to` names the domain to end in."""

    def run(sky: Sky, *, to: str = "sphere", seed: int = 1, **parameters) -> Sky:
        parameters = parsed(**parameters)
        rng = np.random.default_rng(seed)
        return parameters.apply(sky.to(*parameters.domains), rng).to(to)

    return run


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
